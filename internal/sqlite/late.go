package sqlite

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	sqlLate = `
		SELECT name, next_slot_at, due_at, alert_after FROM schedules
		WHERE state = 'active' AND removed_at IS NULL AND alert_after <= ?
		ORDER BY alert_after LIMIT ?`
	sqlCountLate = `
		SELECT COUNT(*) FROM schedules WHERE state = 'active' AND removed_at IS NULL AND alert_after <= ?`
)

// LateSlots returns the slots that should have had their row by now, the longest
// overdue first and at most limit of them, and how many there are.
func (db *DB) LateSlots(ctx context.Context, now time.Time, limit int) ([]molecule.LateSlot, int, error) {
	rows, err := db.query(ctx, sqlLate, stamp(now), limit)
	late, err := all(rows, err, func(r rowScanner, l *molecule.LateSlot) error {
		var bad error // what cannot be read is late all the same
		return r.Scan(&l.Schedule, lenient{&l.Slot, &bad}, lenient{&l.Due, &bad}, lenient{&l.AlertAfter, &bad})
	})
	if err != nil || len(late) < limit {
		return late, len(late), err
	}
	rows, err = db.query(ctx, sqlCountLate, stamp(now))
	n, err := all(rows, err, func(r rowScanner, n *int) error { return r.Scan(n) })
	if err != nil {
		return nil, 0, err
	}
	return late, n[0], nil
}
