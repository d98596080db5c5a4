package dispatch

import (
	"context"
	"fmt"
	"sync"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// spending knows the runs that passed the gate of a budget and are not over. The
// store counts a run once its start is on disk; many that are due at one instant
// pass the gate before that.
type spending struct {
	gate sync.Mutex // one at a time: what one may spend is gone for the next
	mu   sync.Mutex
	runs map[string]molecule.Run // by id
}

func newSpending() *spending { return &spending{runs: make(map[string]molecule.Run)} }

// under returns the ids of those that passed, and how many are of a schedule, or
// of an agent, or, when both are empty, at all.
func (s *spending) under(scheduleID, agentID string) (ids []string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, r := range s.runs {
		ids = append(ids, id)
		if (scheduleID == "" || r.ScheduleID == scheduleID) && (agentID == "" || r.AgentID == agentID) {
			n++
		}
	}
	return ids, n
}

func (s *spending) begin(r molecule.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[r.ID] = r
}

func (s *spending) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runs, id)
}

// bound is a budget and what it is for.
type bound struct {
	molecule.Budget
	whose           string
	schedule, agent string // ids; empty: any
}

// bounds returns the budgets that a run of agent has to pass.
func (j *journey) bounds(agent molecule.Agent) []bound {
	var all []bound
	add := func(b bound) {
		if b.Runs > 0 || b.Tokens > 0 || b.CostUSD > 0 {
			all = append(all, b)
		}
	}
	if own := j.run.Policy.Budget; own != nil && j.run.ScheduleID != "" {
		add(bound{*own, "schedule " + j.run.Schedule, j.run.ScheduleID, ""})
	}
	add(bound{agent.Budget, "agent " + agent.Name, "", agent.ID})
	add(bound{j.Budget, "the organisation", "", ""})
	return all
}

// pass takes a run through the gate of its budgets. It says which of them leaves
// nothing for it; "" when none does, and then the run counts until it is over.
func (j *journey) pass(agent molecule.Agent) (why string, err error) {
	bounds := j.bounds(agent)
	if len(bounds) == 0 {
		return "", nil
	}
	j.spending.gate.Lock()
	defer j.spending.gate.Unlock()
	for _, b := range bounds {
		passed, n := j.spending.under(b.schedule, b.agent)
		var spent molecule.Spent
		err := j.persist(func(ctx context.Context) error {
			var err error
			spent, err = j.Store.Spent(ctx, b.schedule, b.agent, molecule.Now().Add(-b.Span()), passed)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("what was spent: %w", err)
		}
		spent.Runs += n
		if why := b.Exhausted(spent); why != "" {
			return b.whose + " has had " + why, nil
		}
	}
	j.spending.begin(j.run)
	return "", nil
}
