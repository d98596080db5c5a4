package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// sumSuffix names the file beside a backup that holds its SHA-256, as sha256sum
// writes and checks it.
const sumSuffix = ".sha256"

// partialStart begins the names of files that are not whole yet.
const partialStart = ".moleculed-"

// Backup writes a copy of the store as it is now to path, where nothing may be
// yet; readers and the writer go on meanwhile. The copy gets its name when it is
// whole, checked and on disk. Errors are Conflict for a path that is taken, and
// Unavailable when there is no room or the store is damaged.
func (db *DB) Backup(ctx context.Context, path string) (molecule.Backup, error) {
	return backUp(ctx, db.path, path)
}

// BackUp is [DB.Backup] for the store in dir, whoever has it open. Errors are
// also NotFound when there is none.
func BackUp(ctx context.Context, dir, path string) (molecule.Backup, error) {
	source := filepath.Join(dir, fileName)
	if err := requireStore(source); err != nil {
		return molecule.Backup{}, err
	}
	return backUp(ctx, source, path)
}

// requireStore returns NotFound when there is no database at path. It only looks:
// to open the file and close it would give up the locks that this process has on
// it.
func requireStore(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return molecule.Errorf(molecule.NotFound, "there is no database in %s", filepath.Dir(path)).
			WithHint("name the directory with --data-dir, or the configuration with --config")
	case err != nil:
		return molecule.Errorf(molecule.Forbidden, "cannot look at %s: %v", path, err).
			WithHint("run it as the daemon's user, or as root")
	}
	return nil
}

func backUp(ctx context.Context, source, path string) (b molecule.Backup, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return b, err
	}
	if _, err := os.Lstat(path); err == nil {
		return b, occupied(path)
	}
	partial, err := emptyFile(filepath.Dir(path))
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, removeAll(partial, partial+"-journal")) }()
	b.MadeAt = molecule.Now()
	if err := vacuumInto(ctx, source, partial); err != nil {
		return b, err
	}
	if err := syncFile(partial); err != nil {
		return b, fmt.Errorf("write the backup to disk: %w", err)
	}
	if b.Schema, err = checkFile(ctx, partial); err != nil {
		return b, err
	}
	if b.SHA256, b.Bytes, err = sum(ctx, partial); err != nil {
		return b, err
	}
	b.Name, b.Path = filepath.Base(path), path
	return b, publish(partial, b)
}

// occupied is the error for a path where something is.
func occupied(path string) error {
	return molecule.Errorf(molecule.Conflict, "%s is there already", path).WithHint("a backup replaces nothing: choose another name")
}

// emptyFile makes a file that only its owner can read, under a name nobody else
// has.
func emptyFile(dir string) (string, error) {
	f, err := os.CreateTemp(dir, partialStart+"*.partial")
	if err != nil {
		return "", molecule.Errorf(molecule.Unavailable, "cannot write into %s: %v", dir, err).
			WithHint("make the directory for the daemon's user, or name another")
	}
	return f.Name(), f.Close()
}

// vacuumInto writes what the database at source holds, and nothing that was
// deleted from it, into the empty file at path.
func vacuumInto(ctx context.Context, source, path string) (err error) {
	pool, err := sql.Open("sqlite", dsn(source, "ro"))
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if _, err := pool.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return fmt.Errorf("copy the store: %w", translateCopy(err, filepath.Dir(path)))
	}
	return nil
}

// publish gives a finished file its name, unless somebody else has it, and lays
// its sum beside it.
func publish(partial string, b molecule.Backup) error {
	if err := os.Link(partial, b.Path); errors.Is(err, fs.ErrExist) {
		return occupied(b.Path)
	} else if err != nil {
		return molecule.Errorf(molecule.Unavailable, "cannot name the backup: %v", err).
			WithHint("the file system needs hard links and modes: choose a directory on another one")
	}
	if err := writeSum(b); err != nil {
		return err
	}
	return syncFile(filepath.Dir(b.Path))
}

// writeSum writes the line that sha256sum --check reads.
func writeSum(b molecule.Backup) error {
	partial, err := emptyFile(filepath.Dir(b.Path))
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(partial, []byte(b.SHA256+"  "+b.Name+"\n"), 0o600), syncFile(partial))
	if err == nil {
		err = os.Rename(partial, b.Path+sumSuffix)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the sum of the backup: %w", err), removeAll(partial))
	}
	return nil
}

// BackupSum returns the SHA-256 that was written down for the backup at path, ""
// when there is none.
func BackupSum(path string) (string, error) {
	text, err := os.ReadFile(path + sumSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", molecule.Errorf(molecule.Forbidden, "cannot read the sum of a backup: %v", err)
	}
	digest, _, _ := bytes.Cut(text, []byte(" "))
	if len(digest) != hex.EncodedLen(sha256.Size) {
		return "", molecule.Errorf(molecule.Unavailable, "%s holds no SHA-256", path+sumSuffix).
			WithHint("without that file only the pages of the backup are checked")
	}
	return string(digest), nil
}

// CheckBackup reads every page of the backup at path and returns what it is.
// Errors are NotFound, Invalid for what is no store of ours, and Unavailable for
// one that is damaged or is not what was written.
func CheckBackup(ctx context.Context, path string) (molecule.Backup, error) {
	b := molecule.Backup{Name: filepath.Base(path), Path: path}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, molecule.Errorf(molecule.NotFound, "there is no backup %s", path).WithHint("molecli backup list")
	}
	if err != nil {
		return b, molecule.Errorf(molecule.Forbidden, "cannot look at the backup: %v", err)
	}
	if !info.Mode().IsRegular() {
		return b, molecule.Errorf(molecule.Invalid, "%s is no file", path)
	}
	b.MadeAt = info.ModTime().UTC().Truncate(time.Millisecond)
	written, err := BackupSum(path)
	if err != nil {
		return b, err
	}
	if b.SHA256, b.Bytes, err = sum(ctx, path); err != nil {
		return b, err
	}
	if written != "" && written != b.SHA256 {
		return b, molecule.Errorf(molecule.Unavailable, "%s is not what was written: its SHA-256 is %s, not %s", path, b.SHA256, written).
			WithHint("take another backup")
	}
	b.Schema, err = checkFile(ctx, path)
	return b, err
}

// sum returns the SHA-256 and the size of a file.
func sum(ctx context.Context, path string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, molecule.Errorf(molecule.Forbidden, "cannot read the backup: %v", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	h := sha256.New()
	if size, err = io.Copy(h, interruptible{ctx, f}); err != nil {
		return "", 0, fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// interruptible reads until ctx ends.
type interruptible struct {
	ctx context.Context // of one call, not longer
	r   io.Reader
}

// Read implements io.Reader.
func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// checkFile checks a file that nobody has open, and that has no log beside it.
func checkFile(ctx context.Context, path string) (schema int64, err error) {
	pool, err := sql.Open("sqlite", dsn(path, "ro", "immutable=1"))
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	return checkStore(ctx, pool, path)
}

// checkStore reads every page of a database and returns its schema. Errors are
// Invalid for one that is not ours, Unavailable for one that is damaged.
func checkStore(ctx context.Context, pool *sql.DB, path string) (schema int64, err error) {
	schema, err = schemaOf(ctx, pool)
	if err != nil {
		return 0, damaged(path, err)
	}
	if schema == 0 {
		return 0, molecule.Errorf(molecule.Invalid, "%s is no database of moleculed", path).WithHint("name a file that moleculed backup has made")
	}
	faults, err := faultsOf(ctx, pool)
	if err != nil {
		return 0, damaged(path, err)
	}
	if len(faults) > 0 {
		return 0, damaged(path, errors.New(strings.Join(faults, "; ")))
	}
	return schema, nil
}

// damaged is the error for a file that is not as SQLite wrote it. An interrupted
// look says nothing of the file.
func damaged(path string, err error) error {
	if code := molecule.CodeOf(translate(err)); code == molecule.Timeout || errors.Is(err, context.Canceled) {
		return translate(err)
	}
	return molecule.Errorf(molecule.Unavailable, "%s is damaged", path).WithHint("take an older backup").WithCause(err)
}

// mostFaults is how many are told of.
const mostFaults = 5

// faultsOf returns what is wrong with the pages, indexes and references of a
// database.
func faultsOf(ctx context.Context, pool *sql.DB) ([]string, error) {
	rows, err := pool.QueryContext(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", mostFaults))
	said, err := all(rows, err, func(r rowScanner, s *string) error { return r.Scan(s) })
	if err != nil || len(said) != 1 || said[0] != "ok" {
		return said, err
	}
	rows, err = pool.QueryContext(ctx, "SELECT 'a row of ' || \"table\" || ' refers to no ' || \"parent\" FROM pragma_foreign_key_check LIMIT ?", mostFaults)
	return all(rows, err, func(r rowScanner, s *string) error { return r.Scan(s) })
}

// syncFile writes a file, or what a directory names, to disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// leftoverAge is how old a file that never became whole is before it is removed:
// whoever makes one now is faster.
const leftoverAge = 24 * time.Hour

// SweepPartials removes from dir what processes that were killed have left of
// backups. A directory that is not there holds nothing.
func SweepPartials(dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), partialStart) {
			continue
		}
		if info, ierr := f.Info(); ierr == nil && time.Since(info.ModTime()) > leftoverAge {
			err = errors.Join(err, removeAll(filepath.Join(dir, f.Name())))
		}
	}
	return err
}

// removeAll removes files that need not be there.
func removeAll(paths ...string) error {
	var failed error
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
