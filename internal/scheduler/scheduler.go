package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	longestSleep = 15 * time.Second // half of the promise
	shortRest    = time.Second      // after a tick that failed
	claimBatch   = 500              // schedules moved on in one transaction
	maxBatches   = 20               // transactions in one tick
)

// ClaimStore is what the loop needs of the store.
type ClaimStore interface {
	// ClaimDue moves due schedules on as decide says and returns the open runs.
	ClaimDue(ctx context.Context, now time.Time, limit int, decide func(molecule.Due) (molecule.Claim, error)) ([]molecule.Run, error)
	// NextDue returns the earliest slot, zero when there is none.
	NextDue(ctx context.Context) (time.Time, error)
}

// Dispatcher takes claimed runs over. Enqueue never waits.
type Dispatcher interface {
	Enqueue(runs []molecule.Run)
}

// Options are what a Scheduler needs.
type Options struct {
	Store      ClaimStore
	Dispatcher Dispatcher
	Service    *Service // tells when schedules change
	OrgID      string
	Log        *slog.Logger
}

// Scheduler claims due slots; its Run is the subsystem scheduler.
type Scheduler struct {
	store      ClaimStore
	dispatcher Dispatcher
	planner    planner
	changed    <-chan struct{}
	log        *slog.Logger
}

// New returns a Scheduler.
func New(o Options) *Scheduler {
	return &Scheduler{
		store: o.Store, dispatcher: o.Dispatcher, changed: o.Service.changed, log: o.Log,
		planner: planner{space: messageSpace(o.OrgID), specs: o.Service.specs},
	}
}

// Run claims what is due, sleeps until the next slot, and begins again when a
// schedule changes. A tick that fails leaves no heartbeat and is repeated.
func (s *Scheduler) Run(ctx context.Context, beat *supervised.Beat) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.changed:
		}
		rest := shortRest
		err := beat.Tick(ctx, func(ctx context.Context) error {
			var err error
			rest, err = s.claimDue(ctx, molecule.Now())
			return err
		})
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "claim due slots", "err", err)
			rest = shortRest
		}
		timer.Reset(rest)
	}
}

// claimDue claims what is due at now, hands it over and returns how long there
// is nothing more to do.
func (s *Scheduler) claimDue(ctx context.Context, now time.Time) (time.Duration, error) {
	p := s.planner
	p.now = now
	for range maxBatches {
		due, err := s.store.NextDue(ctx)
		if err != nil {
			return 0, fmt.Errorf("next due slot: %w", err)
		}
		if due.IsZero() {
			return longestSleep, nil
		}
		if due.After(now) {
			return min(due.Sub(now), longestSleep), nil
		}
		runs, err := s.store.ClaimDue(ctx, now, claimBatch, p.plan)
		if err != nil {
			return 0, fmt.Errorf("claim due slots: %w", err)
		}
		s.dispatcher.Enqueue(runs)
	}
	return 0, nil // more is due: prove this turn and go on
}
