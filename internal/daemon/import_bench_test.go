package daemon

import (
	"fmt"
	"testing"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// BenchmarkImport asks a daemon over its socket to import schedules.
func BenchmarkImport(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := molecule.ScheduleImport{Schedules: make([]molecule.ScheduleSpec, n), Update: true}
			for i := range in.Schedules {
				in.Schedules[i] = molecule.ScheduleSpec{
					Name: fmt.Sprintf("job-%06d", i), Agent: fmt.Sprintf("agent-%d", i/1000), Cron: fmt.Sprintf("%d %d * * 1", i%60, i/60%24),
					TZ: "Europe/Berlin", Prompt: fmt.Sprintf("do the work of customer %d and report", i),
				}
			}
			for b.Loop() {
				b.StopTimer()
				d := serve(b, nil)
				c, err := client.New(client.Options{Endpoint: d.Addr("unix")})
				if err != nil {
					b.Fatal(err)
				}
				for i := range 100 {
					a := molecule.Agent{Name: fmt.Sprintf("agent-%d", i), Exec: &molecule.Exec{Command: "cat"}}
					if err := c.CreateAgent(b.Context(), &a); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				if result, err := c.ImportSchedules(b.Context(), in); err != nil || len(result.Created) != n {
					b.Fatal(result, err)
				}
				b.StopTimer()
				_ = d.stop()
				b.StartTimer()
			}
		})
	}
}
