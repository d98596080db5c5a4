package sqlite

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// farFuture is further than any expression fires: a slot behind it is damage.
const farFuture = 200 * 366 * 24 * time.Hour

const (
	sqlDue = `
		SELECT ` + scheduleColumns + ` FROM ` + scheduleTables + `
		WHERE s.state = 'active' AND s.removed_at IS NULL AND s.next_slot_at <= ?
		ORDER BY s.next_slot_at LIMIT ?`
	// What is behind every slot there can be, or nowhere, is never due.
	sqlAstray = `
		SELECT ` + scheduleColumns + ` FROM ` + scheduleTables + `
		WHERE s.rowid IN (
			SELECT rowid FROM schedules WHERE state = 'active' AND removed_at IS NULL AND next_slot_at >= ?
			UNION ALL SELECT rowid FROM schedules WHERE state = 'active' AND removed_at IS NULL AND next_slot_at IS NULL)
		LIMIT ?`
	sqlOpenRuns     = `SELECT COUNT(*) FROM runs WHERE schedule_id = ? AND state <> 'finished'`
	sqlMoveSchedule = `
		UPDATE schedules SET state = ?, reason = ?, next_slot_at = ?, last_slot_at = COALESCE(?, last_slot_at)
		WHERE id = ?`
	// Each part is one look at an end of the index: MIN and MAX in one SELECT
	// would read all of it.
	sqlNextDue = `
		SELECT (SELECT MIN(next_slot_at) FROM schedules WHERE state = 'active' AND removed_at IS NULL),
			COALESCE((SELECT MAX(next_slot_at) FROM schedules WHERE state = 'active' AND removed_at IS NULL), ''),
			EXISTS (SELECT 1 FROM schedules WHERE state = 'active' AND removed_at IS NULL AND next_slot_at IS NULL)`
)

// NextDue returns the earliest slot of an active schedule; the zero time when
// there is none. A damaged slot is due at once, so that it is found.
func (db *DB) NextDue(ctx context.Context) (time.Time, error) {
	type bounds struct {
		first time.Time
		bad   error
		last  string
		none  bool // of some schedule
	}
	rows, err := db.query(ctx, sqlNextDue)
	found, err := all(rows, err, func(r rowScanner, b *bounds) error {
		return r.Scan(lenient{&b.first, &b.bad}, &b.last, &b.none)
	})
	if err != nil {
		return time.Time{}, err
	}
	b := found[0]
	if b.bad != nil || b.none || b.last > "3" { // no slot of this or the next century begins so
		return time.Unix(0, 0).UTC(), nil
	}
	return b.first, nil
}

// ClaimDue moves up to limit due schedules on and inserts what decide says, in
// one transaction. It returns the inserted runs that are open. A schedule that
// decide fails for, whose row is damaged or whose claim cannot be stored gets
// the state error and says why; the others go on. A slot that has its row
// already is only moved past.
func (db *DB) ClaimDue(
	ctx context.Context, now time.Time, limit int, decide func(molecule.Due) (molecule.Claim, error),
) ([]molecule.Run, error) {
	var open []molecule.Run
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		open = nil
		rows, err := tx.query(ctx, sqlDue, stamp(now), limit)
		due, err := all(rows, err, scanSchedule)
		if err != nil {
			return err
		}
		rows, err = tx.query(ctx, sqlAstray, stamp(now.Add(farFuture)), limit)
		astray, err := all(rows, err, scanSchedule)
		if err != nil {
			return err
		}
		for _, row := range append(due, astray...) {
			runs, err := claimAlone(ctx, tx, row, decide)
			if err != nil {
				return err
			}
			open = append(open, runs...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return open, nil
}

// claimAlone claims for one schedule in a savepoint of its own: what is wrong
// with it, a panic too, puts that schedule aside. Only what is wrong with the
// store is an error.
func claimAlone(
	ctx context.Context, tx *Tx, row scheduleRow, decide func(molecule.Due) (molecule.Claim, error),
) (open []molecule.Run, err error) {
	if row.bad != nil {
		return nil, fail(ctx, tx, row.Schedule, row.bad)
	}
	failed, broken := tx.apply(ctx, func(ctx context.Context, tx *Tx) error {
		var err error
		open, err = claim(ctx, tx, row.Schedule, decide)
		return err
	})
	switch code := molecule.CodeOf(failed); {
	case broken != nil:
		return nil, broken
	case failed == nil:
		return open, nil
	case code == molecule.Unavailable || code == molecule.Timeout || ctx.Err() != nil:
		return nil, failed
	}
	return nil, fail(ctx, tx, row.Schedule, failed)
}

// claim decides for one schedule and stores the decision.
func claim(
	ctx context.Context, tx *Tx, s molecule.Schedule, decide func(molecule.Due) (molecule.Claim, error),
) ([]molecule.Run, error) {
	openRuns, err := count(ctx, tx, sqlOpenRuns, s.ID)
	if err != nil {
		return nil, err
	}
	c, err := decide(molecule.Due{Schedule: s, OpenRuns: openRuns})
	if err != nil {
		return nil, err
	}
	open, last, err := insertClaimed(ctx, tx, s, c.Runs)
	if err != nil {
		return nil, err
	}
	_, err = tx.exec(ctx, sqlMoveSchedule, string(c.State), c.Reason, stamp(c.NextSlot), stamp(last), s.ID)
	if err != nil || c.State == molecule.ScheduleActive {
		return open, err
	}
	s.State, s.Reason, s.NextSlot = c.State, c.Reason, c.NextSlot
	kind := molecule.EventScheduleFinished
	if c.State == molecule.ScheduleError {
		kind = molecule.EventScheduleError
	}
	return open, scheduleEvent(ctx, tx, kind, s)
}

// insertClaimed inserts the rows of one claim. It returns the open ones and the
// last slot they cover.
func insertClaimed(
	ctx context.Context, tx *Tx, s molecule.Schedule, runs []molecule.Run,
) (open []molecule.Run, last time.Time, err error) {
	for _, r := range runs {
		r.ScheduleID, r.Schedule, r.AgentID, r.Agent, r.Prompt = s.ID, s.Name, s.AgentID, s.Agent, s.Prompt
		last = r.Slot
		if !r.SlotTo.IsZero() {
			last = r.SlotTo
		}
		err := insertRun(ctx, tx, &r)
		switch {
		case unique(err):
			continue // this slot has its row
		case err != nil:
			return nil, last, err
		case r.State != molecule.RunFinished:
			open = append(open, r)
			continue
		}
		if err := settleSchedule(ctx, tx, r); err != nil {
			return nil, last, err
		}
		if err := runEvent(ctx, tx, molecule.EventRunFinished, r); err != nil {
			return nil, last, err
		}
	}
	return open, last, nil
}

// fail puts a schedule into the state error: visible, told, and no longer due.
func fail(ctx context.Context, tx *Tx, s molecule.Schedule, why error) error {
	s.State, s.NextSlot = molecule.ScheduleError, time.Time{}
	s.Reason = molecule.Excerpt(why.Error(), molecule.MaxReasonRunes)
	if _, err := tx.exec(ctx, sqlMoveSchedule, string(s.State), s.Reason, nil, nil, s.ID); err != nil {
		return err
	}
	return scheduleEvent(ctx, tx, molecule.EventScheduleError, s)
}

// count runs a statement that returns one number.
func count(ctx context.Context, q querier, text string, args ...any) (int, error) {
	rows, err := q.query(ctx, text, args...)
	found, err := all(rows, err, func(r rowScanner, n *int) error { return r.Scan(n) })
	if err != nil {
		return 0, err
	}
	return found[0], nil
}
