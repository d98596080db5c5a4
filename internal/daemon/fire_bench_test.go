package daemon

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// instant is a courier that answers before it was asked, so that what is
// measured is ours alone, and tells how late each run was sent.
type instant struct{ late chan time.Duration }

// Deliver answers at once.
func (c instant) Deliver(_ context.Context, d molecule.Delivery) molecule.Reply {
	c.late <- time.Since(d.Run.DueAt)
	return molecule.Reply{Answered: true, Exit: &molecule.Exit{}, Parts: []molecule.Part{{Text: "done"}}}
}

// firing is a whole daemon, but for what it delivers to.
type firing struct {
	*Daemon
	late chan time.Duration // how late each run was sent
	ends chan struct{}      // one for each run that has ended
	stop func()
}

// startFiring starts a daemon that may fire so many runs.
func startFiring(b *testing.B, runs int) *firing {
	b.Helper()
	dir := b.TempDir()
	cfg := DefaultConfig()
	cfg.DataDir, cfg.Listen = &dir, []string{"unix://" + filepath.Join(dir, "s")}
	d, err := New(b.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	f := &firing{Daemon: d, late: make(chan time.Duration, runs), ends: make(chan struct{}, runs)}
	d.dispatcher.Couriers = map[molecule.AgentKind]dispatch.Courier{molecule.AgentExec: instant{f.late}}
	count := d.dispatcher.Finished
	d.dispatcher.Finished = func(r molecule.Run) {
		count(r)
		f.ends <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var life sync.WaitGroup
	life.Go(func() {
		if err := d.Run(ctx); err != nil {
			b.Errorf("run: %v", err)
		}
	})
	f.stop = func() {
		cancel()
		life.Wait()
	}
	return f
}

// schedules stores n schedules, each with an agent of its own and none due soon.
func (f *firing) schedules(b *testing.B, n int) {
	b.Helper()
	var makers sync.WaitGroup
	for w := range 256 {
		makers.Go(func() {
			for i := w; i < n; i += 256 {
				name := fmt.Sprintf("s%06d", i)
				a := molecule.Agent{
					Name: name, Kind: molecule.AgentExec, State: molecule.AgentOnline, MaxConcurrent: 1,
					Exec: &molecule.Exec{Command: "true", Argv: []string{"/bin/true"}},
				}
				s := molecule.Schedule{
					Name: name, Agent: name, Cron: "0 0 1 1 *", TZ: "UTC", Description: "yearly", Prompt: "work",
					State: molecule.ScheduleActive, Timeout: molecule.Duration(time.Minute), NextSlot: time.Now().Add(time.Hour),
				}
				if err := errors.Join(f.store.CreateAgent(b.Context(), &a), f.store.CreateSchedule(b.Context(), &s)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	makers.Wait()
}

// due makes every n-th schedule due a second after the one before, the first of
// them at an instant. It writes past the daemon, so that all are stored by then.
func (f *firing) due(b *testing.B, n int, first time.Time) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(f.dir, "moleculed.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		b.Fatal(err)
	}
	_, err = db.ExecContext(b.Context(), `
		UPDATE schedules SET next_slot_at = v.at, due_at = v.at, alert_after = v.alert FROM (
			SELECT rowid AS id, strftime('%Y-%m-%dT%H:%M:%fZ', ?1, (rowid % ?2) || ' seconds') AS at,
				strftime('%Y-%m-%dT%H:%M:%fZ', ?1, (rowid % ?2 + 30) || ' seconds') AS alert FROM schedules) v
		WHERE schedules.rowid = v.id`, first.UTC().Format("2006-01-02T15:04:05.000Z"), n)
	if err := errors.Join(err, db.Close()); err != nil {
		b.Fatal(err)
	}
	// The loop was not told of it.
	if _, err := f.services.schedules.UpdateSchedule(b.Context(), "s000000", molecule.ScheduleUpdate{}); err != nil {
		b.Fatal(err)
	}
}

// lags waits for n runs to end and returns how late each was sent.
func (f *firing) lags(n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		<-f.ends
		all[i] = <-f.late
	}
	slices.Sort(all)
	return all
}

// lead is how long before it is due a slot may be claimed.
const lead = 400 * time.Millisecond

// BenchmarkFire fires slots that are all due at one instant and reports how
// many a second are claimed, started, ended and on disk, from when the first
// could be claimed, and what each takes of the processors.
func BenchmarkFire(b *testing.B) {
	const n = 20_000
	for b.Loop() {
		f := startFiring(b, n)
		f.schedules(b, n)
		due := time.Now().Add(3 * time.Second)
		f.due(b, 1, due)
		before := processorTime(b)
		f.lags(n)
		b.ReportMetric(n/(time.Since(due)+lead).Seconds(), "fires/s")
		b.ReportMetric(float64((processorTime(b)-before).Microseconds())/n, "cpu-µs/fire")
		f.stop()
	}
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

// BenchmarkLag measures from the slot until its run is sent, its start being on
// disk. Each second so many slots are due at one instant, for ten seconds.
func BenchmarkLag(b *testing.B) {
	for _, perSecond := range []int{10, 1000} {
		b.Run(fmt.Sprintf("%d due a second", perSecond), func(b *testing.B) {
			for b.Loop() {
				const seconds = 10
				n := perSecond * seconds
				f := startFiring(b, n)
				f.schedules(b, n)
				f.due(b, seconds, time.Now().Truncate(time.Second).Add(3*time.Second))
				lags := f.lags(n)
				b.ReportMetric(ms(lags[n/2]), "p50-ms")
				b.ReportMetric(ms(lags[n*99/100]), "p99-ms")
				b.ReportMetric(ms(lags[n-1]), "max-ms")
				f.stop()
			}
		})
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
