package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// CreateToken stores what is kept of a token.
func (db *DB) CreateToken(ctx context.Context, t *molecule.Token) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		scopes, err := text(&t.Scopes)
		if err != nil {
			return err
		}
		if t.CreatedAt.IsZero() {
			t.CreatedAt = tx.Now
		}
		_, err = tx.exec(ctx, `
			INSERT INTO tokens (id, name, kind, scopes, digest, created_at, created_by, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			t.ID, t.Name, t.Kind, scopes, t.Digest[:], stamp(t.CreatedAt), t.CreatedBy, stamp(t.ExpiresAt))
		return err
	})
}

// Tokens returns every token, also those that expired or were revoked.
func (db *DB) Tokens(ctx context.Context) ([]molecule.Token, error) {
	rows, err := db.query(ctx, `
		SELECT id, name, kind, scopes, digest, created_at, created_by, expires_at, last_used_at, revoked_at
		FROM tokens ORDER BY created_at, id`)
	return all(rows, err, func(r rowScanner, t *molecule.Token) error {
		var digest []byte
		err := r.Scan(&t.ID, &t.Name, &t.Kind, object[[]molecule.Scope]{&t.Scopes}, &digest, instant{&t.CreatedAt},
			&t.CreatedBy, instant{&t.ExpiresAt}, instant{&t.LastUsed}, instant{&t.RevokedAt})
		if err != nil {
			return err
		}
		if len(digest) != len(t.Digest) {
			return fmt.Errorf("token %s: its digest has %d bytes", t.ID, len(digest))
		}
		copy(t.Digest[:], digest)
		return nil
	})
}

// TouchTokens notes when tokens, by id, were last used.
func (db *DB) TouchTokens(ctx context.Context, used map[string]time.Time) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		for id, at := range used {
			if _, err := tx.exec(ctx, `UPDATE tokens SET last_used_at = ? WHERE id = ?`, stamp(at), id); err != nil {
				return err
			}
		}
		return nil
	})
}
