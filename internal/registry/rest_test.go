package registry_test

import (
	"context"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// sweeps returns how often the monitor looks within so long.
func (r *rig) sweeps(within time.Duration) int64 {
	before := r.db.swept.Load()
	time.Sleep(within)
	return r.db.swept.Load() - before
}

func TestMonitor_restsWhileThereIsNothingToJudge(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		if n := r.sweeps(time.Minute); n > 70 {
			t.Errorf("without an agent it looked %d times within a minute", n)
		}
		all := r.crowd(10, r.poll)
		r.beats(20*time.Second, time.Minute, all...)
		r.m.Heartbeat(time.Now(), all[0].ID, molecule.Vitals{})
		if n := r.sweeps(20 * time.Second); n > 25 {
			t.Errorf("with agents that are there it looked %d times within 20 s", n)
		}
	})
}

func TestMonitor_looksAtOnceAtWhatHappensWhileItRests(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		ctx := context.WithoutCancel(t.Context())
		time.Sleep(time.Minute + 50*time.Millisecond) // in the midst of a rest
		a := r.poll("a")
		r.beat(a, molecule.Vitals{})
		time.Sleep(past)
		r.want("the first request of a new agent", "a", molecule.AgentOnline)
		time.Sleep(10*time.Second + 50*time.Millisecond)
		r.beat(a, molecule.Vitals{ErrorRate: 0.8})
		time.Sleep(past)
		r.want("it says that it is unwell", "a", molecule.AgentDegraded)
		time.Sleep(10*time.Second + 50*time.Millisecond)
		before := r.db.swept.Load()
		if _, err := r.db.UpdateAgent(ctx, "a", func(a *molecule.Agent) error { a.Name = "b"; return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(past)
		if r.db.swept.Load() == before {
			t.Error("its change was not looked at")
		}
	})
}
