package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// backupDir is where backups are when nobody names a directory.
const backupDir = "backups"

// BackupDir returns the directory of the backups of a data directory; named is
// what the configuration says, if it does.
func BackupDir(dataDir, named string) string {
	if named != "" {
		return named
	}
	return filepath.Join(dataDir, backupDir)
}

// Schema returns the schema of the store in dir, whoever has it open. Errors are
// NotFound when there is none.
func Schema(ctx context.Context, dir string) (have int64, err error) {
	source := filepath.Join(dir, fileName)
	if err := requireStore(source); err != nil {
		return 0, err
	}
	pool, err := sql.Open("sqlite", dsn(source, "ro"))
	if err != nil {
		return 0, fmt.Errorf("open store: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	have, err = schemaOf(ctx, pool)
	return have, translate(err)
}

// keepCopy returns what keeps a copy of the store before its schema changes. A
// process that is killed in the middle and started again and again does not fill
// the disk: of one schema the first copy and the newest are kept.
func (db *DB) keepCopy(named string) func(ctx context.Context, have int64) error {
	dir := BackupDir(filepath.Dir(db.path), named)
	return func(ctx context.Context, have int64) error {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return molecule.Errorf(molecule.Unavailable, "cannot make %s: %v", dir, err).
				WithHint("no schema is changed without a copy: make the directory, or name another in backup.dir")
		}
		b, err := backUp(ctx, db.path, filepath.Join(dir, molecule.BackupName(molecule.Now(), have, molecule.BackupMigration)))
		if err != nil {
			return err
		}
		db.log.InfoContext(ctx, "kept a copy before the schema changes", "file", b.Path, "schema", have, "bytes", b.Bytes)
		return thin(dir, have, b.Name)
	}
}

// thin removes the copies of a schema between the first one and newest.
func thin(dir string, schema int64, newest string) error {
	files, err := os.ReadDir(dir) // in the order of their making
	if err != nil {
		return err
	}
	first := true
	for _, f := range files {
		b, ok := molecule.ParseBackupName(f.Name())
		if !ok || b.Reason != molecule.BackupMigration || b.Schema != schema || b.Name == newest {
			continue
		}
		if !first {
			at := filepath.Join(dir, b.Name)
			err = errors.Join(err, removeAll(at, at+sumSuffix))
		}
		first = false
	}
	return err
}

// Step is one migration that was tried.
type Step struct {
	Version int64
	Name    string
	Took    time.Duration
}

// Rehearsal is what the migrations of this program made of a copy of a store.
type Rehearsal struct {
	From, To int64
	Steps    []Step
}

// Rehearse runs the migrations that the store in dir lacks on a copy of it, and
// checks the result. The store stays as it is and may be in use. Errors are
// NotFound when there is none, Conflict for one that is newer than this program.
func Rehearse(ctx context.Context, dir string) (r Rehearsal, err error) {
	source := filepath.Join(dir, fileName)
	if err := requireStore(source); err != nil {
		return r, err
	}
	steps := embedded()
	if err := refuseNewer(ctx, source, steps); err != nil {
		return r, err
	}
	partial, err := emptyFile(dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, removeAll(partial, partial+"-journal", partial+"-wal", partial+"-shm")) }()
	if err := vacuumInto(ctx, source, partial); err != nil {
		return r, err
	}
	return rehearse(ctx, partial, steps)
}

// rehearse migrates the file at path.
func rehearse(ctx context.Context, file string, steps fs.FS) (r Rehearsal, err error) {
	pool, err := sql.Open("sqlite", dsn(file, "rw", "_txlock=immediate"))
	if err != nil {
		return r, fmt.Errorf("open the copy: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	p, err := provider(pool, steps)
	if err != nil {
		return r, err
	}
	if r.From, err = p.GetDBVersion(ctx); err != nil {
		return r, translate(err)
	}
	for _, step := range p.ListSources() {
		if step.Version <= r.From {
			continue
		}
		done, err := p.ApplyVersion(ctx, step.Version, true)
		if err != nil {
			return r, fmt.Errorf("migration %d: %w", step.Version, translate(err))
		}
		name := strings.TrimSuffix(path.Base(step.Path), ".sql")
		r.Steps = append(r.Steps, Step{Version: step.Version, Name: name, Took: done.Duration})
	}
	r.To, err = checkStore(ctx, pool, file)
	return r, err
}
