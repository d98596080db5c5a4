package scheduler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestOneShot_firesOnceAndIsFinished(t *testing.T) {
	t.Parallel()
	calm.on(t, func(_ *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.schedule(molecule.Schedule{Name: "a", Cron: "@at 2000-01-01T03:00:00Z"})
		pass(30 * hours)
		p.wantTold("a", "01T03:00:00 cron ok")
		p.wantFinished("a", "its last slot has passed")
	})
}

func TestOneShot_inThePastIsRefused(t *testing.T) {
	t.Parallel()
	calm.on(t, func(t *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		s := molecule.Schedule{Name: "a", Agent: "a", Cron: "@at 1999-12-31T23:59:59Z", Prompt: "work"}
		if err := p.service.CreateSchedule(t.Context(), &s); molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error(), "1999-12-31T23:59:59Z") {
			t.Errorf("a one-shot in the past: %v", err)
		}
	})
}

func TestOneShot_thatPassedWhileNobodyWasThere(t *testing.T) {
	t.Parallel()
	at := "@at 2000-01-01T08:00:00Z"
	tests := []downtime{
		{"within a day", at, molecule.Policy{}, 30 * hours, []string{"01T08:00:00 catch_up ok"}},
		{"a day ago", at, molecule.Policy{}, 33 * hours, []string{"01T08:00:00 cron missed"}},
		{"and is not to catch up", at, molecule.Policy{CatchUp: molecule.CatchUpNone}, 9 * hours, []string{"01T08:00:00 cron missed"}},
		{"with a jitter, which moved it", at, molecule.Policy{Jitter: molecule.Duration(time.Hour)}, 30 * hours, []string{"01T08:00:00 catch_up ok"}},
	}
	downtimes(t, tests)
	for _, tt := range tests {
		calm.on(t, func(_ *testing.T, p *plant) {
			p.agent("a", molecule.AgentExec, 1)
			p.schedule(molecule.Schedule{Name: "a", Cron: tt.cron, Policy: tt.policy})
			*p = *calm.restart(p, tt.down)
			pass(2 * time.Minute)
			p.wantFinished("a", "its last slot has passed")
		})
	}
}

// TestEvery_keepsItsPhaseOverRestarts: slots are the phase behind whole intervals
// since 1970, whenever the daemon starts.
func TestEvery_keepsItsPhaseOverRestarts(t *testing.T) {
	t.Parallel()
	calm.on(t, func(_ *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		pass(17 * time.Second)
		p.schedule(molecule.Schedule{Name: "a", Cron: "@every 90s", Phase: molecule.Duration(20 * time.Second)})
		pass(3 * time.Minute)
		*p = *calm.restart(p, 71*time.Second)
		pass(3 * time.Minute)
		p.wantTold("a", "01T00:00:20 cron ok", "01T00:01:50 cron ok", "01T00:03:20 catch_up ok",
			"01T00:04:50 cron ok", "01T00:06:20 cron ok")
	})
}

func TestSeconds_fireByConsent(t *testing.T) {
	t.Parallel()
	calm.on(t, func(t *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		s := molecule.Schedule{Name: "a", Agent: "a", Cron: "*/20 * * * * *", Prompt: "work"}
		if err := p.service.CreateSchedule(t.Context(), &s); molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("six fields without consent: %v", err)
		}
		s.Seconds = true
		p.schedule(s)
		pass(time.Minute)
		p.wantTold("a", "01T00:00:20 cron ok", "01T00:00:40 cron ok", "01T00:01:00 cron ok")
	})
}
