package retention

import (
	"context"
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Rules say how long things are kept. Counters of schedules and agents are not
// among them: those are never pruned.
type Rules struct {
	// A schedule keeps its newest Runs whatever they are, those younger than
	// RunAge, and those that were not of ordinary outcome and are younger than
	// FailureAge, which is not shorter. When there are more than MaxRuns in all,
	// the oldest beyond each schedule's newest go before their time, those of
	// ordinary outcome first.
	Runs       int
	RunAge     time.Duration
	FailureAge time.Duration
	MaxRuns    int

	// The same for runs that no schedule has.
	AgentRuns   int
	AgentRunAge time.Duration

	// Sums of runs that were pruned.
	HourAge time.Duration
	DayAge  time.Duration

	// Events go when they are older than EventAge or more than MaxEvents are newer.
	EventAge          time.Duration
	MaxEvents         int
	SubsystemEventAge time.Duration

	IncidentAge time.Duration // of closed ones, from their end
	PromptAge   time.Duration // how long nothing had a prompt
	RemovedAge  time.Duration // of schedules and agents that were removed and have no run left

	// Budget is that of all runs together. A run that counts for a budget is kept.
	Budget molecule.Budget
}

// maxSubsystemEvents bounds the transitions of subsystems, which are rare unless
// something is badly wrong.
const maxSubsystemEvents = 10_000

// bounds are the ids below which runs may go: those of ordinary outcome, and all
// others, which stay longer.
type bounds struct{ ordinary, others string }

// limits are what bounds the runs in one pass, whosever they are.
type limits struct {
	now      time.Time
	room     bounds // what is below is too much in all
	counting bounds // what is not below counts for a budget of an agent or of all
}

// limits reads what bounds the runs now.
func (k *Keeper) limits(ctx context.Context, now time.Time) (l limits, err error) {
	l.now = now
	if l.room.ordinary, err = k.Store.NthRun(ctx, k.Rules.MaxRuns-1); err != nil {
		return l, fmt.Errorf("count runs: %w", err)
	}
	if l.room.others, err = k.Store.NthRun(ctx, 2*k.Rules.MaxRuns-1); err != nil {
		return l, fmt.Errorf("count runs: %w", err)
	}
	budgets, err := k.Store.AgentBudgets(ctx)
	if err != nil {
		return l, fmt.Errorf("read budgets: %w", err)
	}
	l.counting = bounds{molecule.OldestID(now), molecule.OldestID(now)}
	for _, b := range append(budgets, k.Rules.Budget) {
		l.counting = l.counting.without(&b, now)
	}
	return l, nil
}

// of returns the bounds of runs that are kept for an age, and for another when
// their outcome was not ordinary.
func (l limits) of(age, others time.Duration) bounds {
	b := bounds{
		ordinary: max(l.room.ordinary, molecule.OldestID(l.now.Add(-age))),
		others:   max(l.room.others, molecule.OldestID(l.now.Add(-max(age, others)))),
	}
	return bounds{min(b.ordinary, l.counting.ordinary), min(b.others, l.counting.others)}
}

// without returns b without the runs that a budget counts now.
func (b bounds) without(budget *molecule.Budget, now time.Time) bounds {
	if budget == nil || budget.Runs == 0 && budget.Tokens == 0 && budget.CostUSD == 0 {
		return b
	}
	oldest := molecule.OldestID(now.Add(-budget.Span()))
	return bounds{min(b.ordinary, oldest), min(b.others, oldest)}
}
