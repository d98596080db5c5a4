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

const (
	sqlDue = `
		SELECT ` + scheduleColumns + ` FROM ` + scheduleTables + `
		WHERE s.state = 'active' AND s.removed_at IS NULL AND s.due_at <= ?2
			AND (s.due_at <= ?1 OR NOT EXISTS (SELECT 1 FROM runs r WHERE r.schedule_id = s.id AND r.state <> 'finished'))
		ORDER BY s.due_at LIMIT ?3`
	// What is behind every slot there can be, or nowhere, is never due.
	sqlAstray = `
		SELECT ` + scheduleColumns + ` FROM ` + scheduleTables + `
		WHERE s.rowid IN (
			SELECT rowid FROM schedules WHERE state = 'active' AND removed_at IS NULL AND due_at >= ?
			UNION ALL SELECT rowid FROM schedules WHERE state = 'active' AND removed_at IS NULL AND due_at IS NULL)
		LIMIT ?`
	sqlOpenRuns = `SELECT COUNT(*) FROM runs WHERE schedule_id = ? AND state <> 'finished'`
	// Columns that are not named keep their index entries: most slots move on
	// and change nothing else.
	sqlMoveOn = `
		UPDATE schedules SET next_slot_at = ?, due_at = ?, alert_after = ?, last_slot_at = COALESCE(?, last_slot_at),
			fired = fired + ?
		WHERE id = ?`
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
	claimAll := func(one claimer) error {
		return db.update(ctx, func(ctx context.Context, tx *Tx) error {
			open = nil
			due, err := dueRows(ctx, tx, now, horizon, limit)
			if err != nil {
				return err
			}
			for _, row := range due {
				runs, err := one(ctx, tx, row, decide)
				if err != nil {
					return err
				}
				open = append(open, runs...)
			}
			return nil
		})
	}
	err := claimAll(claim)
	if err != nil && !ofStore(ctx, err) {
		// Something that was decided cannot be stored. Find out for whom: with a
		// savepoint for each, which all of them would pay for with every claim.
		err = claimAll(claimAlone)
	}
	if err != nil {
		return nil, err
	}
	return open, nil
}

// dueRows returns up to limit schedules that are due, and those that never
// would be.
func dueRows(ctx context.Context, tx *Tx, now, horizon time.Time, limit int) ([]scheduleRow, error) {
	rows, err := tx.query(ctx, sqlDue, stamp(now), stamp(horizon), limit)
	due, err := all(rows, err, scanSchedule)
	if err != nil {
		return nil, err
	}
	rows, err = tx.query(ctx, sqlAstray, stamp(now.Add(farFuture)), limit)
	astray, err := all(rows, err, scanSchedule)
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

// claimer claims for one schedule. It returns the open runs.
type claimer func(ctx context.Context, tx *Tx, row scheduleRow, decide decider) ([]molecule.Run, error)

// claimAlone is claim in a savepoint: a schedule whose claim cannot be stored
// is put aside.
func claimAlone(ctx context.Context, tx *Tx, row scheduleRow, decide decider) (open []molecule.Run, err error) {
	failed, broken := tx.apply(ctx, func(ctx context.Context, tx *Tx) error {
		var err error
		open, err = claim(ctx, tx, row, decide)
		return err
	})
	switch {
	case broken != nil:
		return nil, broken
	case failed == nil:
		return open, nil
	case ofStore(ctx, failed):
		return nil, failed
	}
	return nil, failDue(ctx, tx, row.Schedule, failed)
}

// claim decides for one schedule and stores the decision. A damaged row, and
// one that decide fails for, is put aside; an error is of storing only.
func claim(ctx context.Context, tx *Tx, row scheduleRow, decide decider) ([]molecule.Run, error) {
	s := row.Schedule
	if row.bad != nil {
		return nil, failDue(ctx, tx, s, row.bad)
	}
	due, err := dueOf(ctx, tx, s)
	if err != nil {
		return nil, err
	}
	c, err := decided(due, decide)
	if err != nil {
		return nil, failDue(ctx, tx, s, err)
	}
	open, last, err := insertClaimed(ctx, tx, s, c.Runs)
	if err != nil {
		return nil, err
	}
	c.DueAt = dueAt(c.NextSlot, c.DueAt)
	next, when, alert := stamp(c.NextSlot), stamp(c.DueAt), alertAfter(c.DueAt)
	if c.State == molecule.ScheduleActive {
		_, err = tx.exec(ctx, sqlMoveOn, next, when, alert, stamp(last), len(open), s.ID)
		return open, err
	}
	_, err = tx.exec(ctx, sqlMoveSchedule, string(c.State), c.Reason, next, when, alert, stamp(last), len(open), s.ID)
	if err != nil {
		return nil, err
	}
	s.State, s.Reason, s.NextSlot = c.State, c.Reason, c.NextSlot
	kind := molecule.EventScheduleFinished
	if c.State == molecule.ScheduleError {
		kind = molecule.EventScheduleError
	}
	return open, scheduleEvent(ctx, tx, kind, s)
}

// decided returns what decide says. A decision that leaves the schedule where it
// is would fire without end: it is an error as any other.
func decided(due molecule.Due, decide decider) (c molecule.Claim, err error) {
	err = supervised.Guard(func() error {
		var err error
		c, err = decide(due)
		return err
	})
	if err == nil && c.State == molecule.ScheduleActive && !c.NextSlot.After(due.Schedule.NextSlot) {
		err = fmt.Errorf("the next slot %s does not lie behind %s", c.NextSlot.Format(layout), due.Schedule.NextSlot.Format(layout))
	}
	return c, err
}

// dueOf gathers what decide may want to know of one schedule.
func dueOf(ctx context.Context, tx *Tx, s molecule.Schedule) (molecule.Due, error) {
	due := molecule.Due{Schedule: s}
	rows, err := tx.query(ctx, sqlOpenRuns, s.ID)
	_, err = all(rows, err, func(r rowScanner, _ *struct{}) error { return r.Scan(&due.OpenRuns) })
	if err == nil && len(s.Exclusions) > 0 {
		due.Calendars, err = calendarsNamed(ctx, tx, s.Exclusions)
	}
	if err == nil && strings.Contains(s.Prompt, molecule.MissedMark) {
		due.Missed, err = missedBy(ctx, tx, s.ID)
	}
	return due, err
}

// insertClaimed inserts the rows of one claim. It returns the open ones and the
// last slot they cover.
func insertClaimed(
	ctx context.Context, tx *Tx, s molecule.Schedule, runs []molecule.Run,
) (open []molecule.Run, last time.Time, err error) {
	for _, r := range runs {
		r.ScheduleID, r.Schedule, r.AgentID, r.Agent, r.Policy = s.ID, s.Name, s.AgentID, s.Agent, s.Policy
		if err := promptOf(ctx, tx, s, &r); err != nil {
			return nil, last, err
		}
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
		if err := settleSchedule(ctx, tx, r, false); err != nil {
			return nil, last, err
		}
		if err := runEvent(ctx, tx, molecule.EventRunFinished, r); err != nil {
			return nil, last, err
		}
	}
	return open, last, nil
}

// promptOf gives a run the prompt of its schedule, unless it has one of its own.
func promptOf(ctx context.Context, tx *Tx, s molecule.Schedule, r *molecule.Run) error {
	if r.Prompt == "" || r.Prompt == s.Prompt {
		r.Prompt = s.Prompt
		return nil
	}
	_, err := keepPrompt(ctx, tx, r.Prompt)
	return err
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
			_, _, err := insertClaimed(ctx, tx, s, []molecule.Run{row})
			return err
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
