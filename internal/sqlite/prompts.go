package sqlite

import (
	"context"
	"crypto/sha256"
)

// keepPrompt stores body once and returns its id. A run keeps the id, and so
// exactly what was sent, whatever becomes of its schedule.
func keepPrompt(ctx context.Context, tx *Tx, body string) ([]byte, error) {
	id := sha256.Sum256([]byte(body))
	_, err := tx.exec(ctx, `INSERT INTO prompts (id, body) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`, id[:], body)
	return id[:], err
}
