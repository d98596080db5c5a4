package scheduler_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// waiting returns a plant's hourly schedule whose slot of 01:00 is not due
// before 01:10, because of its jitter.
func (p *plant) waiting() molecule.Schedule {
	p.t.Helper()
	p.agent("a", molecule.AgentExec, 1)
	for i := range 1000 { // when it is due depends on its id
		s := p.schedule(molecule.Schedule{
			Name: fmt.Sprintf("a%d", i), Agent: "a", Cron: "0 * * * *", Policy: molecule.Policy{Jitter: molecule.Duration(50 * time.Minute)},
		})
		if s.DueAt.Sub(s.NextSlot) >= 10*time.Minute {
			return s
		}
		if err := p.service.RemoveSchedule(p.t.Context(), s.Name); err != nil {
			p.t.Fatal(err)
		}
	}
	p.t.Fatal("no schedule waits that long")
	return molecule.Schedule{}
}

// update changes a schedule.
func (p *plant) update(name string, up molecule.ScheduleUpdate) molecule.Schedule {
	p.t.Helper()
	s, err := p.service.UpdateSchedule(p.t.Context(), name, up)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func ptr[T any](v T) *T { return &v }

// TestUpdateSchedule_firesASlotThatCameBeforeTheChange: a slot that waits for
// its jitter has come and is not yet consumed, so it fires when it is due.
func TestUpdateSchedule_firesASlotThatCameBeforeTheChange(t *testing.T) {
	t.Parallel()
	calm.on(t, func(t *testing.T, p *plant) {
		s := p.waiting()
		pass(hours + 5*time.Minute)
		after := p.update(s.Name, molecule.ScheduleUpdate{Cron: ptr("*/10 * * * *"), Jitter: ptr(molecule.Duration(0)), Prompt: ptr("other work")})
		if !after.NextSlot.Equal(s.NextSlot) {
			t.Errorf("the next slot is %v, want the one that waits, %v", after.NextSlot, s.NextSlot)
		}
		pass(26 * time.Minute)
		p.wantTold(s.Name, "01T01:00:00 catch_up ok", "01T01:10:00 cron ok", "01T01:20:00 cron ok", "01T01:30:00 cron ok")
	})
}

// TestUpdateSchedule_coversWhatTheLoopHasNotComeTo: it is changed when the
// daemon is back and the loop has yet to see it.
func TestUpdateSchedule_coversWhatTheLoopHasNotComeTo(t *testing.T) {
	t.Parallel()
	world{idle: true, calm: true}.on(t, func(t *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.schedule(molecule.Schedule{Name: "a", Cron: "0 * * * *"})
		pass(4*hours + 30*time.Minute)
		p.update("a", molecule.ScheduleUpdate{Cron: ptr("15 * * * *")})
		*p = *calm.restart(p, 0)
		pass(hours)
		p.wantTold("a", "01T01:00:00-01T03:00:00x3 cron missed", "01T04:00:00 catch_up ok", "01T05:15:00 cron ok")
		first := p.bySlot("a")[0]
		if want := "the schedule was changed before it fired"; !strings.Contains(first.Reason, want) {
			t.Errorf("the missed ones say %q, want %q", first.Reason, want)
		}
	})
}

func TestPauseSchedule_recordsASlotThatCameAndDidNotFire(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(p *plant, name string) error
		why  string
	}{
		{"paused", func(p *plant, name string) error {
			_, err := p.service.PauseSchedule(p.t.Context(), name)
			return err
		}, "the schedule was paused before it fired"},
		{"made to end", func(p *plant, name string) error {
			_, err := p.service.UpdateSchedule(p.t.Context(), name, molecule.ScheduleUpdate{Until: ptr(time.Date(2000, 1, 1, 0, 59, 0, 0, time.UTC))})
			return err
		}, "its slots end at 2000-01-01T00:59:00Z"},
		{"removed", func(p *plant, name string) error { return p.service.RemoveSchedule(p.t.Context(), name) }, "the schedule was removed before it fired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			calm.on(t, func(t *testing.T, p *plant) {
				s := p.waiting()
				pass(hours + 5*time.Minute)
				if err := tt.do(p, s.Name); err != nil {
					t.Fatal(err)
				}
				pass(2 * hours)
				page, err := p.db.Runs(t.Context(), molecule.RunFilter{})
				if err != nil || len(page.Items) != 1 {
					t.Fatalf("%d rows, %v; want 1", len(page.Items), err)
				}
				if r := page.Items[0]; !r.Slot.Equal(s.NextSlot) || r.Outcome != molecule.OutcomeMissed || r.Reason != tt.why {
					t.Errorf("the slot %v is %s because %q, want missed because %q", r.Slot, r.Outcome, r.Reason, tt.why)
				}
			})
		})
	}
}

// TestUpdateSchedule_asksForNoSlotTwice: within the lead a slot is claimed, and
// is not to come any more, whatever is changed.
func TestUpdateSchedule_asksForNoSlotTwice(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(p *plant)
	}{
		{"another expression with the same slot", func(p *plant) {
			p.update("a", molecule.ScheduleUpdate{Cron: ptr("0,30 * * * *")})
		}},
		{"paused and resumed", func(p *plant) {
			if _, err := p.service.PauseSchedule(p.t.Context(), "a"); err != nil {
				p.t.Error(err)
			}
			if _, err := p.service.ResumeSchedule(p.t.Context(), "a"); err != nil {
				p.t.Error(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			calm.on(t, func(t *testing.T, p *plant) {
				p.agent("a", molecule.AgentExec, 1)
				p.schedule(molecule.Schedule{Name: "a", Cron: "0 * * * *"})
				pass(hours - 200*time.Millisecond)
				tt.do(p)
				slot := time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)
				if s, err := p.service.Schedule(t.Context(), "a"); err != nil || !s.NextSlot.After(slot) {
					t.Errorf("the next slot is %v (%v), that of %v has its row", s.NextSlot, err, slot)
				}
				pass(20 * time.Minute)
				p.wantTold("a", "01T01:00:00 cron ok")
			})
		})
	}
}
