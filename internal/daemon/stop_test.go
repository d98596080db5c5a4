package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/supervised"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// left opens what a stopped daemon left.
func left(t *testing.T, r *running) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), r.Daemon.dir, sqlite.Options{Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// asDaemon is the context of the daemon's own calls.
func asDaemon(t *testing.T) context.Context {
	return molecule.WithPrincipal(t.Context(), molecule.Daemon())
}

func TestRun_stopsFromTheTopAndKeepsTheLastRow(t *testing.T) {
	t.Parallel()
	r := serve(t, func(cfg *Config) { cfg.Dispatch.Drain = 10 * time.Second })
	ctx := asDaemon(t)
	agent := molecule.Agent{Name: "slow", Exec: &molecule.Exec{Command: "sh -c 'sleep 1; echo done'"}}
	if err := r.services.agents.CreateAgent(ctx, &agent); err != nil {
		t.Fatal(err)
	}
	run, err := r.services.schedules.StartRun(ctx, molecule.NewRun{Agent: "slow", Prompt: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range r.relay.WatchEvents(ctx, molecule.EventFilter{Types: []string{molecule.EventRunStarted}}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Subject, run.ID) {
			break
		}
	}
	if err := r.stop(); err != nil {
		t.Errorf("it ended with %v\n%s", err, r.log)
	}
	db := left(t, r)
	if got, err := db.Run(t.Context(), run.ID); err != nil || got.Outcome != molecule.OutcomeOK || got.Reply != "done\n" && got.Reply != "done" {
		t.Errorf("the run under way ended %s %q (%s), %v", got.Outcome, got.Reply, got.Reason, err)
	}
	events, err := db.SubsystemEvents(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var stopped []string // SubsystemEvents come newest first
	for _, e := range events {
		if e.To == molecule.SubsystemStopped {
			stopped = append([]string{e.Subsystem}, stopped...)
		}
	}
	want := r.names()
	slices.Reverse(want)
	if diff := cmp.Diff(stopped, want); diff != "" {
		t.Errorf("order of stopping (-got +want):\n%s", diff)
	}
}

func TestRun_endsWhenACriticalPartCannotBeHealed(t *testing.T) {
	t.Parallel()
	broken := errors.New("no way to go on")
	r := serveWith(t, nil, func(d *Daemon) error {
		return d.supervisor.Add(supervised.Spec{
			Name: "broken", Every: time.Second, Restart: supervised.Never,
			Run: func(context.Context, *supervised.Beat) error { return broken },
		})
	})
	select {
	case <-r.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on without a part it cannot do without")
	}
	err := r.stop()
	if err == nil || !strings.Contains(err.Error(), "broken") || !strings.Contains(err.Error(), broken.Error()) {
		t.Errorf("it ended with %v, want the part and its reason", err)
	}
	db := left(t, r)
	events, err := db.SubsystemEvents(t.Context(), "broken", 10)
	if err != nil || len(events) == 0 || !strings.Contains(events[0].Error+events[len(events)-1].Error, broken.Error()) {
		t.Errorf("the store tells %+v, %v", events, err)
	}
	open, err := db.OpenIncidents(t.Context())
	if err != nil || len(open) != 1 || open[0].Subject != "subsystem/broken" || !strings.Contains(open[0].Evidence.Error, broken.Error()) {
		t.Errorf("open incidents are %+v, %v; want why it could not go on", open, err)
	}
}

func TestRun_answersWhomItHasAcceptedWhenItStops(t *testing.T) {
	t.Parallel()
	r := serve(t, overTCP)
	at := strings.TrimPrefix(r.Addr("tcp"), "http://")
	early, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if got := exchange(t, r, request("/health")); !strings.HasPrefix(got, "HTTP/1.1 200") { // who came later was answered
		t.Fatalf("got %q", got)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	for { // until nobody is accepted any more
		late, err := net.Dial("tcp", at)
		if err != nil {
			break
		}
		_ = late.Close()
	}
	if _, err := io.WriteString(early, request("/health", "Connection: close")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(early); !strings.HasPrefix(string(got), "HTTP/1.1 200") {
		t.Errorf("who was accepted before it stopped got %q, %v", got, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
