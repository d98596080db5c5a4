package scheduler_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestTriggerSchedule_runsWhateverTheState(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.add("a")
		if _, err := p.service.PauseSchedule(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for range 2 {
			claimed, err := p.service.TriggerSchedule(t.Context(), "a")
			if err != nil || claimed.State != molecule.RunClaimed || claimed.Trigger != molecule.TriggerManual {
				t.Fatalf("got %+v, %v", claimed, err)
			}
			ended, err := p.service.WaitRun(t.Context(), claimed.ID[:30])
			if err != nil || ended.Outcome != molecule.OutcomeOK || ended.Reply != "did work" || ended.Schedule != "a" {
				t.Errorf("it ended as %+v, %v", ended, err)
			}
			if seen[ended.MessageID] {
				t.Errorf("message id %s was used before", ended.MessageID)
			}
			seen[ended.MessageID] = true
		}
		if s, err := p.service.Schedule(t.Context(), "a"); err != nil || s.State != molecule.SchedulePaused || !s.NextSlot.IsZero() {
			t.Errorf("a manual run made the schedule %s with a slot at %v, %v", s.State, s.NextSlot, err)
		}
	})
}

func TestRetryRun_isARunOfItsOwn(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.add("a")
		first, err := p.service.TriggerSchedule(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.service.RetryRun(t.Context(), first.ID); molecule.CodeOf(err) != molecule.Conflict {
			t.Errorf("a run that is open was repeated: %v", err)
		}
		if _, err := p.service.WaitRun(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		again, err := p.service.RetryRun(t.Context(), first.ID)
		if err != nil || again.RetryOf != first.ID || again.Trigger != molecule.TriggerRetry || again.MessageID == first.MessageID {
			t.Fatalf("got %+v, %v", again, err)
		}
		ended, err := p.service.WaitRun(t.Context(), again.ID)
		if err != nil || ended.Outcome != molecule.OutcomeOK || ended.Schedule != "a" {
			t.Errorf("it ended as %+v, %v", ended, err)
		}
	})
}

func TestRetryRun_saysThatTheScheduleWasRemoved(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.add("a")
		run, err := p.service.TriggerSchedule(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.service.WaitRun(t.Context(), run.ID); err != nil {
			t.Fatal(err)
		}
		if err := p.service.RemoveSchedule(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		_, err = p.service.RetryRun(t.Context(), run.ID)
		if molecule.CodeOf(err) != molecule.Conflict || err == nil || err.Error() != "schedule a was removed: its runs cannot be repeated" {
			t.Errorf("it says %v", err)
		}
		if got, want := molecule.HintOf(err), "molecli agent run a --prompt TEXT"; got != want {
			t.Errorf("its hint is %q, want %q", got, want)
		}
	})
}

func TestStartRun_isBoundedByItsTimeout(t *testing.T) {
	t.Parallel()
	onPlant(t, hang, func(t *testing.T, p *plant) {
		p.add("a")
		began := molecule.Now()
		r, err := p.service.StartRun(t.Context(), molecule.NewRun{Agent: "a", Prompt: "hi", Timeout: molecule.Duration(7 * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		r, err = p.service.WaitRun(t.Context(), r.ID)
		if err != nil || r.Outcome != molecule.OutcomeTimeout || r.EndedAt.Sub(began) != 7*time.Second {
			t.Errorf("it ended %s after %v, %v", r.Outcome, r.EndedAt.Sub(began), err)
		}
	})
}

func TestWaitRun_saysThatTheRunGoesOn(t *testing.T) {
	t.Parallel()
	onPlant(t, hang, func(t *testing.T, p *plant) {
		p.add("a")
		r, err := p.service.TriggerSchedule(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := p.service.WaitRun(ctx, r.ID); molecule.CodeOf(err) != molecule.Timeout || molecule.HintOf(err) == "" {
			t.Errorf("waiting for a run that goes on: %v", err)
		}
		if r, err := p.service.Run(t.Context(), r.ID); err != nil || r.State != molecule.RunStarted {
			t.Errorf("after the wait it is %s, %v", r.State, err)
		}
		if _, err := p.service.WaitRun(t.Context(), "0000"); molecule.CodeOf(err) != molecule.NotFound {
			t.Errorf("waiting for a run nobody knows: %v", err)
		}
	})
}

func TestService_refusesWhatItCannotKeep(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.add("a")
		create := func(change func(*molecule.Schedule)) func() error {
			return func() error {
				s := molecule.Schedule{Name: "new", Agent: "a", Cron: "* * * * *", Prompt: "work"}
				change(&s)
				return p.service.CreateSchedule(t.Context(), &s)
			}
		}
		run := func(in molecule.NewRun) func() error {
			return func() error { _, err := p.service.StartRun(t.Context(), in); return err }
		}
		tests := []struct {
			name string
			do   func() error
			code molecule.Code
			says string
		}{
			{"bad cron", create(func(s *molecule.Schedule) { s.Cron = "61 * * * *" }), molecule.Invalid, "minute"},
			{"never fires", create(func(s *molecule.Schedule) { s.Cron = "0 0 31 2 *" }), molecule.Invalid, "never"},
			{"unknown zone", create(func(s *molecule.Schedule) { s.TZ = "Europe/Berln" }), molecule.Invalid, "Europe/Berln"},
			{"unknown agent", create(func(s *molecule.Schedule) { s.Agent = "nobody" }), molecule.NotFound, "nobody"},
			{"name taken", create(func(s *molecule.Schedule) { s.Name = "a" }), molecule.Conflict, "a"},
			{"no prompt", create(func(s *molecule.Schedule) { s.Prompt = " " }), molecule.Invalid, "prompt"},
			{"large prompt", create(func(s *molecule.Schedule) { s.Prompt = strings.Repeat("x", 256<<10+1) }), molecule.TooLarge, "262145"},
			{"no UTF-8", create(func(s *molecule.Schedule) { s.Prompt = "a\xff" }), molecule.Invalid, "UTF-8"},
			{"short timeout", create(func(s *molecule.Schedule) { s.Timeout = 1 }), molecule.Invalid, "timeout"},
			{"run of nobody", run(molecule.NewRun{Agent: "nobody", Prompt: "hi"}), molecule.NotFound, "nobody"},
			{"run of nothing", run(molecule.NewRun{Agent: "a"}), molecule.Invalid, "prompt"},
			{"run without time", run(molecule.NewRun{Agent: "a", Prompt: "hi", Timeout: -1}), molecule.Invalid, "timeout"},
		}
		for _, tt := range tests {
			if err := tt.do(); molecule.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: got %v (%v), want %v with %q", tt.name, err, molecule.CodeOf(err), tt.code, tt.says)
			}
		}
		page, err := p.service.Schedules(t.Context(), molecule.ScheduleFilter{})
		if err != nil || len(page.Items) != 1 {
			t.Errorf("%d schedules are left, %v; want the one that was there", len(page.Items), err)
		}
	})
}

func TestNextSlots_areThoseOfTheLiveLoop(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.add("a")
		preview, err := p.service.NextSlots(t.Context(), "a", 3)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3*time.Minute + time.Second)
		var fired []time.Time
		for _, r := range p.runs("a") {
			fired = append(fired, r.Slot)
		}
		if diff := cmp.Diff(fired, preview); diff != "" {
			t.Errorf("fired (-got +preview):\n%s", diff)
		}
		for _, n := range []int{0, -1} {
			if none, err := p.service.NextSlots(t.Context(), "a", n); err != nil || len(none) != 0 {
				t.Errorf("%d slots: %v, %v", n, none, err)
			}
		}
		if err := p.service.RemoveSchedule(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.service.NextSlots(t.Context(), "a", 3); molecule.CodeOf(err) != molecule.NotFound {
			t.Errorf("slots of a removed schedule: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if page, err := p.service.Runs(t.Context(), molecule.RunFilter{}); err != nil || len(page.Items) != 3 {
			t.Errorf("%d runs after it was removed, %v; want the three of its time", len(page.Items), err)
		}
	})
}

func TestResumeSchedule_releasesOneInError(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.add("a")
		_, err := p.db.UpdateSchedule(t.Context(), "a", molecule.EventScheduleError, func(s *molecule.Schedule) error {
			s.State, s.Reason, s.NextSlot = molecule.ScheduleError, "broken", time.Time{}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.service.ResumeSchedule(t.Context(), "a")
		if err != nil || s.State != molecule.ScheduleActive || s.Reason != "" || !s.NextSlot.After(molecule.Now()) {
			t.Errorf("resumed: %s because %q, next %v, %v", s.State, s.Reason, s.NextSlot, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := len(p.runs("a")); got != 1 {
			t.Errorf("it fired %d times in the minute after", got)
		}
		if _, err := p.service.ResumeSchedule(t.Context(), "nobody"); molecule.CodeOf(err) != molecule.NotFound {
			t.Errorf("resume of nobody: %v", err)
		}
	})
}

func TestStale_giveUpAClaimOlderThanItsWindow(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.add("a")
		s, err := p.service.Schedule(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			name    string
			id      string
			trigger molecule.Trigger
			moved   time.Duration // due so long behind its slot
			age     time.Duration // of the slot
			stale   bool
		}{
			{"within the period", s.ID, molecule.TriggerCron, 0, time.Minute, false},
			{"beyond the period", s.ID, molecule.TriggerCron, 0, time.Minute + time.Second, true},
			{"late already, beyond the period", s.ID, molecule.TriggerCatchUp, 50 * time.Second, time.Minute + time.Second, true},
			{"manual within an hour", s.ID, molecule.TriggerManual, 0, time.Hour, false},
			{"manual beyond an hour", s.ID, molecule.TriggerManual, 0, time.Hour + time.Second, true},
			{"of a schedule that is gone", "gone", molecule.TriggerCatchUp, 0, 24 * time.Hour, false},
			{"of a schedule long gone", "gone", molecule.TriggerCatchUp, 0, 25 * time.Hour, true},
		}
		for _, tt := range tests {
			r := molecule.Run{ScheduleID: tt.id, Trigger: tt.trigger, Slot: s.NextSlot, DueAt: s.NextSlot.Add(tt.moved)}
			why := p.service.Stale(t.Context(), r, s.NextSlot.Add(tt.age))
			if (why != "") != tt.stale {
				t.Errorf("%s: stale because %q, want %v", tt.name, why, tt.stale)
			}
		}
	})
}
