package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

func TestLateSlots_areThoseWhoseTimeIsOver(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	now := molecule.Now()
	sqlitetest.Schedule(t, db, "echo", "later", now.Add(-29*time.Second))
	second := sqlitetest.Schedule(t, db, "echo", "second", now.Add(-time.Minute))
	first := sqlitetest.Schedule(t, db, "echo", "first", now.Add(-time.Hour))
	sqlitetest.Schedule(t, db, "echo", "paused", now.Add(-time.Hour))
	pause(t, db, "paused")
	all := []molecule.LateSlot{
		{Schedule: "first", Slot: first.NextSlot, Due: first.NextSlot, AlertAfter: first.NextSlot.Add(30 * time.Second)},
		{Schedule: "second", Slot: second.NextSlot, Due: second.NextSlot, AlertAfter: second.NextSlot.Add(30 * time.Second)},
	}
	for limit, want := range map[int][]molecule.LateSlot{9: all, 1: all[:1]} {
		got, n, err := db.LateSlots(t.Context(), now, limit)
		if diff := cmp.Diff(got, want); err != nil || n != 2 || diff != "" {
			t.Errorf("of %d: %d late, %v (-got +want):\n%s", limit, n, err, diff)
		}
	}
}

func pause(t *testing.T, db *sqlite.DB, name string) {
	t.Helper()
	_, err := db.UpdateSchedule(t.Context(), name, molecule.EventSchedulePaused, func(s *molecule.Schedule) error {
		s.State, s.NextSlot, s.DueAt = molecule.SchedulePaused, time.Time{}, time.Time{}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNextAlert_isHalfAMinuteBehindTheEarliestSlot(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	wants := func(want time.Time) {
		t.Helper()
		if got, err := db.NextAlert(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("the next alert is at %v, %v; want %v", got, err, want)
		}
	}
	wants(time.Time{})
	sqlitetest.Schedule(t, db, "echo", "second", noon.Add(time.Hour))
	wants(noon.Add(time.Hour + 30*time.Second))
	sqlitetest.Schedule(t, db, "echo", "first", noon)
	wants(noon.Add(30 * time.Second))
	pause(t, db, "first")
	wants(noon.Add(time.Hour + 30*time.Second))
}

// TestLateSlots_aDamagedSlotIsLate: what nobody can read is not missed in
// silence.
func TestLateSlots_aDamagedSlotIsLate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	cases := []struct {
		name, set string
		slot      time.Time
		late      bool
	}{
		{name: "whole", set: "seconds = 0", slot: noon.Add(time.Hour)},
		{name: "due-null", set: "due_at = NULL", slot: noon.Add(time.Hour), late: true},
		{name: "due-text", set: "due_at = 'never'", slot: noon.Add(time.Hour), late: true},
		{name: "due-year-9999", set: "due_at = '9999-01-01T00:00:00.000Z'", slot: noon.Add(time.Hour), late: true},
		{name: "alert-null", set: "alert_after = NULL", slot: noon.Add(-time.Hour), late: true},
		{name: "alert-text", set: "alert_after = 'never'", slot: noon.Add(-time.Hour), late: true},
		{name: "alert-blob", set: "alert_after = x'00'", slot: noon.Add(-time.Hour), late: true},
		{name: "alert-null-to-come", set: "alert_after = NULL", slot: noon.Add(time.Hour)},
	}
	var want []string
	for _, c := range cases {
		sqlitetest.Schedule(t, db, "echo", c.name, c.slot)
		if _, err := raw(t, dir).Exec(`UPDATE schedules SET `+c.set+` WHERE name = ?`, c.name); err != nil {
			t.Fatal(err)
		}
		if c.late {
			want = append(want, c.name)
		}
	}
	for _, limit := range []int{100, 2} {
		late, n, err := db.LateSlots(t.Context(), noon, limit)
		var got []string
		for _, l := range late {
			got = append(got, l.Schedule)
		}
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || n != len(want) || len(got) != min(limit, len(want)) || limit > n && !slices.Equal(got, want) {
			t.Errorf("of %d late are %q of %d, %v; want %q", limit, got, n, err, want)
		}
	}
	if next, err := db.NextAlert(t.Context()); err != nil || next.After(noon) {
		t.Errorf("the next alert is at %v, %v; damage must be told at once", next, err)
	}
}

// alerts returns how far behind its due time the alert of a schedule is; "none"
// when it has neither, and what is there when it has one.
func alerts(t *testing.T, dir, name string) string {
	t.Helper()
	var due, alert sql.NullString
	err := raw(t, dir).QueryRow(`SELECT due_at, alert_after FROM schedules WHERE name = ? ORDER BY removed_at IS NULL DESC`, name).Scan(&due, &alert)
	if err != nil {
		t.Fatal(err)
	}
	if !due.Valid && !alert.Valid {
		return "none"
	}
	const layout = "2006-01-02T15:04:05.000Z"
	from, err1 := time.Parse(layout, due.String)
	to, err2 := time.Parse(layout, alert.String)
	if err1 != nil || err2 != nil {
		return fmt.Sprintf("due %q, alert %q", due.String, alert.String)
	}
	return to.Sub(from).String()
}

// TestAlertAfter_isKeptByEveryWriter goes through everything that moves a slot.
func TestAlertAfter_isKeptByEveryWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	agent := sqlitetest.Agent(t, db, "echo")
	sched := sqlitetest.Schedule(t, db, "echo", "hello", noon)
	update := func(change func(*molecule.Schedule)) func() error {
		return func() error {
			_, err := db.UpdateSchedule(t.Context(), "hello", molecule.EventScheduleUpdated, func(s *molecule.Schedule) error {
				change(s)
				return nil
			})
			return err
		}
	}
	claim := func(now time.Time, decide func(molecule.Due) (molecule.Claim, error)) func() error {
		return func() error { _, err := db.ClaimDue(t.Context(), now, now, 10, decide); return err }
	}
	resume := update(func(s *molecule.Schedule) {
		s.State, s.NextSlot, s.DueAt = molecule.ScheduleActive, noon.Add(time.Hour), noon.Add(time.Hour+9*time.Second)
	})
	breakThrice := func() error {
		for range 3 {
			r := molecule.Run{
				ScheduleID: sched.ID, AgentID: agent.ID, Trigger: molecule.TriggerManual, Slot: noon, State: molecule.RunClaimed,
				Timeout: sched.Timeout, Prompt: "x",
			}
			if err := db.CreateRun(t.Context(), &r); err != nil {
				return err
			}
			_, err := db.FinishRun(t.Context(), molecule.Finish{RunID: r.ID, Outcome: molecule.OutcomeUnknown, EndedAt: noon, Broken: true})
			if err != nil {
				return err
			}
		}
		return nil
	}
	steps := []struct {
		name string
		do   func() error
		want string
	}{
		{"it was made", func() error { return nil }, "30s"},
		{"a claim with a jitter", claim(noon, func(d molecule.Due) (molecule.Claim, error) {
			c, err := fireOnce(d)
			c.DueAt = c.NextSlot.Add(17 * time.Second)
			return c, err
		}), "30s"},
		{"an update that moves it", update(func(s *molecule.Schedule) { s.NextSlot, s.DueAt = noon.Add(time.Minute), noon.Add(90*time.Second) }), "30s"},
		{"an update that leaves it", update(func(s *molecule.Schedule) { s.Prompt = "more" }), "30s"},
		{"a pause", update(func(s *molecule.Schedule) {
			s.State, s.NextSlot, s.DueAt = molecule.SchedulePaused, time.Time{}, time.Time{}
		}), "none"},
		{"a resume", resume, "30s"},
		{"its last slot", claim(noon.Add(2*time.Hour), func(molecule.Due) (molecule.Claim, error) {
			return molecule.Claim{State: molecule.ScheduleFinished, Reason: "over"}, nil
		}), "none"},
		{"another resume", resume, "30s"},
		{"a claim that fails", claim(noon.Add(2*time.Hour), func(molecule.Due) (molecule.Claim, error) {
			return molecule.Claim{}, errors.New("no way")
		}), "none"},
		{"a third resume", resume, "30s"},
		{"quarantine", breakThrice, "none"},
		{"a fourth resume", resume, "30s"},
		{"an import that changes it", func() error {
			return db.ImportSchedules(t.Context(), nil, []string{sched.ID}, func(s *molecule.Schedule) (bool, error) {
				s.NextSlot, s.DueAt = noon.Add(3*time.Hour), noon.Add(3*time.Hour+5*time.Second)
				return true, nil
			})
		}, "30s"},
		{"its removal, to be imported anew", func() error { return db.RemoveSchedule(t.Context(), "hello", nil) }, "none"},
		{"an import that makes it", func() error {
			s := newSchedules(agent, 1)[0]
			s.Name, s.DueAt = "hello", s.NextSlot.Add(7*time.Second)
			return db.ImportSchedules(t.Context(), []*molecule.Schedule{s}, nil, nothingChanged)
		}, "30s"},
		{"its removal", func() error { return db.RemoveSchedule(t.Context(), "hello", nil) }, "none"},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if got := alerts(t, dir, "hello"); got != s.want {
			t.Errorf("after %s the alert is %s behind, want %s", s.name, got, s.want)
		}
	}
}

// TestClaimDue_aScheduleThatDoesNotMoveOnIsPutAside: it would fire at each look.
func TestClaimDue_aScheduleThatDoesNotMoveOnIsPutAside(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"stays": 0, "goes back": -time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := sqlitetest.Open(t)
			sqlitetest.Agent(t, db, "echo")
			sqlitetest.Schedule(t, db, "echo", "stuck", noon)
			sqlitetest.Schedule(t, db, "echo", "whole", noon)
			runs, err := db.ClaimDue(context.WithoutCancel(t.Context()), noon, noon, 10, func(d molecule.Due) (molecule.Claim, error) {
				c, err := fireOnce(d)
				if d.Schedule.Name == "stuck" {
					c.NextSlot = d.Schedule.NextSlot.Add(by)
				}
				return c, err
			})
			if err != nil || len(runs) != 1 || runs[0].Schedule != "whole" {
				t.Errorf("claimed %+v, %v; want the other one only", runs, err)
			}
			s, err := db.Schedule(t.Context(), "stuck")
			want := fmt.Sprintf("the next slot %s does not lie behind 2026-04-14T12:00:00.000Z", noon.Add(by).Format("2006-01-02T15:04:05.000Z"))
			if err != nil || s.State != molecule.ScheduleError || s.Reason != want || !s.NextSlot.IsZero() {
				t.Errorf("it is %s because %q, next %v, %v", s.State, s.Reason, s.NextSlot, err)
			}
		})
	}
}

// TestLateSlots_areCountedAsTheyAreListed: of slots that are due at several
// times, those are counted that would be listed without a limit.
func TestLateSlots_areCountedAsTheyAreListed(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	for i := range 10 {
		sqlitetest.Schedule(t, db, "echo", fmt.Sprintf("s%d", i), noon.Add(-time.Duration(i)*20*time.Second))
	}
	for limit := 1; limit < 12; limit++ {
		late, n, err := db.LateSlots(t.Context(), noon, limit)
		if err != nil || n != 8 || len(late) != min(limit, 8) {
			t.Errorf("of %d: %d listed, %d counted, %v; want 8", limit, len(late), n, err)
		}
	}
}
