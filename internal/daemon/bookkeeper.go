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
	countWithin  = 30 * time.Millisecond // longer, nobody waits for a count: liveness answers in 50 ms
	shortestRest = 20 * time.Millisecond // between turns when much does
	restRatio    = 20                    // a turn may take one part in so many of the time
)

// books is what the bookkeeper reads and writes in the store.
type books interface {
	Counts(ctx context.Context, now time.Time) (molecule.AgentCounts, molecule.ScheduleCounts, error)
	AppendSubsystemEvents(ctx context.Context, events []molecule.SubsystemEvent) error
	TouchTokens(ctx context.Context, used map[string]time.Time) error
	// Version changes with every commit that may change a count.
	Version() uint64
}

// counts is one snapshot of how many agents and schedules do how well.
type counts struct {
	agents    molecule.AgentCounts
	schedules molecule.ScheduleCounts
	asOf      time.Time
	version   uint64 // of the store, before it was counted
}

// bookkeeper is the subsystem that moves to the store what was kept in memory
// so that nobody waited for it: transitions of subsystems and the last use of
// tokens. It also takes the counts that liveness shows, so that liveness
// answers when the store does not.
type bookkeeper struct {
	store       books
	transitions *supervised.Recorder
	used        func() map[string]time.Time
	changed     <-chan struct{} // something was committed
	latest      atomic.Pointer[counts]
	asked       chan struct{}                 // buffered 1: somebody waits for a count
	turned      atomic.Pointer[chan struct{}] // closed at the end of the turn under way
	patience    time.Duration                 // how long to wait for a count

	unsaved map[string]time.Time // taken from used, not yet stored
}

func newBookkeeper(store books, transitions *supervised.Recorder, used func() map[string]time.Time, changed <-chan struct{}) *bookkeeper {
	b := &bookkeeper{
		store: store, transitions: transitions, used: used, changed: changed,
		asked: make(chan struct{}, 1), patience: countWithin,
	}
	b.turned.Store(new(make(chan struct{})))
	return b
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
		case <-b.asked:
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

// counts returns how many there are of what. When something was committed since
// they were taken it has them taken again, so that whoever made a change sees
// it, and waits a little for that; then it returns what there is, or nil.
func (b *bookkeeper) counts(ctx context.Context) *counts {
	late := time.After(b.patience)
	for {
		turned := b.turned.Load()
		c := b.latest.Load()
		if c != nil && c.version == b.store.Version() {
			return c
		}
		select {
		case b.asked <- struct{}{}:
		default: // asked already
		}
		select {
		case <-*turned:
		case <-late:
			return c
		case <-ctx.Done():
			return c
		}
	}
}

// keep writes what is new. One part that fails does not keep the others back.
func (b *bookkeeper) keep(ctx context.Context, now time.Time) error {
	return errors.Join(b.count(ctx, now), b.transitions.Drain(ctx, b.store.AppendSubsystemEvents), b.touch(ctx))
}

func (b *bookkeeper) count(ctx context.Context, now time.Time) error {
	version := b.store.Version()
	agents, schedules, err := b.store.Counts(ctx, now)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	b.latest.Store(&counts{agents: agents, schedules: schedules, asOf: now.Truncate(time.Millisecond), version: version})
	next := make(chan struct{})
	close(*b.turned.Swap(&next))
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
