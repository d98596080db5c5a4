package scheduler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/cron"
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
	// longestSpread bounds over how much time late runs are spread.
	longestSpread = time.Minute
	// maxCounted is where counting the slots of a missed row ends.
	maxCounted = 1_000_000
)

// planner decides what becomes of due schedules at one instant.
type planner struct {
	now    time.Time
	space  uuid.UUID // of message ids
	specs  *specs
	digest *digest // of what was missed
}

// plan decides for one due schedule. Slots that passed unseen are one missed
// row, but for those that its catch-up policy still fires. Each slot up to the
// newest that is due is in exactly one row, and the next slot lies behind it.
// Errors mean that the row cannot be fired at all.
func (p planner) plan(d molecule.Due) (molecule.Claim, error) {
	s := d.Schedule
	spec, err := p.specs.of(s)
	if err != nil {
		return molecule.Claim{}, err
	}
	passed, err := p.passed(spec, s)
	if err != nil {
		return molecule.Claim{}, err
	}
	claim := molecule.Claim{State: molecule.ScheduleActive}
	if !passed.missedTo.IsZero() {
		missed, err := p.missed(s, spec, passed.first, passed.missedTo)
		if err != nil {
			return molecule.Claim{}, err
		}
		claim.Runs = append(claim.Runs, missed)
		d.Missed = d.Missed.And(missed)
	}
	for _, slot := range passed.fire {
		claim.Runs = append(claim.Runs, p.fire(d, spec, slot))
	}
	p.digest.add(s, claim.Runs)
	return claim, p.moveOn(&claim, spec, s, passed)
}

// passed says which slots of a schedule have come and what becomes of them.
type passed struct {
	first    time.Time   // the first without a row
	newest   time.Time   // the last that is due
	next     time.Time   // the one behind it; zero when there is none
	missedTo time.Time   // slots from first to here are missed; zero: none is
	fire     []time.Time // slots that fire, in order
}

func (p planner) passed(spec cron.Schedule, s molecule.Schedule) (passed, error) {
	c := passed{first: s.NextSlot, newest: s.NextSlot}
	newest, err := spec.Prev(p.now.Add(time.Nanosecond))
	if err == nil && newest.After(c.first) {
		// Its jitter may put it behind now; the one before it is due, or is first.
		if dueTime(spec, s, newest).After(p.now) {
			if newest, err = spec.Prev(newest); err != nil {
				newest = c.first
			}
		}
		if newest.After(c.first) {
			c.newest = newest
		}
	}
	if c.next, err = spec.Next(c.newest); err != nil && !errors.Is(err, cron.ErrNoSlot) {
		return c, fmt.Errorf("next slot: %w", err)
	}
	return p.choose(c, spec, s), nil
}

// choose decides by the catch-up policy which of the slots that passed fire.
func (p planner) choose(c passed, spec cron.Schedule, s molecule.Schedule) passed {
	policy := s.Effective()
	most := 1
	if policy.CatchUp == molecule.CatchUpAll {
		most = policy.CatchUpMax
	}
	if s.MaxRuns > 0 {
		most = min(most, s.MaxRuns-s.Fired)
	}
	window := catchUpWindow(policy, c.newest, c.next)
	slot := c.newest
	for len(c.fire) < most && p.now.Sub(dueTime(spec, s, slot)) <= window {
		c.fire = append([]time.Time{slot}, c.fire...)
		before, err := spec.Prev(slot)
		if err != nil || before.Before(c.first) {
			return c
		}
		slot = before
	}
	c.missedTo = slot
	return c
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
func (p planner) moveOn(c *molecule.Claim, spec cron.Schedule, s molecule.Schedule, done passed) error {
	fired := s.Fired
	for _, r := range c.Runs {
		if r.State != molecule.RunFinished {
			fired++
		}
	}
	if why := over(s, fired, done.next); why != "" {
		c.State, c.Reason = molecule.ScheduleFinished, why
		return nil
	}
	c.NextSlot, c.DueAt = done.next, dueTime(spec, s, done.next)
	return nil
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

// missed is the one row of the slots from first to last.
func (p planner) missed(s molecule.Schedule, spec cron.Schedule, first, last time.Time) (molecule.Run, error) {
	n, err := spec.CountBetween(first, last, maxCounted)
	if err != nil {
		return molecule.Run{}, fmt.Errorf("count missed slots: %w", err)
	}
	r := molecule.Run{
		Trigger: molecule.TriggerCron, Slot: first, Slots: max(n, 1), State: molecule.RunFinished,
		Outcome: molecule.OutcomeMissed, Timeout: s.Timeout,
		Reason: fmt.Sprintf("nobody could fire it until %s", p.now.Format(time.RFC3339)),
	}
	if last.After(first) {
		r.SlotTo = last
		r.Reason = fmt.Sprintf("%d slots passed and nobody could fire them until %s", r.Slots, p.now.Format(time.RFC3339))
	}
	return r, nil
}

// fire is the row of a slot that fires, unless its day is excluded or the run
// before it is in the way.
func (p planner) fire(d molecule.Due, spec cron.Schedule, slot time.Time) molecule.Run {
	s := d.Schedule
	r := molecule.Run{
		Trigger: molecule.TriggerCron, Slot: slot, Slots: 1, State: molecule.RunClaimed, DueAt: dueTime(spec, s, slot),
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
	if why := molecule.Excluded(d.Calendars, slot.In(spec.Location())); why != "" {
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
