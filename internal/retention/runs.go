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

// history goes through the runs of one schedule, or of none, that may go.
type history struct {
	molecule.Prunable
	found []string // to be pruned
	ended bool     // no more are found
}

// scheduledRuns goes through the schedules in the order of their ids.
func (k *Keeper) scheduledRuns(l *limits) func(context.Context) (bool, error) {
	var (
		after string
		last  bool
		full  []molecule.Overfull
		one   *history
	)
	return func(ctx context.Context) (bool, error) {
		usual := l.of(k.Rules.RunAge, k.Rules.FailureAge)
		switch {
		case one != nil && !one.done():
			return true, k.proceed(ctx, "runs", one)
		case len(full) > 0:
			b := usual.without(full[0].Budget, l.now)
			one = &history{Prunable: molecule.Prunable{
				ScheduleID: full[0].ScheduleID, UpTo: full[0].UpTo, Ordinary: b.ordinary, Others: b.others,
			}}
			full = full[1:]
			return true, nil
		case last:
			return false, nil
		}
		return true, k.look(ctx, func() error {
			var err error
			full, after, err = k.Store.Overfull(ctx, after, lookSchedules, k.Rules.Runs, usual.ordinary)
			last = after == ""
			return err
		})
	}
}

// agentRuns goes through the runs that no schedule has.
func (k *Keeper) agentRuns(l *limits) func(context.Context) (bool, error) {
	var one *history
	return func(ctx context.Context) (bool, error) {
		if one != nil && one.done() {
			return false, nil
		}
		if one != nil {
			return true, k.proceed(ctx, "agent_runs", one)
		}
		return true, k.look(ctx, func() error {
			b := l.of(k.Rules.AgentRunAge, k.Rules.FailureAge)
			upTo, err := k.Store.NthLooseRun(ctx, k.Rules.AgentRuns)
			one = &history{Prunable: molecule.Prunable{UpTo: upTo, Ordinary: b.ordinary, Others: b.others}, ended: upTo == ""}
			return err
		})
	}
}

func (h *history) done() bool { return h.ended && len(h.found) == 0 }

// proceed prunes a slice of what was found, or finds more.
func (k *Keeper) proceed(ctx context.Context, kind string, h *history) error {
	if len(h.found) == 0 {
		return k.look(ctx, func() error {
			found, err := k.Store.PrunableRuns(ctx, h.Prunable, lookRuns)
			if err != nil {
				return fmt.Errorf("find runs of schedule %q: %w", h.ScheduleID, err)
			}
			h.found, h.ended = found, len(found) < lookRuns
			if len(found) > 0 {
				h.After = found[len(found)-1]
			}
			return nil
		})
	}
	before := h.found
	_, err := k.slice(ctx, kind, func(n int) (int, time.Duration, error) {
		some := h.found[:min(n, len(h.found))]
		h.found = h.found[len(some):]
		return k.Store.PruneRuns(ctx, some)
	})
	if err == nil || ctx.Err() != nil || ofStore(err) {
		return err
	}
	// It is of one row, and that one must not keep the others: find out which.
	if len(before)-len(h.found) > 1 {
		h.found, k.pace(kind).rows = before, 1
		return nil
	}
	if k.trouble == nil {
		k.trouble = fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}
