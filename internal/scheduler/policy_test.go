package scheduler_test

import (
	"context"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// The tests of policies live in a file for each policy. Every bubble begins at
// 2000-01-01 00:00:00 UTC, a Saturday.

// calm is a world in which agents answer at once and long times pass quickly.
var calm = world{behave: fine, calm: true} // never written

// agent stores an agent of a kind with so many places.
func (p *plant) agent(name string, kind molecule.AgentKind, places int, tweaks ...func(*molecule.Agent)) {
	p.t.Helper()
	a := molecule.Agent{Name: name, Kind: kind, State: molecule.AgentOnline, MaxConcurrent: places}
	for _, tweak := range tweaks {
		tweak(&a)
	}
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

// restart stops the plant for as long as it is down and starts it again in w.
func (w world) restart(p *plant, down time.Duration) *plant {
	p.t.Helper()
	p.close()
	time.Sleep(down)
	return w.start(p.t, p.dir)
}

// pass lets time pass, and whatever was due in it be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// told writes each row of a schedule in one line, oldest slot first: its slot or
// slots, its trigger, what became of it, and when it started if that is not the
// slot. What catches up starts when chance wants.
func (p *plant) told(name string) []string {
	p.t.Helper()
	lines := []string{}
	for _, r := range p.bySlot(name) {
		line := r.Slot.Format("02T15:04:05")
		if !r.SlotTo.IsZero() {
			line += r.SlotTo.Format("-02T15:04:05") + fmt.Sprintf("x%d", r.Slots)
		}
		line += " " + string(r.Trigger) + " "
		if r.State != molecule.RunFinished {
			line += string(r.State)
		}
		line += string(r.Outcome)
		if !r.StartedAt.IsZero() && !r.StartedAt.Equal(r.Slot) && r.Trigger != molecule.TriggerCatchUp {
			line += r.StartedAt.Round(time.Second).Format(" at 15:04:05")
		}
		lines = append(lines, line)
	}
	return lines
}

// wantTold compares what became of a schedule.
func (p *plant) wantTold(name string, want ...string) {
	p.t.Helper()
	if diff := cmp.Diff(p.told(name), append([]string{}, want...)); diff != "" {
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

// wantCovered wants every slot of a schedule, from its first to now, in exactly
// one row, and the next slot behind the last of them.
func (p *plant) wantCovered(name string) {
	p.t.Helper()
	s, err := p.service.Schedule(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	spec, err := cron.Parse(s.Cron, cron.Options{TZ: s.TZ, DST: cron.DST(s.DST), Seconds: s.Seconds, Phase: time.Duration(s.Phase)})
	if err != nil {
		p.t.Fatal(err)
	}
	last := s.CreatedAt
	for _, r := range p.bySlot(name) {
		if r.Trigger != molecule.TriggerCron && r.Trigger != molecule.TriggerCatchUp {
			continue
		}
		to := r.SlotTo
		if to.IsZero() {
			to = r.Slot
		}
		if first, err := spec.Next(last); err != nil || !first.Equal(r.Slot) {
			p.t.Errorf("%s: behind %v comes %v (%v), and the next row is of %v", name, last, first, err, r.Slot)
		}
		if n, err := spec.CountBetween(r.Slot, to, 1_000_000); err != nil || n != r.Slots {
			p.t.Errorf("%s: the row of %v says %d slots and covers %d (%v)", name, r.Slot, r.Slots, n, err)
		}
		last = to
	}
	if s.State != molecule.ScheduleActive {
		return
	}
	if first, err := spec.Next(last); err != nil || !first.Equal(s.NextSlot) {
		p.t.Errorf("%s: behind %v comes %v (%v), and it waits for %v", name, last, first, err, s.NextSlot)
	}
}
