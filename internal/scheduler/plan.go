package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	// onTime is how far behind its due time a run may be claimed and still be the
	// run of that slot rather than one that catches up.
	onTime = 5 * time.Second
	// longestCatchUp bounds how old a slot may be and still be worth firing.
	longestCatchUp = 24 * time.Hour
	// manualCatchUp is the same for a run somebody asked for by hand.
	manualCatchUp = time.Hour
	// settling is how long after its start the loop leaves a slot alone that an
	// open run is in the way of: what a crash left is about to end.
	settling = 3 * time.Second
	// longestSpread bounds over how much time late runs are spread.
	longestSpread = time.Minute
)

// planner decides what becomes of due schedules at one instant.
type planner struct {
	now     time.Time
	settled time.Time // from then on an open run is one that goes on
	space   uuid.UUID // of message ids
	specs   *specs
	digest  *digest // of what was missed
}

// plan decides for one due schedule. Slots that passed unseen are one missed
// row, but for those that its catch-up policy still fires and those on excluded
// days. Each slot up to the newest that is due is in exactly one row, and the
// next slot lies behind it; a claim without rows leaves them for a moment.
// Errors mean that the row cannot be fired at all.
func (p planner) plan(d molecule.Due) (molecule.Claim, error) {
	spec, err := p.specs.of(d.Schedule)
	if err != nil {
		return molecule.Claim{}, err
	}
	if d.OpenRuns > 0 && p.now.Before(p.settled) && d.Schedule.Effective().Overlap == molecule.OverlapSkip {
		again := p.now.Add(time.Second)
		return molecule.Claim{State: molecule.ScheduleActive, NextSlot: d.Schedule.NextSlot, DueAt: again}, nil
	}
	grid := slots{spec, d.Schedule, d.Calendars}
	passed, err := p.passed(grid)
	if err != nil {
		return molecule.Claim{}, err
	}
	claim := molecule.Claim{State: molecule.ScheduleActive}
	if !passed.lostTo.IsZero() {
		claim.Runs, err = grid.rows(passed.lostTo, "nobody could fire until "+p.now.Format(time.RFC3339))
		if err != nil {
			return molecule.Claim{}, err
		}
	}
	for _, r := range claim.Runs {
		if r.Outcome == molecule.OutcomeMissed {
			d.Missed = d.Missed.And(r)
		}
	}
	for _, slot := range passed.fire {
		claim.Runs = append(claim.Runs, p.fire(d, grid, slot))
	}
	p.digest.add(d.Schedule, claim.Runs)
	p.moveOn(&claim, grid, passed)
	return claim, nil
}

// passed says which slots of a schedule have come and what becomes of them.
type passed struct {
	next   time.Time   // the one behind the last that is due; zero when there is none
	lostTo time.Time   // slots up to here do not fire; zero: all do
	fire   []time.Time // slots that fire, or would on another day, in order
}

// passed decides by the catch-up policy which of the slots that came fire.
func (p planner) passed(grid slots) (passed, error) {
	newest := grid.newest(p.now)
	next, err := grid.after(newest)
	if err != nil {
		return passed{}, fmt.Errorf("next slot: %w", err)
	}
	policy, c := grid.of.Effective(), passed{next: next}
	most := 1
	if policy.CatchUp == molecule.CatchUpAll {
		most = policy.CatchUpMax
	}
	if grid.of.MaxRuns > 0 {
		most = min(most, grid.of.MaxRuns-grid.of.Fired)
	}
	window := catchUpWindow(policy, newest, next)
	slot, left := newest, true
	for left && most > 0 && len(c.fire) < maxRows && p.now.Sub(grid.due(slot)) <= window {
		c.fire = append(c.fire, slot)
		if grid.excluded(slot) == "" {
			most--
		}
		slot, left = grid.before(slot)
	}
	if left {
		c.lostTo = slot
	}
	slices.Reverse(c.fire)
	return c, nil
}

// catchUpWindow is how old a slot may be and still fire.
func catchUpWindow(policy molecule.Policy, slot, next time.Time) time.Duration {
	switch {
	case policy.CatchUp == molecule.CatchUpNone:
		return onTime
	case policy.CatchUpWindow > 0:
		return max(time.Duration(policy.CatchUpWindow), onTime)
	case policy.CatchUp == molecule.CatchUpAll || next.IsZero():
		return longestCatchUp
	}
	return min(next.Sub(slot), longestCatchUp)
}

// moveOn sets the slot that comes next, or says that none does.
func (p planner) moveOn(c *molecule.Claim, grid slots, done passed) {
	fired := grid.of.Fired + opened(c.Runs)
	if why := over(grid.of, fired, done.next); why != "" {
		c.State, c.Reason = molecule.ScheduleFinished, why
		return
	}
	c.NextSlot, c.DueAt = done.next, grid.due(done.next)
}

// opened counts the rows that fire.
func opened(rows []molecule.Run) int {
	n := 0
	for _, r := range rows {
		if r.State != molecule.RunFinished {
			n++
		}
	}
	return n
}

// over says why a schedule has no slot left; "" when next is one.
func over(s molecule.Schedule, fired int, next time.Time) string {
	switch {
	case next.IsZero():
		return "its last slot has passed"
	case !s.Until.IsZero() && next.After(s.Until):
		return "its slots end at " + s.Until.UTC().Format(time.RFC3339)
	case s.MaxRuns > 0 && fired >= s.MaxRuns:
		return fmt.Sprintf("%d of %d slots have fired", fired, s.MaxRuns)
	}
	return ""
}

// fire is the row of a slot that fires, unless its day is excluded or the run
// before it is in the way.
func (p planner) fire(d molecule.Due, grid slots, slot time.Time) molecule.Run {
	s := d.Schedule
	r := molecule.Run{
		Trigger: molecule.TriggerCron, Slot: slot, Slots: 1, State: molecule.RunClaimed, DueAt: grid.due(slot),
		MessageID: slotMessageID(p.space, s.ID, slot), Timeout: s.Timeout,
	}
	if strings.Contains(s.Prompt, molecule.MissedMark) {
		r.Prompt = d.Missed.Tell(s.Prompt)
	}
	if late := p.now.Sub(r.DueAt); late > onTime {
		r.Trigger = molecule.TriggerCatchUp
		// Many are late at once: those of a long pause are spread, and never by
		// more than a little of what they are late already.
		r.DueAt = p.now.Add(share(min(late/10, longestSpread), s.ID, slot))
	}
	if why := grid.excluded(slot); why != "" {
		return ended(r, molecule.OutcomeBlocked, "excluded: "+why)
	}
	if d.OpenRuns == 0 {
		return r
	}
	switch s.Effective().Overlap {
	case molecule.OverlapSkip:
		return ended(r, molecule.OutcomeSkippedOverlap, "the run before it is still open")
	case molecule.OverlapQueue:
		if d.OpenRuns > 1 {
			return ended(r, molecule.OutcomeSkippedOverlap, "the run before it is still open, and one waits for its end")
		}
	}
	return r
}

// ended is r as a row that is over before it began.
func ended(r molecule.Run, o molecule.Outcome, why string) molecule.Run {
	r.State, r.Outcome, r.Reason = molecule.RunFinished, o, why
	return r
}

// messageSpace is the name space of the message ids of an organisation.
func messageSpace(orgID string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("molecule:org:"+orgID))
}

// slotMessageID is the same however often the run of a slot is sent, so that an
// agent can tell a re-send from a new prompt.
func slotMessageID(space uuid.UUID, scheduleID string, slot time.Time) string {
	return uuid.NewSHA1(space, []byte(scheduleID+" "+slot.UTC().Format(time.RFC3339Nano))).String()
}
