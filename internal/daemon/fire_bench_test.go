package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/relay"
	"github.com/molecule-ai/molecli/internal/scheduler"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// instant is a courier that answers before it was asked, so that what is
// measured is ours alone, and tells how late each run was sent.
type instant struct{ late chan time.Duration }

// Deliver answers at once.
func (c instant) Deliver(_ context.Context, d molecule.Delivery) molecule.Reply {
	c.late <- time.Since(d.Run.DueAt)
	return molecule.Reply{Answered: true, Exit: &molecule.Exit{}, Parts: []molecule.Part{{Text: "done"}}}
}

// firing is the durable path from a due slot to its stored end, with the loops
// of the daemon on a real store.
type firing struct {
	db   *sqlite.DB
	svc  *scheduler.Service
	late chan time.Duration // how late each run was sent
	ends chan molecule.Run  // one for each run that has ended
	stop func()
}

func startFiring(b *testing.B, runs int) *firing {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(b.Context(), b.TempDir(), sqlite.Options{Log: log})
	if err != nil {
		b.Fatal(err)
	}
	f := &firing{db: db, late: make(chan time.Duration, runs), ends: make(chan molecule.Run, runs)}
	events := relay.New(db, log)
	dispatcher := dispatch.New(dispatch.Options{
		Store: db, Couriers: map[molecule.AgentKind]dispatch.Courier{molecule.AgentExec: instant{f.late}}, Log: log,
		Finished: func(r molecule.Run) { f.ends <- r },
	})
	service := scheduler.NewService(scheduler.ServiceOptions{Store: db, Events: events, Dispatcher: dispatcher})
	f.svc = service
	loop := scheduler.New(scheduler.Options{Store: db, Dispatcher: dispatcher, Service: service, Log: log})
	s := supervised.New(supervised.Options{Log: log})
	if err := errors.Join(
		s.Add(supervised.Spec{Name: "store-writer", Run: db.RunWriter, Every: 30 * time.Second}),
		s.Add(supervised.Spec{Name: "event-relay", Run: events.Run, Every: 30 * time.Second}),
		s.Add(supervised.Spec{Name: "dispatcher", Run: dispatcher.Run, Every: 30 * time.Second}),
		s.Add(supervised.Spec{Name: "scheduler", Run: loop.Run, Every: 30 * time.Second}),
	); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := s.Run(ctx); err != nil {
			b.Errorf("supervisor: %v", err)
		}
	})
	f.stop = func() {
		cancel()
		parts.Wait()
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	}
	return f
}

// schedules stores n schedules, each with an agent of its own, whose first
// slots at says.
func (f *firing) schedules(b *testing.B, n int, at func(i int) time.Time) {
	b.Helper()
	var makers sync.WaitGroup
	for w := range 64 {
		makers.Go(func() {
			for i := w; i < n; i += 64 {
				name := fmt.Sprintf("s%06d", i)
				a := molecule.Agent{
					Name: name, Kind: molecule.AgentExec, State: molecule.AgentOnline, MaxConcurrent: 1,
					Exec: &molecule.Exec{Command: "true", Argv: []string{"/bin/true"}},
				}
				s := molecule.Schedule{
					Name: name, Agent: name, Cron: "0 0 1 1 *", TZ: "UTC", Description: "yearly", Prompt: "work",
					State: molecule.ScheduleActive, Timeout: molecule.Duration(time.Minute), NextSlot: at(i),
				}
				if err := errors.Join(f.db.CreateAgent(b.Context(), &a), f.db.CreateSchedule(b.Context(), &s)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	makers.Wait()
	// The loop was not told of what went straight into the store.
	if _, err := f.svc.UpdateSchedule(b.Context(), "s000000", molecule.ScheduleUpdate{}); err != nil {
		b.Error(err)
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
// could be claimed.
func BenchmarkFire(b *testing.B) {
	const n = 20_000
	for b.Loop() {
		f := startFiring(b, n)
		due := time.Now().UTC().Add(12 * time.Second) // all are stored by then
		f.schedules(b, n, func(int) time.Time { return due })
		if late := time.Since(due); late > 0 {
			b.Fatalf("storing the schedules took %v too long", late)
		}
		f.lags(n)
		b.ReportMetric(n/(time.Since(due)+lead).Seconds(), "fires/s")
		f.stop()
	}
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
				// Far enough away that all are stored before the first is due.
				first := time.Now().UTC().Truncate(time.Second).Add(8 * time.Second)
				f.schedules(b, n, func(i int) time.Time { return first.Add(time.Duration(i%seconds) * time.Second) })
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
