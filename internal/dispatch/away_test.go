package dispatch_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// doorbell is a courier whose agent can be rung at.
type doorbell struct {
	deliver
	there atomic.Bool
}

// Reachable implements dispatch.Prober.
func (d *doorbell) Reachable(context.Context, molecule.Agent) bool { return d.there.Load() }

func TestAwait_waitsForAnAgentThatIsOffline(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		rings   bool // the courier can ring at the door
		back    func(b *bench, bell *doorbell, a molecule.Agent)
		outcome molecule.Outcome
		reason  string
		within  time.Duration // behind its return
	}{
		{"found by ringing", true, func(_ *bench, bell *doorbell, _ molecule.Agent) { bell.there.Store(true) }, "ok", "", 16 * time.Second},
		{"announced by whoever watches", true, func(b *bench, _ *doorbell, a molecule.Agent) {
			b.believe(a.Name, molecule.AgentOnline)
			b.d.Returned(a.ID)
		}, "ok", "", time.Second},
		{"announced, and nobody can ring", false, func(b *bench, _ *doorbell, a molecule.Agent) {
			b.believe(a.Name, molecule.AgentOnline)
			b.d.Returned(a.ID)
		}, "ok", "", time.Second},
		{"announced too soon", false, func(b *bench, _ *doorbell, a molecule.Agent) { b.d.Returned(a.ID) }, "missed", "the agent was offline until the deadline", 9*time.Minute + time.Second},
		{"never", true, func(*bench, *doorbell, molecule.Agent) {}, "missed", "the agent was offline until the deadline", 9*time.Minute + time.Second},
		{"paused meanwhile", true, func(b *bench, _ *doorbell, a molecule.Agent) { b.believe(a.Name, molecule.AgentPaused) }, "blocked", "paused", 16 * time.Second},
		{"removed meanwhile", true, func(b *bench, _ *doorbell, a molecule.Agent) {
			if err := b.db.RemoveAgent(b.t.Context(), a.Name); err != nil {
				b.t.Error(err)
			}
		}, "blocked", "the agent was removed", 16 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				answer := deliver(func(_ context.Context, d molecule.Delivery) molecule.Reply { return says(d.Text) })
				bell := &doorbell{deliver: answer}
				b := newBench(t, dir, molecule.AgentPush, answer, func(o *dispatch.Options) {
					if c.rings {
						o.Couriers[molecule.AgentPush] = bell
					}
				})
				a := b.agent("a", molecule.AgentPush, 1)
				b.believe("a", molecule.AgentOffline)
				id := b.send(a, "work") // within ten minutes
				time.Sleep(time.Minute)
				if r := b.run(id); r.State != molecule.RunAway || r.Reason != "the agent is offline" {
					t.Errorf("it is %s: %s", r.State, r.Reason)
				}
				c.back(b, bell, a)
				time.Sleep(c.within)
				if r := b.run(id); r.Outcome != c.outcome || r.Reason != c.reason {
					t.Errorf("it ended as %q: %s, want %s: %s", r.Outcome, r.Reason, c.outcome, c.reason)
				}
				b.close()
			})
		})
	}
}
