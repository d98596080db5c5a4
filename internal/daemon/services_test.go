package daemon

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/audit"
	"github.com/molecule-ai/molecli/internal/auth"
	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/moleculetest"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// running is a whole daemon on a real store in a directory of its own.
type running struct {
	*Daemon
	dir   string
	log   *logged
	ended chan struct{} // closed when Run has returned
	stop  func() error  // stops it once and returns what Run returned
}

// logged keeps what the daemon says.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns everything that was said.
func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serve runs a daemon that listens on a socket, until the test ends.
func serve(t testing.TB, change func(*Config)) *running {
	t.Helper()
	return serveWith(t, change, func(*Daemon) error { return nil })
}

// serveWith is serve for a daemon that is changed before it runs.
func serveWith(t testing.TB, change func(*Config), before func(*Daemon) error) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "daemon") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := DefaultConfig()
	data := filepath.Join(dir, "d")
	sqlitetest.Seed(t, data)
	cfg.DataDir, cfg.Listen = &data, []string{"unix://" + filepath.Join(dir, "s")}
	cfg.Dispatch.Drain = 50 * time.Millisecond // a suite leaves a command that sleeps
	if change != nil {
		change(&cfg)
	}
	r := &running{dir: dir, log: new(logged), ended: make(chan struct{})}
	if r.Daemon, err = New(t.Context(), cfg, slog.New(slog.NewTextHandler(r.log, nil))); err != nil {
		t.Fatal(err)
	}
	if err := before(r.Daemon); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var parts sync.WaitGroup
	var result error
	parts.Go(func() {
		defer close(r.ended)
		result = r.Run(ctx)
	})
	asked := false // then the test judges how it ended
	r.stop = func() error {
		asked = true
		cancel()
		parts.Wait()
		return result
	}
	t.Cleanup(func() {
		judged := asked
		if err := r.stop(); err != nil && !judged {
			t.Errorf("the daemon ended with %v\n%s", err, r.log.String())
		}
	})
	return r
}

// administrator is who asks on the socket.
func administrator() molecule.Principal {
	return molecule.Principal{Name: "uid:0", Scopes: []molecule.Scope{molecule.ScopeAdmin}, Local: true, Source: "socket", Fresh: true}
}

func TestServices_passTheSuites(t *testing.T) {
	t.Parallel()
	moleculetest.Run(t, func(t testing.TB) moleculetest.Services {
		d := serve(t, nil)
		s := d.services
		return moleculetest.Services{
			Agents: s.agents, Enrolments: s.agents, Schedules: s.schedules, Calendars: s.schedules, Runs: s.schedules, Events: d.relay, Liveness: s.live, Status: s.about,
			Incidents: d.incidents, OpenIncident: d.incidents.Open,
			Audit: audit.NewService(d.store), Tokens: auth.NewService(d.store, d.tokens),
			Context: molecule.WithPrincipal(context.Background(), administrator()),
		}
	})
}

func TestClient_passesTheSuites(t *testing.T) {
	t.Parallel()
	moleculetest.Run(t, func(t testing.TB) moleculetest.Services {
		d := serve(t, nil)
		c, err := client.New(client.Options{Endpoint: d.Addr("unix")})
		if err != nil {
			t.Fatal(err)
		}
		return moleculetest.Services{
			Agents: c, Enrolments: c, Schedules: c, Calendars: c, Runs: c, Events: c, Liveness: c, Status: c, Context: context.Background(),
			Incidents: c, OpenIncident: d.incidents.Open, Audit: c, Tokens: c,
		}
	})
}

func TestRun_stoppedBeforeItBegan(t *testing.T) {
	t.Parallel()
	for range 5 {
		if err := serve(t, nil).stop(); err != nil {
			t.Errorf("a daemon that was told to stop at once ended with %v", err)
		}
	}
}
