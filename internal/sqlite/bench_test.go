package sqlite_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// BenchmarkFire is what a slot costs the store: its claim, the start and the
// end of its run, each committed to disk, with a hundred runs under way at once.
func BenchmarkFire(b *testing.B) {
	db := sqlitetest.Open(b)
	due := dueSchedules(b, db, 100, time.Now().UTC())
	runs := make(chan molecule.Run, 100) // one for each worker
	var workers sync.WaitGroup
	for range 100 {
		workers.Go(func() {
			for r := range runs {
				if err := finish(b, db, r); err != nil {
					b.Errorf("run %s: %v", r.ID, err)
				}
			}
		})
	}
	b.ResetTimer()
	for fired := 0; fired < b.N; {
		due = due.Add(time.Minute)
		claimed, err := db.ClaimDue(b.Context(), due, due, min(100, b.N-fired), fireOnce)
		if err != nil || len(claimed) == 0 {
			b.Fatalf("claimed %d, %v", len(claimed), err)
		}
		for _, r := range claimed {
			runs <- r
		}
		fired += len(claimed)
	}
	close(runs)
	workers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "fires/s")
}

func finish(b *testing.B, db *sqlite.DB, r molecule.Run) error {
	if err := db.StartRun(b.Context(), r, r.Slot, r.Slot.Add(time.Minute), 1); err != nil {
		return err
	}
	_, err := db.FinishRun(b.Context(), molecule.Finish{RunID: r.ID, Outcome: molecule.OutcomeOK, Reply: "done", EndedAt: r.Slot})
	return err
}

// BenchmarkClaimDue is one claim of the given number of due schedules.
func BenchmarkClaimDue(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db := sqlitetest.Open(b)
			due := dueSchedules(b, db, n, time.Now().UTC())
			for b.Loop() {
				due = due.Add(time.Minute)
				if runs, err := db.ClaimDue(b.Context(), due, due, n, fireOnce); err != nil || len(runs) != n {
					b.Fatalf("claimed %d, %v; want %d", len(runs), err, n)
				}
			}
		})
	}
}

// BenchmarkLook is what is asked again and again, with many schedules that are
// not due.
func BenchmarkLook(b *testing.B) {
	dir := b.TempDir()
	db := sqlitetest.OpenDir(b, dir)
	first := dueSchedules(b, db, 1, noon.Add(time.Hour))
	const many = 200_000
	_, err := raw(b, dir).Exec(`
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO schedules (id, name, agent_id, cron, tz, description, prompt_id, state, timeout_ms, next_slot_at, created_at, updated_at)
		SELECT printf('%032x', i), 'many-' || i, agent_id, cron, tz, description, prompt_id, state, timeout_ms,
			strftime('%Y-%m-%dT%H:%M:%fZ', next_slot_at, i || ' seconds'), created_at, updated_at
		FROM schedules, n`, many)
	if err != nil {
		b.Fatal(err)
	}
	looks := []struct {
		name string
		look func() error
	}{
		{name: "next due", look: func() error {
			due, err := db.NextDue(b.Context())
			if err == nil && !due.Equal(first) {
				err = fmt.Errorf("next due is %v, want %v", due, first)
			}
			return err
		}},
		{name: "claim nothing", look: func() error {
			_, err := db.ClaimDue(b.Context(), noon, noon, 1000, fireOnce)
			return err
		}},
		{name: "counts", look: func() error {
			_, counts, err := db.Counts(b.Context(), noon)
			if err == nil && counts.OnTime != many+1 {
				err = fmt.Errorf("%d schedules are on time, want %d", counts.OnTime, many+1)
			}
			return err
		}},
		{name: "first page", look: func() error {
			_, err := db.Schedules(b.Context(), molecule.ScheduleFilter{Limit: 20})
			return err
		}},
		{name: "first page of an agent", look: func() error {
			_, err := db.Schedules(b.Context(), molecule.ScheduleFilter{Agent: "agent-0", Limit: 20})
			return err
		}},
	}
	for _, l := range looks {
		b.Run(l.name, func(b *testing.B) {
			for b.Loop() {
				if err := l.look(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// dueSchedules stores n schedules, a hundred for each agent, that are due a
// minute behind the instant it returns.
func dueSchedules(b *testing.B, db *sqlite.DB, n int, at time.Time) time.Time {
	b.Helper()
	at = at.Truncate(time.Minute)
	var callers sync.WaitGroup
	for i := range n {
		agent := fmt.Sprintf("agent-%d", i/100)
		if i%100 == 0 {
			callers.Wait()
			sqlitetest.Agent(b, db, agent)
		}
		callers.Go(func() {
			s := molecule.Schedule{
				Name: fmt.Sprintf("s%d", i), Agent: agent, Cron: "* * * * *", TZ: "UTC", Prompt: "p",
				State: molecule.ScheduleActive, Timeout: molecule.Duration(time.Minute), NextSlot: at,
			}
			if err := db.CreateSchedule(b.Context(), &s); err != nil {
				b.Errorf("create schedule: %v", err)
			}
		})
	}
	callers.Wait()
	return at
}
