package scheduler_test

import (
	"context"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// The tests of policies live in a file for each policy. Every bubble begins at
// 2000-01-01 00:00:00 UTC, a Saturday.

// agent stores an agent of a kind with so many places.
func (p *plant) agent(name string, kind molecule.AgentKind, places int) {
	p.t.Helper()
	a := molecule.Agent{Name: name, Kind: kind, State: molecule.AgentOnline, MaxConcurrent: places}
	if err := p.db.CreateAgent(p.t.Context(), &a); err != nil {
		p.t.Fatal(err)
	}
}

// schedule stores s: named as its agent, each minute, unless it says otherwise.
func (p *plant) schedule(s molecule.Schedule) molecule.Schedule {
	p.t.Helper()
	if s.Agent == "" {
		s.Agent = s.Name
	}
	if s.Cron == "" {
		s.Cron = "* * * * *"
	}
	if s.Prompt == "" {
		s.Prompt = "work"
	}
	if err := p.service.CreateSchedule(p.t.Context(), &s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// pass lets time pass, and whatever was due in it be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// told writes each row of a schedule in one line, oldest slot first: its slot or
// slots, its trigger, what became of it, and when it started if that is not the
// slot.
func (p *plant) told(name string) []string {
	p.t.Helper()
	lines := []string{}
	for _, r := range p.bySlot(name) {
		line := r.Slot.Format("15:04:05")
		if !r.SlotTo.IsZero() {
			line += r.SlotTo.Format("-15:04:05") + fmt.Sprintf("x%d", r.Slots)
		}
		line += " " + string(r.Trigger) + " "
		if r.State != molecule.RunFinished {
			line += string(r.State)
		}
		line += string(r.Outcome)
		if !r.StartedAt.IsZero() && !r.StartedAt.Equal(r.Slot) {
			line += r.StartedAt.Format(" at 15:04:05")
		}
		lines = append(lines, line)
	}
	return lines
}

// wantTold compares what became of a schedule.
func (p *plant) wantTold(name string, want ...string) {
	p.t.Helper()
	if diff := cmp.Diff(p.told(name), want); diff != "" {
		p.t.Errorf("%s (-got +want):\n%s", name, diff)
	}
}

// takes answers after so long, unless it is told to stop before.
func takes(d time.Duration) behaviour {
	return func(ctx context.Context, delivery molecule.Delivery) molecule.Reply {
		select {
		case <-time.After(d):
			return fine(ctx, delivery)
		case <-ctx.Done():
			return stopped(ctx)
		}
	}
}

// stopped is how a courier answers when its context has ended.
func stopped(ctx context.Context) molecule.Reply {
	if ctx.Err() == context.DeadlineExceeded { //nolint:errorlint // it is never wrapped
		return molecule.Reply{Failure: molecule.FailDeadline, Answered: true}
	}
	return molecule.Reply{Failure: molecule.FailShutdown}
}
