package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	// turnLimit is how long one tick works before it proves itself and goes on.
	turnLimit = time.Second
	// Between two passes it rests: for a minute while there is something to prune,
	// longer and longer while there is not, and in proportion to how long it looked
	// beyond what came of it.
	busyRest    = time.Minute
	idleRest    = 5 * time.Minute
	longestRest = 30 * time.Minute
	restRatio   = 200
	// sweeps is how often prompts are gone through while one that is unused waits.
	sweeps = 4
)

// Store is what the keeper needs of the store. The methods that prune return how
// many rows went and how long the writer was held.
type Store interface {
	NthRun(ctx context.Context, n int) (string, error)
	NthLooseRun(ctx context.Context, n int) (string, error)
	AgentBudgets(ctx context.Context) ([]molecule.Budget, error)
	Overfull(ctx context.Context, after string, n, keep int, below string) (found []molecule.Overfull, last string, err error)
	PrunableRuns(ctx context.Context, p molecule.Prunable, n int) ([]string, error)
	PruneRuns(ctx context.Context, ids []string) (int, time.Duration, error)

	PruneSchedules(ctx context.Context, before time.Time, n int) (int, time.Duration, error)
	PruneAgents(ctx context.Context, before time.Time, n int) (int, time.Duration, error)
	PruneRollups(ctx context.Context, span molecule.Span, before time.Time, n int) (int, time.Duration, error)
	PruneIncidents(ctx context.Context, before time.Time, n int) (int, time.Duration, error)

	EventsBefore(ctx context.Context, before time.Time, most int) (int64, error)
	PruneEvents(ctx context.Context, upTo int64, n int) (int, time.Duration, error)
	SubsystemEventsBefore(ctx context.Context, before time.Time, most int) (int64, error)
	PruneSubsystemEvents(ctx context.Context, upTo int64, n int) (int, time.Duration, error)

	PromptUsers(ctx context.Context, runs bool, after int64, n int) (prompts []int64, more bool, err error)
	PromptKeys(ctx context.Context, after int64, n int) ([]int64, error)
	PrunePrompts(ctx context.Context, keys []int64, before time.Time) (int, time.Duration, error)
}

// Options are what a Keeper needs.
type Options struct {
	Store Store
	Rules Rules
	// Pruned is told of each slice: what went, how many rows, and how long the
	// writer was held. nil is nobody.
	Pruned func(kind string, rows int, held time.Duration)
	// Rest is how long it rests at least between two passes while there is
	// something to prune; a minute when zero.
	Rest time.Duration
	Log  *slog.Logger
}

// Keeper prunes; its Run is the subsystem retention.
type Keeper struct {
	Options
	rules atomic.Pointer[Rules] // for the next pass; nil: as before
	paces map[string]*pace      // by kind
	swept time.Time             // when prompts were last gone through; zero: not yet

	// Of the pass under way.
	left    []step
	looked  time.Duration
	held    time.Duration // the writer
	pruned  bool
	trouble error // the first row that could not be pruned
}

// New returns a Keeper.
func New(o Options) *Keeper {
	if o.Rest == 0 {
		o.Rest = busyRest
	}
	return &Keeper{Options: o, paces: make(map[string]*pace)}
}

// SetRules changes what is kept from the next pass on, which comes by itself.
func (k *Keeper) SetRules(r Rules) { k.rules.Store(&r) }

// step is one part of a pass. Each call does a little of it and reports whether
// there is more.
type step struct {
	name string
	do   func(ctx context.Context) (more bool, err error)
}

// Run goes through the store again and again until ctx ends, the first time at
// once.
func (k *Keeper) Run(ctx context.Context, beat *supervised.Beat) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	rest := k.Rest
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := beat.Tick(ctx, k.turn); err != nil && ctx.Err() == nil {
			k.Log.ErrorContext(ctx, "prune", "err", err)
		}
		if len(k.left) > 0 {
			timer.Reset(0)
			continue
		}
		if rest = min(2*rest, idleRest); k.pruned {
			rest = k.Rest
		}
		timer.Reset(min(max(restRatio*(k.looked-k.held), rest), longestRest))
	}
}

// turn works on a pass for a while. A step that fails does not hold the others
// back, unless it is the store that does not work: then the pass is over.
func (k *Keeper) turn(ctx context.Context) error {
	if len(k.left) == 0 {
		if r := k.rules.Swap(nil); r != nil {
			k.Rules = *r
		}
		k.left, k.looked, k.held, k.pruned, k.trouble = k.pass(molecule.Now()), 0, 0, false, nil
	}
	var failed error
	for began := time.Now(); len(k.left) > 0 && time.Since(began) < turnLimit; {
		now := k.left[0]
		more, err := now.do(ctx)
		switch {
		case err != nil && (ctx.Err() != nil || ofStore(err)):
			k.left = nil
			return fmt.Errorf("%s: %w", now.name, err)
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("%s: %w", now.name, err))
		case more:
			continue
		}
		k.left = k.left[1:]
	}
	if len(k.left) == 0 {
		failed = errors.Join(failed, k.trouble)
	}
	return failed
}

// ofStore reports whether err says that the store does not work, and so nothing
// of any one row.
func ofStore(err error) bool {
	code := molecule.CodeOf(err)
	return code == molecule.Unavailable || code == molecule.Timeout
}

// pass returns what there is to go through at one instant.
func (k *Keeper) pass(now time.Time) []step {
	r := k.Rules
	prune := func(kind string, age time.Duration, do func(context.Context, time.Time, int) (int, time.Duration, error)) step {
		return step{kind, func(ctx context.Context) (bool, error) {
			return k.slice(ctx, kind, func(n int) (int, time.Duration, error) { return do(ctx, now.Add(-age), n) })
		}}
	}
	rollups := func(span molecule.Span) func(context.Context, time.Time, int) (int, time.Duration, error) {
		return func(ctx context.Context, before time.Time, n int) (int, time.Duration, error) {
			return k.Store.PruneRollups(ctx, span, before, n)
		}
	}
	var l limits
	steps := []step{
		{"limits", func(ctx context.Context) (bool, error) {
			return false, k.look(ctx, func() (err error) {
				l, err = k.limits(ctx, now)
				return err
			})
		}},
		{"runs", k.runs("runs", k.ofSchedules(&l))},
		{"agent_runs", k.runs("agent_runs", k.ofAgents(&l))},
		prune("schedules", r.RemovedAge, k.Store.PruneSchedules),
		prune("agents", r.RemovedAge, k.Store.PruneAgents),
		prune("hours", r.HourAge, rollups(molecule.SpanHour)),
		prune("days", r.DayAge, rollups(molecule.SpanDay)),
		{"events", k.series("events", now.Add(-r.EventAge), r.MaxEvents, k.Store.EventsBefore, k.Store.PruneEvents)},
		{"subsystem_events", k.series("subsystem_events", now.Add(-r.SubsystemEventAge), maxSubsystemEvents,
			k.Store.SubsystemEventsBefore, k.Store.PruneSubsystemEvents)},
		prune("incidents", r.IncidentAge, k.Store.PruneIncidents),
	}
	if k.swept.IsZero() || time.Since(k.swept) >= r.PromptAge/sweeps {
		steps = append(steps, step{"prompts", k.prompts(now)})
	}
	return steps
}

// series prunes what has ids in the order of time, from below.
func (k *Keeper) series(
	kind string, before time.Time, most int, upTo func(context.Context, time.Time, int) (int64, error),
	prune func(context.Context, int64, int) (int, time.Duration, error),
) func(context.Context) (bool, error) {
	bound := int64(-1)
	return func(ctx context.Context) (bool, error) {
		if bound < 0 {
			var err error
			bound, err = upTo(ctx, before, most)
			return bound > 0, err
		}
		return k.slice(ctx, kind, func(n int) (int, time.Duration, error) { return prune(ctx, bound, n) })
	}
}

// slice has as many rows pruned as fit into a millisecond of the writer, and
// then leaves it to others. more says that rows went, so that there may be more.
func (k *Keeper) slice(ctx context.Context, kind string, prune func(n int) (int, time.Duration, error)) (more bool, err error) {
	p := k.pace(kind)
	began := time.Now()
	n, held, err := prune(p.rows)
	if err != nil {
		return false, err
	}
	p.took(n, held)
	k.held, k.pruned = k.held+held, k.pruned || n > 0
	if k.Pruned != nil && n > 0 {
		k.Pruned(kind, n, held)
	}
	k.rest(ctx, yield*held-(time.Since(began)-held)) // while it waited for its turn others had theirs
	return n > 0, nil
}

func (k *Keeper) pace(kind string) *pace {
	p := k.paces[kind]
	if p == nil {
		p = newPace()
		k.paces[kind] = p
	}
	return p
}

// look reads, counts for how long, and rests in proportion.
func (k *Keeper) look(ctx context.Context, read func() error) error {
	began := time.Now()
	err := read()
	took := time.Since(began)
	k.looked += took
	k.rest(ctx, yield*took)
	return err
}

// rest leaves writer and machine to others.
func (k *Keeper) rest(ctx context.Context, d time.Duration) {
	if d > 0 {
		_ = molecule.Sleep(ctx, d) // what comes next asks ctx itself
	}
}
