package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/molecule-ai/molecli/internal/molecule"
)

//go:embed migrations/*.sql
var migrations embed.FS

// embedded are the migrations of this program.
func embedded() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is not a valid one
	}
	return files
}

// provider reads migrations.
func provider(pool *sql.DB, steps fs.FS) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, pool, steps)
}

// migration is how migrate goes about it.
type migration struct {
	steps fs.FS
	tell  func(version int64)                         // before each step of a store that is there; may be nil
	keep  func(ctx context.Context, have int64) error // before the first of them
}

// migrate brings the schema up to date and returns its version. Each step is a
// transaction of its own.
func migrate(ctx context.Context, pool *sql.DB, m migration) (int64, error) {
	p, err := provider(pool, m.steps)
	if err != nil {
		return 0, err
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return 0, err
	}
	kept := have == 0 // there is nothing to keep
	for _, step := range p.ListSources() {
		if step.Version <= have {
			continue
		}
		if m.tell != nil && have > 0 { // a new file is made in no time
			m.tell(step.Version)
		}
		if !kept {
			if err := m.keep(ctx, have); err != nil {
				return 0, fmt.Errorf("keep a copy of schema %d: %w", have, err)
			}
			kept = true
		}
		if _, err := p.ApplyVersion(ctx, step.Version, true); err != nil {
			return 0, err
		}
	}
	return p.GetDBVersion(ctx)
}

// refuseNewer returns Conflict when the file was written by a newer program.
// It reads only, so that such a file stays as it is.
func refuseNewer(ctx context.Context, path string, steps fs.FS) (err error) {
	pool, err := sql.Open("sqlite", dsn(path, "ro"))
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	have, err := schemaOf(ctx, pool)
	if err != nil {
		return fmt.Errorf("read the schema of %s: %w", path, translate(err))
	}
	return tooNew(path, have, steps)
}

// tooNew returns Conflict for a schema that is newer than this program.
func tooNew(path string, have int64, steps fs.FS) error {
	newest, err := newestSchema(steps)
	if err != nil || have <= newest {
		return err
	}
	return molecule.Errorf(molecule.Conflict, "%s has schema %d, this moleculed knows %d", path, have, newest).
		WithHint("install the moleculed that wrote it, or restore an older copy")
}

// schemaOf returns the schema of a database, 0 for one that is empty or not of
// this program.
func schemaOf(ctx context.Context, pool *sql.DB) (have int64, err error) {
	row := pool.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'goose_db_version'")
	if err := row.Scan(&have); err != nil || have == 0 {
		return 0, err
	}
	row = pool.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied = 1")
	err = row.Scan(&have)
	return have, err
}

// newestSchema returns the number of the newest migration.
func newestSchema(steps fs.FS) (newest int64, err error) {
	files, err := fs.Glob(steps, "*.sql")
	for _, f := range files {
		n, err := goose.NumericComponent(f)
		if err != nil {
			return 0, err
		}
		newest = max(newest, n)
	}
	return newest, err
}
