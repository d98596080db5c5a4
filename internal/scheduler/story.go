package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// moment is a line of a story.
type moment struct {
	at   time.Time
	line string
}

// story tells a run's times in order, each with what passed since the one before
// that matters.
func (t teller) story(r molecule.Run) []string {
	var all []moment
	say := func(at time.Time, format string, args ...any) {
		if !at.IsZero() {
			all = append(all, moment{at, fmt.Sprintf(format, args...)})
		}
	}
	say(r.ClaimedAt, "claimed, as run %s, trigger %s", r.ID, r.Trigger)
	say(r.Slot, "slot%s", t.local(r.Slot))
	if !r.SlotTo.IsZero() {
		say(r.SlotTo, "last of %d slots that this row covers", r.Slots)
	}
	if by := r.DueAt.Sub(r.Slot); by != 0 {
		say(r.DueAt, "due, %s behind its slot", short(by))
	}
	for _, a := range r.Attempts {
		say(a.StartedAt, "attempt %d started, %s behind due", a.Number, short(max(a.StartedAt.Sub(r.DueAt), 0)))
		if !a.EndedAt.IsZero() && (a.Number < len(r.Attempts) || a.Outcome != r.Outcome) {
			say(a.EndedAt, "attempt %d ended as %s: %s", a.Number, a.Outcome, a.Reason)
		}
	}
	if r.StartedAt.IsZero() {
		say(r.EndedAt, "ended as %s, nothing was sent", r.Outcome)
	} else {
		say(r.EndedAt, "ended as %s after %s", r.Outcome, short(r.EndedAt.Sub(r.StartedAt)))
	}
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(a.at.UnixMilli(), b.at.UnixMilli()) })
	lines := make([]string, len(all))
	for i, m := range all {
		lines[i] = m.at.UTC().Format("2006-01-02T15:04:05.000Z") + "  " + m.line
	}
	return lines
}

// local is a slot on the clock of its schedule, unless that is UTC.
func (t teller) local(slot time.Time) string {
	if t.unread != nil || t.spec.TZ() == "UTC" {
		return ""
	}
	return slot.In(t.spec.Location()).Format(", Monday 15:04 MST in ") + t.spec.TZ()
}

// state says what the schedule is now, when it fires no more.
func (t teller) state() []string {
	resume := "to have slots again: molecli schedule resume " + t.sched.Name
	switch t.sched.State {
	case molecule.SchedulePaused:
		return []string{"now the schedule is paused; " + resume}
	case molecule.ScheduleError:
		return []string{fmt.Sprintf("now the schedule is in error: %s; %s", t.sched.Reason, resume)}
	case molecule.ScheduleFinished:
		return []string{"now the schedule is finished: " + t.sched.Reason}
	}
	return nil
}

// neighbours names the slots around an instant that is none.
func neighbours(spec cron.Schedule, t time.Time) []string {
	var lines []string
	if prev, err := spec.Prev(t); err == nil {
		lines = append(lines, "the slot before it is "+clockTime(prev))
	}
	if next, err := spec.Next(t); err == nil {
		lines = append(lines, "the slot behind it is "+clockTime(next))
	}
	return lines
}

// tellPolicy says what the schedule does with slots that are not as any other.
func tellPolicy(sched molecule.Schedule) string {
	p := sched.Effective()
	words := []string{"catch-up " + string(p.CatchUp)}
	add := func(is bool, format string, args ...any) {
		if is {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(p.CatchUpMax > 0, "at most %d", p.CatchUpMax)
	add(p.CatchUpWindow > 0, "within %s", p.CatchUpWindow)
	add(true, "overlap %s", p.Overlap)
	add(true, "timeout %s", sched.Timeout)
	add(p.Retries != nil, "at most %d retries", deref(p.Retries))
	add(true, "resend %s", p.Resend)
	add(p.Jitter > 0, "jitter %s %s", p.JitterMode, p.Jitter)
	add(len(p.Exclusions) > 0, "not on days of %s", strings.Join(p.Exclusions, " "))
	if b := p.Budget; b != nil {
		add(true, "budget %s", b)
	}
	add(p.MaxRuns > 0, "%d of %d slots have fired", sched.Fired, p.MaxRuns)
	add(!p.Until.IsZero(), "until %s", clockTime(p.Until))
	return "policies: " + strings.Join(words, ", ")
}

func deref(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// clockTime writes an instant as lists of runs do.
func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// short writes a time that passed without what is too fine to matter.
func short(d time.Duration) string {
	switch {
	case d.Abs() >= time.Minute:
		d = d.Round(time.Second)
	case d.Abs() >= time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Millisecond)
	}
	return molecule.Duration(d).String()
}
