package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// varied returns n runs of a schedule, one each seven minutes from noon on, that
// differ in all a history tells.
func varied(s molecule.Schedule, n int) []molecule.Run {
	chance := rand.New(rand.NewPCG(1, 2))
	outcomes := molecule.Outcomes()
	runs := make([]molecule.Run, n)
	for i := range runs {
		slot := noon.Add(time.Duration(i) * 7 * time.Minute)
		r := molecule.Run{
			ScheduleID: s.ID, AgentID: s.AgentID, Trigger: molecule.TriggerCron, Slot: slot,
			DueAt: slot.Add(time.Duration(chance.IntN(30)) * time.Second), Outcome: outcomes[chance.IntN(len(outcomes))],
		}
		switch {
		case r.Outcome == molecule.OutcomeMissed:
			r.Slots = 1 + chance.IntN(1000)
		case i%5 == 0:
			r.Trigger = molecule.TriggerManual
		}
		r.EndedAt = slot
		if r.Outcome != molecule.OutcomeMissed && r.Outcome != molecule.OutcomeSkippedOverlap {
			r.StartedAt = r.DueAt.Add(time.Duration(chance.IntN(5000)) * time.Millisecond)
			r.EndedAt = r.StartedAt.Add(time.Duration(chance.IntN(500_000)) * time.Millisecond)
		}
		runs[i] = r
	}
	return runs
}

func ids(runs []molecule.Run) []string {
	var all []string
	for _, r := range runs {
		all = append(all, r.ID)
	}
	return all
}

// periods is a whole history.
func periods(t *testing.T, db *sqlite.DB, s molecule.Schedule, by molecule.Span) []molecule.Period {
	t.Helper()
	page, err := db.ScheduleHistory(t.Context(), s.ID, molecule.HistoryFilter{By: by, Limit: molecule.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// counted adds up runs as their history should, in Go.
func counted(runs []molecule.Run, by molecule.Span) []molecule.Period {
	var all []molecule.Period
	for _, r := range slices.Backward(runs) {
		start := by.Start(r.Slot)
		if len(all) == 0 || !all[len(all)-1].Start.Equal(start) {
			all = append(all, molecule.Period{Start: start, Outcomes: map[molecule.Outcome]int{}})
		}
		p := &all[len(all)-1]
		p.Runs++
		p.Slots += max(r.Slots, 1)
		p.Outcomes[r.Outcome]++
		if r.StartedAt.IsZero() {
			continue
		}
		add(&p.Took, r.EndedAt.Sub(r.StartedAt))
		if r.Trigger != molecule.TriggerManual {
			add(&p.Lag, r.StartedAt.Sub(r.DueAt))
		}
	}
	return all
}

func add(s *molecule.Spread, d time.Duration) {
	s.Runs++
	s.SumMillis += d.Milliseconds()
	s.MaxMillis = max(s.MaxMillis, d.Milliseconds())
}

func TestPruneRuns_changesNothingOfTheHistory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	s, other := sqlitetest.Schedule(t, db, "echo", "hello", noon), sqlitetest.Schedule(t, db, "echo", "other", noon)
	runs, others := varied(s, 400), varied(other, 50)
	for i := range others {
		others[i].ID = fmt.Sprintf("0000f000-0000-7000-8000-%012x", i)
	}
	sqlitetest.Past(t, dir, runs)
	sqlitetest.Past(t, dir, others)
	left := ids(runs)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	for len(left) > 0 {
		for _, by := range []molecule.Span{molecule.SpanHour, molecule.SpanDay} {
			if diff := cmp.Diff(periods(t, db, s, by), counted(runs, by)); diff != "" {
				t.Fatalf("with %d of %d runs pruned, by %s (-got +want):\n%s", len(runs)-len(left), len(runs), by, diff)
			}
		}
		n := min(100, len(left))
		if pruned, _, err := db.PruneRuns(t.Context(), left[:n]); err != nil || pruned != n {
			t.Fatalf("pruned %d of %d, %v", pruned, n, err)
		}
		left = left[n:]
	}
	if page, err := db.Runs(t.Context(), molecule.RunFilter{Schedule: s.ID}); err != nil || len(page.Items) != 0 {
		t.Errorf("%d runs are left, %v", len(page.Items), err)
	}
	if n := rows(t, dir, `SELECT COUNT(*) FROM run_attempts a WHERE NOT EXISTS (SELECT 1 FROM runs WHERE id = a.run_id)`); n != 0 {
		t.Errorf("%d attempts of pruned runs are left", n)
	}
	if diff := cmp.Diff(periods(t, db, other, molecule.SpanHour), counted(others, molecule.SpanHour)); diff != "" {
		t.Errorf("the history of another schedule (-got +want):\n%s", diff)
	}
}

// rows returns the number that a statement finds in the file.
func rows(t *testing.T, dir, text string, args ...any) (n int) {
	t.Helper()
	sqlitetest.Raw(t, dir, func(tx *sql.Tx) error { return tx.QueryRow(text, args...).Scan(&n) })
	return n
}

func TestPruneRuns_keepsWhatIsOpenAndWhatIsRepeated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	s := sqlitetest.Schedule(t, db, "echo", "hello", noon)
	runs := varied(s, 4)
	runs[1].Outcome = "" // it goes on
	sqlitetest.Past(t, dir, runs)
	again := molecule.Run{
		ScheduleID: s.ID, AgentID: s.AgentID, Trigger: molecule.TriggerRetry, RetryOf: runs[2].ID,
		Slot: noon.Add(time.Hour), Outcome: molecule.OutcomeOK,
	}
	repeats := []molecule.Run{again}
	sqlitetest.Past(t, dir, repeats)
	if n, _, err := db.PruneRuns(t.Context(), ids(runs)); err != nil || n != 2 {
		t.Errorf("pruned %d, %v; want the two that are over and that nothing repeats", n, err)
	}
	for i, want := range []bool{false, true, true, false} {
		if _, err := db.Run(t.Context(), runs[i].ID); (err == nil) != want {
			t.Errorf("run %d is kept: %v (%v), want %v", i, err == nil, err, want)
		}
	}
	// The one that repeats it goes, and then what it repeated.
	for _, id := range []string{repeats[0].ID, runs[2].ID} {
		if n, _, err := db.PruneRuns(t.Context(), []string{id}); err != nil || n != 1 {
			t.Errorf("pruned %d, %v; want it to go", n, err)
		}
	}
}

// TestPruneRuns_thatBreaksInTheMiddleDidNothing: the sums are written before the
// rows go, and between the two the file refuses one.
func TestPruneRuns_thatBreaksInTheMiddleDidNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	s := sqlitetest.Schedule(t, db, "echo", "hello", noon)
	runs := varied(s, 60)
	sqlitetest.Past(t, dir, runs)
	for _, table := range []string{"runs", "run_attempts"} {
		sqlitetest.Raw(t, dir, func(tx *sql.Tx) error {
			_, err := tx.Exec(`CREATE TRIGGER refuse BEFORE DELETE ON ` + table + ` BEGIN SELECT RAISE(ABORT, 'no'); END`)
			return err
		})
		if n, _, err := db.PruneRuns(t.Context(), ids(runs)); err == nil || n != 0 {
			t.Errorf("pruned %d although %s could not go", n, table)
		}
		if n := rows(t, dir, `SELECT COUNT(*) FROM rollups`); n != 0 {
			t.Errorf("%d rollups are there of runs that are as well", n)
		}
		sqlitetest.Raw(t, dir, func(tx *sql.Tx) error { _, err := tx.Exec(`DROP TRIGGER refuse`); return err })
	}
	if n, _, err := db.PruneRuns(t.Context(), ids(runs)); err != nil || n != 60 {
		t.Errorf("then pruned %d, %v", n, err)
	}
	if diff := cmp.Diff(periods(t, db, s, molecule.SpanHour), counted(runs, molecule.SpanHour)); diff != "" {
		t.Errorf("the history (-got +want):\n%s", diff)
	}
}

// pruneVar makes the test binary one that prunes every run of the directory it
// names.
const pruneVar = "SQLITE_TEST_PRUNE"

// pruneAll prunes a few runs at a time and says so, until none is left or it is
// killed.
func pruneAll(dir string) int {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, dir, discard())
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, err)
		return 1
	}
	defer sqlitetest.Write(db)()
	for {
		page, err := db.Runs(ctx, molecule.RunFilter{Limit: 3})
		if err != nil || len(page.Items) == 0 {
			_, _ = fmt.Fprintln(os.Stdout, "done", err)
			return 0
		}
		n, _, err := db.PruneRuns(ctx, ids(page.Items))
		_, _ = fmt.Fprintln(os.Stdout, "pruned", n, err)
	}
}

// TestPruneRuns_killedAnywhereCountsEachRunOnce kills a process that prunes, again
// and again, and counts what it left.
func TestPruneRuns_killedAnywhereCountsEachRunOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	s := sqlitetest.Schedule(t, db, "echo", "hello", noon)
	runs := varied(s, 300)
	sqlitetest.Past(t, dir, runs)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for done := false; !done; {
		done = pruneUntilKilled(t, dir, 1+rand.IntN(20))
		checkHistory(t, dir, s, runs)
	}
}

// pruneUntilKilled lets another process prune and kills it once it has said so
// many times that it did. done says that there was nothing left to prune.
func pruneUntilKilled(t *testing.T, dir string, lines int) (done bool) {
	t.Helper()
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), pruneVar+"="+dir)
	stdout, err := other.StdoutPipe()
	if err := errors.Join(err, other.Start()); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(stdout)
	for range lines {
		line, err := said.ReadString('\n')
		if done = line == "done <nil>\n"; done {
			break
		}
		if err != nil || !strings.HasPrefix(line, "pruned 3 <nil>") {
			t.Fatalf("the other process said %q, %v", line, err)
		}
	}
	if err := other.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	_ = other.Wait() // killed
	return done
}

func checkHistory(t *testing.T, dir string, s molecule.Schedule, runs []molecule.Run) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), dir, discard())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(periods(t, db, s, molecule.SpanHour), counted(runs, molecule.SpanHour)); diff != "" {
		t.Errorf("the history (-got +want):\n%s", diff)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// TestScheduleHistory_isTheSameWhileRunsArePruned reads it all the time.
func TestScheduleHistory_isTheSameWhileRunsArePruned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	s := sqlitetest.Schedule(t, db, "echo", "hello", noon)
	runs := varied(s, 300)
	sqlitetest.Past(t, dir, runs)
	want := counted(runs, molecule.SpanDay)
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	for range 3 {
		reading.Go(func() {
			for ctx.Err() == nil {
				page, err := db.ScheduleHistory(t.Context(), s.ID, molecule.HistoryFilter{})
				if diff := cmp.Diff(page.Items, want); err != nil || diff != "" {
					t.Errorf("%v (-got +want):\n%s", err, diff)
					return
				}
			}
		})
	}
	for some := range slices.Chunk(ids(runs), 3) {
		if _, _, err := db.PruneRuns(t.Context(), some); err != nil {
			t.Error(err)
		}
	}
	cancel()
	reading.Wait()
}

func TestScheduleHistory_comesNewestFirstInPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	s := sqlitetest.Schedule(t, db, "echo", "hello", noon)
	runs := varied(s, 60) // seven hours
	sqlitetest.Past(t, dir, runs)
	if _, _, err := db.PruneRuns(t.Context(), ids(runs[:31])); err != nil {
		t.Fatal(err)
	}
	whole := periods(t, db, s, molecule.SpanHour)
	if len(whole) != 7 || !whole[0].Start.Equal(noon.Add(6*time.Hour)) {
		t.Fatalf("%d hours from %v on", len(whole), whole[0].Start)
	}
	var got []molecule.Period
	for f := (molecule.HistoryFilter{By: molecule.SpanHour, Limit: 3}); ; {
		page, err := db.ScheduleHistory(t.Context(), s.ID, f)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Items...)
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	if diff := cmp.Diff(got, whole); diff != "" {
		t.Errorf("page by page (-got +want):\n%s", diff)
	}
	since, err := db.ScheduleHistory(t.Context(), s.ID, molecule.HistoryFilter{By: molecule.SpanHour, Since: noon.Add(4*time.Hour + 59*time.Minute)})
	if diff := cmp.Diff(since.Items, whole[:3]); err != nil || diff != "" {
		t.Errorf("since an instant, %v (-got +want):\n%s", err, diff)
	}
	_, err = db.ScheduleHistory(t.Context(), s.ID, molecule.HistoryFilter{Cursor: "?"})
	wantCode(t, err, molecule.Invalid)
}
