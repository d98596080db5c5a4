package sqlite_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// manyRuns stores n open runs of one agent and of one schedule.
func manyRuns(t *testing.T, db *sqlite.DB, n int) []molecule.Run {
	t.Helper()
	sqlitetest.Agent(t, db, "echo")
	sqlitetest.Schedule(t, db, "echo", "hello", noon)
	runs, err := db.ClaimDue(t.Context(), noon, noon, 1, func(d molecule.Due) (molecule.Claim, error) {
		c, err := fireOnce(d)
		one := c.Runs[0]
		c.Runs = nil
		for i := range n {
			one.Slot = noon.Add(time.Duration(i) * time.Second)
			c.Runs = append(c.Runs, one)
		}
		return c, err
	})
	if err != nil || len(runs) != n {
		t.Fatalf("claimed %d runs, %v; want %d", len(runs), err, n)
	}
	return runs
}

// together calls do for every run at once and returns the errors.
func together(t *testing.T, runs []molecule.Run, do func(ctx context.Context, r molecule.Run) error) []error {
	t.Helper()
	errs := make([]error, len(runs))
	var callers sync.WaitGroup
	for i, r := range runs {
		callers.Go(func() { errs[i] = do(context.WithoutCancel(t.Context()), r) })
	}
	callers.Wait()
	return errs
}

func TestRuns_startAndEndTogetherAndFailAlone(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	runs := manyRuns(t, db, 90)
	over := func(i int) bool { return i%10 == 3 }
	for i, r := range runs {
		if over(i) {
			if _, err := db.FinishRun(t.Context(), molecule.Finish{RunID: r.ID, Outcome: molecule.OutcomeCanceled, EndedAt: noon}); err != nil {
				t.Fatal(err)
			}
		}
	}
	errs := together(t, runs, func(ctx context.Context, r molecule.Run) error {
		if err := db.StartRun(ctx, r, noon, noon.Add(time.Minute), 1); err != nil {
			return err
		}
		r.Attempt, r.StartedAt = 1, noon
		_, err := db.FinishRun(ctx, molecule.Finish{RunID: r.ID, Run: &r, Outcome: molecule.OutcomeOK, EndedAt: noon.Add(time.Second)})
		return err
	})
	for i, err := range errs {
		want, state := molecule.OutcomeOK, 1
		if over(i) {
			wantCode(t, err, molecule.Conflict)
			want, state = molecule.OutcomeCanceled, 0
		} else if err != nil {
			t.Errorf("run %d: %v", i, err)
		}
		r, err := db.Run(t.Context(), runs[i].ID)
		if err != nil || r.Outcome != want || len(r.Attempts) != state {
			t.Errorf("run %d ended as %q after %d attempts, %v; want %q", i, r.Outcome, len(r.Attempts), err, want)
		}
	}
}

func TestFinishRun_countsEveryOutcomeOfRunsThatEndTogether(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	runs := manyRuns(t, db, 70)
	errs := together(t, runs, func(ctx context.Context, r molecule.Run) error {
		_, err := db.FinishRun(ctx, molecule.Finish{RunID: r.ID, Run: &r, Outcome: molecule.OutcomeFailed, EndedAt: noon})
		return err
	})
	if diff := cmp.Diff(errs, make([]error, len(runs))); diff != "" {
		t.Fatal(diff)
	}
	s, err := db.Schedule(t.Context(), "hello")
	if err != nil || s.FailureStreak != len(runs) {
		t.Errorf("the streak is %d after %d failures, %v", s.FailureStreak, len(runs), err)
	}
	a, err := db.Agent(t.Context(), "echo")
	if err != nil || a.LastOutcome != molecule.OutcomeFailed || !a.LastRunAt.Equal(noon) {
		t.Errorf("the agent's last run ended as %q at %v, %v", a.LastOutcome, a.LastRunAt, err)
	}
	page, err := db.Events(t.Context(), molecule.EventFilter{Types: []string{molecule.EventRunFinished}, Limit: 200})
	if err != nil || len(page.Items) != len(runs) {
		t.Errorf("%d ends were told, %v; want %d", len(page.Items), err, len(runs))
	}
}

func TestRun_tellsItsOnlyAttempt(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	r := openRun(t, db, "echo")
	attempts := func() string {
		t.Helper()
		got, err := db.Run(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(got.Attempts)
	}
	if got := attempts(); got != "[]" {
		t.Errorf("before it starts: %s", got)
	}
	if err := db.StartRun(t.Context(), r, noon, noon.Add(time.Minute), 1); err != nil {
		t.Fatal(err)
	}
	if got, want := attempts(), fmt.Sprint([]molecule.Attempt{{Number: 1, StartedAt: noon}}); got != want {
		t.Errorf("under way: %s, want %s", got, want)
	}
	_, err := db.FinishRun(t.Context(), molecule.Finish{RunID: r.ID, Outcome: molecule.OutcomeEmpty, Reason: "said nothing", EndedAt: noon})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint([]molecule.Attempt{{Number: 1, StartedAt: noon, EndedAt: noon, Outcome: molecule.OutcomeEmpty, Reason: "said nothing"}})
	if got := attempts(); got != want {
		t.Errorf("when it has ended: %s, want %s", got, want)
	}
}
