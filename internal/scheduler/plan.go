package scheduler

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	// onTime is how far behind its slot a run may be claimed and still be the
	// run of that slot rather than one that catches up.
	onTime = 5 * time.Second
	// longestCatchUp bounds how old a slot may be and still be worth firing.
	longestCatchUp = 24 * time.Hour
	// manualCatchUp is the same for a run somebody asked for by hand.
	manualCatchUp = time.Hour
	// maxCounted is where counting the slots of a missed row ends.
	maxCounted = 1_000_000
)

// planner decides what becomes of due schedules at one instant.
type planner struct {
	now   time.Time
	space uuid.UUID // of message ids
	specs *specs
}

// plan decides for one due schedule. Slots that passed unseen are one missed
// row; the newest fires unless it is too old or the run before it is still
// open. Each slot up to now is in exactly one row, and the next slot lies
// behind now. Errors mean that the row cannot be fired at all.
func (p planner) plan(d molecule.Due) (molecule.Claim, error) {
	s := d.Schedule
	spec, err := p.specs.compile(s.Cron, s.TZ)
	if err != nil {
		return molecule.Claim{}, err
	}
	first := s.NextSlot
	newest, err := spec.Prev(p.now.Add(time.Nanosecond))
	if err != nil || newest.Before(first) {
		newest = first // the expression changed since the slot was computed
	}
	next, err := spec.Next(p.now)
	if err != nil {
		return molecule.Claim{}, fmt.Errorf("next slot: %w", err)
	}
	claim := molecule.Claim{NextSlot: next, State: molecule.ScheduleActive}
	fire := p.now.Sub(newest) <= catchUpWindow(newest, next)
	missedTo := newest
	if fire {
		if missedTo, err = spec.Prev(newest); err != nil {
			missedTo = first.Add(-1)
		}
	}
	if !missedTo.Before(first) {
		missed, err := p.missed(s, spec, first, missedTo)
		if err != nil {
			return molecule.Claim{}, err
		}
		claim.Runs = append(claim.Runs, missed)
	}
	if fire {
		claim.Runs = append(claim.Runs, p.fire(d, newest))
	}
	return claim, nil
}

// catchUpWindow is how old a slot may be and still fire: as long as its period,
// and at most a day.
func catchUpWindow(slot, next time.Time) time.Duration { return min(next.Sub(slot), longestCatchUp) }

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

// fire is the row of a slot that fires, unless the run before it is still open.
func (p planner) fire(d molecule.Due, slot time.Time) molecule.Run {
	r := molecule.Run{
		Trigger: molecule.TriggerCron, Slot: slot, Slots: 1, State: molecule.RunClaimed,
		MessageID: slotMessageID(p.space, d.Schedule.ID, slot), Timeout: d.Schedule.Timeout,
	}
	if p.now.Sub(slot) > onTime {
		r.Trigger = molecule.TriggerCatchUp
	}
	if d.OpenRuns > 0 {
		r.State, r.Outcome = molecule.RunFinished, molecule.OutcomeSkippedOverlap
		r.Reason = "the run before it is still open"
	}
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
