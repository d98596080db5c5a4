package daemon

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// deaf hangs in its first tick until release, whatever its context says.
func deaf(release chan struct{}) func(context.Context, *supervised.Beat) error {
	return func(ctx context.Context, beat *supervised.Beat) error {
		return beat.Tick(ctx, func(context.Context) error {
			waitForever(release)
			return nil
		})
	}
}

// waitForever is the function an operator has to be told of.
func waitForever(release chan struct{}) { <-release }

// lockStore makes every write of the daemon wait until unlock is called.
func lockStore(t *testing.T, dir string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "d", "moleculed.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// get asks one path of the socket.
func get(t *testing.T, r *running, path string) (int, string) {
	t.Helper()
	there, err := netguard.Endpoint(r.Addr("unix"))
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return there.Dial(ctx) },
	}}
	defer hc.CloseIdleConnections()
	res, err := hc.Get("http://localhost" + path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// eventually asks until it is true, for at most twenty seconds.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for !ask() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestLiveness_answersWhileTheStoreIsLockedAndAPartHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := serveWith(t, nil, func(d *Daemon) error {
		return d.supervisor.Add(supervised.Spec{
			Name: "deaf", Run: deaf(release), Every: time.Second, TickLimit: 300 * time.Millisecond, Optional: true,
		})
	})
	t.Cleanup(func() { close(release) }) // before the daemon is told to stop
	c, err := client.New(client.Options{Endpoint: r.Addr("unix")})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the critical parts to be healthy", func() bool {
		l, err := c.Liveness(t.Context())
		return err == nil && l.Healthy
	})
	unlock := lockStore(t, r.dir)
	defer unlock()

	var stuck molecule.Subsystem
	eventually(t, "the part that hangs to be called stuck, and where", func() bool {
		l, err := c.Liveness(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stuck = l.Subsystems["deaf"]
		return stuck.State == molecule.SubsystemStuck && stuck.BlockedIn != ""
	})
	if !strings.Contains(stuck.BlockedIn, "waitForever") {
		t.Errorf("it is said to be in %q, want the function it hangs in", stuck.BlockedIn)
	}
	dump, err := c.SubsystemDump(t.Context(), "deaf")
	if err != nil || !strings.Contains(dump, "daemon.waitForever") || !strings.Contains(dump, "liveness_test.go:") {
		t.Errorf("its dump has no stack (%v):\n%s", err, dump)
	}
	answers := []struct {
		path, want string
	}{
		{"/v1/incidents", `"subject":"subsystem/deaf","severity":"critical"`},
		{"/health", `{"status":"ok"}`},
		{"/ready", `"status":`},
		{"/metrics", "molecule_subsystem_"},
		{"/admin/liveness", `"deaf":{"state":"stuck"`},
		{"/admin/scheduler/health", `"healthy":`},
		{"/metrics", `molecule_incidents_open{severity="critical"} 1`},
		{"/v1/status", `"store_bytes":`},
		{"/v1/status", `"free_bytes":`},
		{"/v1/status", `"open_incidents":1`},
	}
	for _, a := range answers {
		if _, body := get(t, r, a.path); !strings.Contains(strings.ReplaceAll(body, " ", ""), strings.ReplaceAll(a.want, " ", "")) {
			t.Errorf("%s while the store is locked: %s", a.path, body)
		}
	}
}

func TestReady_namesWhatKeepsItFromBeingReady(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := serveWith(t, nil, func(d *Daemon) error {
		return d.supervisor.Add(supervised.Spec{Name: "deaf", Run: deaf(release), Every: time.Second, TickLimit: 300 * time.Millisecond, StopGrace: time.Second})
	})
	t.Cleanup(func() { close(release) })
	var status int
	var body string
	eventually(t, "a critical part that hangs to keep it from being ready", func() bool {
		status, body = get(t, r, "/ready")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "deaf")
	})
	if status, body := get(t, r, "/health"); status != http.StatusOK || body != `{"status":"ok"}`+"\n" {
		t.Errorf("/health is %d %s; the process does answer", status, body)
	}
}

func TestLiveness_countsWhatWasJustChanged(t *testing.T) {
	t.Parallel()
	r := serveWith(t, nil, func(d *Daemon) error {
		d.books.patience = time.Minute // however busy this machine is
		return nil
	})
	ctx := asDaemon(t)
	for i := range 30 {
		a := molecule.Agent{Name: fmt.Sprintf("agent-%d", i), Exec: &molecule.Exec{Command: "cat"}}
		if err := r.services.agents.CreateAgent(ctx, &a); err != nil {
			t.Fatal(err)
		}
		l, err := r.services.live.Liveness(ctx)
		if err != nil || l.Agents.Online != i+1 {
			t.Errorf("after agent %d was made there are %d, %v", i+1, l.Agents.Online, err)
		}
	}
}
