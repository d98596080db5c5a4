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

// provider reads the embedded migrations.
func provider(pool *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, pool, files)
}

// migrate brings the schema up to date and returns its version. Each step is a
// transaction of its own, and is told before it begins.
func migrate(ctx context.Context, pool *sql.DB, tell func(version int64)) (int64, error) {
	p, err := provider(pool)
	if err != nil {
		return 0, err
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return 0, err
	}
	for _, step := range p.ListSources() {
		if step.Version <= have {
			continue
		}
		if tell != nil && have > 0 { // a new file is made in no time
			tell(step.Version)
		}
		if _, err := p.ApplyVersion(ctx, step.Version, true); err != nil {
			return 0, err
		}
	}
	return p.GetDBVersion(ctx)
}

// refuseNewer returns Conflict when the file was written by a newer program.
// It reads only, so that such a file stays as it is.
func refuseNewer(ctx context.Context, path string) (err error) {
	pool, err := sql.Open("sqlite", dsn(path, "ro"))
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	p, err := provider(pool)
	if err != nil {
		return err
	}
	var have int64
	row := pool.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'goose_db_version'")
	if err := row.Scan(&have); err != nil {
		return fmt.Errorf("read the schema of %s: %w", path, translate(err))
	}
	if have == 0 {
		return nil // a new file
	}
	row = pool.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied = 1")
	if err := row.Scan(&have); err != nil {
		return fmt.Errorf("read the schema version of %s: %w", path, translate(err))
	}
	sources := p.ListSources()
	if newest := sources[len(sources)-1].Version; have > newest {
		return molecule.Errorf(molecule.Conflict, "%s has schema %d, this moleculed knows %d", path, have, newest).
			WithHint("install the moleculed that wrote it, or restore an older copy")
	}
	return nil
}
