package scheduler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// spends answers at once and says what it cost.
func spends(tokens int64, usd float64) behaviour {
	return func(ctx context.Context, d molecule.Delivery) molecule.Reply {
		r := fine(ctx, d)
		in, out := tokens/2, tokens-tokens/2
		r.Usage = &molecule.Usage{InputTokens: &in, OutputTokens: &out, CostUSD: &usd}
		return r
	}
}

func TestPolicyBudget_none(t *testing.T) {
	t.Parallel()
	world{behave: spends(1e9, 1e6)}.on(t, func(_ *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.schedule(molecule.Schedule{Name: "a"})
		pass(3 * time.Minute)
		p.wantTold("a", "01T00:01:00 cron ok", "01T00:02:00 cron ok", "01T00:03:00 cron ok")
	})
}

// TestPolicyBudget_bounds: each bound, whoever has the budget, lets two runs
// through in its window.
func TestPolicyBudget_bounds(t *testing.T) {
	t.Parallel()
	window := molecule.Duration(150 * time.Second)
	bounds := []struct {
		name   string
		budget molecule.Budget
		why    string
	}{
		{"runs", molecule.Budget{Runs: 2, Window: window}, "2 of 2 runs in 2m30s"},
		{"tokens", molecule.Budget{Tokens: 150, Window: window}, "200 of 150 tokens in 2m30s"},
		{"cost", molecule.Budget{CostUSD: 0.45, Window: window}, "0.50 of 0.45 USD in 2m30s"},
	}
	owners := []struct {
		name  string
		whose string
		of    func(*world, *molecule.Agent, *molecule.Schedule, molecule.Budget)
	}{
		{"schedule", "schedule a", func(_ *world, _ *molecule.Agent, s *molecule.Schedule, b molecule.Budget) { s.Budget = &b }},
		{"agent", "agent a", func(_ *world, a *molecule.Agent, _ *molecule.Schedule, b molecule.Budget) { a.Budget = b }},
		{"organisation", "the organisation", func(w *world, _ *molecule.Agent, _ *molecule.Schedule, b molecule.Budget) { w.budget = b }},
	}
	for _, b := range bounds {
		for _, o := range owners {
			t.Run(b.name+" of the "+o.name, func(t *testing.T) {
				t.Parallel()
				w, s := world{behave: spends(100, 0.25)}, molecule.Schedule{Name: "a"}
				var a molecule.Agent
				o.of(&w, &a, &s, b.budget)
				w.on(t, func(t *testing.T, p *plant) {
					p.agent("a", molecule.AgentExec, 1, func(made *molecule.Agent) { made.Budget = a.Budget })
					p.schedule(s)
					pass(6 * time.Minute)
					p.wantTold("a", "01T00:01:00 cron ok", "01T00:02:00 cron ok", "01T00:03:00 cron blocked",
						"01T00:04:00 cron ok", "01T00:05:00 cron ok", "01T00:06:00 cron blocked")
					if r, want := p.bySlot("a")[2], "budget: "+o.whose+" has had "+b.why; r.Reason != want {
						t.Errorf("the blocked slot says %q, want %q", r.Reason, want)
					}
				})
			})
		}
	}
}

// TestPolicyBudget_isOneForAllThatAreDueAtOneInstant: forty schedules are due on
// the hour, and the budget of the organisation is for ten of them.
func TestPolicyBudget_isOneForAllThatAreDueAtOneInstant(t *testing.T) {
	t.Parallel()
	w := calm
	w.budget = molecule.Budget{Runs: 10}
	w.on(t, func(t *testing.T, p *plant) {
		for i := range 40 {
			name := fmt.Sprintf("a%02d", i)
			p.agent(name, molecule.AgentExec, 1)
			p.schedule(molecule.Schedule{Name: name, Cron: "0 * * * *"})
		}
		pass(hours)
		ended := make(map[molecule.Outcome]int)
		for i := range 40 {
			for _, r := range p.bySlot(fmt.Sprintf("a%02d", i)) {
				ended[r.Outcome]++
				if r.Outcome == molecule.OutcomeBlocked && !strings.HasPrefix(r.Reason, "budget: the organisation has had ") {
					t.Errorf("a blocked slot says %q", r.Reason)
				}
			}
		}
		if ended[molecule.OutcomeOK] != 10 || ended[molecule.OutcomeBlocked] != 30 {
			t.Errorf("of 40 due at one instant %v, want 10 ok and 30 blocked", ended)
		}
	})
}

// TestPolicyBudget_countsRunsByHand, which are spent as any other.
func TestPolicyBudget_countsRunsByHand(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.schedule(molecule.Schedule{Name: "a", Policy: molecule.Policy{Budget: &molecule.Budget{Runs: 1}}})
		if _, err := p.service.TriggerSchedule(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		p.wantTold("a", "01T00:00:00 manual ok", "01T00:01:00 cron blocked")
	})
}
