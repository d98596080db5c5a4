package sqlite_test

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// BenchmarkFire is what a slot costs the store: its claim, the start and the
// end of its run, each committed to disk, with 500 runs under way at once, each
// of another agent. Processor time is reported beside the rate, because a busy
// machine changes only the rate.
func BenchmarkFire(b *testing.B) {
	const schedules, together = 4000, 500
	db := sqlitetest.Open(b)
	due := dueSchedules(b, db, schedules, 1, time.Now().UTC())
	before := processorTime(b)
	b.ResetTimer()
	fired := 0
	for fired < b.N {
		due = due.Add(time.Minute)
		for range schedules / together {
			claimed, err := db.ClaimDue(b.Context(), due, due, together, fireOnce)
			if err != nil || len(claimed) == 0 {
				b.Fatalf("claimed %d, %v", len(claimed), err)
			}
			var runs sync.WaitGroup
			for _, r := range claimed {
				runs.Go(func() {
					if err := fire(b, db, r); err != nil {
						b.Errorf("run %s: %v", r.ID, err)
					}
				})
			}
			runs.Wait()
			fired += len(claimed)
		}
	}
	b.ReportMetric(float64(fired)/b.Elapsed().Seconds(), "fires/s")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(fired), "cpu-µs/fire")
}

// fire starts and ends a run as a delivery does.
func fire(b *testing.B, db *sqlite.DB, r molecule.Run) error {
	now := molecule.Now()
	if err := db.StartRun(b.Context(), r, now, now.Add(time.Minute), 1); err != nil {
		return err
	}
	r.State, r.Attempt, r.StartedAt = molecule.RunStarted, 1, now
	_, err := db.FinishRun(b.Context(), molecule.Finish{
		RunID: r.ID, Run: &r, Outcome: molecule.OutcomeOK, Reply: "done", EndedAt: molecule.Now(),
	})
	return err
}

// processorTime returns what this process has used of the processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkClaimDue is one claim of the given number of due schedules.
func BenchmarkClaimDue(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db := sqlitetest.Open(b)
			due := dueSchedules(b, db, n, 100, time.Now().UTC())
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
	first := dueSchedules(b, db, 1, 1, noon.Add(time.Hour))
	const many = 200_000
	_, err := raw(b, dir).Exec(`
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO schedules (id, name, agent_id, cron, tz, description, prompt_id, state, timeout_ms, next_slot_at, due_at, alert_after,
			created_at, updated_at)
		SELECT printf('%032x', i), 'many-' || i, agent_id, cron, tz, description, prompt_id, state, timeout_ms,
			strftime('%Y-%m-%dT%H:%M:%fZ', next_slot_at, i || ' seconds'), strftime('%Y-%m-%dT%H:%M:%fZ', next_slot_at, i || ' seconds'),
			strftime('%Y-%m-%dT%H:%M:%fZ', next_slot_at, (i + 30) || ' seconds'), created_at, updated_at
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

// dueSchedules stores n schedules, so many for each agent, that are due a minute
// behind the instant it returns.
func dueSchedules(b *testing.B, db *sqlite.DB, n, each int, at time.Time) time.Time {
	b.Helper()
	at = at.Truncate(time.Minute)
	var makers sync.WaitGroup
	for w := range 64 {
		makers.Go(func() {
			for i := w * each; i < n; i += 64 * each {
				agent := fmt.Sprintf("agent-%d", i/each)
				sqlitetest.Agent(b, db, agent)
				for k := i; k < min(i+each, n); k++ {
					s := molecule.Schedule{
						Name: fmt.Sprintf("s%d", k), Agent: agent, Cron: "* * * * *", TZ: "UTC", Prompt: "p",
						State: molecule.ScheduleActive, Timeout: molecule.Duration(time.Minute), NextSlot: at,
					}
					if err := db.CreateSchedule(b.Context(), &s); err != nil {
						b.Errorf("create schedule: %v", err)
					}
				}
			}
		})
	}
	makers.Wait()
	return at
}
