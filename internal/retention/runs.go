package retention

import (
	"context"
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	lookSchedules = 200 // schedules looked at in one read
	lookRuns      = 500 // runs found in one read
)

// finder finds some runs that may go and reports whether it may find more.
type finder func(ctx context.Context) (ids []string, more bool, err error)

// runs prunes what find finds. Slices are filled across schedules: of each there
// are few runs to prune at a time, and a slice costs something of its own.
func (k *Keeper) runs(kind string, find finder) func(context.Context) (bool, error) {
	var found []string
	ended := false
	return func(ctx context.Context) (bool, error) {
		if !ended && len(found) < k.pace(kind).rows {
			return true, k.look(ctx, func() error {
				ids, more, err := find(ctx)
				found, ended = append(found, ids...), !more
				return err
			})
		}
		if len(found) == 0 {
			return false, nil
		}
		var some []string
		_, err := k.slice(ctx, kind, func(n int) (int, time.Duration, error) {
			some = found[:min(n, len(found))]
			return k.Store.PruneRuns(ctx, some)
		})
		switch {
		case err != nil && (ctx.Err() != nil || ofStore(err)):
			return false, err
		case err != nil && len(some) > 1:
			k.pace(kind).rows = 1 // it is of one row, and that one must not keep the others: find out which
			return true, nil
		case err != nil && k.trouble == nil:
			k.trouble = fmt.Errorf("%s: %w", kind, err)
		}
		found = found[len(some):]
		return true, nil
	}
}

// ofSchedules finds runs schedule by schedule, in the order of their ids.
func (k *Keeper) ofSchedules(l *limits) finder {
	var (
		after string // schedules looked at
		last  bool
		full  []molecule.Overfull
	)
	var one molecule.Prunable
	return func(ctx context.Context) (ids []string, more bool, err error) {
		usual := l.of(k.Rules.RunAge, k.Rules.FailureAge)
		switch {
		case one.ScheduleID != "":
			ids, more, err = k.find(ctx, &one)
			if !more {
				one = molecule.Prunable{}
			}
			return ids, true, err
		case len(full) > 0:
			b := usual.without(full[0].Budget, l.now)
			one = molecule.Prunable{ScheduleID: full[0].ScheduleID, UpTo: full[0].UpTo, Ordinary: b.ordinary, Others: b.others}
			full = full[1:]
			return nil, true, nil
		case last:
			return nil, false, nil
		}
		full, after, err = k.Store.Overfull(ctx, after, lookSchedules, k.Rules.Runs, usual.ordinary)
		last = after == ""
		return nil, true, err
	}
}

// ofAgents finds the runs that no schedule has.
func (k *Keeper) ofAgents(l *limits) finder {
	var all *molecule.Prunable
	return func(ctx context.Context) (ids []string, more bool, err error) {
		if all != nil {
			return k.find(ctx, all)
		}
		upTo, err := k.Store.NthLooseRun(ctx, k.Rules.AgentRuns)
		if err != nil || upTo == "" {
			return nil, false, err
		}
		b := l.of(k.Rules.AgentRunAge, k.Rules.FailureAge)
		all = &molecule.Prunable{UpTo: upTo, Ordinary: b.ordinary, Others: b.others}
		return nil, true, nil
	}
}

// find reads the next runs of p that may go.
func (k *Keeper) find(ctx context.Context, p *molecule.Prunable) (ids []string, more bool, err error) {
	ids, err = k.Store.PrunableRuns(ctx, *p, lookRuns)
	if err != nil {
		return nil, false, fmt.Errorf("find runs of schedule %q: %w", p.ScheduleID, err)
	}
	if len(ids) > 0 {
		p.After = ids[len(ids)-1]
	}
	return ids, len(ids) == lookRuns, nil
}
