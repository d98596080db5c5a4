package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/client"
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
		m := &million{B: b, dir: b.TempDir()}
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
type million struct {
	*testing.B
	dir    string
	daemon *exec.Cmd
	client *client.Client
}

// build stores the schedules: one of each agent by the store itself, the others
// as copies of it, due over the next weeks.
func (m *million) build(schedules, agents int) {
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

// start starts the daemon and waits until it is ready.
func (m *million) start() {
	m.Helper()
	bin, socket := filepath.Join(m.dir, "moleculed"), "unix://"+filepath.Join(m.dir, "s")
	build := exec.Command("go", "build", "-o", bin, "github.com/molecule-ai/molecli/cmd/moleculed")
	if out, err := build.CombinedOutput(); err != nil {
		m.Fatalf("build: %v\n%s", err, out)
	}
	var err error
	if m.client, err = client.New(client.Options{Endpoint: socket}); err != nil {
		m.Fatal(err)
	}
	m.daemon = exec.Command(bin, "serve", "--data-dir", m.dir, "--listen", socket)
	began := time.Now()
	if err := m.daemon.Start(); err != nil {
		m.Fatal(err)
	}
	for {
		live, err := m.client.Liveness(m.Context())
		if err == nil && live.Healthy {
			break
		}
		m.rest(time.Millisecond)
	}
	m.ReportMetric(float64(time.Since(began).Milliseconds()), "ready-ms")
}

// rest waits.
func (m *million) rest(d time.Duration) {
	m.Helper()
	if err := molecule.Sleep(m.Context(), d); err != nil {
		m.Fatal(err)
	}
}

// used returns what the daemon has used of the processors.
func (m *million) used() time.Duration {
	m.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.daemon.Process.Pid))
	if err != nil {
		m.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ") // the name of the program may hold blanks
	fields := strings.Fields(after)
	ticks := 0
	for _, f := range fields[11:13] { // user and system
		n, err := strconv.Atoi(f)
		if err != nil {
			m.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// resident returns how many MB of memory the daemon holds.
func (m *million) resident() float64 {
	m.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.daemon.Process.Pid))
	if err != nil {
		m.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		m.Fatal(err)
	}
	return float64(kb) / 1000
}

// lag adds n schedules of every second and reports how late their prompts came
// to their agent in so many seconds.
func (m *million) lag(n, seconds int) {
	m.Helper()
	came := make(chan time.Duration, n*(seconds+5))
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			_, _ = fmt.Fprintf(w, `{"name":"sink","protocolVersion":"0.3.0","url":"http://%s/","preferredTransport":"JSONRPC","version":"1"}`, r.Host)
			return
		}
		select {
		case came <- now.Sub(now.Truncate(time.Second)):
		default: // all there was to be measured
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":"1","result":{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"done"}]}}`)
	}))
	defer agent.Close()
	ctx := context.WithoutCancel(m.Context())
	a := molecule.Agent{Name: "sink", Kind: molecule.AgentPush, URL: agent.URL, MaxConcurrent: n}
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

// stop stops the daemon and reports how long it took.
func (m *million) stop() {
	m.Helper()
	began := time.Now()
	if err := m.daemon.Process.Signal(os.Interrupt); err != nil {
		m.Fatal(err)
	}
	_ = m.daemon.Wait() // how it ended is no matter here
	m.ReportMetric(float64(time.Since(began).Milliseconds()), "stop-ms")
}
