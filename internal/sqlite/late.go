package sqlite

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// What is late is looked for among what is due, which is little while slots are
// claimed: each index entry less is one write less for every fire. A slot that
// is nowhere in time, or whose alert is, is late whatever it says.
const (
	lateColumns = `SELECT name, next_slot_at, due_at, alert_after FROM schedules `
	lateWhere   = `
		INDEXED BY schedules_due WHERE state = 'active' AND removed_at IS NULL
			AND due_at <= ?1 AND (alert_after IS NULL OR alert_after <= ?1 OR alert_after >= '3')`
	lostWhere = `
		WHERE rowid IN (
			SELECT rowid FROM schedules WHERE state = 'active' AND removed_at IS NULL AND due_at >= '3'
			UNION ALL SELECT rowid FROM schedules WHERE state = 'active' AND removed_at IS NULL AND due_at IS NULL)`

	sqlLate      = lateColumns + lateWhere + ` ORDER BY due_at LIMIT ?2`
	sqlLost      = lateColumns + lostWhere + ` LIMIT ?`
	sqlCountLate = `SELECT (SELECT COUNT(*) FROM schedules ` + lateWhere + `) + (SELECT COUNT(*) FROM schedules ` + lostWhere + `)`
)

// NextAlert returns before when no slot can be late, as things are now: the zero
// time when no schedule has a slot. A damaged slot is late at once.
func (db *DB) NextAlert(ctx context.Context) (time.Time, error) {
	due, err := db.NextDue(ctx)
	if err != nil || due.IsZero() {
		return time.Time{}, err
	}
	return due.Add(alertDelay), nil
}

// LateSlots returns the slots that should have had their row by now, the longest
// overdue first and at most limit of them, and how many there are.
func (db *DB) LateSlots(ctx context.Context, now time.Time, limit int) ([]molecule.LateSlot, int, error) {
	scan := func(r rowScanner, l *molecule.LateSlot) error {
		var bad error // what cannot be read is late all the same
		return r.Scan(&l.Schedule, lenient{&l.Slot, &bad}, lenient{&l.Due, &bad}, lenient{&l.AlertAfter, &bad})
	}
	rows, err := db.query(ctx, sqlLost, limit)
	late, err := all(rows, err, scan)
	if err != nil {
		return nil, 0, err
	}
	rows, err = db.query(ctx, sqlLate, stamp(now), limit)
	more, err := all(rows, err, scan)
	late = append(late, more...)
	if err != nil || len(late) < limit {
		return late, len(late), err
	}
	rows, err = db.query(ctx, sqlCountLate, stamp(now))
	n, err := all(rows, err, func(r rowScanner, n *int) error { return r.Scan(n) })
	if err != nil {
		return nil, 0, err
	}
	return late[:limit], n[0], nil
}
