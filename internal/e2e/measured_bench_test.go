package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// measured is a daemon, built as it is installed, of which a benchmark reports
// what it takes.
type measured struct {
	*testing.B
	dir    string
	daemon *exec.Cmd
	client *client.Client
}

// start starts the daemon, with more variables than ours, and waits until it is
// ready.
func (m *measured) start(env ...string) {
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
	m.daemon.Env = append(os.Environ(), env...)
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
func (m *measured) rest(d time.Duration) {
	m.Helper()
	if err := molecule.Sleep(m.Context(), d); err != nil {
		m.Fatal(err)
	}
}

// used returns what the daemon has used of the processors.
func (m *measured) used() time.Duration {
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
func (m *measured) resident() float64 {
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

// sink returns the URL of an agent that answers each prompt at once, after it told
// came when the prompt was there.
func (m *measured) sink(came func(at time.Time)) string {
	m.Helper()
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			_, _ = fmt.Fprintf(w, `{"name":"sink","protocolVersion":"0.3.0","url":"http://%s/","preferredTransport":"JSONRPC","version":"1"}`, r.Host)
			return
		}
		came(now)
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":"1","result":{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"done"}]}}`)
	}))
	m.Cleanup(agent.Close)
	return agent.URL
}

// stop stops the daemon and reports how long it took.
func (m *measured) stop() {
	m.Helper()
	began := time.Now()
	if err := m.daemon.Process.Signal(os.Interrupt); err != nil {
		m.Fatal(err)
	}
	_ = m.daemon.Wait() // how it ended is no matter here
	m.ReportMetric(float64(time.Since(began).Milliseconds()), "stop-ms")
}
