package cli

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

func TestLiveness_exitsByTheEvidence(t *testing.T) {
	t.Parallel()
	optional := subsystem(molecule.SubsystemFailed)
	optional.Optional = true
	graced := subsystem(molecule.SubsystemStarting)
	graced.WithinGrace = true
	tests := []struct {
		name string
		is   molecule.Subsystem
		want int
	}{
		{"healthy", subsystem(molecule.SubsystemHealthy), 0},
		{"starting within grace", graced, 0},
		{"starting for too long", subsystem(molecule.SubsystemStarting), 10},
		{"stopped by choice", subsystem(molecule.SubsystemStopped), 0},
		{"stale", subsystem(molecule.SubsystemStale), 10},
		{"stuck", subsystem(molecule.SubsystemStuck), 10},
		{"backoff", subsystem(molecule.SubsystemBackoff), 10},
		{"optional failed", optional, 10},
		{"critical failed", subsystem(molecule.SubsystemFailed), 11},
		{"a state nobody knows", subsystem("asleep"), 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := alive(map[string]molecule.Subsystem{"scheduler": tt.is, "dispatcher": subsystem(molecule.SubsystemHealthy)})
			got := newHand(t, newDaemon(t, map[string][]reply{"GET /v1/liveness": {{0, l}}})).run("liveness")
			if got.status != tt.want || got.err != "" {
				t.Errorf("got %+v, want status %d", got, tt.want)
			}
		})
	}
}

func TestLiveness_aDeadOneIsWorseThanAStaleOne(t *testing.T) {
	t.Parallel()
	l := alive(map[string]molecule.Subsystem{
		"a": subsystem(molecule.SubsystemStale), "b": subsystem(molecule.SubsystemFailed), "c": subsystem(molecule.SubsystemStuck),
	})
	if got := livenessExit(l); got != wire.ExitDead {
		t.Errorf("got %d, want 11", got)
	}
}

func TestLiveness_showsEverySubsystemThenAgentsThenSchedules(t *testing.T) {
	t.Parallel()
	stuck := subsystem(molecule.SubsystemStuck)
	stuck.BlockedIn, stuck.Restarts = "sqlite.(*DB).ClaimDue", 2
	never := subsystem(molecule.SubsystemStarting)
	never.LastTickAt, never.SecondsAgo, never.WithinGrace, never.Optional = nil, nil, true, true
	l := alive(map[string]molecule.Subsystem{"scheduler": stuck, "event-relay": never, "dispatcher": subsystem(molecule.SubsystemHealthy)})
	d := newDaemon(t, map[string][]reply{"GET /v1/liveness": {{0, l}}})
	tests := []struct {
		name string
		hand hand
		want string
	}{
		{"terminal", newHand(t, d).plain(120), "" +
			"SUBSYSTEM    STATE                  LAST TICK  PROMISE    RESTARTS  LAST ERROR\n" +
			"dispatcher   ✓ healthy              12s ago    every 30s  0\n" +
			"event-relay  … starting (optional)  never      every 30s  0\n" +
			"scheduler    ! stuck                12s ago    every 30s  2         blocked in sqlite.(*DB).ClaimDue\n" +
			"agents     2 online, 0 suspect, 1 offline, 4 paused\n" +
			"schedules  3 on time, 0 late, 1 failing, 0 paused, 0 in error\n"},
		{"pipe", newHand(t, d), "" +
			"dispatcher\thealthy\t2026-04-14T11:59:48Z\tevery 30s\t0\t\n" +
			"event-relay\tstarting (optional)\tnever\tevery 30s\t0\t\n" +
			"scheduler\tstuck\t2026-04-14T11:59:48Z\tevery 30s\t2\tblocked in sqlite.(*DB).ClaimDue\n" +
			"agents\t2 online, 0 suspect, 1 offline, 4 paused\n" +
			"schedules\t3 on time, 0 late, 1 failing, 0 paused, 0 in error\n"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.hand.run("liveness").out, tt.want); diff != "" {
			t.Errorf("%s: got, want:\n%s", tt.name, diff)
		}
	}
}

func TestLiveness_namedSubsystemsOnly(t *testing.T) {
	t.Parallel()
	l := alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemStale), "dispatcher": subsystem(molecule.SubsystemHealthy)})
	d := newDaemon(t, map[string][]reply{"GET /v1/liveness": {{0, l}}})
	tests := []struct {
		args   []string
		status int
		out    string
		err    string
	}{
		{[]string{"dispatcher"}, 0, "dispatcher\n", ""},
		{[]string{"scheduler", "dispatcher"}, 10, "dispatcher\nscheduler\n", ""},
		{[]string{"schedular"}, 3, "", "✗ there is no subsystem \"schedular\"\ntry: molecli liveness scheduler\n"},
	}
	for _, tt := range tests {
		got := newHand(t, d).run(append([]string{"liveness", "-o", "name"}, tt.args...)...)
		if diff := cmp.Diff(got, result{tt.status, tt.out, tt.err}, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%q: got, want:\n%s", tt.args, diff)
		}
	}
}

func TestLiveness_jsonIsTheBodyOfTheDaemon(t *testing.T) {
	t.Parallel()
	l := alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemHealthy)})
	got := newHand(t, newDaemon(t, map[string][]reply{"GET /v1/liveness": {{0, l}}})).run("liveness", "-o", "json")
	var back molecule.Liveness
	if err := json.Unmarshal([]byte(got.out), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(back, l); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestLiveness_waitsUntilAllIsWell(t *testing.T) {
	t.Parallel()
	bad := alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemStale)})
	good := alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemHealthy)})
	begun := alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemStarting)})
	tests := []struct {
		name    string
		answers []reply
		wait    string
		want    int
	}{
		{"it gets well", []reply{{0, bad}, refusal(molecule.Unavailable, "starting", ""), {0, good}}, "20s", 0},
		{"it does not", []reply{{0, bad}}, "300ms", 10},
		{"it begins", []reply{{0, begun}, {0, bad}, {0, good}}, "20s", 0}, // who stops at the first answer has seen nothing work
		{"it never begins", []reply{{0, begun}}, "300ms", 10},
		{"it is not ours to ask", []reply{refusal(molecule.Forbidden, "no", "")}, "20s", 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := newHand(t, newDaemon(t, map[string][]reply{"GET /v1/liveness": tt.answers})).run("liveness", "--wait", tt.wait)
			if got.status != tt.want {
				t.Errorf("got %+v, want status %d", got, tt.want)
			}
			if tt.name == "it begins" && !strings.Contains(got.out, "healthy") {
				t.Errorf("it was shown before it had begun: %s", got.out)
			}
		})
	}
}

func TestLiveness_waitToleratesADaemonThatIsNotUpYet(t *testing.T) {
	t.Parallel()
	h := newHand(t, nil)
	dir := filepath.Join(t.TempDir(), "moleculed")
	h.env["XDG_RUNTIME_DIR"] = filepath.Dir(dir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := h.run("liveness", "--wait", "250ms", "--endpoint", "unix://"+dir+"/moleculed.sock"); got.status != wire.ExitUnreachable {
		t.Errorf("without a daemon: got %+v, want status 6", got)
	}

	done := make(chan result)
	go func() { done <- h.run("liveness", "--wait", "20s", "-v") }()
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(dir, "moleculed.sock"))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		write(w, reply{0, alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemHealthy)})})
	}))
	srv.Listener = l
	srv.Start()
	t.Cleanup(srv.Close)
	if got := <-done; got.status != 0 || !strings.Contains(got.out, "scheduler\thealthy") {
		t.Errorf("with a daemon that came late: got %+v", got)
	}
}

func TestLiveness_dumpPrintsStacks(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"GET /v1/subsystems/scheduler/dump": {{0, "goroutine 7 [select]:\nmain.x()\n"}}})
	got := newHand(t, d).run("liveness", "dump", "scheduler")
	if diff := cmp.Diff(got, result{0, "goroutine 7 [select]:\nmain.x()\n", ""}, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestLiveness_watchShowsFramesUntilInterrupted(t *testing.T) {
	t.Parallel()
	frame := alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemHealthy)})
	for _, args := range [][]string{nil, {"-o", "json"}} {
		ctx, cancel := context.WithCancel(t.Context())
		d := newDaemon(t, map[string][]reply{"GET /v1/liveness": {{0, frame}}})
		h := newHand(t, d)
		h.onWrite = cancel // the first frame is enough
		got := h.runUntil(ctx, append([]string{"liveness", "--watch"}, args...)...)
		if got.status != wire.ExitInterrupted || !strings.Contains(got.out, "scheduler") || strings.Contains(got.out, "\x1b") {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}
