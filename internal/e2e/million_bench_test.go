package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// BenchmarkMillion starts the daemon on a store of a million schedules and
// reports how long it takes to be ready, what it holds of memory, what it takes
// of a processor for 30 s while nothing is due, and how late ten prompts a
// second reach their agent.
func BenchmarkMillion(b *testing.B) {
	const schedules, agents = 1_000_000, 1000
	for b.Loop() {
		m := million{&measured{B: b, dir: b.TempDir()}}
		began := time.Now()
		m.build(schedules, agents)
		b.ReportMetric(time.Since(began).Seconds(), "build-s")
		m.start()
		m.rest(5 * time.Second) // whatever a start leaves to be done
		before := m.used()
		m.rest(30 * time.Second)
		b.ReportMetric((m.used()-before).Seconds()/30*100, "idle-cpu-%")
		b.ReportMetric(m.resident(), "RSS-MB")
		m.lag(10, 20)
		b.ReportMetric(m.resident(), "RSS-MB-fired")
		m.stop()
	}
}

// million is a daemon with very many schedules.
type million struct{ *measured }

// build stores the schedules: one of each agent by the store itself, the others
// as copies of it, due over the next weeks.
func (m million) build(schedules, agents int) {
	m.Helper()
	db, err := sqlite.Open(m.Context(), m.dir, sqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		m.Fatal(err)
	}
	stop := sqlitetest.Write(db)
	due := molecule.Now().Add(time.Hour)
	var makers sync.WaitGroup
	for i := range agents {
		makers.Go(func() {
			agent := fmt.Sprintf("agent-%d", i)
			sqlitetest.Agent(m, db, agent)
			sqlitetest.Schedule(m, db, agent, fmt.Sprintf("schedule-%d", i), due)
		})
	}
	makers.Wait()
	stop()
	if err := db.Close(); err != nil {
		m.Fatal(err)
	}
	sqlitetest.Raw(m, m.dir, func(tx *sql.Tx) error {
		_, err := tx.Exec(`
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
			INSERT INTO schedules (id, name, agent_id, cron, tz, description, prompt_id, state, timeout_ms, next_slot_at, due_at,
				alert_after, created_at, updated_at)
			SELECT printf('01900000-0000-7000-%04x-%012x', s.rowid, i), name || '-' || i, agent_id, cron, tz, description, prompt_id,
				state, timeout_ms, at, at, strftime('%Y-%m-%dT%H:%M:%fZ', at, '30 seconds'), created_at, updated_at
			FROM (SELECT s.rowid, s.*, i, strftime('%Y-%m-%dT%H:%M:%fZ', next_slot_at, (i * ?2 + s.rowid) || ' seconds') AS at
				FROM schedules s, n) s`, schedules/agents-1, agents)
		return err
	})
}

// lag adds n schedules of every second and reports how late their prompts came
// to their agent in so many seconds.
func (m million) lag(n, seconds int) {
	m.Helper()
	came := make(chan time.Duration, n*(seconds+5))
	url := m.sink(func(at time.Time) {
		select {
		case came <- at.Sub(at.Truncate(time.Second)):
		default: // all there was to be measured
		}
	})
	ctx := context.WithoutCancel(m.Context())
	a := molecule.Agent{Name: "sink", Kind: molecule.AgentPush, URL: url, MaxConcurrent: n}
	if err := m.client.CreateAgent(ctx, &a); err != nil {
		m.Fatal(err)
	}
	for i := range n {
		s := molecule.Schedule{Name: fmt.Sprintf("now-%d", i), Agent: "sink", Cron: "* * * * * *", Seconds: true, Prompt: "now"}
		if err := m.client.CreateSchedule(ctx, &s); err != nil {
			m.Fatal(err)
		}
	}
	var late []time.Duration
	for range n * (seconds + 5) {
		late = append(late, <-came)
	}
	late = late[5*n:] // the first ones get to know the agent
	slices.Sort(late)
	ms := func(part float64) float64 { return float64(late[int(part*float64(len(late)-1))].Microseconds()) / 1000 }
	m.ReportMetric(ms(.5), "p50-ms")
	m.ReportMetric(ms(.99), "p99-ms")
	m.ReportMetric(ms(1), "max-ms")
}
