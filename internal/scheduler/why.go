package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// ExplainSlot tells why a slot ran, waited, was skipped or missed. The zero slot
// is the newest that has a row, or else the one that comes next.
func (s *Service) ExplainSlot(ctx context.Context, ref string, slot time.Time) (molecule.Explanation, error) {
	sched, err := s.store.Schedule(ctx, ref)
	if err != nil {
		return molecule.Explanation{}, err
	}
	if slot.IsZero() {
		slot = sched.LastSlot
	}
	if slot.IsZero() {
		slot = sched.NextSlot
	}
	slot = slot.UTC()
	e := molecule.Explanation{Schedule: sched.Name, Slot: slot, Story: []string{}}
	run, err := s.store.RunCovering(ctx, sched.ID, slot)
	switch {
	case err == nil:
		e.Run = &run
		e.Why, e.Story = tellRun(run), story(run)
	case molecule.CodeOf(err) == molecule.NotFound:
		e.Why, e.Story = s.tellSlot(sched, slot)
	default:
		return e, err
	}
	e.Story = append(e.Story, tellPolicy(sched))
	return e, nil
}

// tellRun says in one line what became of a slot that has its row.
func tellRun(r molecule.Run) string {
	switch {
	case r.Outcome == molecule.OutcomeMissed:
		return "it was missed: " + r.Reason
	case r.Outcome == molecule.OutcomeSkippedOverlap:
		return "it was skipped: " + r.Reason
	case r.Outcome == molecule.OutcomeBlocked:
		return "it was blocked: " + r.Reason
	case r.State == molecule.RunClaimed:
		return "it is claimed and waits for its instant or for a place at the agent"
	case r.State == molecule.RunAway:
		return "it waits for the agent: " + r.Reason
	case r.State != molecule.RunFinished:
		return "it is under way"
	case r.Reason != "":
		return fmt.Sprintf("it ran and ended as %s: %s", r.Outcome, r.Reason)
	}
	return fmt.Sprintf("it ran and ended as %s", r.Outcome)
}

// story tells a run's times one by one, each with what passed since the one
// before that matters.
func story(r molecule.Run) []string {
	var lines []string
	say := func(t time.Time, format string, args ...any) {
		if !t.IsZero() {
			lines = append(lines, t.UTC().Format("2006-01-02T15:04:05.000Z")+"  "+fmt.Sprintf(format, args...))
		}
	}
	say(r.Slot, "slot, trigger %s", r.Trigger)
	if !r.SlotTo.IsZero() {
		say(r.SlotTo, "last of %d slots that this row covers", r.Slots)
	}
	if by := r.DueAt.Sub(r.Slot); by != 0 {
		say(r.DueAt, "due, moved by %s", molecule.Duration(by))
	}
	say(r.ClaimedAt, "claimed, as run %s", r.ID)
	for _, a := range r.Attempts {
		say(a.StartedAt, "attempt %d started, %s behind due", a.Number, molecule.Duration(max(a.StartedAt.Sub(r.DueAt), 0)))
		if !a.EndedAt.IsZero() && (a.Number < len(r.Attempts) || a.Outcome != r.Outcome) {
			say(a.EndedAt, "attempt %d ended as %s: %s", a.Number, a.Outcome, a.Reason)
		}
	}
	if r.StartedAt.IsZero() {
		say(r.EndedAt, "ended as %s, nothing was sent", r.Outcome)
	} else {
		say(r.EndedAt, "ended as %s after %s", r.Outcome, molecule.Duration(r.EndedAt.Sub(r.StartedAt)))
	}
	return lines
}

// tellSlot says why a slot has no row.
func (s *Service) tellSlot(sched molecule.Schedule, slot time.Time) (why string, more []string) {
	spec, err := s.specs.of(sched)
	if err != nil {
		return "the schedule is in error: " + err.Error(), nil
	}
	if next, err := spec.Next(slot.Add(-time.Nanosecond)); err != nil || !next.Equal(slot) {
		return "no slot of this schedule is then", neighbours(spec, slot)
	}
	switch {
	case sched.State == molecule.ScheduleActive && !slot.Before(sched.NextSlot):
		why = "it is still to come"
		if slot.Equal(sched.NextSlot) && sched.DueAt.After(slot) {
			why += ", due at " + sched.DueAt.Format(time.RFC3339)
		}
	case slot.Before(sched.CreatedAt):
		why = "the schedule was made later, at " + sched.CreatedAt.Format(time.RFC3339)
	case sched.State != molecule.ScheduleActive:
		why = fmt.Sprintf("the schedule is %s, so it has no slots", sched.State)
		if sched.Reason != "" {
			why += ": " + sched.Reason
		}
	default:
		why = "no row is kept of it: the schedule was paused or changed then, or the row was pruned"
	}
	return why, nil
}

// neighbours names the slots around an instant that is none.
func neighbours(spec cron.Schedule, t time.Time) []string {
	var lines []string
	if prev, err := spec.Prev(t); err == nil {
		lines = append(lines, "the slot before it is "+prev.Format(time.RFC3339))
	}
	if next, err := spec.Next(t); err == nil {
		lines = append(lines, "the slot behind it is "+next.Format(time.RFC3339))
	}
	return lines
}

// tellPolicy says what the schedule does with slots that cannot be kept.
func tellPolicy(sched molecule.Schedule) string {
	p := sched.Effective()
	line := fmt.Sprintf("policies: catch-up %s, overlap %s, timeout %s, resend %s", p.CatchUp, p.Overlap, sched.Timeout, p.Resend)
	if p.Jitter > 0 {
		line += fmt.Sprintf(", jitter %s %s", p.JitterMode, p.Jitter)
	}
	return line
}
