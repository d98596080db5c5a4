package watchdog_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// midnight is when every bubble begins.
var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// TestSlots_tellWhateverIsWrongWithTheScheduler replays the incident this
// program was made for, and the mistakes that hid it a second time: the slot has
// no run, and every other probe may be green.
func TestSlots_tellWhateverIsWrongWithTheScheduler(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(ctx context.Context, beat *supervised.Beat) error // nil: there is no scheduler
	}{
		{name: "it is not there"},
		{name: "it panics at once", run: func(context.Context, *supervised.Beat) error { panic("a bad row") }},
		{name: "it panics in each tick", run: func(ctx context.Context, beat *supervised.Beat) error {
			for molecule.Sleep(ctx, time.Second) == nil {
				_ = beat.Tick(ctx, func(context.Context) error { panic("a bad row") }) // it goes on
			}
			return nil
		}},
		{name: "it is stuck in a tick", run: func(ctx context.Context, beat *supervised.Beat) error {
			return beat.Tick(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		}},
		{name: "it beats and does nothing", run: func(ctx context.Context, beat *supervised.Beat) error {
			for molecule.Sleep(ctx, time.Second) == nil {
				_ = beat.Tick(ctx, func(context.Context) error { return nil }) // all is green
			}
			return nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inYard(t, says("done"), func(t *testing.T, y *yard) {
				stop := func() {}
				if tt.run != nil {
					stop = y.run(supervised.Spec{Name: "scheduler", Run: tt.run, Every: 30 * time.Second, Optional: true})
				}
				y.add("* * * * *", "hello")
				alert := midnight.Add(time.Minute + 30*time.Second)
				time.Sleep(time.Until(alert) - time.Millisecond)
				synctest.Wait()
				y.wantOpen("before its time", "")
				time.Sleep(2 * time.Second)
				synctest.Wait()
				in := y.incidents()
				if len(in) != 1 || in[0].FirstSeen.Before(alert) || in[0].FirstSeen.Sub(alert) > 100*time.Millisecond {
					t.Fatalf("two seconds behind %v there is %+v", alert, in)
				}
				want := molecule.Incident{
					ID: in[0].ID, Kind: molecule.IncidentMissedRuns, Subject: "subsystem/scheduler", Severity: molecule.SeverityCritical,
					Title:     "a slot of hello has no run, overdue since 2000-01-01T00:01:00Z",
					FirstSeen: in[0].FirstSeen, LastSeen: in[0].LastSeen, Count: 1,
					Evidence: molecule.Evidence{Names: []string{"hello"}, Total: 1, Facts: map[string]string{
						"longest_overdue": "hello", "due": "2000-01-01T00:01:00Z", "try": "molecli schedule why hello",
					}},
				}
				if diff := cmp.Diff(in[0], want); diff != "" {
					t.Errorf("the incident (-got +want):\n%s", diff)
				}
				time.Sleep(5 * time.Minute)
				stop()
				defer y.fire()()
				time.Sleep(3 * time.Second)
				synctest.Wait()
				y.wantOpen("once somebody fires it", "")
				y.wantTold("opened subsystem/scheduler, closed subsystem/scheduler")
			})
		})
	}
}

func TestSlots_areOneIncidentHoweverManyTheyAre(t *testing.T) {
	t.Parallel()
	inYard(t, says("done"), func(t *testing.T, y *yard) {
		var names []string
		for i := range 25 {
			names = append(names, fmt.Sprintf("s%02d", i))
			y.add(fmt.Sprintf("%d * * * *", min(i, 3)+1), names[i])
		}
		time.Sleep(4 * time.Minute)
		in := y.incidents()
		if len(in) != 1 || in[0].Count != 3 || in[0].Evidence.Total != 3 {
			t.Fatalf("after four minutes there is %+v", in)
		}
		time.Sleep(time.Minute)
		in = y.incidents()
		if len(in) != 1 || in[0].Count != 25 || in[0].Evidence.Total != 25 {
			t.Fatalf("after five minutes there is %+v", in)
		}
		if diff := cmp.Diff(in[0].Evidence.Names, names[:20]); diff != "" {
			t.Errorf("the first names (-got +want):\n%s", diff)
		}
		want := "25 slots have no run, the longest overdue since 2000-01-01T00:01:00Z: s00, s01, s02, …"
		if in[0].Title != want || in[0].Evidence.Facts["longest_overdue"] != "s00" {
			t.Errorf("it tells %q of %q", in[0].Title, in[0].Evidence.Facts)
		}
		for _, name := range names[:24] {
			_, err := y.service.PauseSchedule(t.Context(), name)
			y.must(err)
		}
		time.Sleep(3 * time.Second)
		in = y.incidents()
		if len(in) != 1 || !in[0].Open() || in[0].Count != 25 || in[0].Evidence.Total != 1 || in[0].Title != "a slot of s24 has no run, overdue since 2000-01-01T00:04:00Z" {
			t.Errorf("with one left there is %+v", in)
		}
		y.must(y.service.RemoveSchedule(t.Context(), "s24"))
		time.Sleep(3 * time.Second)
		y.wantOpen("with none left", "")
	})
}

func TestSlots_aRestartRaisesNoSecondAlarm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		y := open(t, dir, says("done"), nil)
		y.add("* * * * *", "hello")
		time.Sleep(2 * time.Minute)
		first := y.incidents()
		y.close()
		for range 3 { // each life ends before and behind the time that others are given
			time.Sleep(10 * time.Minute)
			y = open(t, dir, says("done"), nil)
			time.Sleep(20 * time.Second)
			y.close()
			y = open(t, dir, says("done"), nil)
			time.Sleep(40 * time.Second)
			y.close()
		}
		y = open(t, dir, says("done"), nil)
		defer y.close()
		if got := y.incidents(); len(got) != 1 || got[0].ID != first[0].ID || !got[0].Open() {
			t.Errorf("after seven restarts there is %+v, want the one of before", got)
		}
		defer y.fire()()
		time.Sleep(5 * time.Second)
		y.wantTold("opened subsystem/scheduler, closed subsystem/scheduler")
	})
}

func TestSlots_areGivenTimeWhereNobodyCouldFire(t *testing.T) {
	t.Parallel()
	const missed = "missed_runs subsystem/scheduler: a slot of hello has no run, overdue since 2000-01-01T00:01:00Z"
	tests := []struct {
		name   string
		jump   bool // the clock jumped, and not: nobody was there
		fires  bool
		behind time.Duration // when it is looked at, behind the start or the jump
		want   string
	}{
		{name: "a start that fires what it finds", fires: true, behind: time.Minute},
		{name: "a start, before its time", behind: 29 * time.Second},
		{name: "a start that fires nothing", behind: 32 * time.Second, want: missed},
		{name: "a jump, before its time", jump: true, behind: 29 * time.Second},
		{name: "a jump that fires nothing", jump: true, behind: 47 * time.Second, want: missed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var jumped atomic.Int64
				jump := func() time.Duration { return time.Duration(jumped.Swap(0)) }
				y := open(t, dir, says("done"), jump)
				y.add("* * * * *", "hello")
				if tt.jump {
					time.Sleep(80 * time.Second)
					synctest.Wait()
					jumped.Store(int64(time.Hour)) // it is seen at the next look, which is in time for the alert
					time.Sleep(10 * time.Second)
				} else {
					y.close()
					time.Sleep(12 * time.Hour)
					y = open(t, dir, says("done"), jump)
				}
				stop := func() {}
				if tt.fires {
					stop = y.fire()
				}
				time.Sleep(tt.behind)
				synctest.Wait()
				y.wantOpen(tt.behind.String()+" later", tt.want)
				if tt.want == "" && len(y.incidents()) != 0 {
					t.Errorf("there was %+v", y.incidents())
				}
				stop()
				y.close()
			})
		})
	}
}

// TestSlots_workAsUsualIsNoIncident goes through what makes slots wait, none of
// which leaves one without its row.
func TestSlots_workAsUsualIsNoIncident(t *testing.T) {
	t.Parallel()
	slow := func(ctx context.Context, d molecule.Delivery) molecule.Reply {
		if d.Agent.Name != "quick" {
			_ = molecule.Sleep(ctx, 9*time.Minute) // several slots long
		}
		return says("done")(ctx, d)
	}
	inYard(t, slow, func(t *testing.T, y *yard) {
		defer y.fire()()
		y.add("* * * * *", "quick", "skips", "queues", "replaces", "jitters")
		queue, replace, jitter := molecule.OverlapQueue, molecule.OverlapReplace, molecule.Duration(50*time.Second)
		for name, up := range map[string]molecule.ScheduleUpdate{
			"queues": {Overlap: &queue}, "replaces": {Overlap: &replace}, "jitters": {Jitter: &jitter},
		} {
			_, err := y.service.UpdateSchedule(t.Context(), name, up)
			y.must(err)
		}
		time.Sleep(45 * time.Minute)
		if got := y.incidents(); len(got) != 0 {
			t.Errorf("it made %+v", got)
		}
	})
}

func TestSlots_aDamagedSlotIsTold(t *testing.T) {
	t.Parallel()
	inYard(t, says("done"), func(t *testing.T, y *yard) {
		y.add("0 0 1 1 *", "hello")
		raw, err := sql.Open("sqlite", "file:"+filepath.Join(y.dir, "moleculed.db")+"?_pragma=busy_timeout(5000)")
		y.must(err)
		_, err = raw.Exec(`UPDATE schedules SET due_at = NULL, alert_after = NULL`)
		y.must(err, raw.Close())
		time.Sleep(46 * time.Second)
		if got := y.open(); !strings.Contains(got, "a slot of hello has no run, overdue") {
			t.Errorf("it tells %q", got)
		}
	})
}

func TestSlots_tellsOnceTheStoreAnswersAgain(t *testing.T) {
	t.Parallel()
	inYard(t, says("done"), func(t *testing.T, y *yard) {
		y.add("* * * * *", "hello")
		raw, err := sql.Open("sqlite", "file:"+filepath.Join(y.dir, "moleculed.db")+"?_txlock=exclusive&_pragma=busy_timeout(5000)")
		y.must(err)
		held, err := raw.Begin()
		y.must(err)
		time.Sleep(95 * time.Second)
		if got := y.open(); !strings.Contains(got, "a slot of hello has no run") {
			t.Errorf("while nobody can write it tells %q", got)
		}
		y.must(held.Rollback(), raw.Close())
		time.Sleep(20 * time.Second)
		y.wantTold("opened subsystem/scheduler")
	})
}
