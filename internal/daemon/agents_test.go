package daemon

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/auth"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// overLoopback returns what asks the face of a daemon as over TCP, without the
// network in between.
func overLoopback(t *testing.T, r *running) func(token, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx := auth.ConnContext(context.Background(), conn)
	return func(token, method, path, body string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
		req.Host = "127.0.0.1"
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		r.handler.ServeHTTP(w, req)
		return w
	}
}

// TestAgents_oneThatAsksTooOftenIsToldToComeBack asks faster than 200 a second for
// as long as the first 2,000 last: some clients take any 429 for final.
func TestAgents_oneThatAsksTooOftenIsToldToComeBack(t *testing.T) {
	t.Parallel()
	r := serve(t, func(cfg *Config) { cfg.Listen = append(cfg.Listen, "http://127.0.0.1:0") })
	admin := molecule.WithPrincipal(t.Context(), molecule.Daemon())
	a := molecule.Agent{Name: "a", Kind: molecule.AgentPoll}
	if err := r.services.agents.CreateAgent(admin, &a); err != nil {
		t.Fatal(err)
	}
	ask := overLoopback(t, r)
	counts := map[int]int{}
	for range 200_000 {
		w := ask(a.Token.Reveal(), http.MethodGet, "/workspaces/"+a.ID+"/state", "")
		counts[w.Code]++
		if w.Code == http.StatusOK {
			continue
		}
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.HasPrefix(w.Body.String(), `{"error":"`) {
			t.Fatalf("it is answered %d %s, Retry-After %q", w.Code, w.Body, w.Header().Get("Retry-After"))
		}
		break
	}
	if counts[http.StatusServiceUnavailable] != 1 || counts[http.StatusOK] < 2000 {
		t.Errorf("statuses: %v", counts)
	}
}

// TestAgents_aFloodOfRegistrationsChangesNothing is 10,000 of them, as fast as
// they go.
func TestAgents_aFloodOfRegistrationsChangesNothing(t *testing.T) {
	t.Parallel()
	r := serve(t, func(cfg *Config) { cfg.Listen = append(cfg.Listen, "http://127.0.0.1:0") })
	last, err := r.relay.LastEventID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := overLoopback(t, r)
	counts := map[int]int{}
	for range 10_000 {
		w := ask("", http.MethodPost, "/registry/register", `{"id":"0199aaaa-0000-7000-8000-000000000001","delivery_mode":"poll","agent_card":{}}`)
		counts[w.Code]++
		if !strings.HasPrefix(w.Body.String(), `{"error":"`) {
			t.Fatalf("answered %d %s", w.Code, w.Body)
		}
	}
	if counts[http.StatusUnauthorized] < 500 || counts[http.StatusUnauthorized]+counts[http.StatusServiceUnavailable] != 10_000 {
		t.Errorf("statuses: %v", counts)
	}
	page, err := r.services.agents.Agents(t.Context(), molecule.AgentFilter{})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("there are %v, %v", page.Items, err)
	}
	events, err := r.relay.Events(t.Context(), molecule.EventFilter{After: last, Types: []string{"agent."}})
	if err != nil || len(events.Items) != 0 {
		t.Errorf("it is told of %v, %v", events.Items, err)
	}
}

func TestAgents_theirTokensOpenNoOtherDoor(t *testing.T) {
	t.Parallel()
	r := serve(t, func(cfg *Config) { cfg.Listen = append(cfg.Listen, "http://127.0.0.1:0") })
	admin := molecule.WithPrincipal(t.Context(), molecule.Daemon())
	a := molecule.Agent{Name: "a", Kind: molecule.AgentPoll}
	if err := r.services.agents.CreateAgent(admin, &a); err != nil {
		t.Fatal(err)
	}
	leave := molecule.Enrolment{Name: "b"}
	if err := r.services.agents.CreateEnrolment(admin, &leave); err != nil {
		t.Fatal(err)
	}
	ask := overLoopback(t, r)
	for _, token := range []string{a.Token.Reveal(), leave.Token.Reveal()} {
		for _, door := range []string{
			"GET /v1/agents", "POST /v1/agents", "GET /v1/agents/a", "DELETE /v1/agents/a", "POST /v1/enrolments", "POST /v1/tokens", "GET /v1/tokens",
			"POST /v1/runs", "GET /v1/schedules", "GET /v1/events", "GET /v1/audit", "GET /v1/liveness", "GET /admin/liveness",
		} {
			method, path, _ := strings.Cut(door, " ")
			if w := ask(token, method, path, "{}"); w.Code != http.StatusForbidden {
				t.Errorf("%s with %.9s…: %d %s", door, token, w.Code, w.Body)
			}
		}
	}
}
