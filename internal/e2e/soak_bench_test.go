package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// Of BenchmarkSoak: how many fires, and how many are due each second.
const (
	soakFires = "MOLECULE_SOAK_FIRES"
	soakRate  = "MOLECULE_SOAK_RATE"
)

// BenchmarkSoak has schedules of every second fire at agents over HTTP, each
// result kept, and reports what the daemon holds of memory and of the disk after
// a tenth of the fires, half of them and all, so that growth shows. A tenth of the
// runs may be kept, so that retention prunes as it would after weeks.
func BenchmarkSoak(b *testing.B) {
	fires, rate := soakSetting(b, soakFires, 20_000), soakSetting(b, soakRate, 1000)
	for b.Loop() {
		m := &measured{B: b, dir: b.TempDir()}
		kept := strconv.Itoa(max(fires/10, 1))
		m.start("MOLECULE_RETENTION_RUNS=1", "MOLECULE_RETENTION_MAX_RUNS="+kept, "MOLECULE_RETENTION_MAX_EVENTS="+kept)
		var came atomic.Int64
		url := m.sink(func(time.Time) { came.Add(1) })
		began := time.Now()
		m.fireEverySecond(url, rate)
		for _, part := range []int{10, 50, 100} {
			for came.Load() < int64(fires)*int64(part)/100 {
				m.rest(100 * time.Millisecond)
			}
			m.ReportMetric(m.resident(), fmt.Sprintf("RSS-MB-%d%%", part))
			m.ReportMetric(m.stored(), fmt.Sprintf("disk-MB-%d%%", part))
		}
		m.ReportMetric(float64(came.Load()), "fires")
		m.ReportMetric(float64(came.Load())/time.Since(began).Seconds(), "fires/s")
		m.stop()
		m.ReportMetric(float64(m.kept()), "runs-kept")
	}
}

func soakSetting(b *testing.B, name string, otherwise int) int {
	b.Helper()
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		b.Fatalf("%s is %q: want a number above 0", name, value)
	}
	return n
}

// fireEverySecond adds schedules that are due every second, a hundred of an agent.
func (m *measured) fireEverySecond(url string, schedules int) {
	m.Helper()
	const ofAgent = 100
	ctx := context.WithoutCancel(m.Context())
	for i := range schedules {
		agent := fmt.Sprintf("agent-%d", i/ofAgent)
		if i%ofAgent == 0 {
			a := molecule.Agent{Name: agent, Kind: molecule.AgentPush, URL: url, MaxConcurrent: ofAgent}
			if err := m.client.CreateAgent(ctx, &a); err != nil {
				m.Fatal(err)
			}
		}
		s := molecule.Schedule{Name: fmt.Sprintf("second-%d", i), Agent: agent, Cron: "* * * * * *", Seconds: true, Prompt: "now"}
		if err := m.client.CreateSchedule(ctx, &s); err != nil {
			m.Fatal(err)
		}
	}
}

// kept returns how many runs the store of the stopped daemon has.
func (m *measured) kept() (runs int) {
	m.Helper()
	sqlitetest.Raw(m, m.dir, func(tx *sql.Tx) error { return tx.QueryRow(`SELECT count(*) FROM runs`).Scan(&runs) })
	return runs
}

// stored returns how many MB the store takes on the disk.
func (m *measured) stored() float64 {
	m.Helper()
	files, err := filepath.Glob(filepath.Join(m.dir, "moleculed.db*"))
	if err != nil {
		m.Fatal(err)
	}
	var bytes int64
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			m.Fatal(err)
		}
		bytes += info.Size()
	}
	return float64(bytes) / 1e6
}
