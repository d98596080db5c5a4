package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// services answers every question with what its fields say, and panics where a
// test did not expect to be asked.
type services struct {
	molecule.AgentService
	molecule.ScheduleService
	molecule.RunService
	molecule.EventService
	molecule.AuditService
	molecule.TokenService
	molecule.SecretService
	molecule.LivenessService
	molecule.StatusService

	create func(a *molecule.Agent) error
	prompt func(s *molecule.Schedule) error
	list   func(f molecule.RunFilter) (molecule.Page[molecule.Run], error)
	wait   func(ctx context.Context) error
	events func(ctx context.Context, f molecule.EventFilter) iter.Seq2[molecule.Event, error]
}

func (s services) CreateAgent(_ context.Context, a *molecule.Agent) error        { return s.create(a) }
func (s services) CreateSchedule(_ context.Context, in *molecule.Schedule) error { return s.prompt(in) }
func (s services) Runs(_ context.Context, f molecule.RunFilter) (molecule.Page[molecule.Run], error) {
	return s.list(f)
}
func (s services) Run(_ context.Context, ref string) (molecule.Run, error) {
	return molecule.Run{ID: ref, State: molecule.RunStarted}, nil
}
func (s services) WaitRun(ctx context.Context, ref string) (molecule.Run, error) {
	return molecule.Run{ID: ref}, s.wait(ctx)
}
func (s services) Events(_ context.Context, f molecule.EventFilter) (page molecule.Page[molecule.Event], err error) {
	if f.After < 3 {
		err = molecule.Errorf(molecule.Gone, "events are no longer kept")
	}
	return page, err
}
func (s services) WatchEvents(ctx context.Context, f molecule.EventFilter) iter.Seq2[molecule.Event, error] {
	return s.events(ctx, f)
}
func (s services) Liveness(context.Context) (molecule.Liveness, error) {
	return molecule.Liveness{Healthy: true, Subsystems: map[string]molecule.Subsystem{"scheduler": {State: molecule.SubsystemStuck}}}, nil
}
func (s services) NextSlots(_ context.Context, _ string, n int) ([]time.Time, error) {
	return make([]time.Time, n), nil
}

// caller is the header by which a test says who is asking: a list of scopes.
const caller = "X-Test-Scopes"

// stale is the header by which a test says that it proved itself long ago.
const stale = "X-Test-Stale"

// byHeader authenticates whoever sends the caller header.
type byHeader struct{}

// Authenticate implements Authenticator.
func (byHeader) Authenticate(r *http.Request) (molecule.Principal, error) {
	scopes, ok := r.Header[caller]
	if !ok {
		return molecule.Principal{}, molecule.Errorf(molecule.Unauthenticated, "a valid token is needed")
	}
	p := molecule.Principal{Name: "token:test", Fresh: r.Header.Get(stale) == ""}
	for _, s := range scopes {
		p.Scopes = append(p.Scopes, molecule.Scope(s))
	}
	return p, nil
}

// Source implements Authenticator.
func (byHeader) Source(*http.Request) string { return "socket" }

// removed is the header by which a test says that it is an agent that was
// removed.
const removed = "X-Test-Removed"

// Departed implements Authenticator.
func (byHeader) Departed(r *http.Request) (molecule.Principal, bool) {
	id := r.Header.Get(removed)
	return molecule.Principal{Name: "token:gone", AgentID: id}, id != ""
}

// AdmitNobody implements Authenticator.
func (byHeader) AdmitNobody(*http.Request) error { return nil }

// face is the API with fake services.
type face struct {
	http.Handler
	log     *bytes.Buffer
	refused *[]molecule.AuditRow // what was noted in the audit trail
	server  *Server
}

func newFace(s services, change ...func(*Deps)) face {
	log := new(bytes.Buffer)
	var refused []molecule.AuditRow
	d := Deps{
		Agents: s, Schedules: s, Runs: s, Events: s, Liveness: s, Status: s,
		Audit: s, Tokens: s, Secrets: s,
		Refused: func(_ context.Context, row molecule.AuditRow) error {
			refused = append(refused, row)
			return nil
		},
		Ready:   func() []string { return nil },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
		Auth:    byHeader{}, Guard: func(next http.Handler) http.Handler { return next },
		NotFound: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, wire.NotFoundBody)
		},
		Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	for _, c := range change {
		c(&d)
	}
	return face{Handler: New(d), log: log, refused: &refused, server: &Server{Deps: d}}
}

// ask sends one request; scopes nil is nobody.
func (f face) ask(method, target, body string, scopes ...molecule.Scope) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for _, s := range scopes {
		r.Header.Add(caller, string(s))
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// wantError checks the envelope of an answer.
func wantError(t *testing.T, w *httptest.ResponseRecorder, code molecule.Code, says string) {
	t.Helper()
	var got wire.ErrorBody
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("no envelope: %v\n%s", err, w.Body)
	}
	if w.Code != wire.Status(code) || got.Error.Code != code.String() || !strings.Contains(got.Error.Message, says) {
		t.Errorf("got %d %+v, want %s with %q", w.Code, got.Error, code, says)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("content type is %q", got)
	}
}

// example fills the wildcards of a route.
func example(path string) string {
	return strings.NewReplacer("{ref}", "some-ref", "{name}", "scheduler").Replace(path)
}

func TestRoutes_areClosedToNobodyAndToWhoLacksTheScope(t *testing.T) {
	t.Parallel()
	f := newFace(services{})
	openPaths := map[string]bool{wire.PathHealth: true, wire.PathMetrics: true, wire.PathReady: true}
	for _, rt := range f.server.routes() {
		t.Run(rt.method+" "+rt.path, func(t *testing.T) {
			if rt.policy.open != openPaths[rt.path] {
				t.Fatalf("open is %v", rt.policy.open)
			}
			if rt.policy.open {
				if w := f.ask(rt.method, rt.path, ""); w.Code != http.StatusOK {
					t.Errorf("nobody gets %d %s", w.Code, w.Body)
				}
				return
			}
			if rt.policy.scope == "" && !rt.policy.known {
				t.Fatal("it declares no policy")
			}
			w := f.ask(rt.method, example(rt.path), "")
			wantError(t, w, molecule.Unauthenticated, "token")
			if got := w.Header().Get("WWW-Authenticate"); got != "Bearer" {
				t.Errorf("WWW-Authenticate is %q", got)
			}
			if rt.policy.known {
				return
			}
			for _, s := range molecule.Scopes() {
				if s != rt.policy.scope && s != molecule.ScopeAdmin {
					wantError(t, f.ask(rt.method, example(rt.path), "", s), molecule.Forbidden, string(rt.policy.scope))
				}
			}
			if rt.policy.fresh {
				r := httptest.NewRequest(rt.method, example(rt.path), nil)
				r.Header.Set(caller, string(rt.policy.scope))
				r.Header.Set(stale, "yes")
				w := httptest.NewRecorder()
				f.ServeHTTP(w, r)
				wantError(t, w, molecule.Forbidden, "older than 15m")
			}
			reads := strings.HasSuffix(string(rt.policy.scope), ":read")
			if rt.method != http.MethodGet && reads {
				t.Errorf("a %s needs only %s", rt.method, rt.policy.scope)
			}
		})
	}
}

func TestRouter_whatIsNoRouteIsTheOrdinaryNotFound(t *testing.T) {
	t.Parallel()
	f := newFace(services{})
	for _, target := range []string{
		"GET /", "GET /v1", "GET /v1/agents/", "GET //v1/agents", "GET /v1/../v1/agents", "GET /v1/agents/a/b",
		"PUT /v1/agents", "DELETE /v1/runs/x", "POST /health", "OPTIONS /v1/agents", "TRACE /v1/agents", "GET /V1/agents",
		"GET /debug/pprof/",
	} {
		method, path, _ := strings.Cut(target, " ")
		w := f.ask(method, path, "", molecule.ScopeAdmin)
		if w.Code != http.StatusNotFound || w.Body.String() != wire.NotFoundBody {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestChain_nothingThatCouldAnswerStandsBeforeTheGuard(t *testing.T) {
	t.Parallel()
	var met []string
	s := &Server{Deps: Deps{Guard: func(next http.Handler) http.Handler { return next }, Log: slog.New(slog.DiscardHandler)}}
	for _, l := range s.layers() {
		met = append(met, l.name)
	}
	if diff := cmp.Diff([]string{"recover", "request id", "security headers", "guard", "limits"}, met); diff != "" {
		t.Errorf("the order (-want +got):\n%s", diff)
	}
	// And the chain keeps to it: who stands before the guard has not looked at
	// the body, and who stands behind it is not reached when it refuses.
	s.Guard = func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if w.Header().Get(wire.HeaderRequestID) == "" || w.Header().Get("X-Content-Type-Options") == "" {
				t.Error("the guard answers before the answer is marked")
			}
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil || n != 2*wire.MaxBodyBytes {
				t.Errorf("the body is bounded before the guard: %d bytes, %v", n, err)
			}
			panic("the guard is broken")
		})
	}
	w := httptest.NewRecorder()
	s.chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the router was reached past the guard") })).
		ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/agents", strings.NewReader(strings.Repeat("x", 2*wire.MaxBodyBytes))))
	if w.Code != http.StatusInternalServerError {
		t.Errorf("a guard that panics is answered with %d", w.Code)
	}
}

func TestChain_everyAnswerIsMarked(t *testing.T) {
	t.Parallel()
	f := newFace(services{})
	tests := []struct {
		name, sent string
		kept       bool
	}{
		{"none sent", "", false},
		{"a sane one", "abc-123", true},
		{"one too long", strings.Repeat("x", 65), false},
		{"one with a blank", "a b", false},
		{"one with a line break", "a\u0001b", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/health", nil)
		r.Header.Set(wire.HeaderRequestID, tt.sent)
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if got := w.Header().Get(wire.HeaderRequestID); got == "" || (got == tt.sent) != tt.kept {
			t.Errorf("%s: the request id is %q", tt.name, got)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", tt.name, name, got, want)
			}
		}
	}
}

func TestDecode_refusesBodiesThatAreNotOneKnownValue(t *testing.T) {
	t.Parallel()
	asked := false
	f := newFace(services{create: func(*molecule.Agent) error { asked = true; return nil }})
	tests := []struct {
		name, body string
		code       molecule.Code
		says       string
	}{
		{"nothing", "", molecule.Invalid, "EOF"},
		{"no JSON", "{", molecule.Invalid, "unexpected EOF"},
		{"a list", "[]", molecule.Invalid, "must be a"},
		{"an unknown field", `{"nam":"a"}`, molecule.Invalid, `unknown field "nam"`},
		{"a wrong type", `{"name":7}`, molecule.Invalid, `field "name" must be a string, not a number`},
		{"two values", `{} {}`, molecule.Invalid, "more than one JSON value"},
		{"too much", `{"name":"` + strings.Repeat("x", wire.MaxBodyBytes) + `"}`, molecule.TooLarge, "1048576 bytes"},
	}
	for _, tt := range tests {
		wantError(t, f.ask(http.MethodPost, wire.PathAgents, tt.body, molecule.ScopeAgentsWrite), tt.code, tt.says)
	}
	if asked {
		t.Error("a service was asked to store one of them")
	}
}

func TestQuery_refusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	var got molecule.RunFilter
	f := newFace(services{list: func(f molecule.RunFilter) (molecule.Page[molecule.Run], error) {
		got = f
		return molecule.Page[molecule.Run]{}, nil
	}})
	bad := map[string]string{
		"scheduel=a":  `"scheduel" is not known`,
		"limit=many":  "limit must be a whole number",
		"limit=-1":    "limit must be a whole number",
		"open=maybe":  "open must be true or false",
		"schedule=%z": "query string is not valid",
	}
	for q, says := range bad {
		wantError(t, f.ask(http.MethodGet, wire.PathRuns+"?"+q, "", molecule.ScopeSchedulesRead), molecule.Invalid, says)
	}
	w := f.ask(http.MethodGet, wire.PathRuns+"?schedule=a&agent=b&outcome=ok&open=true&limit=99999999999&cursor=c", "", molecule.ScopeSchedulesRead)
	want := molecule.RunFilter{Schedule: "a", Agent: "b", Outcome: molecule.OutcomeOK, Open: true, Limit: molecule.MaxLimit, Cursor: "c"}
	if diff := cmp.Diff(got, want); w.Code != http.StatusOK || diff != "" {
		t.Errorf("%d, filter (-got +want):\n%s", w.Code, diff)
	}
	if w.Body.String() != `{"items":[]}`+"\n" {
		t.Errorf("an empty page is %s", w.Body)
	}
	for _, n := range []string{"", "?n=0", "?n=3"} {
		w := f.ask(http.MethodGet, wire.PathSchedules+"/a/next"+n, "", molecule.ScopeSchedulesRead)
		if strings.Count(w.Body.String(), "0001-01-01") != 3 {
			t.Errorf("next%s: %s", n, w.Body)
		}
	}
}

func TestErrors_tellWhatIsTheirsAndHideWhatIsOurs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		code   molecule.Code
		says   string
		logged bool
	}{
		{"a conflict", molecule.Errorf(molecule.Conflict, "agent %q exists already", "a"), molecule.Conflict, "exists already", false},
		{"wrapped", fmt.Errorf("create agent: %w", molecule.Errorf(molecule.Invalid, "bad name")), molecule.Invalid, "bad name", false},
		{"of the store", molecule.Errorf(molecule.Unavailable, "the store is locked"), molecule.Unavailable, "the store is locked", true},
		{"nobody's", fmt.Errorf("secret detail"), molecule.Internal, "internal error", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFace(services{create: func(*molecule.Agent) error { return tt.err }})
			w := f.ask(http.MethodPost, wire.PathAgents, "{}", molecule.ScopeAgentsWrite)
			wantError(t, w, tt.code, tt.says)
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("the answer tells a detail: %s", w.Body)
			}
			id := w.Header().Get(wire.HeaderRequestID)
			if got := strings.Contains(f.log.String(), id); got != tt.logged {
				t.Errorf("logged is %v, want %v:\n%s", got, tt.logged, f.log)
			}
		})
	}
}

func TestRecoverPanic_answersAndGoesOn(t *testing.T) {
	t.Parallel()
	f := newFace(services{create: func(*molecule.Agent) error { panic("injected") }})
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+wire.PathAgents, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(caller, string(molecule.ScopeAdmin))
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusInternalServerError || strings.Contains(string(body), "injected") {
			t.Errorf("%d %s, %v", res.StatusCode, body, err)
		}
	}
	if !strings.Contains(f.log.String(), "injected") || !strings.Contains(f.log.String(), "api_test.go") {
		t.Errorf("the log lacks the panic and its stack:\n%s", f.log)
	}
}

func TestReady_tellsWhoMayReadWhatIsMissing(t *testing.T) {
	t.Parallel()
	f := newFace(services{}, func(d *Deps) { d.Ready = func() []string { return []string{"scheduler"} } })
	if w := f.ask(http.MethodGet, wire.PathReady, ""); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "scheduler") {
		t.Errorf("nobody is told %d %s", w.Code, w.Body)
	}
	if w := f.ask(http.MethodGet, wire.PathReady, "", molecule.ScopeLivenessRead); !strings.Contains(w.Body.String(), `"subsystems":["scheduler"]`) {
		t.Errorf("a reader is told %s", w.Body)
	}
	if w := f.ask(http.MethodGet, wire.PathHealth+"?verbose", ""); w.Body.String() != healthBody {
		t.Errorf("nobody is told %s", w.Body)
	}
	if w := f.ask(http.MethodGet, wire.PathHealth+"?verbose", "", molecule.ScopeLivenessRead); !strings.Contains(w.Body.String(), "stuck") {
		t.Errorf("a reader is told %s", w.Body)
	}
	if w := f.ask(http.MethodGet, wire.PathSchedulerHealth, "", molecule.ScopeLivenessRead); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a stuck scheduler is %d %s", w.Code, w.Body)
	}
}

func TestRun_waitsAndAnswersAllTheSame(t *testing.T) {
	t.Parallel()
	waited := time.Duration(0)
	f := newFace(services{wait: func(ctx context.Context) error {
		end, _ := ctx.Deadline()
		waited = time.Until(end)
		return molecule.Errorf(molecule.Timeout, "not yet")
	}})
	w := f.ask(http.MethodGet, wire.PathRuns+"/x?wait=1h", "", molecule.ScopeSchedulesRead)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"state":"started"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if waited <= 0 || waited > wire.MaxRunWait {
		t.Errorf("it waits %v, at most %v is allowed", waited, wire.MaxRunWait)
	}
	wantError(t, f.ask(http.MethodGet, wire.PathRuns+"/x?wait=soon", "", molecule.ScopeSchedulesRead), molecule.Invalid, "wait must be a duration")
}

func TestEvents_streamFromWhereTheReaderLeft(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []int64
	f := newFace(services{events: func(ctx context.Context, f molecule.EventFilter) iter.Seq2[molecule.Event, error] {
		mu.Lock()
		asked = append(asked, f.After)
		mu.Unlock()
		return func(yield func(molecule.Event, error) bool) {
			e := molecule.Event{ID: f.After + 1, Type: molecule.EventAgentCreated, Subject: "agent/a", Data: json.RawMessage(`{"a":1}`)}
			if yield(e, nil) {
				yield(molecule.Event{}, molecule.Errorf(molecule.Unavailable, "too slow"))
			}
		}
	}})
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	tests := []struct {
		name, query, last string
		want              string
	}{
		{"from the query", "?after=4&type=agent.", "", "id: 5\nevent: agent.created\ndata: "},
		{"from the header, which is newer", "?after=4", "9", "id: 10\nevent: agent.created\ndata: "},
		{"a header that is no id", "", "x", `"code":"invalid"`},
		{"behind what was pruned", "?after=2", "", `"code":"gone"`},
	}
	for _, tt := range tests {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+wire.PathEvents+tt.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", wire.TypeSSE)
		r.Header.Set(caller, string(molecule.ScopeAdmin))
		if tt.last != "" {
			r.Header.Set(wire.HeaderLastEventID, tt.last)
		}
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(body), tt.want) {
			t.Errorf("%s: %v\n%s", tt.name, err, body)
		}
	}
	if diff := cmp.Diff(asked, []int64{4, 9}); diff != "" {
		t.Errorf("asked behind (-got +want):\n%s", diff)
	}
}

func TestEvents_endWhenTheTokenOfTheReaderDoes(t *testing.T) {
	t.Parallel()
	changed := make(chan struct{}) // closed once, below
	var revoked atomic.Bool
	f := newFace(services{events: func(ctx context.Context, _ molecule.EventFilter) iter.Seq2[molecule.Event, error] {
		return func(func(molecule.Event, error) bool) { <-ctx.Done() }
	}}, func(d *Deps) {
		d.TokensChanged = func() <-chan struct{} {
			if revoked.Load() {
				return nil
			}
			return changed
		}
		d.Auth = revocable{&revoked}
	})
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+wire.PathEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", wire.TypeSSE)
	r.Header.Set(caller, string(molecule.ScopeAdmin))
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the stream is answered %s", res.Status)
	}
	revoked.Store(true)
	close(changed)
	if _, err := io.ReadAll(res.Body); err != nil { // it ends, or the test's time does
		t.Errorf("the stream ended with %v", err)
	}
}

// revocable authenticates until the token is revoked.
type revocable struct{ revoked *atomic.Bool }

// Authenticate implements Authenticator.
func (a revocable) Authenticate(r *http.Request) (molecule.Principal, error) {
	if a.revoked.Load() {
		return molecule.Principal{}, molecule.Errorf(molecule.Unauthenticated, "a valid token is needed")
	}
	return byHeader{}.Authenticate(r)
}

// Departed implements Authenticator.
func (revocable) Departed(r *http.Request) (molecule.Principal, bool) { return byHeader{}.Departed(r) }

// AdmitNobody implements Authenticator.
func (revocable) AdmitNobody(*http.Request) error { return nil }

// Source implements Authenticator.
func (revocable) Source(*http.Request) string { return "socket" }

func TestServe_isObservedByRouteAndStatus(t *testing.T) {
	t.Parallel()
	var seen []string
	f := newFace(services{create: func(*molecule.Agent) error { return nil }}, func(d *Deps) {
		d.Observe = func(route string, status int, _ float64) { seen = append(seen, fmt.Sprintf("%s %d", route, status)) }
	})
	f.ask(http.MethodPost, wire.PathAgents, "{}", molecule.ScopeAgentsWrite)
	f.ask(http.MethodGet, wire.PathAgents+"/some-ref", "")
	f.ask(http.MethodGet, "/no/such/path", "")
	if diff := cmp.Diff(seen, []string{"POST /v1/agents 201", "GET /v1/agents/{ref} 401"}); diff != "" {
		t.Errorf("observed (-got +want):\n%s", diff)
	}
}
