package scheduler_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

func TestScheduler_firesOnTheSlot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, dir, fine)
		p.add("a")
		time.Sleep(10*time.Minute + time.Second)
		runs := p.runs("a")
		if len(runs) != 10 {
			t.Fatalf("%d runs in ten minutes", len(runs))
		}
		for i, r := range runs {
			if r.Outcome != molecule.OutcomeOK || r.Trigger != molecule.TriggerCron || !r.StartedAt.Equal(r.Slot) {
				t.Errorf("run %d: slot %v started %v, %s %s", i, r.Slot, r.StartedAt, r.Trigger, r.Outcome)
			}
		}
		p.close()
	})
}

func TestScheduler_coversDowntimeWithOneRowAndFiresTheLatest(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		down time.Duration
		want string // outcome/trigger/slots of what downtime left
	}{
		{"a few seconds across no slot", 20 * time.Second, ""},
		{"one slot", 80 * time.Second, "ok/catch_up/1"},
		{"many slots", 10 * time.Minute, "missed/cron/9 ok/catch_up/1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				p := start(t, dir, fine)
				p.add("a")
				time.Sleep(90 * time.Second) // 00:01:30, one slot fired
				p.close()
				time.Sleep(c.down)
				p = start(t, dir, fine)
				time.Sleep(9 * time.Second) // late runs are spread
				var got []string
				for _, r := range p.runs("a")[1:] {
					got = append(got, strings.Join([]string{string(r.Outcome), string(r.Trigger), string(rune('0' + r.Slots))}, "/"))
				}
				if s := strings.Join(got, " "); s != c.want {
					t.Errorf("downtime left %q, want %q", s, c.want)
				}
				covered(t, p.runs("a"))
				p.close()
			})
		})
	}
}

func TestScheduler_finishesTheStoryOfWhatACrashLeft(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		left  func(t *testing.T, p *plant, id string)
		after time.Duration
		want  molecule.Outcome
	}{
		{"claimed and not sent", func(*testing.T, *plant, string) {}, time.Second, molecule.OutcomeOK},
		{"claimed and too old", func(*testing.T, *plant, string) {}, 2 * time.Hour, molecule.OutcomeMissed},
		{"a command that never started", func(t *testing.T, p *plant, id string) {
			if err := p.db.StartRun(t.Context(), molecule.Run{ID: id}, time.Now(), time.Now().Add(time.Hour), 1); err != nil {
				t.Fatal(err)
			}
		}, time.Second, molecule.OutcomeOK},
		{"a command that had started", func(t *testing.T, p *plant, id string) {
			if err := p.db.StartRun(t.Context(), molecule.Run{ID: id}, time.Now(), time.Now().Add(time.Hour), 1); err != nil {
				t.Fatal(err)
			}
			if err := p.db.SetRunHandle(t.Context(), id, "exec:gone"); err != nil {
				t.Fatal(err)
			}
		}, time.Second, molecule.OutcomeUnknown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				id := "0199aaaa-0000-7000-8000-000000000001"
				behave := func(ctx context.Context, d molecule.Delivery) molecule.Reply {
					if d.Run.Handle != "" {
						return molecule.Reply{Failure: molecule.FailLost}
					}
					if d.Run.MessageID != "the same message" {
						t.Errorf("re-sent with message id %q", d.Run.MessageID)
					}
					return fine(ctx, d)
				}
				p := start(t, dir, behave)
				a := sqlitetest.Agent(t, p.db, "a")
				if err := p.stop(); err != nil {
					t.Fatal(err)
				}
				write := sqlitetest.Write(p.db)
				r := molecule.Run{
					ID: id, AgentID: a.ID, Trigger: molecule.TriggerManual, State: molecule.RunClaimed, Slot: time.Now(),
					Prompt: "work", MessageID: "the same message", Timeout: molecule.Duration(time.Hour),
				}
				if err := p.db.CreateRun(t.Context(), &r); err != nil {
					t.Fatal(err)
				}
				c.left(t, p, id)
				write()
				if err := p.db.Close(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.after)
				p = start(t, dir, behave)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				got, err := p.service.WaitRun(ctx, id)
				cancel()
				if err != nil || got.Outcome != c.want {
					t.Errorf("the run ended %q (%s), %v; want %s", got.Outcome, got.Reason, err, c.want)
				}
				p.close()
			})
		})
	}
}

// TestScheduler_letsWhatACrashLeftEndFirst: the run that was under way when the
// daemon was killed is lost, which takes a moment to find out, and it is in
// nobody's way.
func TestScheduler_letsWhatACrashLeftEndFirst(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		ends time.Duration // behind the start
		want string
	}{
		{"it is found lost at once", 0, "01T05:00:00 catch_up ok"},
		{"it is found lost in two seconds", 2 * time.Second, "01T05:00:00 catch_up ok"},
		{"it goes on", time.Hour, "01T05:00:00 catch_up skipped_overlap"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := calm
			w.behave = func(ctx context.Context, d molecule.Delivery) molecule.Reply {
				if d.Run.Handle == "" {
					return fine(ctx, d)
				}
				if molecule.Sleep(ctx, tt.ends) != nil {
					return stopped(ctx)
				}
				return molecule.Reply{Failure: molecule.FailLost}
			}
			idle := w
			idle.idle = true
			idle.on(t, func(t *testing.T, p *plant) {
				p.agent("a", molecule.AgentExec, 1)
				s := p.schedule(molecule.Schedule{Name: "a", Cron: "0 * * * *"})
				pass(30 * time.Minute)
				r := molecule.Run{
					ScheduleID: s.ID, Trigger: molecule.TriggerCron, State: molecule.RunClaimed, Slot: molecule.Now(), Prompt: "work",
					Timeout: molecule.Duration(20 * hours),
				}
				err := errors.Join(p.db.CreateRun(t.Context(), &r),
					p.db.StartRun(t.Context(), r, time.Now(), time.Now().Add(20*hours), 1), p.db.SetRunHandle(t.Context(), r.ID, "exec:gone"))
				if err != nil {
					t.Fatal(err)
				}
				*p = *w.restart(p, 5*hours)
				pass(2 * time.Minute)
				if got := p.told("a"); got[len(got)-1] != tt.want {
					t.Errorf("the slots are %q, want the last to be %q", got, tt.want)
				}
			})
		})
	}
}

func TestScheduler_coversEverySlotOnceHoweverOftenItStops(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ups := rapid.SliceOfN(rapid.IntRange(1, 400), 1, 5).Draw(rt, "seconds up")
		downs := rapid.SliceOfN(rapid.IntRange(0, 900), 5, 5).Draw(rt, "seconds down")
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			p := start(t, dir, fine)
			p.add("a")
			for i, up := range ups {
				time.Sleep(time.Duration(up) * time.Second)
				p.close()
				time.Sleep(time.Duration(downs[i]) * time.Second)
				p = start(t, dir, fine)
			}
			time.Sleep(61 * time.Second)
			covered(t, p.runs("a"))
			p.close()
		})
	})
}

func TestUpdateSchedule_keepsTheSlotUnlessTheClockChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, dir, fine)
		p.add("a")
		before, err := p.service.Schedule(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		prompt, hourly, zone := "other work", "0 * * * *", "Asia/Kathmandu"
		after, err := p.service.UpdateSchedule(t.Context(), "a", molecule.ScheduleUpdate{Prompt: &prompt})
		if err != nil || !after.NextSlot.Equal(before.NextSlot) {
			t.Errorf("a new prompt moved the slot to %v, %v", after.NextSlot, err)
		}
		after, err = p.service.UpdateSchedule(t.Context(), "a", molecule.ScheduleUpdate{Cron: &hourly, TZ: &zone})
		if want := time.Date(2000, 1, 1, 0, 15, 0, 0, time.UTC); err != nil || !after.NextSlot.Equal(want) {
			t.Errorf("a new clock gave %v, %v; want %v", after.NextSlot, err, want)
		}
		p.close()
	})
}

func TestPauseSchedule_leavesNoSlotsBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, dir, fine)
		p.add("a")
		if _, err := p.service.PauseSchedule(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if _, err := p.service.ResumeSchedule(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second)
		runs := p.runs("a")
		if len(runs) != 1 || runs[0].Outcome != molecule.OutcomeOK || runs[0].Trigger != molecule.TriggerCron {
			t.Errorf("after a pause there are %+v", runs)
		}
		p.close()
	})
}

func TestScheduler_noAgentDelaysAnother(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		bad    func(ctx context.Context, d molecule.Delivery) molecule.Reply
		ends   molecule.Outcome // of each run of the bad agent
		reason string
		rows   int
	}{
		{"one that hangs to its deadline", hang, molecule.OutcomeTimeout, "deadline", 5},
		{"one that panics the dispatcher", func(context.Context, molecule.Delivery) molecule.Reply { panic("injected") },
			molecule.OutcomeUnknown, "injected", 3}, // then it is put aside
		{"one that answers more than is read", func(context.Context, molecule.Delivery) molecule.Reply {
			return molecule.Reply{Answered: true, Failure: molecule.FailTooLarge, Detail: "more than 10485760 bytes"}
		}, molecule.OutcomeProtocolError, "too large", 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				p := start(t, dir, func(ctx context.Context, d molecule.Delivery) molecule.Reply {
					if d.Agent.Name == "bad" {
						return tt.bad(ctx, d)
					}
					return fine(ctx, d)
				})
				defer p.close()
				p.add("bad", "good")
				within := molecule.Duration(50 * time.Second)
				if _, err := p.service.UpdateSchedule(t.Context(), "bad", molecule.ScheduleUpdate{Timeout: &within}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5*time.Minute + 55*time.Second)
				good := p.runs("good")
				if len(good) != 5 {
					t.Errorf("the good one fired %d times in five minutes", len(good))
				}
				for _, r := range good {
					if late := r.StartedAt.Sub(r.Slot); late > time.Second || r.Outcome != molecule.OutcomeOK {
						t.Errorf("slot %v began %v late and ended %s", r.Slot, late, r.Outcome)
					}
				}
				bad := p.runs("bad")
				if len(bad) != tt.rows {
					t.Errorf("the bad one has %d rows", len(bad))
				}
				for _, r := range bad {
					if r.Outcome != tt.ends || !strings.Contains(r.Reason, tt.reason) {
						t.Errorf("slot %v ended %s because %q, want %s and %q", r.Slot, r.Outcome, r.Reason, tt.ends, tt.reason)
					}
				}
				for _, s := range p.supervisor.Snapshot() {
					if s.State != molecule.SubsystemHealthy {
						t.Errorf("%s is %s", s.Name, s.State)
					}
				}
			})
		})
	}
}
