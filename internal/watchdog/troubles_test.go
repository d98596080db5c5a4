package watchdog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// trigger runs a schedule by hand and waits for its end.
func (y *yard) trigger(name string) molecule.Run {
	y.t.Helper()
	r, err := y.service.TriggerSchedule(y.t.Context(), name)
	y.must(err)
	r, err = y.service.WaitRun(y.t.Context(), r.ID)
	y.must(err)
	return r
}

// soon is when whatever was committed has been looked at.
func soon() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func TestTroubles_aScheduleInErrorIsOneUntilSomebodyActs(t *testing.T) {
	t.Parallel()
	put := func(state molecule.ScheduleState) func(*yard) error {
		return func(y *yard) error {
			_, err := y.db.UpdateSchedule(y.t.Context(), "hello", molecule.EventScheduleUpdated, func(s *molecule.Schedule) error {
				s.State, s.Reason, s.NextSlot, s.DueAt = state, "no way", time.Time{}, time.Time{}
				return nil
			})
			return err
		}
	}
	acts := map[string]func(*yard) error{
		"a resume":  func(y *yard) error { _, err := y.service.ResumeSchedule(y.t.Context(), "hello"); return err },
		"a removal": func(y *yard) error { return y.service.RemoveSchedule(y.t.Context(), "hello") },
		"a pause":   func(y *yard) error { _, err := y.service.PauseSchedule(y.t.Context(), "hello"); return err },
		"another expression": func(y *yard) error {
			cron := "0 0 2 1 *"
			_, err := y.service.UpdateSchedule(y.t.Context(), "hello", molecule.ScheduleUpdate{Cron: &cron})
			return err
		},
	}
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inYard(t, says("done"), func(t *testing.T, y *yard) {
				y.add("0 0 1 1 *", "hello", "whole")
				y.must(put(molecule.ScheduleError)(y))
				soon()
				y.wantOpen("a second later", "schedule_error schedule/hello: hello does not fire any more: no way")
				if in := y.incidents()[0]; in.Severity != molecule.SeverityCritical || in.Evidence.Error != "no way" || in.Evidence.Facts["agent"] != "hello" {
					t.Errorf("the incident is %+v", in)
				}
				y.must(act(y))
				soon()
				y.wantOpen("behind "+name, "")
				y.wantTold("opened schedule/hello, closed schedule/hello")
			})
		})
	}
}

func TestTroubles_whatCannotBeFiredIsTold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		decide func(molecule.Due) (molecule.Claim, error)
		reason string
	}{
		{name: "a decision that fails", reason: "no way", decide: func(molecule.Due) (molecule.Claim, error) {
			return molecule.Claim{}, errors.New("no way")
		}},
		{name: "a row that panics", reason: "panic: a bad row", decide: func(molecule.Due) (molecule.Claim, error) { panic("a bad row") }},
		{name: "a slot that does not advance", decide: func(d molecule.Due) (molecule.Claim, error) {
			return molecule.Claim{State: molecule.ScheduleActive, NextSlot: d.Schedule.NextSlot}, nil
		}, reason: "the next slot 2000-01-01T00:01:00.000Z does not lie behind 2000-01-01T00:01:00.000Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inYard(t, says("done"), func(t *testing.T, y *yard) {
				y.add("* * * * *", "hello")
				now := midnight.Add(time.Minute)
				_, err := y.db.ClaimDue(t.Context(), now, now, 10, tt.decide)
				y.must(err)
				soon()
				if got, want := y.open(), "schedule_error schedule/hello: hello does not fire any more: "+tt.reason; !strings.HasPrefix(got, want) {
					t.Errorf("it tells %q, want %q", got, want)
				}
			})
		})
	}
}

func TestTroubles_aPoisonRowIsToldAndReleased(t *testing.T) {
	t.Parallel()
	poison := true
	agent := func(ctx context.Context, d molecule.Delivery) molecule.Reply {
		if poison && d.Agent.Name == "bad" {
			panic("poison")
		}
		return says("done")(ctx, d)
	}
	inYard(t, agent, func(t *testing.T, y *yard) {
		defer y.fire()()
		y.add("* * * * *", "bad", "good")
		time.Sleep(2*time.Minute + 30*time.Second)
		y.wantOpen("after two panics", "")
		time.Sleep(time.Minute)
		want := "schedule_error schedule/bad: bad does not fire any more: quarantined: 3 deliveries in a row broke, the last one because the delivery broke: panic: poison"
		y.wantOpen("after three panics", want)
		time.Sleep(3 * time.Minute)
		synctest.Wait() // the race detector takes no sleep for an order
		poison = false
		_, err := y.service.ResumeSchedule(t.Context(), "bad")
		y.must(err)
		soon()
		y.wantOpen("once it is resumed", "")
		time.Sleep(time.Minute)
		s, err := y.service.Schedule(t.Context(), "bad")
		if err != nil || s.LastOutcome != molecule.OutcomeOK {
			t.Errorf("resumed it ended as %s, %v", s.LastOutcome, err)
		}
		y.wantTold("opened schedule/bad, closed schedule/bad")
	})
}

func TestTroubles_threeBlankRepliesInARowAreOne(t *testing.T) {
	t.Parallel()
	reply := ""
	agent := func(ctx context.Context, d molecule.Delivery) molecule.Reply { return says(reply)(ctx, d) }
	inYard(t, agent, func(t *testing.T, y *yard) {
		defer y.fire()()
		y.add("0 0 1 1 *", "hello")
		for i, want := range []string{
			"", "",
			"schedule_stale schedule/hello: hello has answered nothing for 3 runs of hello in a row",
			"schedule_stale schedule/hello: hello has answered nothing for 4 runs of hello in a row",
		} {
			if r := y.trigger("hello"); r.Outcome != molecule.OutcomeEmpty {
				t.Fatalf("run %d ended as %s", i, r.Outcome)
			}
			soon()
			y.wantOpen(fmt.Sprintf("after %d blank replies", i+1), want)
		}
		if in := y.incidents(); len(in) != 1 || in[0].Count != 4 || in[0].Severity != molecule.SeverityWarning || in[0].Evidence.Facts["blank_replies"] != "4" {
			t.Errorf("the incident is %+v", in)
		}
		_, err := y.service.PauseSchedule(t.Context(), "hello")
		y.must(err)
		soon()
		if y.open() == "" {
			t.Error("a pause is taken for a reply")
		}
		reply = "here I am"
		y.trigger("hello")
		soon()
		y.wantOpen("after a reply", "")
		y.wantTold("opened schedule/hello, closed schedule/hello")
	})
}

// TestTroubles_anAgentThatAsksForInputIsToldAtOnce: nobody else can answer it.
func TestTroubles_anAgentThatAsksForInputIsToldAtOnce(t *testing.T) {
	t.Parallel()
	agent := func(ctx context.Context, d molecule.Delivery) molecule.Reply {
		d.Waiting("which branch?")
		<-ctx.Done()
		return molecule.Reply{Failure: molecule.FailDeadline, Answered: true}
	}
	inYard(t, agent, func(t *testing.T, y *yard) {
		defer y.fire()()
		y.add("0 0 1 1 *", "hello")
		sched, err := y.service.TriggerSchedule(t.Context(), "hello")
		y.must(err)
		sqlitetest.Agent(t, y.db, "other")
		alone, err := y.service.StartRun(t.Context(), molecule.NewRun{Agent: "other", Prompt: "x", Timeout: molecule.Duration(5 * time.Minute)})
		y.must(err)
		soon()
		want := "run_waiting run/" + alone.ID + ": other asks for input: which branch?\n" +
			"run_waiting schedule/hello: hello asks for input: which branch?"
		if diff := cmp.Diff(y.open(), want); diff != "" {
			t.Errorf("a second later it tells (-got +want):\n%s", diff)
		}
		in := y.incidents()[1]
		if in.Severity != molecule.SeverityCritical || in.Count != 1 || !cmp.Equal(in.Evidence.Names, []string{sched.ID}) || in.Evidence.Facts["try"] != "molecli run show "+sched.ID {
			t.Errorf("the incident is %+v", in)
		}
		time.Sleep(6 * time.Minute)
		if got := y.open(); !strings.HasPrefix(got, "run_waiting schedule/hello") || strings.Contains(got, alone.ID) {
			t.Errorf("when one has ended it tells %q", got)
		}
		_, err = y.service.CancelRun(t.Context(), sched.ID)
		y.must(err)
		soon()
		y.wantOpen("when both have ended", "")
	})
}

func TestTroubles_aRestartRaisesNoSecondAlarm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		y := open(t, dir, says("done"), nil)
		y.add("0 0 1 1 *", "bad", "mended")
		now := midnight.AddDate(2, 0, 0)
		_, err := y.db.ClaimDue(t.Context(), now, now, 10, func(molecule.Due) (molecule.Claim, error) {
			return molecule.Claim{}, errors.New("no way")
		})
		y.must(err)
		soon()
		_, err = y.service.ResumeSchedule(t.Context(), "mended")
		y.must(err)
		y.close() // before anybody looked
		for range 3 {
			y = open(t, dir, says("done"), nil)
			soon()
			y.close()
		}
		y = open(t, dir, says("done"), nil)
		defer y.close()
		soon()
		y.wantOpen("after four restarts", "schedule_error schedule/bad: bad does not fire any more: no way")
		if got := y.told(); strings.Count(got, "opened") != 2 || strings.Count(got, "closed") != 1 {
			t.Errorf("the store was told %s, want two that were opened and one that was closed", got)
		}
	})
}

// TestTroubles_looksSeldomHoweverMuchChanges: a look is little, and not nothing.
func TestTroubles_looksSeldomHoweverMuchChanges(t *testing.T) {
	t.Parallel()
	inYard(t, says("done"), func(t *testing.T, y *yard) {
		for i := range 200 {
			y.must(y.db.AppendEvent(t.Context(), "test.changed", "test/x", i))
			time.Sleep(5 * time.Millisecond)
		}
		soon()
		if n := y.looks.n.Load(); n > 8 {
			t.Errorf("it looked %d times in two seconds", n)
		}
	})
}
