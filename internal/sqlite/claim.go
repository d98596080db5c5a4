package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// farFuture is further than any expression fires: a slot behind it is damage.
const farFuture = 200 * 366 * 24 * time.Hour

// dueColumns are what scanDue reads.
const dueColumns = scheduleColumns + `, (SELECT COUNT(*) FROM runs r WHERE r.schedule_id = s.id AND r.outcome IS NULL)`

const (
	sqlDue = `
		SELECT ` + dueColumns + ` FROM ` + scheduleTables + `
		WHERE s.state = 'active' AND s.removed_at IS NULL AND s.due_at <= ?2
			AND (s.due_at <= ?1 OR NOT EXISTS (SELECT 1 FROM runs r WHERE r.schedule_id = s.id AND r.outcome IS NULL))
		ORDER BY s.due_at LIMIT ?3`
	// What is behind every slot there can be, or nowhere, is never due.
	sqlAstray = `
		SELECT ` + dueColumns + ` FROM ` + scheduleTables + `
		WHERE s.rowid IN (
			SELECT rowid FROM schedules WHERE state = 'active' AND removed_at IS NULL AND due_at >= ?
			UNION ALL SELECT rowid FROM schedules WHERE state = 'active' AND removed_at IS NULL AND due_at IS NULL)
		LIMIT ?`
	sqlMoveSchedule = `
		UPDATE schedules SET state = ?, reason = ?, next_slot_at = ?, due_at = ?, alert_after = ?,
			last_slot_at = COALESCE(?, last_slot_at), fired = fired + ?
		WHERE id = ?`
	// Each part is one look at an end of the index: MIN and MAX in one SELECT
	// would read all of it.
	sqlNextDue = `
		SELECT (SELECT MIN(due_at) FROM schedules WHERE state = 'active' AND removed_at IS NULL),
			COALESCE((SELECT MAX(due_at) FROM schedules WHERE state = 'active' AND removed_at IS NULL), ''),
			EXISTS (SELECT 1 FROM schedules WHERE state = 'active' AND removed_at IS NULL AND due_at IS NULL)`
)

// Columns that are not named keep their index entries: most slots move on and
// change nothing else.
var sqlMoveOn = manyRows(6, `
	UPDATE schedules SET next_slot_at = v.column2, due_at = v.column3, alert_after = v.column4,
		last_slot_at = COALESCE(v.column5, last_slot_at), fired = fired + v.column6
	FROM (VALUES ROWS) v
	WHERE id = v.column1`)

// NextDue returns when the earliest slot of an active schedule is due; the zero
// time when there is none. A damaged slot is due at once, so that it is found.
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

// ClaimDue moves up to limit schedules on that are due until horizon, and
// inserts what decide says, in one transaction. One whose last run is open is
// left until it is due: by then that run may have ended. It returns the inserted
// runs that are open. A schedule that decide fails for, whose row is damaged or
// whose claim cannot be stored gets the state error and says why; the others go
// on. A slot that has its row already is only moved past.
func (db *DB) ClaimDue(
	ctx context.Context, now, horizon time.Time, limit int, decide func(molecule.Due) (molecule.Claim, error),
) ([]molecule.Run, error) {
	var open []molecule.Run
	claimAll := func(claim claimer) error {
		return db.update(ctx, func(ctx context.Context, tx *Tx) error {
			due, err := dueRows(ctx, tx, now, horizon, limit)
			if err != nil {
				return err
			}
			open, err = claim(ctx, tx, due, decide)
			return err
		})
	}
	err := claimAll(claimTogether)
	if err != nil && !ofStore(ctx, err) {
		// Something that was decided cannot be stored. Find out for whom: with a
		// savepoint for each, which all of them would pay for with every claim.
		err = claimAll(claimEach)
	}
	if err != nil {
		return nil, err
	}
	return open, nil
}

// dueRow is a schedule that is due and how many of its runs are open.
type dueRow struct {
	scheduleRow
	open int
}

func scanDue(r rowScanner, d *dueRow) error { return scanScheduleAnd(r, &d.scheduleRow, &d.open) }

// dueRows returns up to limit schedules that are due, and those that never
// would be.
func dueRows(ctx context.Context, tx *Tx, now, horizon time.Time, limit int) ([]dueRow, error) {
	rows, err := tx.query(ctx, sqlDue, stamp(now), stamp(horizon), limit)
	due, err := all(rows, err, scanDue)
	if err != nil {
		return nil, err
	}
	rows, err = tx.query(ctx, sqlAstray, stamp(now.Add(farFuture)), limit)
	astray, err := all(rows, err, scanDue)
	return append(due, astray...), err
}

// ofStore reports whether err says that the store does not work, and so nothing
// of any one schedule.
func ofStore(ctx context.Context, err error) bool {
	code := molecule.CodeOf(err)
	return code == molecule.Unavailable || code == molecule.Timeout || ctx.Err() != nil
}

// decider makes the decision for one due schedule.
type decider func(molecule.Due) (molecule.Claim, error)

// claimer claims for due schedules. It returns the open runs.
type claimer func(ctx context.Context, tx *Tx, due []dueRow, decide decider) ([]molecule.Run, error)

// claimEach is claimTogether for one schedule after the other, each in a
// savepoint: one whose claim cannot be stored is put aside.
func claimEach(ctx context.Context, tx *Tx, due []dueRow, decide decider) ([]molecule.Run, error) {
	var open []molecule.Run
	for i := range due {
		var runs []molecule.Run
		failed, broken := tx.apply(ctx, func(ctx context.Context, tx *Tx) error {
			var err error
			runs, err = claimTogether(ctx, tx, due[i:i+1], decide)
			return err
		})
		switch {
		case broken != nil:
			return nil, broken
		case failed == nil:
			open = append(open, runs...)
		case ofStore(ctx, failed):
			return nil, failed
		default:
			if err := failDue(ctx, tx, due[i].Schedule, failed); err != nil {
				return nil, err
			}
		}
	}
	return open, nil
}

// claimTogether decides for each schedule and stores the decisions. A damaged
// row, and one that decide fails for, is put aside; an error is of storing only.
func claimTogether(ctx context.Context, tx *Tx, due []dueRow, decide decider) ([]molecule.Run, error) {
	claims := make([]*claimed, 0, len(due))
	for i := range due {
		c, err := claim(ctx, tx, &due[i], decide)
		if err != nil {
			return nil, err
		}
		if c != nil {
			claims = append(claims, c)
		}
	}
	if err := insertClaimed(ctx, tx, claims); err != nil {
		return nil, err
	}
	if err := moveOn(ctx, tx, claims); err != nil {
		return nil, err
	}
	open := make([]molecule.Run, 0, len(claims))
	for _, c := range claims {
		open = append(open, c.open...)
	}
	return open, nil
}

// claim decides for one schedule. It returns nil for one that was put aside.
func claim(ctx context.Context, tx *Tx, row *dueRow, decide decider) (*claimed, error) {
	if row.bad != nil {
		return nil, failDue(ctx, tx, row.Schedule, row.bad)
	}
	due := molecule.Due{Schedule: row.Schedule, OpenRuns: row.open}
	var err error
	if len(row.Exclusions) > 0 {
		due.Calendars, err = calendarsNamed(ctx, tx, row.Exclusions)
	}
	if err == nil && strings.Contains(row.Prompt, molecule.MissedMark) {
		due.Missed, err = missedBy(ctx, tx, row.ID)
	}
	if err != nil {
		return nil, err
	}
	decision, err := decided(due, decide)
	if err != nil {
		return nil, failDue(ctx, tx, row.Schedule, err)
	}
	return &claimed{schedule: row.Schedule, decision: decision, rows: decision.Runs}, nil
}

// moveOn moves schedules to the slots that come next.
func moveOn(ctx context.Context, tx *Tx, claims []*claimed) error {
	args := make([]any, 0, len(claims)*sqlMoveOn.columns)
	for _, c := range claims {
		d := c.decision
		d.DueAt = dueAt(d.NextSlot, d.DueAt)
		next, due, alert, last, fired := stamp(d.NextSlot), stamp(d.DueAt), alertAfter(d.DueAt), stamp(c.last), len(c.open)
		if d.State == molecule.ScheduleActive {
			args = append(args, c.schedule.ID, next, due, alert, last, fired)
			continue
		}
		_, err := tx.exec(ctx, sqlMoveSchedule, string(d.State), d.Reason, next, due, alert, last, fired, c.schedule.ID)
		if err != nil {
			return err
		}
		s, kind := c.schedule, molecule.EventScheduleFinished
		if d.State == molecule.ScheduleError {
			kind = molecule.EventScheduleError
		}
		s.State, s.Reason, s.NextSlot = d.State, d.Reason, d.NextSlot
		if err := scheduleEvent(ctx, tx, kind, s); err != nil {
			return err
		}
	}
	_, err := tx.execMany(ctx, &sqlMoveOn, args)
	return err
}

// decided returns what decide says. A decision that leaves the schedule where it
// is would fire without end, unless it has no rows and looks again later: it is
// an error as any other.
func decided(due molecule.Due, decide decider) (c molecule.Claim, err error) {
	err = supervised.Guard(func() error {
		var err error
		c, err = decide(due)
		return err
	})
	before := due.Schedule
	waits := c.NextSlot.Equal(before.NextSlot) && c.DueAt.After(before.DueAt) && len(c.Runs) == 0
	if err == nil && c.State == molecule.ScheduleActive && !c.NextSlot.After(before.NextSlot) && !waits {
		err = fmt.Errorf("the next slot %s does not lie behind %s", c.NextSlot.Format(layout), before.NextSlot.Format(layout))
	}
	return c, err
}

// soon is how far ahead of the present a slot is that has come or is claimed
// early; further ahead it is damage.
const soon = time.Minute

// failDue is fail for a schedule whose slot has come: it has its row as any
// other, unless it is what cannot be read or stored.
func failDue(ctx context.Context, tx *Tx, s molecule.Schedule, why error) error {
	if !s.NextSlot.IsZero() && s.NextSlot.Before(tx.Now.Add(soon)) {
		row := molecule.Run{
			Trigger: molecule.TriggerCron, Slot: s.NextSlot, State: molecule.RunFinished, Timeout: s.Timeout,
			Outcome: molecule.OutcomeBlocked,
			Reason:  molecule.Excerpt("the schedule is in error: "+why.Error(), molecule.MaxReasonRunes),
		}
		failed, broken := tx.apply(ctx, func(ctx context.Context, tx *Tx) error {
			return insertClaimed(ctx, tx, []*claimed{{schedule: s, rows: []molecule.Run{row}}})
		})
		switch {
		case broken != nil:
			return broken
		case failed != nil && ofStore(ctx, failed):
			return failed
		}
	}
	return fail(ctx, tx, s, why)
}

// fail puts a schedule into the state error: visible, told, and no longer due.
func fail(ctx context.Context, tx *Tx, s molecule.Schedule, why error) error {
	s.State, s.NextSlot = molecule.ScheduleError, time.Time{}
	s.Reason = molecule.Excerpt(why.Error(), molecule.MaxReasonRunes)
	if _, err := tx.exec(ctx, sqlMoveSchedule, string(s.State), s.Reason, nil, nil, nil, nil, 0, s.ID); err != nil {
		return err
	}
	return scheduleEvent(ctx, tx, molecule.EventScheduleError, s)
}
