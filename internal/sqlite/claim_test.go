package sqlite_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// TestClaimDue_goesOnBesideARowDamagedAnywhere is the incident this program
// was made for: one row that cannot be read must cost that row only.
func TestClaimDue_goesOnBesideARowDamagedAnywhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	cases := []struct {
		name, set, reason string
	}{
		{name: "slot-text", set: "next_slot_at = 'never'", reason: "next slot"},
		{name: "slot-other-form", set: "next_slot_at = '2026-04-14 11:00:00'", reason: "next slot"},
		{name: "slot-null", set: "next_slot_at = NULL", reason: "missing"},
		{name: "slot-blob", set: "next_slot_at = x'00'", reason: "next slot"},
		{name: "last-slot", set: "last_slot_at = 'yesterday'", reason: "yesterday"},
		{name: "timeout", set: "timeout_ms = 'long'", reason: "long"},
		{name: "streak", set: "failure_streak = 'many'", reason: "many"},
		{name: "prompt", set: "prompt_id = x'00'", reason: "body"},
		{name: "created", set: "created_at = 7", reason: "instant"},
		{name: "description", set: "description = NULL", reason: ""}, // refused by the column
	}
	for _, c := range cases {
		sqlitetest.Schedule(t, db, "echo", c.name, noon)
		if _, err := raw(t, dir).Exec(`UPDATE schedules SET `+c.set+` WHERE name = ?`, c.name); (err == nil) != (c.reason != "") {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	sqlitetest.Schedule(t, db, "echo", "whole", noon)
	if due, err := db.NextDue(t.Context()); err != nil || due.After(noon) {
		t.Errorf("next due is %v, %v; damage must be due at once", due, err)
	}
	page, err := db.Schedules(t.Context(), molecule.ScheduleFilter{})
	if err != nil || len(page.Items) != len(cases)+1 {
		t.Errorf("the list has %d schedules, %v; want %d", len(page.Items), err, len(cases)+1)
	}
	runs, err := db.ClaimDue(t.Context(), noon, noon, 100, fireOnce)
	if err != nil || len(runs) != 2 {
		t.Errorf("claimed %d runs, %v; want the two whole ones", len(runs), err)
	}
	for _, c := range cases {
		if c.reason == "" {
			continue
		}
		s, err := db.Schedule(t.Context(), c.name)
		if err != nil || s.State != molecule.ScheduleError || !strings.Contains(s.Reason, c.reason) {
			t.Errorf("%s is %s because %q, %v; want error with %q", c.name, s.State, s.Reason, err, c.reason)
		}
	}
	if due, err := db.NextDue(t.Context()); err != nil || !due.Equal(noon.Add(time.Minute)) {
		t.Errorf("next due is %v, %v; want that of the whole ones", due, err)
	}
}

// TestClaimDue_goesOnBesideADecisionThatCannotBeStored: the constraints of the
// file refuse it, and they refuse it for one schedule.
func TestClaimDue_goesOnBesideADecisionThatCannotBeStored(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		spoil func(*molecule.Claim)
	}{
		{name: "active without a slot", spoil: func(c *molecule.Claim) { c.NextSlot = time.Time{} }},
		{name: "no state", spoil: func(c *molecule.Claim) { c.State = "" }},
		{name: "run of an unknown state", spoil: func(c *molecule.Claim) { c.Runs[0].State = "lost" }},
		{name: "run of an unknown trigger", spoil: func(c *molecule.Claim) { c.Runs[0].Trigger = "whim" }},
		{name: "finished without an outcome", spoil: func(c *molecule.Claim) { c.Runs[0].State = molecule.RunFinished }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := sqlitetest.Open(t)
			sqlitetest.Agent(t, db, "echo")
			sqlitetest.Schedule(t, db, "echo", "a-bad", noon)
			sqlitetest.Schedule(t, db, "echo", "b-good", noon)
			runs, err := db.ClaimDue(t.Context(), noon, noon, 10, func(d molecule.Due) (molecule.Claim, error) {
				claim, err := fireOnce(d)
				if d.Schedule.Name == "a-bad" {
					c.spoil(&claim)
				}
				return claim, err
			})
			if err != nil || len(runs) != 1 || runs[0].Schedule != "b-good" {
				t.Fatalf("claimed %+v, %v; want the good one", runs, err)
			}
			bad, err := db.Schedule(t.Context(), "a-bad")
			if err != nil || bad.State != molecule.ScheduleError || bad.Reason == "" {
				t.Errorf("the bad one is %s because %q, %v", bad.State, bad.Reason, err)
			}
			// Nothing of the refused decision stayed, and the slot has its row.
			page, err := db.Runs(t.Context(), molecule.RunFilter{Schedule: "a-bad"})
			if err != nil || len(page.Items) != 1 {
				t.Fatalf("a refused decision left %+v, %v", page.Items, err)
			}
			if r := page.Items[0]; !r.Slot.Equal(noon) || r.Outcome != molecule.OutcomeBlocked || !strings.HasPrefix(r.Reason, "the schedule is in error: ") {
				t.Errorf("the slot %v is %s because %q", r.Slot, r.Outcome, r.Reason)
			}
		})
	}
}

func TestClaimDue_storesWhatIsAlreadyOver(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	sqlitetest.Schedule(t, db, "echo", "hello", noon)
	runs, err := db.ClaimDue(t.Context(), noon.Add(time.Hour), noon.Add(time.Hour), 10, func(d molecule.Due) (molecule.Claim, error) {
		c, err := fireOnce(d)
		missed := c.Runs[0]
		missed.State, missed.Outcome, missed.Reason = molecule.RunFinished, molecule.OutcomeMissed, "the daemon was away"
		missed.SlotTo, missed.Slots = noon.Add(59*time.Minute), 60
		late := c.Runs[0]
		late.Slot, late.Trigger = noon.Add(time.Hour), molecule.TriggerCatchUp
		c.Runs, c.NextSlot = []molecule.Run{missed, late}, noon.Add(61*time.Minute)
		return c, err
	})
	if err != nil || len(runs) != 1 || runs[0].Trigger != molecule.TriggerCatchUp {
		t.Fatalf("claimed %+v, %v; want the late one", runs, err)
	}
	s, err := db.Schedule(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Recent, []molecule.Outcome{molecule.OutcomeMissed}); diff != "" {
		t.Errorf("recent outcomes (-got +want):\n%s", diff)
	}
	if !s.LastEndedSlot.Equal(noon.Add(59 * time.Minute)) {
		t.Errorf("the last slot that has ended is %v", s.LastEndedSlot)
	}
	if !s.LastSlot.Equal(noon.Add(time.Hour)) || !s.NextSlot.Equal(noon.Add(61*time.Minute)) {
		t.Errorf("last slot %v, next slot %v", s.LastSlot, s.NextSlot)
	}
	page, err := db.Runs(t.Context(), molecule.RunFilter{Outcome: molecule.OutcomeMissed})
	if err != nil || len(page.Items) != 1 || page.Items[0].Slots != 60 || page.Items[0].EndedAt.IsZero() {
		t.Errorf("missed slots are %+v, %v", page.Items, err)
	}
}

func TestClaimDue_takesTheOldestFirstUpToItsLimit(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	for i := range 5 {
		sqlitetest.Schedule(t, db, "echo", fmt.Sprintf("s%d", i), noon.Add(-time.Duration(i)*time.Second))
	}
	var got []string
	for range 3 {
		runs, err := db.ClaimDue(t.Context(), noon, noon, 2, fireOnce)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			got = append(got, r.Schedule)
		}
	}
	if diff := cmp.Diff(got, []string{"s4", "s3", "s2", "s1", "s0"}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

// TestClaimDue_givesEachSlotOneRow lets several claim at once, with clocks that
// disagree, while somebody sets the schedule back.
func TestClaimDue_givesEachSlotOneRow(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	turn := 0
	rapid.Check(t, func(rt *rapid.T) {
		turn++
		name := fmt.Sprintf("turn-%d", turn)
		clocks := rapid.SliceOfN(rapid.IntRange(0, 10), 1, 12).Draw(rt, "minutes behind noon")
		back := rapid.IntRange(0, 10).Draw(rt, "minute behind which it is set back")
		sqlitetest.Schedule(t, db, "echo", name, noon)
		defer func() {
			if err := db.RemoveSchedule(t.Context(), name, nil); err != nil {
				rt.Errorf("remove: %v", err)
			}
		}()
		var mu sync.Mutex
		seen := make(map[time.Time]int)
		var callers sync.WaitGroup
		for _, minute := range append(clocks, back) {
			callers.Go(func() {
				now := noon.Add(time.Duration(minute) * time.Minute)
				runs, err := db.ClaimDue(t.Context(), now, now, 10, fireOnce)
				if err != nil {
					t.Errorf("claim: %v", err)
				}
				if minute == back {
					setBack(t, db, name, noon)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, r := range runs {
					seen[r.Slot]++
				}
			})
		}
		callers.Wait()
		for slot, n := range seen {
			if n != 1 {
				rt.Errorf("slot %v was handed out %d times", slot, n)
			}
		}
		page, err := db.Runs(t.Context(), molecule.RunFilter{Schedule: name})
		if err != nil || len(page.Items) != len(seen) {
			rt.Errorf("%d rows for %d slots, %v", len(page.Items), len(seen), err)
		}
	})
}
