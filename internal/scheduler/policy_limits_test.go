package scheduler_test

import (
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// wantFinished wants a schedule without slots, and says why.
func (p *plant) wantFinished(name, why string) {
	p.t.Helper()
	s, err := p.service.Schedule(p.t.Context(), name)
	if err != nil || s.State != molecule.ScheduleFinished || s.Reason != why || !s.NextSlot.IsZero() {
		p.t.Errorf("%s is %s because %q with the next slot %v (%v), want finished because %q", name, s.State, s.Reason, s.NextSlot, err, why)
	}
}

func TestPolicyLimits_maxRuns(t *testing.T) {
	t.Parallel()
	// Slots that do not fire are not counted.
	onPlant(t, takes(90*time.Second), func(t *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.schedule(molecule.Schedule{Name: "a", Policy: molecule.Policy{MaxRuns: 2}})
		if _, err := p.service.TriggerSchedule(t.Context(), "a"); err != nil { // nor is one by hand
			t.Fatal(err)
		}
		pass(10 * time.Minute)
		p.wantTold("a", "01T00:00:00 manual ok", "01T00:01:00 cron skipped_overlap",
			"01T00:02:00 cron ok", "01T00:03:00 cron skipped_overlap", "01T00:04:00 cron ok")
		p.wantFinished("a", "2 of 2 slots have fired")
		p.update("a", molecule.ScheduleUpdate{MaxRuns: ptr(3)})
		pass(time.Minute)
		if got := p.told("a"); got[len(got)-1] != "01T00:11:00 cron started" {
			t.Errorf("with another run allowed there are %q", got)
		}
	})
}

func TestPolicyLimits_until(t *testing.T) {
	t.Parallel()
	until := molecule.Policy{Until: time.Date(2000, 1, 1, 3, 0, 0, 0, time.UTC)}
	calm.on(t, func(_ *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.schedule(molecule.Schedule{Name: "a", Cron: "0 * * * *", Policy: until})
		pass(5 * hours)
		p.wantTold("a", "01T01:00:00 cron ok", "01T02:00:00 cron ok", "01T03:00:00 cron ok") // that very instant is not behind it
		p.wantFinished("a", "its slots end at 2000-01-01T03:00:00Z")
	})
	// While nobody was there it came to its end: what lies behind is no slot.
	end := func(c molecule.CatchUp, window time.Duration) molecule.Policy {
		return molecule.Policy{CatchUp: c, CatchUpWindow: molecule.Duration(window), Until: until.Until}
	}
	downtimes(t, []downtime{
		{"down at its end", "0 * * * *", until, 3*hours + 30*time.Minute, []string{"01T01:00:00-01T02:00:00x2 cron missed", "01T03:00:00 catch_up ok"}},
		{"down long behind its end", "0 * * * *", until, 8 * hours, []string{"01T01:00:00-01T03:00:00x3 cron missed"}},
		{"down long behind it, and patient", "0 * * * *", end(molecule.CatchUpWindow, 9*hours), 8 * hours, []string{
			"01T01:00:00-01T02:00:00x2 cron missed", "01T03:00:00 catch_up ok",
		}},
		{"down long behind it, for all", "0 * * * *", end(molecule.CatchUpAll, 0), 8 * hours, []string{
			"01T01:00:00 catch_up ok", "01T02:00:00 catch_up ok", "01T03:00:00 catch_up ok",
		}},
	})
}
