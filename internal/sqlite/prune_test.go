package sqlite_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// happened stores n events and n transitions, one each minute up to noon.
func happened(t *testing.T, dir string, n int) {
	t.Helper()
	sqlitetest.Raw(t, dir, func(tx *sql.Tx) error {
		for _, text := range []string{
			`INSERT INTO events (at, type, subject) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', ?1, (i - ?2) || ' minutes'), 'a', 'b'`,
			`INSERT INTO subsystem_events (at, subsystem, from_state, to_state) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', ?1, (i - ?2) || ' minutes'), 'a', '', ''`,
		} {
			_, err := tx.Exec(text+` FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) SELECT i FROM n)`,
				noon.Format("2006-01-02T15:04:05.000Z"), n)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func TestPruneEvents_keepsTheYoungAndTheNewest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	if upTo, err := db.EventsBefore(t.Context(), noon, 1); err != nil || upTo != 0 {
		t.Errorf("of no events those up to %d may go, %v", upTo, err)
	}
	happened(t, dir, 3000)
	tests := []struct {
		name   string
		before time.Time
		most   int
		want   int64
	}{
		{"all are young", noon.Add(-3000 * time.Minute), 5000, 0},
		{"some are old", noon.Add(-1500 * time.Minute), 5000, 1499},
		{"at the very instant", noon.Add(-1500*time.Minute + time.Millisecond), 5000, 1500},
		{"there are too many", noon.Add(-3000 * time.Minute), 1700, 1300},
		{"both, and more are too many", noon.Add(-2900 * time.Minute), 1700, 1300},
		{"both, and more are old", noon.Add(-1500 * time.Minute), 2900, 1499},
		{"all are old", noon.Add(time.Hour), 5000, 2000},
		{"none may be there", noon.Add(-3000 * time.Minute), 0, 2000},
	}
	for _, tt := range tests {
		events, err := db.EventsBefore(t.Context(), tt.before, tt.most)
		transitions, err2 := db.SubsystemEventsBefore(t.Context(), tt.before, tt.most)
		if err != nil || err2 != nil || events != tt.want || transitions != tt.want {
			t.Errorf("%s: up to %d and %d may go, %v, %v; want %d", tt.name, events, transitions, err, err2, tt.want)
		}
	}
	var gone []int
	for _, n := range []int{700, 700, 700, 700} {
		events, _, err := db.PruneEvents(t.Context(), 1499, n)
		transitions, _, err2 := db.PruneSubsystemEvents(t.Context(), 1499, n)
		if err != nil || err2 != nil || events != transitions {
			t.Errorf("pruned %d and %d, %v, %v", events, transitions, err, err2)
		}
		gone = append(gone, events)
	}
	if diff := cmp.Diff(gone, []int{700, 700, 99, 0}); diff != "" {
		t.Errorf("pruned (-got +want):\n%s", diff)
	}
	page, err := db.Events(t.Context(), molecule.EventFilter{Limit: 1})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != 1500 {
		t.Errorf("the oldest event kept is %+v, %v", page.Items, err)
	}
	if upTo, err := db.EventsBefore(t.Context(), noon.Add(-1500*time.Minute), 5000); err != nil || upTo != 0 {
		t.Errorf("afterwards those up to %d may go, %v", upTo, err)
	}
}

func TestPruneIncidents_takesWhatIsLongOver(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	var all []molecule.Incident
	for i := range 6 {
		in := molecule.Incident{
			ID: fmt.Sprintf("0199aaaa-0000-7000-8000-%012d", i), Kind: molecule.IncidentSubsystem, Subject: fmt.Sprintf("subsystem/s%d", i),
			Severity: molecule.SeverityWarning, Title: "late", FirstSeen: noon, LastSeen: noon, Count: 1,
		}
		if i != 2 {
			in.ClosedAt = noon.Add(time.Duration(i) * time.Hour)
		}
		all = append(all, in)
	}
	if err := db.SaveIncidents(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	var gone []int
	for range 3 {
		n, _, err := db.PruneIncidents(t.Context(), noon.Add(5*time.Hour), 3)
		if err != nil {
			t.Error(err)
		}
		gone = append(gone, n)
	}
	left, err := db.Incidents(t.Context(), molecule.IncidentFilter{All: true}, "", 10)
	var names []string
	for _, in := range left {
		names = append(names, in.Subject)
	}
	if diff := cmp.Diff(names, []string{"subsystem/s5", "subsystem/s2"}); err != nil || diff != "" || !slices.Equal(gone, []int{3, 1, 0}) {
		t.Errorf("pruned %v, %v; left (-got +want):\n%s", gone, err, diff)
	}
}

func TestPruneRollups_takesASpanFromBelow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	s := sqlitetest.Schedule(t, db, "echo", "hello", noon)
	runs := varied(s, 400) // two days
	sqlitetest.Past(t, dir, runs)
	if n, _, err := db.PruneRuns(t.Context(), ids(runs)); err != nil || n != len(runs) {
		t.Fatalf("pruned %d, %v", n, err)
	}
	before := noon.Add(24 * time.Hour)
	for {
		n, _, err := db.PruneRollups(t.Context(), molecule.SpanHour, before, 50)
		if err != nil || n > 50 {
			t.Fatalf("pruned %d, %v", n, err)
		}
		if n == 0 {
			break
		}
	}
	var want []molecule.Period
	for _, p := range counted(runs, molecule.SpanHour) {
		if !p.Start.Before(before) {
			want = append(want, p)
		}
	}
	if diff := cmp.Diff(periods(t, db, s, molecule.SpanHour), want); diff != "" {
		t.Errorf("the hours (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(periods(t, db, s, molecule.SpanDay), counted(runs, molecule.SpanDay)); diff != "" {
		t.Errorf("the days, which nobody pruned (-got +want):\n%s", diff)
	}
}

// prune calls a method that prunes until it has nothing to do, and returns what
// went.
func prune(t *testing.T, do func(n int) (int, time.Duration, error)) (gone int) {
	t.Helper()
	for {
		n, _, err := do(10)
		if err != nil || n > 10+1 {
			t.Fatalf("pruned %d, %v", n, err)
		}
		if n == 0 {
			return gone
		}
		gone += n
	}
}

func TestPruneSchedules_forgetsWhatWasRemovedOnceNothingTellsOfIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	sqlitetest.Agent(t, db, "bare")
	live, gone := sqlitetest.Schedule(t, db, "echo", "live", noon), sqlitetest.Schedule(t, db, "echo", "gone", noon)
	runs := varied(gone, 30)
	sqlitetest.Past(t, dir, runs)
	for _, err := range []error{
		db.RemoveSchedule(t.Context(), "gone", nil), db.RemoveSchedule(t.Context(), "live", nil), db.RemoveAgent(t.Context(), "echo"), db.RemoveAgent(t.Context(), "bare"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	sqlitetest.Schedule(t, db, sqlitetest.Agent(t, db, "new").Name, "live", noon)
	soon := time.Now().Add(time.Minute)
	schedules := func(n int) (int, time.Duration, error) { return db.PruneSchedules(t.Context(), soon, n) }
	agents := func(n int) (int, time.Duration, error) { return db.PruneAgents(t.Context(), soon, n) }
	if n, _, err := db.PruneSchedules(t.Context(), time.Now().Add(-time.Minute), 10); err != nil || n != 0 {
		t.Errorf("%d rows went of what was removed just now, %v", n, err)
	}
	if n := prune(t, schedules); n != 1 { // live, the first of its name
		t.Errorf("%d rows went while one had runs", n)
	}
	if n := prune(t, agents); n != 1 {
		t.Errorf("%d agents went while one was still named", n)
	}
	if n, _, err := db.PruneRuns(t.Context(), ids(runs)); err != nil || n != len(runs) {
		t.Fatalf("pruned %d, %v", n, err)
	}
	sums := rows(t, dir, `SELECT COUNT(*) FROM rollups`)
	if n := prune(t, schedules); n != sums+1 {
		t.Errorf("%d rows went, want %d rollups and their schedule", n, sums)
	}
	if n := prune(t, agents); n != 1 {
		t.Errorf("%d agents went, want the last one", n)
	}
	left := []int{rows(t, dir, `SELECT COUNT(*) FROM schedules`), rows(t, dir, `SELECT COUNT(*) FROM agents`), rows(t, dir, `SELECT COUNT(*) FROM rollups`)}
	if s, err := db.Schedule(t.Context(), "live"); err != nil || s.ID == live.ID || !slices.Equal(left, []int{1, 1, 0}) {
		t.Errorf("left are %v, want a schedule and its agent; %v", left, err)
	}
}

func TestPruneAgents_keepsTheParentOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	parent, child := sqlitetest.Agent(t, db, "parent"), sqlitetest.Agent(t, db, "child")
	sqlitetest.Raw(t, dir, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE agents SET parent_id = ?, removed_at = '2026-01-01T00:00:00.000Z' WHERE id = ?`, parent.ID, child.ID)
		if err == nil {
			_, err = tx.Exec(`UPDATE agents SET removed_at = '2026-01-01T00:00:00.000Z' WHERE id = ?`, parent.ID)
		}
		return err
	})
	for _, want := range []int{1, 1, 0} { // the child, then its parent
		if n, _, err := db.PruneAgents(t.Context(), noon, 10); err != nil || n != want {
			t.Errorf("%d agents went, %v; want %d", n, err, want)
		}
	}
}

// unusedPrompts returns the keys of the prompts that no row has.
func unusedPrompts(t *testing.T, db *sqlite.DB) (keys []int64) {
	t.Helper()
	var used []int64
	for _, runs := range []bool{false, true} {
		some, more, err := db.PromptUsers(t.Context(), runs, 0, 1000)
		if err != nil || more {
			t.Fatalf("there are more: %v, %v", more, err)
		}
		used = append(used, some...)
	}
	all, err := db.PromptKeys(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(key int64) bool { return slices.Contains(used, key) })
}

func TestPrunePrompts_takesThoseThatNothingHadForAWhile(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	echo := sqlitetest.Agent(t, db, "echo")
	sqlitetest.Schedule(t, db, "echo", "hello", noon)
	for _, text := range []string{"had again", "had by a run", "had now"} {
		_, err := db.UpdateSchedule(t.Context(), "hello", molecule.EventScheduleUpdated, func(s *molecule.Schedule) error { s.Prompt = text; return nil })
		if err != nil {
			t.Fatal(err)
		}
		if text != "had by a run" {
			continue
		}
		runs, err := db.ClaimDue(t.Context(), noon, noon, 1, fireOnce)
		if err != nil || len(runs) != 1 {
			t.Fatalf("claimed %d, %v", len(runs), err)
		}
	}
	now := time.Now()
	sweep := func(before time.Time, wantUnused, wantGone int) {
		t.Helper()
		unused := unusedPrompts(t, db)
		n, _, err := db.PrunePrompts(t.Context(), unused, before)
		if err != nil || len(unused) != wantUnused || n != wantGone {
			t.Errorf("of %d unused prompts %d went, %v; want %d and %d", len(unused), n, err, wantUnused, wantGone)
		}
	}
	sweep(now.Add(time.Hour), 2, 0) // "say hello" and "had again", found so for the first time
	sweep(now.Add(-time.Hour), 2, 0)
	again := molecule.Run{AgentID: echo.ID, Prompt: "had again", Trigger: molecule.TriggerManual, State: molecule.RunClaimed, Slot: noon}
	if err := db.CreateRun(t.Context(), &again); err != nil {
		t.Fatal(err)
	}
	sweep(now.Add(time.Hour), 1, 1)
	sweep(now.Add(time.Hour), 0, 0)
	if r, err := db.Run(t.Context(), again.ID); err != nil || r.Prompt != "had again" {
		t.Errorf("the run by hand has the prompt %q, %v", r.Prompt, err)
	}
}

// TestPrunePrompts_leavesOneThatBeganToBeHadMeanwhile: it was found unused, and
// then a run was made with it, before those that were found unused go.
func TestPrunePrompts_leavesOneThatBeganToBeHadMeanwhile(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	echo := sqlitetest.Agent(t, db, "echo")
	sqlitetest.Schedule(t, db, "echo", "hello", noon)
	_, err := db.UpdateSchedule(t.Context(), "hello", molecule.EventScheduleUpdated, func(s *molecule.Schedule) error { s.Prompt = "other"; return nil })
	if err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Add(time.Hour)
	unused := unusedPrompts(t, db)
	if _, _, err := db.PrunePrompts(t.Context(), unused, soon); err != nil || len(unused) != 1 {
		t.Fatalf("unused are %v, %v", unused, err)
	}
	unused = unusedPrompts(t, db)
	r := molecule.Run{AgentID: echo.ID, Prompt: "say hello", Trigger: molecule.TriggerManual, State: molecule.RunClaimed, Slot: noon}
	if err := db.CreateRun(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if n, _, err := db.PrunePrompts(t.Context(), unused, soon); err != nil || n != 0 {
		t.Errorf("%d prompts went, %v", n, err)
	}
	if r, err := db.Run(t.Context(), r.ID); err != nil || r.Prompt != "say hello" {
		t.Errorf("the run has the prompt %q, %v", r.Prompt, err)
	}
}
