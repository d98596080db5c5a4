package retention_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/retention"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// Of the bench: how many fires, and how many a second; 0 is as fast as it goes.
const (
	growthFires = "MOLECULE_GROWTH_FIRES"
	growthRate  = "MOLECULE_GROWTH_RATE"
)

// BenchmarkGrowth fires a thousand schedules again and again, each fire claimed,
// started, ended and on disk, with retention beside it, and tells how large file,
// log and process are after a quarter of the fires and at the end. A twentieth of
// the fires may be kept. It also tells how long the slices of pruning held the
// writer, and how long the other changes took.
func BenchmarkGrowth(b *testing.B) {
	fires, rate := setting(b, growthFires, 100_000), setting(b, growthRate, 0)
	for b.Loop() {
		g := newGrowth(b, fires)
		began := time.Now()
		for fired := 0; fired < fires; fired += len(g.schedules) {
			g.fireAll(b, began, fired, rate)
			g.sample()
			if fired+len(g.schedules) == fires/4 {
				g.report(b, "quarter")
			}
		}
		b.ReportMetric(float64(fires)/time.Since(began).Seconds(), "fires/s")
		g.report(b, "end")
		b.ReportMetric(mb(g.longestLog), "log-MB")
		slices.Sort(g.slices)
		slices.Sort(g.changes)
		b.ReportMetric(float64(len(g.slices)), "slices")
		for _, p := range []int{50, 99} {
			b.ReportMetric(ms(g.slices[len(g.slices)*p/100]), fmt.Sprintf("slice-p%d-ms", p))
			b.ReportMetric(ms(g.changes[len(g.changes)*p/100]), fmt.Sprintf("change-p%d-ms", p))
		}
		b.ReportMetric(ms(g.slices[len(g.slices)-1]), "slice-max-ms")
		g.stop()
	}
}

func setting(b *testing.B, name string, def int) int {
	b.Helper()
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return def
	}
	return n
}

func mb(bytes int64) float64                { return float64(bytes) / 1e6 }
func ms(d time.Duration) float64            { return float64(d.Microseconds()) / 1000 }
func (g *growth) path(suffix string) string { return filepath.Join(g.dir, "moleculed.db"+suffix) }

// growth is a store under load with a keeper beside it.
type growth struct {
	db         *sqlite.DB
	dir        string
	schedules  []molecule.Schedule
	due        time.Time
	stop       func()
	longestLog int64

	mu      sync.Mutex
	slices  []time.Duration
	changes []time.Duration
}

func newGrowth(b *testing.B, fires int) *growth {
	b.Helper()
	g := &growth{dir: b.TempDir(), due: time.Now().UTC().Truncate(time.Minute)}
	db, err := sqlite.Open(b.Context(), g.dir, sqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	g.db = db
	stopWriter := sqlitetest.Write(db)
	var makers sync.WaitGroup
	g.schedules = make([]molecule.Schedule, 1000)
	for i := range g.schedules {
		makers.Go(func() {
			name := fmt.Sprintf("s%d", i)
			sqlitetest.Agent(b, db, name)
			g.schedules[i] = sqlitetest.Schedule(b, db, name, name, g.due)
		})
	}
	makers.Wait()
	keeper := retention.New(retention.Options{
		Store: db, Log: slog.New(slog.DiscardHandler), Rest: 2 * time.Second,
		Rules: retention.Rules{
			Runs: 5, RunAge: time.Hour, FailureAge: time.Hour, MaxRuns: fires / 20, AgentRuns: 5, AgentRunAge: time.Hour,
			HourAge: time.Hour, DayAge: 24 * time.Hour, EventAge: time.Hour, MaxEvents: fires / 10, SubsystemEventAge: time.Hour,
			IncidentAge: time.Hour, PromptAge: time.Hour, RemovedAge: time.Hour,
		},
		Pruned: func(_ string, _ int, held time.Duration) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.slices = append(g.slices, held)
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		// Its end is ours.
		_ = supervised.RunWithRecover(ctx, supervised.Spec{Name: "retention", Run: keeper.Run, Every: time.Hour})
	})
	g.stop = func() {
		cancel()
		running.Wait()
		stopWriter()
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	}
	return g
}

// fireAll fires each schedule once.
func (g *growth) fireAll(b *testing.B, began time.Time, fired, rate int) {
	b.Helper()
	g.due = g.due.Add(time.Minute)
	next := func(d molecule.Due) (molecule.Claim, error) {
		return molecule.Claim{
			Runs:     []molecule.Run{{Trigger: molecule.TriggerCron, Slot: d.Schedule.NextSlot, State: molecule.RunClaimed, MessageID: d.Schedule.ID, Timeout: d.Schedule.Timeout}},
			NextSlot: g.due.Add(time.Minute), State: molecule.ScheduleActive,
		}, nil
	}
	const together = 200
	for range len(g.schedules) / together {
		if rate > 0 {
			_ = molecule.Sleep(b.Context(), time.Until(began.Add(time.Duration(fired)*time.Second/time.Duration(rate)))) // to the bench's end
			fired += together
		}
		claimed, err := g.db.ClaimDue(b.Context(), g.due, g.due, together, next)
		if err != nil || len(claimed) != together {
			b.Fatalf("claimed %d, %v", len(claimed), err)
		}
		var runs sync.WaitGroup
		for _, r := range claimed {
			runs.Go(func() { g.deliver(b, r) })
		}
		runs.Wait()
	}
}

// deliver starts and ends a run, and notes how long that took the store.
func (g *growth) deliver(b *testing.B, r molecule.Run) {
	now := molecule.Now()
	began := time.Now()
	if err := g.db.StartRun(b.Context(), r, now, now.Add(time.Minute), 1); err != nil {
		b.Errorf("run %s: %v", r.ID, err)
	}
	started := time.Since(began)
	r.State, r.Attempt, r.StartedAt = molecule.RunStarted, 1, now
	_, err := g.db.FinishRun(b.Context(), molecule.Finish{RunID: r.ID, Run: &r, Outcome: molecule.OutcomeOK, Reply: "done", EndedAt: molecule.Now()})
	if err != nil {
		b.Errorf("run %s: %v", r.ID, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changes = append(g.changes, started)
}

func (g *growth) sample() {
	if info, err := os.Stat(g.path("-wal")); err == nil {
		g.longestLog = max(g.longestLog, info.Size())
	}
}

// report tells how large file and process are now.
func (g *growth) report(b *testing.B, when string) {
	b.Helper()
	info, err := os.Stat(g.path(""))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(mb(info.Size()), when+"-file-MB")
	b.ReportMetric(mb(residentBytes(b)), when+"-RSS-MB")
}

// residentBytes returns how much memory this process holds.
func residentBytes(b *testing.B) int64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("needs /proc")
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb * 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
