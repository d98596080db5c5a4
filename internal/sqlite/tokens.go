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
		if err := insertToken(ctx, tx, t); err != nil {
			return err
		}
		return insertEvent(ctx, tx, molecule.EventTokenCreated, "token/"+t.ID, t)
	})
}

// RevokeToken makes the token of an id good for nothing. One that is already is
// left as it is.
func (db *DB) RevokeToken(ctx context.Context, id string) (molecule.Token, error) {
	var out molecule.Token
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		rows, err := tx.query(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE id = ?`, id)
		found, err := all(rows, err, scanToken)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return molecule.Errorf(molecule.NotFound, "no token has the id %q", id).WithHint("molecli token list")
		}
		if out = found[0]; !out.RevokedAt.IsZero() {
			return nil
		}
		out.RevokedAt = tx.Now
		if _, err := tx.exec(ctx, `UPDATE tokens SET revoked_at = ? WHERE id = ?`, stamp(tx.Now), id); err != nil {
			return err
		}
		return insertEvent(ctx, tx, molecule.EventTokenRevoked, "token/"+id, out)
	})
	return out, err
}

func insertToken(ctx context.Context, tx *Tx, t *molecule.Token) error {
	scopes, err := text(&t.Scopes)
	if err != nil {
		return err
	}
	if t.CreatedAt.IsZero() {
		t.CreatedAt = tx.Now
	}
	_, err = tx.exec(ctx, `
		INSERT INTO tokens (id, name, kind, scopes, digest, created_at, created_by, expires_at, agent_id, enrol_name, enrol_role)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.ID, t.Name, t.Kind, scopes, t.Digest[:], stamp(t.CreatedAt), t.CreatedBy, stamp(t.ExpiresAt),
		t.AgentID, t.EnrolName, t.EnrolRole)
	return err
}

// revokeAgentTokens makes the tokens of an agent good for nothing.
func revokeAgentTokens(ctx context.Context, tx *Tx, agentID string) error {
	_, err := tx.exec(ctx, `
		UPDATE tokens SET revoked_at = ? WHERE agent_id = ? AND agent_id <> '' AND revoked_at IS NULL`,
		stamp(tx.Now), agentID)
	return err
}

const tokenColumns = `id, name, kind, scopes, digest, created_at, created_by, expires_at, last_used_at, revoked_at,
	agent_id, enrol_name, enrol_role`

// Tokens returns every token, also those that expired or were revoked.
func (db *DB) Tokens(ctx context.Context) ([]molecule.Token, error) {
	rows, err := db.query(ctx, `SELECT `+tokenColumns+` FROM tokens ORDER BY created_at, id`)
	return all(rows, err, scanToken)
}

func scanToken(r rowScanner, t *molecule.Token) error {
	var digest []byte
	err := r.Scan(&t.ID, &t.Name, &t.Kind, object[[]molecule.Scope]{&t.Scopes}, &digest, instant{&t.CreatedAt},
		&t.CreatedBy, instant{&t.ExpiresAt}, instant{&t.LastUsed}, instant{&t.RevokedAt},
		&t.AgentID, &t.EnrolName, &t.EnrolRole)
	if err != nil {
		return err
	}
	if len(digest) != len(t.Digest) {
		return fmt.Errorf("token %s: its digest has %d bytes", t.ID, len(digest))
	}
	copy(t.Digest[:], digest)
	return nil
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
