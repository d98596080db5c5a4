package scheduler_test

import (
	"context"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestPolicyTimeout_twentyMinutes(t *testing.T) {
	t.Parallel()
	r := once(t, world{behave: hang, calm: true}, 0, molecule.Policy{})
	if took := r.EndedAt.Sub(r.Slot); r.Outcome != molecule.OutcomeTimeout || took != 20*time.Minute {
		t.Errorf("it ended as %s after %v", r.Outcome, took)
	}
}

func TestPolicyTimeout_ofItsOwn(t *testing.T) {
	t.Parallel()
	for _, limit := range []time.Duration{time.Second, 90 * time.Second, 45 * time.Minute} {
		r := once(t, world{behave: hang, calm: true}, limit, molecule.Policy{})
		if took := r.EndedAt.Sub(r.Slot); r.Outcome != molecule.OutcomeTimeout || took != limit {
			t.Errorf("it ended as %s after %v, want timeout after %v", r.Outcome, took, limit)
		}
	}
}

// TestPolicyTimeout_isOneForAllAttempts, and so is the deadline that the agent is
// told.
func TestPolicyTimeout_isOneForAllAttempts(t *testing.T) {
	t.Parallel()
	var told []time.Time
	r := once(t, world{calm: true, behave: func(ctx context.Context, d molecule.Delivery) molecule.Reply {
		told = append(told, d.Run.Deadline)
		if d.Attempt < 3 {
			return nobody
		}
		return hang(ctx, d)
	}}, 2*time.Minute, molecule.Policy{})
	wantAttempts(t, r, 3, molecule.OutcomeTimeout)
	deadline := r.Slot.Add(2 * time.Minute)
	for _, at := range append(told, r.EndedAt, r.Deadline) {
		if !at.Equal(deadline) {
			t.Errorf("of deadlines told, end and deadline one is %v, want %v", at, deadline)
		}
	}
}

// TestPolicyTimeout_beginsWithTheRun: what waits for a place at its agent has all
// of its time when it gets it.
func TestPolicyTimeout_beginsWithTheRun(t *testing.T) {
	t.Parallel()
	world{behave: hang, calm: true}.on(t, func(_ *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		for _, name := range []string{"first", "second"} {
			p.schedule(molecule.Schedule{Name: name, Agent: "a", Cron: "0 * * * *", Timeout: molecule.Duration(10 * time.Minute)})
		}
		pass(hours + 59*time.Minute)
		p.wantTold("first", "01T01:00:00 cron timeout")
		p.wantTold("second", "01T01:00:00 cron timeout at 01:10:00")
	})
}

// TestPolicyTimeout_isThatOfTheClaim: a change is for the slots that come.
func TestPolicyTimeout_isThatOfTheClaim(t *testing.T) {
	t.Parallel()
	world{behave: hang, calm: true}.on(t, func(t *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.schedule(molecule.Schedule{Name: "a", Cron: "0 * * * *", Timeout: molecule.Duration(10 * time.Minute)})
		pass(hours + time.Minute)
		p.update("a", molecule.ScheduleUpdate{Timeout: ptr(molecule.Duration(30 * time.Minute))})
		pass(2 * hours)
		for i, want := range []time.Duration{10 * time.Minute, 30 * time.Minute} {
			if r := p.bySlot("a")[i]; r.EndedAt.Sub(r.Slot) != want {
				t.Errorf("the slot %v took %v, want %v", r.Slot, r.EndedAt.Sub(r.Slot), want)
			}
		}
	})
}
