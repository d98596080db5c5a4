package watchdog

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	longestSleep = 15 * time.Second // half of the promise, and of what every new slot is given
	shortRest    = time.Second      // after a look that failed, and while slots may be late
	mostNamed    = 20               // schedules in the evidence
	named        = 3                // and in the title

	// grace is what slots are given that came while nobody was there to fire them:
	// behind a start, and behind a jump of the clock.
	grace       = 30 * time.Second
	largestSlip = 2 * time.Second // of the clock, that is no jump
)

// SlotStore is what Slots needs of the store.
type SlotStore interface {
	// NextAlert returns before when no slot can be late, as things are now; the
	// zero time when no schedule has a slot.
	NextAlert(ctx context.Context) (time.Time, error)
	// LateSlots returns up to limit slots that should have their row by now, the
	// longest overdue first, and how many there are.
	LateSlots(ctx context.Context, now time.Time, limit int) ([]molecule.LateSlot, int, error)
}

// SlotOptions are what Slots needs.
type SlotOptions struct {
	Store     SlotStore
	Incidents Reporter
	// Jump returns how far the clock on the wall jumped since the last call; nil
	// watches no clock.
	Jump func() time.Duration
	Log  *slog.Logger
}

// Slots watches for slots that have no run although their time is over; its Run
// is the subsystem missed-run-watchdog. There is one incident of all of them.
type Slots struct {
	SlotOptions
	calm time.Time // until then what is late may still be caught up; zero before Run
}

// NewSlots returns a Slots.
func NewSlots(o SlotOptions) *Slots { return &Slots{SlotOptions: o} }

// Run sleeps until the earliest slot may be late, and looks. A look that fails
// leaves no heartbeat and is repeated.
func (s *Slots) Run(ctx context.Context, beat *supervised.Beat) error {
	if s.calm.IsZero() { // a restart of this loop gives nobody more time
		s.calm = molecule.Now().Add(grace)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		rest := shortRest
		err := beat.Tick(ctx, func(ctx context.Context) error {
			var err error
			rest, err = s.look(ctx, molecule.Now())
			return err
		})
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for late slots", "err", err)
			rest = shortRest
		}
		timer.Reset(rest)
	}
}

// look reports what is late and returns how long there can be nothing new.
func (s *Slots) look(ctx context.Context, now time.Time) (time.Duration, error) {
	if s.Jump != nil && s.Jump().Abs() > largestSlip {
		s.calm = now.Add(grace)
	}
	next, err := s.Store.NextAlert(ctx)
	if err != nil {
		return 0, fmt.Errorf("next alert: %w", err)
	}
	if next.IsZero() || next.After(now) {
		s.Incidents.Report(molecule.IncidentMissedRuns, now)
		return sleepUntil(next, now), nil
	}
	if now.Before(s.calm) {
		return shortRest, nil // what is known is not over, and nothing new is told
	}
	late, n, err := s.Store.LateSlots(ctx, now, mostNamed)
	if err != nil {
		return 0, fmt.Errorf("late slots: %w", err)
	}
	if n == 0 {
		s.Incidents.Report(molecule.IncidentMissedRuns, now)
	} else {
		s.Incidents.Report(molecule.IncidentMissedRuns, now, missed(late, n))
	}
	return shortRest, nil
}

// sleepUntil returns how long to sleep until then, within what was promised.
func sleepUntil(then, now time.Time) time.Duration {
	if then.IsZero() {
		return longestSleep
	}
	return min(then.Sub(now), longestSleep)
}

// missed is the incident of n late slots, of which the first are known.
func missed(late []molecule.LateSlot, n int) molecule.Incident {
	names := make([]string, len(late))
	for i, l := range late {
		names[i] = l.Schedule
	}
	first := late[0]
	facts := map[string]string{
		"longest_overdue": first.Schedule,
		"try":             "molecli schedule why " + first.Schedule,
	}
	since := ""
	if !first.Due.IsZero() {
		facts["due"] = first.Due.Format(time.RFC3339)
		since = " since " + facts["due"]
	}
	if !first.Slot.IsZero() && !first.Slot.Equal(first.Due) {
		facts["slot"] = first.Slot.Format(time.RFC3339)
	}
	title := fmt.Sprintf("%d slots have no run, the longest overdue%s: %s", n, since, strings.Join(names[:min(n, named, len(names))], ", "))
	if n == 1 {
		title = fmt.Sprintf("a slot of %s has no run, overdue%s", first.Schedule, since)
	}
	if n > named {
		title += ", …"
	}
	return molecule.Incident{
		Subject: "subsystem/scheduler", Severity: molecule.SeverityCritical, Title: title, Count: n,
		Evidence: molecule.Evidence{Names: names, Total: n, Facts: facts},
	}
}
