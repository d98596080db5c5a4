package scheduler_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// away is a world whose push agents are offline until the returned switch is on.
func away() (world, *atomic.Bool) {
	var there atomic.Bool
	return world{behave: fine, there: there.Load}, &there
}

// offline makes an agent that is believed to be offline, and an hourly schedule
// of it whose runs have ten minutes.
func (p *plant) offline() {
	p.t.Helper()
	p.agent("a", molecule.AgentPush, 1, func(a *molecule.Agent) { a.State = molecule.AgentOffline })
	p.schedule(molecule.Schedule{Name: "a", Cron: "0 * * * *", Timeout: molecule.Duration(10 * time.Minute)})
}

// wantLast compares how the newest slot ended.
func (p *plant) wantLast(o molecule.Outcome, reason string) {
	p.t.Helper()
	runs := p.bySlot("a")
	if r := runs[len(runs)-1]; r.Outcome != o || r.Reason != reason {
		p.t.Errorf("the slot %v ended as %s because %q, want %s because %q", r.Slot, r.Outcome, r.Reason, o, reason)
	}
}

func TestPolicyOffline_waitsForTheAgent(t *testing.T) {
	t.Parallel()
	w, there := away()
	w.on(t, func(t *testing.T, p *plant) {
		p.offline()
		pass(hours + 2*time.Minute)
		p.wantTold("a", "01T01:00:00 cron waiting_for_agent")
		r := p.bySlot("a")[0]
		if want := january(1, 1).Add(10 * time.Minute); r.Reason != "the agent is offline" || !r.Deadline.Equal(want) {
			t.Errorf("it waits until %v because %q, want %v", r.Deadline, r.Reason, want)
		}
		told, err := p.db.Events(t.Context(), molecule.EventFilter{Types: []string{molecule.EventRunWaiting}})
		if err != nil || len(told.Items) != 1 {
			t.Errorf("%d events tell that it waits (%v), want 1", len(told.Items), err)
		}
		there.Store(true)
		pass(time.Minute)
		p.wantTold("a", "01T01:00:00 cron ok at 01:02:15")
	})
}

func TestPolicyOffline_isMissedAtTheDeadline(t *testing.T) {
	t.Parallel()
	w, _ := away()
	w.on(t, func(t *testing.T, p *plant) {
		p.offline()
		pass(hours + 10*time.Minute + time.Second)
		p.wantLast(molecule.OutcomeMissed, "the agent was offline until the deadline")
		if r := p.bySlot("a")[0]; !r.StartedAt.IsZero() || !r.EndedAt.Equal(january(1, 1).Add(10*time.Minute)) {
			t.Errorf("it started at %v and ended at %v", r.StartedAt, r.EndedAt)
		}
	})
}

// TestPolicyOffline_hasOneDeadlineOverRestarts: the time a run has is not longer
// because the daemon stopped, and what was never sent is not called hung.
func TestPolicyOffline_hasOneDeadlineOverRestarts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		down   time.Duration
		want   molecule.Outcome
		reason string
	}{
		{"back before it", 5 * time.Minute, molecule.OutcomeOK, ""},
		{"back behind it", 20 * time.Minute, molecule.OutcomeMissed, "the agent was offline until the deadline"},
	}
	for _, tt := range tests {
		for _, state := range []molecule.AgentState{molecule.AgentOffline, molecule.AgentOnline} {
			t.Run(tt.name+", the agent "+string(state), func(t *testing.T) {
				t.Parallel()
				w, there := away()
				w.on(t, func(t *testing.T, p *plant) {
					p.offline()
					pass(hours + time.Minute)
					there.Store(true) // while nobody looks
					_, err := p.db.SetAgentState(t.Context(), "a", func(a *molecule.Agent) error { a.State = state; return nil })
					if err != nil {
						t.Fatal(err)
					}
					*p = *w.restart(p, tt.down)
					pass(time.Minute)
					p.wantLast(tt.want, tt.reason)
				})
			})
		}
	}
}

// TestPolicyOffline_holdsThePlaceOfTheAgentOnly: another agent is not delayed,
// and a slot of the same schedule meets an open run.
func TestPolicyOffline_holdsThePlaceOfTheAgentOnly(t *testing.T) {
	t.Parallel()
	w, _ := away()
	w.on(t, func(_ *testing.T, p *plant) {
		p.agent("a", molecule.AgentPush, 1, func(a *molecule.Agent) { a.State = molecule.AgentOffline })
		p.schedule(molecule.Schedule{Name: "a", Timeout: molecule.Duration(150 * time.Second)})
		p.agent("b", molecule.AgentExec, 1)
		p.schedule(molecule.Schedule{Name: "b"})
		pass(4*time.Minute + time.Second)
		p.wantTold("a", "01T00:01:00 cron missed", "01T00:02:00 cron skipped_overlap", "01T00:03:00 cron skipped_overlap",
			"01T00:04:00 cron waiting_for_agent")
		p.wantTold("b", strings.Split("01T00:01:00 cron ok,01T00:02:00 cron ok,01T00:03:00 cron ok,01T00:04:00 cron ok", ",")...)
	})
}
