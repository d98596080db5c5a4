package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	// lead is how long before it is due a run is claimed, so that all that is
	// slow has been done when its instant comes.
	lead        = 400 * time.Millisecond
	shortRest   = time.Second     // after a tick that failed, and between two looks at the clock
	largestSlip = 2 * time.Second // between two looks at the clock that is no jump
	claimBatch  = 500             // schedules moved on in one transaction
	maxBatches  = 20              // transactions in one tick
)

// ClaimStore is what the loop needs of the store.
type ClaimStore interface {
	// ClaimDue moves schedules that are due until horizon on as decide says and
	// returns the open runs. One whose last run is open is left until it is due.
	ClaimDue(
		ctx context.Context, now, horizon time.Time, limit int, decide func(molecule.Due) (molecule.Claim, error),
	) ([]molecule.Run, error)
	// NextDue returns when the earliest slot is due, zero when there is none.
	NextDue(ctx context.Context) (time.Time, error)
	// AppendEvent tells of what no row tells.
	AppendEvent(ctx context.Context, kind, subject string, data any) error
}

// Dispatcher takes claimed runs over. Enqueue never waits; a run is sent when
// it is due. Cancel tells whoever works on a run to stop, and reports whether
// the run was held here.
type Dispatcher interface {
	Enqueue(runs []molecule.Run)
	Cancel(id, why string) bool
}

// Options are what a Scheduler needs.
type Options struct {
	Store      ClaimStore
	Dispatcher Dispatcher
	Service    *Service // tells when schedules change
	OrgID      string
	// Jump returns how far the clock on the wall jumped since the last call; nil
	// watches no clock. See WallClock.
	Jump func() time.Duration
	Log  *slog.Logger
}

// Scheduler claims due slots; its Run is the subsystem scheduler.
type Scheduler struct {
	store      ClaimStore
	dispatcher Dispatcher
	planner    planner
	changed    <-chan struct{}
	jump       func() time.Duration
	log        *slog.Logger
}

// New returns a Scheduler.
func New(o Options) *Scheduler {
	return &Scheduler{
		store: o.Store, dispatcher: o.Dispatcher, changed: o.Service.changed, jump: o.Jump, log: o.Log,
		planner: planner{space: messageSpace(o.OrgID), specs: o.Service.specs, digest: newDigest()},
	}
}

// Run claims what is due, sleeps until shortly before the next slot, and begins
// again when a schedule changes or the clock jumps. A tick that fails leaves no
// heartbeat and is repeated.
func (s *Scheduler) Run(ctx context.Context, beat *supervised.Beat) error {
	var wake time.Time // when to look again; by the clock that passes
	s.planner.settled = molecule.Now().Add(settling)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.changed:
			wake = time.Time{}
		}
		if slip := s.slip(); slip != 0 {
			wake = time.Time{}
			s.tellJump(ctx, slip)
		}
		if rest := time.Until(wake); rest > 0 {
			timer.Reset(s.nap(rest))
			continue
		}
		rest := shortRest
		err := beat.Tick(ctx, func(ctx context.Context) error {
			var err error
			rest, err = s.claimDue(ctx, molecule.Now())
			rest = min(rest, beat.Promise()/2)
			return err
		})
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "claim due slots", "err", err)
			rest = shortRest
		}
		wake = time.Now().Add(rest)
		timer.Reset(s.nap(rest))
	}
}

// nap is how long to sleep of rest before the clock is looked at again.
func (s *Scheduler) nap(rest time.Duration) time.Duration {
	if s.jump == nil {
		return rest
	}
	return min(rest, shortRest)
}

// slip returns how far the clock jumped; 0 when it only drifted.
func (s *Scheduler) slip() time.Duration {
	if s.jump == nil {
		return 0
	}
	if by := s.jump(); by.Abs() > largestSlip {
		return by
	}
	return 0
}

// tellJump records that the clock jumped. Slots it jumped over are late and go
// the way of all that are; slots it jumps back to have their rows.
func (s *Scheduler) tellJump(ctx context.Context, by time.Duration) {
	s.log.WarnContext(ctx, "the clock jumped", "by", by)
	err := s.store.AppendEvent(ctx, molecule.EventClockJumped, "clock", map[string]any{"seconds": by.Seconds()})
	if err != nil {
		s.log.WarnContext(ctx, "record that the clock jumped", "err", err)
	}
}

// claimDue claims what is due at now or soon behind it, hands it over and
// returns how long there is nothing more to do.
func (s *Scheduler) claimDue(ctx context.Context, now time.Time) (time.Duration, error) {
	p := s.planner
	p.now = now
	horizon := now.Add(lead)
	for range maxBatches {
		due, err := s.store.NextDue(ctx)
		if err != nil {
			return 0, fmt.Errorf("next due slot: %w", err)
		}
		if due.IsZero() || due.After(horizon) {
			return s.restUntil(due.Add(-lead)), s.tellMissed(ctx, now)
		}
		clear(p.digest.batch)
		runs, err := s.store.ClaimDue(ctx, now, horizon, claimBatch, p.plan)
		if err != nil {
			return 0, fmt.Errorf("claim due slots: %w", err)
		}
		p.digest.settle()
		s.dispatcher.Enqueue(runs)
		if len(runs) == 0 && due.After(now) {
			// A run of it is still open: whether it is in the way is known when the
			// slot is due.
			return s.restUntil(due), s.tellMissed(ctx, now)
		}
	}
	return 0, nil // more is due: prove this turn and go on
}

// restUntil returns how long to rest until then; for good when there is nothing
// to wait for.
func (s *Scheduler) restUntil(then time.Time) time.Duration {
	if then.Before(time.Unix(0, 0)) {
		return math.MaxInt64
	}
	return max(then.Sub(molecule.Now()), 0)
}

// tellMissed records what was missed, once nothing more is due.
func (s *Scheduler) tellMissed(ctx context.Context, now time.Time) error {
	d := s.planner.digest
	if d.Schedules == 0 {
		return nil
	}
	told := *d
	s.log.WarnContext(ctx, "slots passed while nobody could fire", "since", told.Since, "schedules", told.Schedules,
		"missed", told.Missed, "late", told.Late)
	err := s.store.AppendEvent(ctx, molecule.EventSchedulesMissed, "schedules", struct {
		digest
		Until time.Time `json:"until"`
	}{told, now})
	if err != nil {
		return fmt.Errorf("record what was missed: %w", err)
	}
	*d = *newDigest()
	return nil
}
