package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"
)

var sqlKeepPrompts = manyRows(2, `
	INSERT INTO prompts (id, body) VALUES ROWS
	ON CONFLICT (id) DO UPDATE SET loose_at = NULL WHERE loose_at IS NOT NULL`)

// promptID returns the id of a prompt, which its text decides.
func promptID(body string) []byte {
	id := sha256.Sum256([]byte(body))
	return id[:]
}

// keepPrompt stores body once and returns its id. A run keeps the id, and so
// exactly what was sent, whatever becomes of its schedule. Whoever stores the id
// calls it in the same transaction, unless a row it has just read has the id:
// else the prompt may be pruned.
func keepPrompt(ctx context.Context, tx *Tx, body string) ([]byte, error) {
	id := promptID(body)
	_, err := tx.execMany(ctx, &sqlKeepPrompts, []any{id, body})
	return id, err
}

// What may have a prompt.
const (
	sqlPromptsOfSchedules = `SELECT DISTINCT p.rowid FROM schedules s JOIN prompts p ON p.id = s.prompt_id WHERE s.rowid > ?1 AND s.rowid <= ?2`
	sqlPromptsOfRuns      = `SELECT DISTINCT p.rowid FROM runs r JOIN prompts p ON p.id = r.prompt_id WHERE r.rowid > ?1 AND r.rowid <= ?2`
)

// PromptUsers returns the keys of prompts that the rows with keys in
// (after, after+n] have: of schedules first and, with runs, of runs. more says
// that there were rows behind them.
func (db *DB) PromptUsers(ctx context.Context, runs bool, after int64, n int) (prompts []int64, more bool, err error) {
	text, last := sqlPromptsOfSchedules, `SELECT COALESCE(MAX(rowid), 0) FROM schedules`
	if runs {
		text, last = sqlPromptsOfRuns, `SELECT COALESCE(MAX(rowid), 0) FROM runs`
	}
	newest, err := db.number(ctx, last)
	if err != nil {
		return nil, false, err
	}
	rows, err := db.query(ctx, text, after, after+int64(n))
	prompts, err = all(rows, err, scanNumber)
	return prompts, newest > after+int64(n), err
}

// PromptKeys returns the keys of up to n prompts behind one, in order.
func (db *DB) PromptKeys(ctx context.Context, after int64, n int) ([]int64, error) {
	rows, err := db.query(ctx, `SELECT rowid FROM prompts WHERE rowid > ? ORDER BY rowid LIMIT ?`, after, n)
	return all(rows, err, scanNumber)
}

// PrunePrompts removes those of the prompts, which nothing was found to have,
// that nothing was found to have before an instant either, and nothing has begun
// to have since. It notes when the others were found so first.
func (db *DB) PrunePrompts(ctx context.Context, keys []int64, before time.Time) (int, time.Duration, error) {
	list, err := json.Marshal(keys)
	if err != nil {
		return 0, 0, err
	}
	return db.slice(ctx, func(ctx context.Context, tx *Tx) (int, error) {
		n, err := tx.remove(ctx, `DELETE FROM prompts WHERE rowid IN (SELECT value FROM json_each(?)) AND loose_at < ?`,
			string(list), stamp(before))
		if err != nil {
			return 0, err
		}
		_, err = tx.exec(ctx, `
			UPDATE prompts SET loose_at = ? WHERE rowid IN (SELECT value FROM json_each(?)) AND loose_at IS NULL`,
			stamp(tx.Now), string(list))
		return n, err
	})
}
