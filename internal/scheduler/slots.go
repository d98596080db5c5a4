package scheduler

import (
	"errors"
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	// maxCounted is where counting the slots of a row ends.
	maxCounted = 1_000_000
	// maxRows bounds the rows that slots in and out of calendars become at once.
	maxRows = 100
)

// slots are those that one schedule has: the one it waits for, and behind it
// those of its expression since it became active. The two differ while a slot
// that came before its expression was changed waits to be fired.
type slots struct {
	cron.Schedule
	of        molecule.Schedule
	calendars []molecule.Calendar
}

// first is the first slot without a row.
func (g slots) first() time.Time { return g.of.NextSlot }

// newest returns the last slot that is due at now; the first one when none is.
func (g slots) newest(now time.Time) time.Time {
	if !g.of.Until.IsZero() && g.of.Until.Before(now) {
		now = g.of.Until
	}
	slot, found := g.before(now.Add(time.Nanosecond))
	if found && g.due(slot).After(now) {
		slot, found = g.before(slot) // which is due: a slot is before the next one comes
	}
	if !found {
		return g.first()
	}
	return slot
}

// before returns the slot before t that has no row; false when there is none,
// which is nearly always and does not need the expression.
func (g slots) before(t time.Time) (slot time.Time, found bool) {
	if !t.After(g.first()) {
		return g.first(), false
	}
	slot, err := g.Prev(t)
	if err == nil && slot.After(g.first()) && slot.After(g.of.ActiveSince) {
		return slot, true
	}
	return g.first(), true
}

// after returns the slot behind t, which is no earlier than the first one; zero
// when there is none.
func (g slots) after(t time.Time) (time.Time, error) {
	next, err := g.Next(later(t, g.of.ActiveSince))
	if errors.Is(err, cron.ErrNoSlot) {
		return time.Time{}, nil
	}
	return next, err
}

// due is when a slot fires.
func (g slots) due(slot time.Time) time.Time { return dueTime(g.Schedule, g.of, slot) }

// excluded says which calendar has the day of a slot; "" when none has.
func (g slots) excluded(slot time.Time) string {
	return molecule.Excluded(g.calendars, slot.In(g.Location()))
}

// rows returns the rows of the slots from the first one to last, which do not
// fire: one for each stretch of those that were missed because of why, and one
// for each stretch on days that are excluded.
func (g slots) rows(last time.Time, why string) ([]molecule.Run, error) {
	if len(g.calendars) == 0 {
		n, err := g.CountBetween(later(g.first(), g.of.ActiveSince).Add(time.Nanosecond), last, maxCounted)
		if err != nil {
			return nil, fmt.Errorf("count slots: %w", err)
		}
		return []molecule.Run{g.missed(g.first(), last, n+1, why)}, nil
	}
	var all []molecule.Run
	excluded := ""
	for slot, n := g.first(), 0; !slot.IsZero() && !slot.After(last) && n < maxCounted; n++ {
		because := g.excluded(slot)
		switch {
		case len(all) == 0, (because == "") != (excluded == "") && len(all) < maxRows:
			all, excluded = append(all, g.missed(slot, slot, 1, why)), because
		default:
			r := &all[len(all)-1]
			*r = g.missed(r.Slot, slot, r.Slots+1, why)
		}
		if excluded != "" {
			r := &all[len(all)-1]
			r.Outcome, r.Reason = molecule.OutcomeBlocked, excludedReason(*r, excluded)
		}
		var err error
		if slot, err = g.after(slot); err != nil {
			return nil, fmt.Errorf("count slots: %w", err)
		}
	}
	return all, nil
}

// missed is the row of n slots from first to last.
func (g slots) missed(first, last time.Time, n int, why string) molecule.Run {
	r := molecule.Run{
		Trigger: molecule.TriggerCron, Slot: first, Slots: n, State: molecule.RunFinished,
		Outcome: molecule.OutcomeMissed, Timeout: g.of.Timeout, Reason: why,
	}
	if last.After(first) {
		r.SlotTo = last
		r.Reason = fmt.Sprintf("%d slots passed: %s", n, why)
	}
	return r
}

// excludedReason is the reason of a row on excluded days; because is that of its
// first slot.
func excludedReason(r molecule.Run, because string) string {
	if r.Slots == 1 {
		return "excluded: " + because
	}
	return fmt.Sprintf("excluded: %d slots, of which %s", r.Slots, because)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
