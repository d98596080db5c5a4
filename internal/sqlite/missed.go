package sqlite

import (
	"context"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// sqlMissed sums the rows of missed slots behind the last slot that was sent or
// is about to be.
const sqlMissed = `
	SELECT COALESCE(SUM(slots), 0), MIN(slot), MAX(COALESCE(slot_to, slot)) FROM runs
	WHERE schedule_id = ?1 AND trigger IN ('cron', 'catch_up') AND outcome = 'missed' AND slot > COALESCE((
		SELECT slot FROM runs
		WHERE schedule_id = ?1 AND trigger IN ('cron', 'catch_up') AND (started_at IS NOT NULL OR outcome IS NULL)
		ORDER BY slot DESC LIMIT 1), '')`

// Missed returns which slots of a schedule were missed since the last one that
// was sent.
func (db *DB) Missed(ctx context.Context, scheduleID string) (molecule.Missed, error) {
	return missedBy(ctx, db, scheduleID)
}

func missedBy(ctx context.Context, q querier, scheduleID string) (molecule.Missed, error) {
	rows, err := q.query(ctx, sqlMissed, scheduleID)
	found, err := all(rows, err, func(r rowScanner, m *molecule.Missed) error {
		return r.Scan(&m.Slots, instant{&m.From}, instant{&m.To})
	})
	if err != nil {
		return molecule.Missed{}, err
	}
	return found[0], nil
}
