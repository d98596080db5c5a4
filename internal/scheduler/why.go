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
	e := molecule.Explanation{Schedule: sched.Name, Slot: slot.UTC(), Story: []string{}}
	t := teller{Service: s, sched: sched, now: molecule.Now()}
	t.spec, t.unread = s.specs.of(sched)
	run, err := s.store.RunCovering(ctx, sched.ID, e.Slot)
	switch {
	case err == nil && t.among(run, e.Slot):
		e.Run = &run
		if e.Why, err = t.run(ctx, run); err != nil {
			return e, err
		}
		e.Story = t.story(run)
	case err == nil, molecule.CodeOf(err) == molecule.NotFound:
		if e.Why, e.Story, err = t.noRow(ctx, e.Slot); err != nil {
			return e, err
		}
	default:
		return e, err
	}
	e.Story = append(e.Story, t.state()...)
	e.Story = append(e.Story, tellPolicy(sched))
	return e, nil
}

// teller explains slots of one schedule.
type teller struct {
	*Service
	sched  molecule.Schedule
	spec   cron.Schedule
	unread error // why spec cannot be used
	now    time.Time
}

// among reports whether slot is one of those that r covers, and no instant
// between two of them. The expression may have been another one then: the ends
// of a row are slots for sure.
func (t teller) among(r molecule.Run, slot time.Time) bool {
	return slot.Equal(r.Slot) || slot.Equal(r.SlotTo) || t.isSlot(slot) || t.sched.ActiveSince.After(r.Slot)
}

// isSlot reports whether the expression names an instant.
func (t teller) isSlot(at time.Time) bool {
	if t.unread != nil {
		return false
	}
	next, err := t.spec.Next(at.Add(-time.Nanosecond))
	return err == nil && next.Equal(at)
}

// run says in one line what became of a slot that has its row.
func (t teller) run(ctx context.Context, r molecule.Run) (string, error) {
	switch {
	case r.Outcome == molecule.OutcomeMissed:
		return "it was missed: " + r.Reason, nil
	case r.Outcome == molecule.OutcomeSkippedOverlap:
		return t.skipped(ctx, r)
	case r.Outcome == molecule.OutcomeBlocked && r.Reason == string(molecule.AgentPaused):
		return fmt.Sprintf("it was blocked: agent %s was paused", r.Agent), nil
	case r.Outcome == molecule.OutcomeBlocked:
		return "it was blocked: " + r.Reason, nil
	case r.State == molecule.RunClaimed:
		return t.waiting(ctx, r)
	case r.State == molecule.RunAway:
		return fmt.Sprintf("it waits for agent %s, which is offline, until %s", r.Agent, clockTime(r.Deadline)), nil
	case r.State == molecule.RunWaiting:
		return fmt.Sprintf("it is under way, and the agent asks for input: %s", r.Reason), nil
	case r.State != molecule.RunFinished:
		return fmt.Sprintf("it is under way for %s, until %s at most", short(t.now.Sub(r.StartedAt)), clockTime(r.Deadline)), nil
	case r.Reason != "":
		return fmt.Sprintf("it ran and ended as %s: %s", r.Outcome, r.Reason), nil
	}
	return fmt.Sprintf("it ran and ended as %s", r.Outcome), nil
}

// skipped names the run that a skipped slot met.
func (t teller) skipped(ctx context.Context, r molecule.Run) (string, error) {
	why := "it was skipped: " + r.Reason
	before, err := t.store.RunBefore(ctx, r)
	switch {
	case molecule.CodeOf(err) == molecule.NotFound:
		return why, nil
	case err != nil:
		return "", err
	}
	why += fmt.Sprintf("; that is run %s of %s", before.ID, clockTime(before.Slot))
	if before.State == molecule.RunFinished {
		return why + ", which ended " + short(before.EndedAt.Sub(r.Slot)) + " behind this slot as " + string(before.Outcome), nil
	}
	return why + ", which still is", nil
}

// waiting says what a run that is claimed waits for.
func (t teller) waiting(ctx context.Context, r molecule.Run) (string, error) {
	if r.DueAt.After(t.now) {
		return "it is claimed and will be sent at " + clockTime(r.DueAt), nil
	}
	if before, err := t.store.RunBefore(ctx, r); err == nil && before.State != molecule.RunFinished && t.sched.Overlap != molecule.OverlapAllow {
		return fmt.Sprintf("it waits for the end of the run before it, %s of %s", before.ID, clockTime(before.Slot)), nil
	}
	open, err := t.store.Runs(ctx, molecule.RunFilter{Agent: r.AgentID, Open: true, Limit: molecule.MaxLimit})
	if err != nil {
		return "", err
	}
	for _, o := range open.Items {
		if o.State != molecule.RunClaimed {
			whose := "a run by hand"
			if o.Schedule != "" {
				whose = "the run of schedule " + o.Schedule
			}
			return fmt.Sprintf("it waits for a place at agent %s; one is taken by %s since %s, run %s", r.Agent, whose, clockTime(o.StartedAt), o.ID), nil
		}
	}
	return "it is claimed and about to be sent", nil
}

// noRow says why an instant has no row.
func (t teller) noRow(ctx context.Context, at time.Time) (why string, more []string, err error) {
	switch sched := t.sched; {
	case t.unread != nil:
		return "nobody can say: the expression of the schedule cannot be read: " + t.unread.Error(), nil, nil
	case at.IsZero():
		return fmt.Sprintf("the schedule has had no slot, and is %s", sched.State), nil, nil
	case !t.isSlot(at) && !at.Equal(sched.NextSlot):
		return "no slot of this schedule is then", neighbours(t.spec, at), nil
	case at.Before(sched.CreatedAt):
		return "the schedule was made later, at " + clockTime(sched.CreatedAt), nil, nil
	case !at.After(sched.ActiveSince) && !at.Equal(sched.NextSlot):
		return "no row is kept of it: the schedule was not active then, or had another expression, or the row was pruned; its slots are counted since " +
			clockTime(sched.ActiveSince), nil, nil
	case sched.State != molecule.ScheduleActive && !at.After(sched.LastSlot):
		return "no row is kept of it: it was pruned", nil, nil
	case sched.State != molecule.ScheduleActive:
		return fmt.Sprintf("the schedule is %s, so it has no slots", sched.State), nil, nil
	case at.Before(sched.NextSlot):
		return "no row is kept of it: it was pruned", nil, nil
	}
	why, err = t.future(ctx, at)
	return why, nil, err
}

// future says what is known of a slot that comes.
func (t teller) future(ctx context.Context, at time.Time) (string, error) {
	if t.sched.Until.Before(at) && !t.sched.Until.IsZero() {
		return "no slot of this schedule is then: its slots end at " + clockTime(t.sched.Until), nil
	}
	for _, name := range t.sched.Exclusions {
		c, err := t.store.Calendar(ctx, name)
		if err != nil {
			return "", err
		}
		if why := molecule.Excluded([]molecule.Calendar{c}, at.In(t.spec.Location())); why != "" {
			return "it is still to come and will not fire: " + why, nil
		}
	}
	why := "it is still to come"
	if !at.Equal(t.sched.NextSlot) {
		return why, nil
	}
	switch due := t.sched.DueAt; {
	case due.Before(t.now.Add(-onTime)):
		why += fmt.Sprintf(", though it was due %s ago: see molecli liveness scheduler", short(t.now.Sub(due)))
	case due.After(at):
		why += ", due at " + clockTime(due)
	}
	return why, nil
}
