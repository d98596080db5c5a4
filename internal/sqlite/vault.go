package sqlite

import (
	"context"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// WrappedOtherwise returns up to limit versions behind another, in the order of
// their rows, whose data key is not wrapped by the master key of an id. Their
// bodies are left out.
func (db *DB) WrappedOtherwise(ctx context.Context, keyID string, behind molecule.Sealed, limit int) ([]molecule.Sealed, error) {
	rows, err := db.query(ctx, `
		SELECT secret_id, version, key_id, wrapped FROM secret_versions
		WHERE (secret_id, version) > (?, ?) AND wrapped IS NOT NULL AND key_id <> ?
		ORDER BY secret_id, version LIMIT ?`, behind.SecretID, behind.Version, keyID, limit)
	return all(rows, err, func(r rowScanner, s *molecule.Sealed) error {
		return r.Scan(&s.SecretID, &s.Version, &s.KeyID, &s.Wrapped)
	})
}

// Rewrap stores data keys that were wrapped anew and returns how many. One whose
// row has changed meanwhile is left.
func (db *DB) Rewrap(ctx context.Context, before, after []molecule.Sealed) (int, error) {
	done := 0
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		done = 0 // a transaction may be tried again
		for i, v := range after {
			res, err := tx.exec(ctx, `
				UPDATE secret_versions SET wrapped = ?, key_id = ? WHERE secret_id = ? AND version = ? AND key_id = ? AND wrapped IS NOT NULL`,
				v.Wrapped, v.KeyID, v.SecretID, v.Version, before[i].KeyID)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			done += int(n)
		}
		return tellRewrap(ctx, tx, after[0].KeyID, map[string]any{"versions": done})
	})
	return done, err
}

// FinishRewrap stores what is kept under a name, wrapped anew, which says that
// nothing needs the master key before any more.
func (db *DB) FinishRewrap(ctx context.Context, name string, before, after molecule.Sealed) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE vault SET wrapped = ?, key_id = ? WHERE name = ? AND key_id = ?`, after.Wrapped, after.KeyID, name, before.KeyID)
		if err != nil {
			return err
		}
		return tellRewrap(ctx, tx, after.KeyID, map[string]any{"done": true, "before": before.KeyID})
	})
}

func tellRewrap(ctx context.Context, tx *Tx, keyID string, facts map[string]any) error {
	return insertEvent(ctx, tx, molecule.EventSecretsRewrapped, "vault/"+keyID, facts)
}

// VaultRow returns what is kept under a name; false when nothing is.
func (db *DB) VaultRow(ctx context.Context, name string) (molecule.Sealed, bool, error) {
	rows, err := db.query(ctx, `SELECT key_id, wrapped, body FROM vault WHERE name = ?`, name)
	found, err := all(rows, err, func(r rowScanner, v *molecule.Sealed) error { return r.Scan(&v.KeyID, &v.Wrapped, &v.Body) })
	if err != nil || len(found) == 0 {
		return molecule.Sealed{}, false, err
	}
	return found[0], true, nil
}

// PutVaultRow keeps what the vault needs under a name.
func (db *DB) PutVaultRow(ctx context.Context, name string, v molecule.Sealed) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.exec(ctx, `
			INSERT INTO vault (name, key_id, wrapped, body) VALUES (?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, wrapped = excluded.wrapped, body = excluded.body`,
			name, v.KeyID, v.Wrapped, v.Body)
		return err
	})
}

// AnySealed reports whether a master key was ever used.
func (db *DB) AnySealed(ctx context.Context) (bool, error) {
	rows, err := db.query(ctx, `SELECT EXISTS (SELECT 1 FROM vault WHERE wrapped IS NOT NULL) OR EXISTS (SELECT 1 FROM secret_versions)`)
	found, err := all(rows, err, func(r rowScanner, b *bool) error { return r.Scan(b) })
	if err != nil {
		return false, err
	}
	return found[0], nil
}
