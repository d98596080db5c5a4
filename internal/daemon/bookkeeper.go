package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	bookInterval = 5 * time.Second       // between turns when nothing happens
	shortestRest = 20 * time.Millisecond // between turns when much does
	restRatio    = 20                    // a turn may take one part in so many of the time
)

// books is what the bookkeeper reads and writes in the store.
type books interface {
	Counts(ctx context.Context, now time.Time) (molecule.AgentCounts, molecule.ScheduleCounts, error)
	AppendSubsystemEvents(ctx context.Context, events []molecule.SubsystemEvent) error
	TouchTokens(ctx context.Context, used map[string]time.Time) error
}

// counts is one snapshot of how many agents and schedules do how well.
type counts struct {
	agents    molecule.AgentCounts
	schedules molecule.ScheduleCounts
	asOf      time.Time
}

// bookkeeper is the subsystem that moves to the store what was kept in memory
// so that nobody waited for it: transitions of subsystems and the last use of
// tokens. It also takes the counts that liveness shows, so that liveness never
// asks the store.
type bookkeeper struct {
	store       books
	transitions *supervised.Recorder
	used        func() map[string]time.Time
	changed     <-chan struct{} // something was committed
	latest      atomic.Pointer[counts]

	unsaved map[string]time.Time // taken from used, not yet stored
}

// Run keeps the books until ctx ends: soon after something changed, and every
// few seconds. On a large store, where counting takes its time, it rests in
// proportion.
func (b *bookkeeper) Run(ctx context.Context, beat *supervised.Beat) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var rested <-chan time.Time // not nil while resting
	changed := b.changed
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-rested:
			rested, changed = nil, b.changed
			continue
		case <-changed:
		case <-timer.C:
		}
		began := time.Now()
		err := beat.Tick(ctx, func(ctx context.Context) error { return b.keep(ctx, began.UTC()) })
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("keep the books: %w", err)
		}
		timer.Reset(bookInterval)
		changed, rested = nil, time.After(max(restRatio*time.Since(began), shortestRest))
	}
}

// keep writes what is new. One part that fails does not keep the others back.
func (b *bookkeeper) keep(ctx context.Context, now time.Time) error {
	return errors.Join(b.count(ctx, now), b.transitions.Drain(ctx, b.store.AppendSubsystemEvents), b.touch(ctx))
}

func (b *bookkeeper) count(ctx context.Context, now time.Time) error {
	agents, schedules, err := b.store.Counts(ctx, now)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	b.latest.Store(&counts{agents: agents, schedules: schedules, asOf: now.Truncate(time.Millisecond)})
	return nil
}

// touch stores when tokens were last used. What could not be stored is kept
// for the next turn.
func (b *bookkeeper) touch(ctx context.Context) error {
	if b.unsaved == nil {
		b.unsaved = make(map[string]time.Time)
	}
	for id, at := range b.used() {
		b.unsaved[id] = at
	}
	if len(b.unsaved) == 0 {
		return nil
	}
	if err := b.store.TouchTokens(ctx, b.unsaved); err != nil {
		return fmt.Errorf("store the last use of tokens: %w", err)
	}
	clear(b.unsaved)
	return nil
}
