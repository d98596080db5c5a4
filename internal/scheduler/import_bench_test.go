package scheduler_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/relay"
	"github.com/molecule-ai/molecli/internal/scheduler"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// BenchmarkImport is an import of schedules with a prompt each and one of 1,440
// expressions, to 100 agents, into an empty store; and the same import again,
// which finds everything as it should be.
func BenchmarkImport(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		in := molecule.ScheduleImport{Schedules: make([]molecule.ScheduleSpec, n), Update: true}
		for i := range in.Schedules {
			in.Schedules[i] = molecule.ScheduleSpec{
				Name: fmt.Sprintf("job-%06d", i), Agent: fmt.Sprintf("agent-%d", i%100), Cron: fmt.Sprintf("%d %d * * 1", i%60, i/60%24),
				TZ: "Europe/Berlin", Prompt: fmt.Sprintf("do the work of customer %d and report", i),
			}
		}
		for _, again := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d again=%t", n, again), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					service := emptyService(b)
					if again {
						imported(b, service, in, n)
					}
					b.StartTimer()
					if result := imported(b, service, in, n); again != (result.Unchanged == n) {
						b.Fatalf("%d were made, %d were there", len(result.Created), result.Unchanged)
					}
				}
			})
		}
	}
}

func imported(b *testing.B, s *scheduler.Service, in molecule.ScheduleImport, n int) molecule.ImportResult {
	b.Helper()
	result, err := s.ImportSchedules(b.Context(), in)
	if err != nil || len(result.Created)+result.Unchanged != n {
		b.Fatalf("imported %d and %d, %v", len(result.Created), result.Unchanged, err)
	}
	return result
}

// emptyService returns a service on a store that has a hundred agents.
func emptyService(b *testing.B) *scheduler.Service {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	db := sqlitetest.Open(b)
	for i := range 100 {
		sqlitetest.Agent(b, db, fmt.Sprintf("agent-%d", i))
	}
	return scheduler.NewService(scheduler.ServiceOptions{
		Store: db, Events: relay.New(db, log), Dispatcher: dispatch.New(dispatch.Options{Store: db, Log: log}),
	})
}
