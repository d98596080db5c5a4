package sqlite

import (
	"context"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	sqlFailedSchedules = `
		SELECT s.name, '', a.name, s.reason, 0 FROM schedules s JOIN agents a ON a.id = s.agent_id
		WHERE s.removed_at IS NULL AND s.state <> 'active' AND s.state = 'error' LIMIT ?1`
	// The index holds those that have any blank reply.
	sqlStaleSchedules = `
		SELECT s.name, '', a.name, s.reason, s.empty_streak FROM schedules s JOIN agents a ON a.id = s.agent_id
		WHERE s.removed_at IS NULL AND s.empty_streak > 0 AND s.empty_streak >= ?2 LIMIT ?1`
	sqlWaitingRuns = `
		SELECT COALESCE(s.name, ''), r.id, a.name, r.reason, 0
		FROM runs r JOIN agents a ON a.id = r.agent_id LEFT JOIN schedules s ON s.id = r.schedule_id
		WHERE r.state = 'waiting' AND r.id > '' ORDER BY r.id LIMIT ?1`
)

// Troubles returns what waits for a person, at most limit of each kind.
func (db *DB) Troubles(ctx context.Context, limit int) (all molecule.Troubles, err error) {
	if all.Failed, err = db.troubles(ctx, sqlFailedSchedules, limit); err != nil {
		return all, err
	}
	if all.Stale, err = db.troubles(ctx, sqlStaleSchedules, limit, molecule.StaleAfter); err != nil {
		return all, err
	}
	all.Waiting, err = db.troubles(ctx, sqlWaitingRuns, limit)
	return all, err
}

func (db *DB) troubles(ctx context.Context, text string, args ...any) ([]molecule.Trouble, error) {
	rows, err := db.query(ctx, text, args...)
	return all(rows, err, func(r rowScanner, t *molecule.Trouble) error {
		return r.Scan(&t.Schedule, &t.Run, &t.Agent, &t.Reason, &t.Count)
	})
}
