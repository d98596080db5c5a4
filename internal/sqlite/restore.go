package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// What stands beside the database while a restore is under way, and after it. A
// time follows each, so that the names of one restore go together.
const (
	restoringPart = ".restoring-" // whole and checked: it only has to change places
	replacedPart  = ".replaced-"  // what was there before
	logSuffix     = "-wal"
	indexSuffix   = "-shm"
)

// Restored is what Restore has done.
type Restored struct {
	Backup   molecule.Backup // what was restored
	Replaced string          // where the database is that was there; "" when there was none
}

// Restore puts the backup at path into the place of the database of dir, which
// no daemon may be using, and keeps what was there beside it. Everything is
// checked before anything is touched. A process that is killed leaves either
// database whole; when the new one was whole already, the next Open or Restore
// finishes the change. Errors are Conflict for a directory in use or a schema
// that is newer than this program, and those of [CheckBackup].
func Restore(ctx context.Context, dir, path string, log *slog.Logger) (r Restored, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return r, err
	}
	held, err := occupy(dir, log)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, held.release()) }()
	written, err := BackupSum(path)
	if err != nil {
		return r, err
	}
	db := filepath.Join(dir, fileName)
	if same(path, db) {
		return r, molecule.Errorf(molecule.Invalid, "%s is the database itself", path).WithHint("name a file that moleculed backup has made")
	}
	partial, err := emptyFile(dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, removeAll(partial, partial+logSuffix, partial+indexSuffix)) }()
	if r.Backup, err = bring(ctx, path, partial, written); err != nil {
		return r, err
	}
	at := time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Rename(partial, db+restoringPart+at); err != nil {
		return r, fmt.Errorf("name the new database: %w", err)
	}
	if err := syncFile(dir); err != nil {
		return r, err
	}
	r.Replaced, err = finishRestore(dir, log)
	return r, err
}

// same reports whether both names are of one file.
func same(a, b string) bool {
	x, err := os.Stat(a)
	y, yerr := os.Stat(b)
	return err == nil && yerr == nil && os.SameFile(x, y)
}

// bring copies the backup at path, with the log beside it if it has one, into the
// file at partial, and checks what has come.
func bring(ctx context.Context, path, partial, written string) (b molecule.Backup, err error) {
	b = molecule.Backup{Name: filepath.Base(path), Path: path}
	if err := copyFile(ctx, path, partial); err != nil {
		return b, err
	}
	if err := copyFile(ctx, path+logSuffix, partial+logSuffix); err != nil && molecule.CodeOf(err) != molecule.NotFound {
		return b, err
	}
	if b.SHA256, b.Bytes, err = sum(ctx, partial); err != nil {
		return b, err
	}
	if written != "" && written != b.SHA256 {
		return b, molecule.Errorf(molecule.Unavailable, "%s is not what was written: its SHA-256 is %s, not %s", path, b.SHA256, written).
			WithHint("take another backup: molecli backup list")
	}
	if b.Schema, err = settle(ctx, path, partial); err != nil {
		return b, err
	}
	if err := tooNew(path, b.Schema, embedded()); err != nil {
		return b, err
	}
	return b, syncFile(partial)
}

// copyFile copies what is in a file. Errors are NotFound when there is none, and
// Unavailable when there is no room.
func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return molecule.Errorf(molecule.NotFound, "there is no file %s", from).WithHint("name a file that moleculed backup has made")
	}
	if err != nil {
		return molecule.Errorf(molecule.Forbidden, "cannot read the backup: %v", err)
	}
	defer in.Close() //nolint:errcheck // it was only read
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return molecule.Errorf(molecule.Invalid, "%s is no file", from).WithHint("name a file that moleculed backup has made")
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return molecule.Errorf(molecule.Unavailable, "cannot write into %s: %v", filepath.Dir(to), err)
	}
	_, err = io.Copy(out, interruptible{ctx, in})
	if err = errors.Join(err, out.Close()); err != nil && ctx.Err() == nil {
		return molecule.Errorf(molecule.Unavailable, "cannot copy the backup into %s: %v", filepath.Dir(to), err).
			WithHint("make room: the old database stays beside the new one")
	}
	return err
}

// settle checks the database at partial and merges its log into it. Messages name
// it by path, where it came from.
func settle(ctx context.Context, path, partial string) (schema int64, err error) {
	pool, err := sql.Open("sqlite", dsn(partial, "rw"))
	if err != nil {
		return 0, fmt.Errorf("open the copy: %w", err)
	}
	pool.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, pool.Close()) }()
	if schema, err = checkStore(ctx, pool, path); err != nil {
		return 0, err
	}
	if _, err := pool.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return 0, fmt.Errorf("merge the log of %s: %w", path, translate(err))
	}
	return schema, nil
}

// finishRestore changes the places of the database and of one that a restore has
// brought, if there is one, and returns where the former is now. Each step may be
// the last one before the machine stops: the next call goes on behind it. The
// caller holds the lock of dir.
func finishRestore(dir string, log *slog.Logger) (replaced string, err error) {
	db := filepath.Join(dir, fileName)
	found, err := filepath.Glob(escapeGlob(db) + restoringPart + "*")
	if err != nil || len(found) == 0 {
		return "", err
	}
	fresh := found[len(found)-1]
	replaced = db + replacedPart + strings.TrimPrefix(fresh, db+restoringPart)
	if err := keepReplaced(db, replaced); err != nil {
		return "", molecule.Errorf(molecule.Unavailable, "cannot keep the replaced database: %v", err).
			WithHint("nothing is lost: the data directory must be writable, then start again")
	}
	if err := errors.Join(syncFile(dir), os.Rename(fresh, db), syncFile(dir)); err != nil {
		return "", fmt.Errorf("put the restored database in place: %w", err)
	}
	if _, err := os.Lstat(replaced); errors.Is(err, fs.ErrNotExist) {
		replaced = ""
	}
	log.Info("restored the database", "file", db, "replaced", replaced)
	return replaced, nil
}

// keepReplaced gives the database a second name and moves its log there: beside
// the new database it would be taken for the new one's.
func keepReplaced(db, replaced string) error {
	if err := os.Link(db, replaced); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(db+logSuffix, replaced+logSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return removeAll(db + indexSuffix) // it is made anew
}

// escapeGlob returns a pattern that matches just name.
func escapeGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}
