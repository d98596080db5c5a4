package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// serve starts a server and returns a client of it.
func serve(tb testing.TB, o Options, h http.HandlerFunc) *Client {
	tb.Helper()
	srv := httptest.NewServer(h)
	tb.Cleanup(srv.Close)
	o.Endpoint = srv.URL
	return open(tb, o)
}

func open(tb testing.TB, o Options) *Client {
	tb.Helper()
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.http.CloseIdleConnections)
	return c
}

// serveSocket starts a server on a unix socket and returns the socket's path.
func serveSocket(tb testing.TB, h http.HandlerFunc) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "moleculed.sock")
	l, err := new(net.ListenConfig).Listen(tb.Context(), "unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.Listener = l
	srv.Start()
	tb.Cleanup(srv.Close)
	return path
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", wire.TypeJSON)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the reader may be gone
}

// seen is one request as it arrived.
type seen struct {
	Method, Path, Query, Body string
}

func TestClient_asksForExactlyWhatItIsToldTo(t *testing.T) {
	t.Parallel()
	name, n := "new", 4
	tests := []struct {
		name string
		call func(context.Context, *Client) error
		want seen
	}{
		{"agents", func(ctx context.Context, c *Client) error {
			_, err := c.Agents(ctx, molecule.AgentFilter{Kind: molecule.AgentExec, State: molecule.AgentOnline, Limit: 5, Cursor: "x&y"})
			return err
		}, seen{"GET", "/v1/agents", "cursor=x%26y&kind=exec&limit=5&state=online", ""}},
		{"agent with a name that needs escaping", func(ctx context.Context, c *Client) error {
			_, err := c.Agent(ctx, "a/b?c")
			return err
		}, seen{"GET", "/v1/agents/a%2Fb%3Fc", "", ""}},
		{"update agent", func(ctx context.Context, c *Client) error {
			_, err := c.UpdateAgent(ctx, "echo", molecule.AgentUpdate{Name: &name, MaxConcurrent: &n})
			return err
		}, seen{"PATCH", "/v1/agents/echo", "", `{"name":"new","max_concurrent_tasks":4}`}},
		{"remove agent", func(ctx context.Context, c *Client) error { return c.RemoveAgent(ctx, "echo") },
			seen{"DELETE", "/v1/agents/echo", "", ""}},
		{"schedules", func(ctx context.Context, c *Client) error {
			_, err := c.Schedules(ctx, molecule.ScheduleFilter{Agent: "echo", State: molecule.SchedulePaused})
			return err
		}, seen{"GET", "/v1/schedules", "agent=echo&state=paused", ""}},
		{"schedule", func(ctx context.Context, c *Client) error { _, err := c.Schedule(ctx, "hello"); return err },
			seen{"GET", "/v1/schedules/hello", "", ""}},
		{"update schedule", func(ctx context.Context, c *Client) error {
			_, err := c.UpdateSchedule(ctx, "hello", molecule.ScheduleUpdate{Cron: &name})
			return err
		}, seen{"PATCH", "/v1/schedules/hello", "", `{"cron":"new"}`}},
		{"pause", func(ctx context.Context, c *Client) error { _, err := c.PauseSchedule(ctx, "hello"); return err },
			seen{"POST", "/v1/schedules/hello/pause", "", ""}},
		{"resume", func(ctx context.Context, c *Client) error { _, err := c.ResumeSchedule(ctx, "hello"); return err },
			seen{"POST", "/v1/schedules/hello/resume", "", ""}},
		{"trigger", func(ctx context.Context, c *Client) error { _, err := c.TriggerSchedule(ctx, "hello"); return err },
			seen{"POST", "/v1/schedules/hello/runs", "", ""}},
		{"next slots", func(ctx context.Context, c *Client) error { _, err := c.NextSlots(ctx, "hello", 3); return err },
			seen{"GET", "/v1/schedules/hello/next", "n=3", ""}},
		{"remove schedule", func(ctx context.Context, c *Client) error { return c.RemoveSchedule(ctx, "hello") },
			seen{"DELETE", "/v1/schedules/hello", "", ""}},
		{"start run", func(ctx context.Context, c *Client) error {
			_, err := c.StartRun(ctx, molecule.NewRun{Agent: "echo", Prompt: "hi", Timeout: molecule.Duration(time.Minute)})
			return err
		}, seen{"POST", "/v1/runs", "", `{"agent":"echo","prompt":"hi","timeout":"1m"}`}},
		{"incidents", func(ctx context.Context, c *Client) error {
			_, err := c.Incidents(ctx, molecule.IncidentFilter{All: true, Kind: "subsystem", Subject: "schedule/", Limit: 3, Cursor: "x"})
			return err
		}, seen{"GET", "/v1/incidents", "all=true&cursor=x&kind=subsystem&limit=3&subject=schedule%2F", ""}},
		{"incident", func(ctx context.Context, c *Client) error { _, err := c.Incident(ctx, "i1"); return err },
			seen{"GET", "/v1/incidents/i1", "", ""}},
		{"ack", func(ctx context.Context, c *Client) error { _, err := c.AckIncident(ctx, "i1"); return err },
			seen{"POST", "/v1/incidents/i1/ack", "", ""}},
		{"runs", func(ctx context.Context, c *Client) error {
			_, err := c.Runs(ctx, molecule.RunFilter{Schedule: "hello", Agent: "echo", Outcome: molecule.OutcomeOK, Open: true})
			return err
		}, seen{"GET", "/v1/runs", "agent=echo&open=true&outcome=ok&schedule=hello", ""}},
		{"run", func(ctx context.Context, c *Client) error { _, err := c.Run(ctx, "r1"); return err },
			seen{"GET", "/v1/runs/r1", "", ""}},
		{"events", func(ctx context.Context, c *Client) error {
			_, err := c.Events(ctx, molecule.EventFilter{After: 7, Types: []string{"run.", "agent.created"}, Subject: "run/", Limit: 9})
			return err
		}, seen{"GET", "/v1/events", "after=7&limit=9&subject=run%2F&type=run.&type=agent.created", ""}},
		{"last event", func(ctx context.Context, c *Client) error { _, err := c.LastEventID(ctx); return err },
			seen{"GET", "/v1/events/last", "", ""}},
		{"liveness", func(ctx context.Context, c *Client) error { _, err := c.Liveness(ctx); return err },
			seen{"GET", "/v1/liveness", "", ""}},
		{"dump", func(ctx context.Context, c *Client) error { _, err := c.SubsystemDump(ctx, "scheduler"); return err },
			seen{"GET", "/v1/subsystems/scheduler/dump", "", ""}},
		{"status", func(ctx context.Context, c *Client) error { _, err := c.Status(ctx); return err },
			seen{"GET", "/v1/status", "", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			requests := make(chan seen, 1) // the one request of the call
			c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				requests <- seen{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body)}
				answer(w, http.StatusOK, struct{}{})
			})
			if err := tt.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(<-requests, tt.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestClient_createFillsInWhatTheDaemonDecided(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wire.PathAgents {
			answer(w, http.StatusCreated, molecule.Agent{ID: "a1", Name: "echo", State: molecule.AgentOnline})
			return
		}
		answer(w, http.StatusCreated, molecule.Schedule{ID: "s1", Name: "hello", TZ: "UTC"})
	})
	agent := molecule.Agent{Name: "echo"}
	if err := c.CreateAgent(t.Context(), &agent); err != nil {
		t.Fatal(err)
	}
	sched := molecule.Schedule{Name: "hello"}
	if err := c.CreateSchedule(t.Context(), &sched); err != nil {
		t.Fatal(err)
	}
	got := []string{agent.ID, string(agent.State), sched.ID, sched.TZ}
	if diff := cmp.Diff(got, []string{"a1", "online", "s1", "UTC"}); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestClient_saysWhoItIs(t *testing.T) {
	t.Parallel()
	type who struct{ Org, Auth string }
	heard := make(chan who, 1) // one request at a time
	h := func(w http.ResponseWriter, r *http.Request) {
		heard <- who{r.Header.Get(wire.HeaderOrgID), r.Header.Get("Authorization")}
		answer(w, http.StatusOK, molecule.Status{})
	}
	o := Options{Org: "acme", Token: molecule.NewSecret("mol_op_x")}
	tcp := serve(t, o, h)
	o.Endpoint = "unix://" + serveSocket(t, h)
	socket := open(t, o)
	tests := []struct {
		name   string
		client *Client
		want   who
	}{
		{"tcp", tcp, who{"acme", "Bearer mol_op_x"}},
		{"a socket needs no token", socket, who{"acme", ""}},
	}
	for _, tt := range tests {
		if _, err := tt.client.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(<-heard, tt.want); diff != "" {
			t.Errorf("%s: got, want:\n%s", tt.name, diff)
		}
	}
}

func TestClient_errorsComeOutAsTheyWentIn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
		want   molecule.Error
	}{
		{"coded", 409, `{"error":{"code":"conflict","message":"agent echo exists","hint":"choose another"}}`,
			molecule.Error{Code: molecule.Conflict, Message: "agent echo exists", Hint: "choose another"}},
		{"code that shares its status", 400, `{"error":{"code":"unsafe_url","message":"no"}}`,
			molecule.Error{Code: molecule.UnsafeURL, Message: "no"}},
		{"internal", 500, `{"error":{"code":"internal","message":"internal error"}}`,
			molecule.Error{Code: molecule.Internal, Message: "internal error"}},
		{"a proxy's page", 503, "<html>busy</html>",
			molecule.Error{Code: molecule.Unavailable, Message: "the server answered 503 Service Unavailable", Hint: "what it said: <html>busy</html>"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body) // the reader may be gone
			})
			_, err := c.Agent(t.Context(), "echo")
			got, ok := errors.AsType[*molecule.Error](err)
			if !ok {
				t.Fatalf("got %v, want a coded error", err)
			}
			if diff := cmp.Diff(*got, tt.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
			if _, absent := errors.AsType[*Unreachable](err); absent {
				t.Error("somebody answered, yet it is called unreachable")
			}
		})
	}
}

func TestClient_tellsAbsenceFromRefusal(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, endpoint := range []string{"unix://" + filepath.Join(t.TempDir(), "none.sock"), gone.URL} {
		_, err := open(t, Options{Endpoint: endpoint}).Status(t.Context())
		if _, ok := errors.AsType[*Unreachable](err); !ok {
			t.Errorf("%s: got %v, want unreachable", endpoint, err)
		}
		if got := molecule.CodeOf(err); got != molecule.Unavailable {
			t.Errorf("%s: code %s, want unavailable", endpoint, got)
		}
		if !strings.Contains(err.Error(), endpoint) {
			t.Errorf("%q does not say where", err)
		}
	}
}

func TestClient_timeoutBoundsOneRequest(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{Timeout: 20 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	_, err := c.Status(t.Context())
	if got := molecule.CodeOf(err); got != molecule.Timeout {
		t.Errorf("got %v (%s), want a timeout", err, got)
	}
}

func TestClient_refusesWhatIsNoAnswer(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>hello</html>") // the reader may be gone
	})
	_, err := c.Status(t.Context())
	if got := molecule.CodeOf(err); got != molecule.Unavailable {
		t.Errorf("got %v (%s), want unavailable", err, got)
	}
	for _, ref := range []string{"", ".", ".."} {
		if err := c.RemoveAgent(t.Context(), ref); molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("ref %q: got %v, want it refused before it is asked", ref, err)
		}
	}
}

func TestNew_refusesWhatCannotBeRight(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Endpoint: "ftp://x"}, {Endpoint: "nonsense"}, {Endpoint: "unix:///x", Org: "a b"}} {
		if _, err := New(o); molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("%+v: got %v, want it to be invalid", o, err)
		}
	}
}

func TestWaitRun_asksUntilTheRunIsOver(t *testing.T) {
	t.Parallel()
	asked := 0
	c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("wait"); got != wire.MaxRunWait.String() {
			t.Errorf("wait is %q", got)
		}
		run := molecule.Run{ID: "r1", State: molecule.RunStarted}
		if asked++; asked == 3 {
			run.State, run.Outcome = molecule.RunFinished, molecule.OutcomeOK
		}
		answer(w, http.StatusOK, run)
	})
	run, err := c.WaitRun(t.Context(), "r1")
	if err != nil || run.Outcome != molecule.OutcomeOK || asked != 3 {
		t.Errorf("got %+v after %d questions, %v", run, asked, err)
	}
}

func TestWaitRun_endsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, Options{}, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := c.WaitRun(ctx, "r1")
	if got := molecule.CodeOf(err); got != molecule.Timeout {
		t.Errorf("got %v (%s), want a timeout", err, got)
	}
}

func TestWaitRun_passesARefusalOn(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, wire.EncodeError(molecule.Errorf(molecule.NotFound, "no run r1")))
	})
	if _, err := c.WaitRun(t.Context(), "r1"); molecule.CodeOf(err) != molecule.NotFound {
		t.Errorf("got %v, want not found", err)
	}
}
