package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// BenchmarkPruneRuns is how long the writer is held for a slice of so many runs,
// each of another schedule, as retention prunes them under load.
func BenchmarkPruneRuns(b *testing.B) {
	for _, n := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			db := sqlitetest.OpenDir(b, dir)
			const schedules = 500
			dueSchedules(b, db, schedules, 1, noon)
			page, err := db.Schedules(b.Context(), molecule.ScheduleFilter{Limit: schedules})
			if err != nil {
				b.Fatal(err)
			}
			var runs []molecule.Run
			for i := range b.N * n {
				s := page.Items[i%schedules]
				at := noon.Add(time.Duration(i) * time.Millisecond)
				runs = append(runs, molecule.Run{
					ScheduleID: s.ID, AgentID: s.AgentID, Trigger: molecule.TriggerCron, Slot: at, StartedAt: at, EndedAt: at, Outcome: molecule.OutcomeOK,
				})
			}
			sqlitetest.Past(b, dir, runs)
			var held time.Duration
			for i := range b.N {
				var ids []string
				for _, r := range runs[i*n : (i+1)*n] {
					ids = append(ids, r.ID)
				}
				pruned, took, err := db.PruneRuns(b.Context(), ids)
				if err != nil || pruned != n {
					b.Fatalf("pruned %d, %v", pruned, err)
				}
				held += took
			}
			b.ReportMetric(float64(held.Microseconds())/float64(b.N), "held-µs/slice")
			b.ReportMetric(float64(held.Microseconds())/float64(b.N*n), "held-µs/run")
		})
	}
}
