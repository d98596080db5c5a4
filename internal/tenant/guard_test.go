package tenant

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

const org = "acme"

// newGuard returns a guard for org. A request is local or has a live token
// when it says so in a header of the test's own.
func newGuard(t testing.TB, o Options) *Guard {
	t.Helper()
	o.LocalProof = func(r *http.Request) bool { return r.Header.Get("Test-Local") != "" }
	o.TokenProof = func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer live" }
	g, err := New(o)
	if err != nil {
		t.Fatalf("New(%+v): %v", o, err)
	}
	return g
}

// request makes a request with header lines such as "Name: value".
func request(method, target string, lines ...string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	r.RequestURI = target
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// pass is the handler behind the guard under test. It shows the replay header
// as handlers see it.
var pass = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header()["Test-Replay"] = r.Header[wire.HeaderFlyReplay]
	w.WriteHeader(http.StatusNoContent)
})

func TestGuard_admitsByProofOnly(t *testing.T) {
	t.Parallel()
	const (
		right      = wire.HeaderOrgID + ": acme"
		wrong      = wire.HeaderOrgID + ": other"
		empty      = wire.HeaderOrgID + ": "
		live       = "Authorization: Bearer live"
		dead       = "Authorization: Bearer dead"
		local      = "Test-Local: yes"
		state      = wire.HeaderFlyReplay + ": region=fra;state=acme"
		wrongState = wire.HeaderFlyReplay + ": region=fra;state=other"
	)
	long := wire.HeaderOrgID + ": acme" + strings.Repeat("\x00", 200)
	for _, tt := range []struct {
		name    string
		trust   bool
		headers []string
		want    bool
	}{
		{name: "nothing"},
		{name: "right org", headers: []string{right}, want: true},
		{name: "wrong org", headers: []string{wrong}},
		{name: "empty org", headers: []string{empty}},
		{name: "org in other case", headers: []string{wire.HeaderOrgID + ": Acme"}},
		{name: "org with a tail", headers: []string{wire.HeaderOrgID + ": acme2"}},
		{name: "a part of the org", headers: []string{wire.HeaderOrgID + ": acm"}},
		{name: "org padded as we pad", headers: []string{wire.HeaderOrgID + ": acme\x00"}},
		{name: "org padded beyond the longest", headers: []string{long}},
		{name: "org twice", headers: []string{right, right}},
		{name: "right and empty org", headers: []string{right, empty}},
		{name: "right and wrong org", headers: []string{right, wrong}},
		{name: "replay trusted", trust: true, headers: []string{state}, want: true},
		{name: "replay not trusted", headers: []string{state}},
		{name: "wrong replay", trust: true, headers: []string{wrongState}},
		{name: "two replays", trust: true, headers: []string{state, state}},
		{name: "wrong replay beside the right org", trust: true, headers: []string{wrongState, right}, want: true},
		{name: "live token", headers: []string{live}, want: true},
		{name: "dead token", headers: []string{dead}},
		{name: "live token beside an untrusted replay", headers: []string{live, wrongState}, want: true},
		{name: "live token does not rescue a wrong org", headers: []string{live, wrong}},
		{name: "live token does not rescue an empty org", headers: []string{live, empty}},
		{name: "live token does not rescue two orgs", headers: []string{live, right, right}},
		{name: "dead token beside the right org", headers: []string{dead, right}, want: true},
		{name: "socket", headers: []string{local}, want: true},
		{name: "socket, right org", headers: []string{local, right}, want: true},
		{name: "socket, wrong org", headers: []string{local, wrong}},
		{name: "socket, empty org", headers: []string{local, empty}},
		{name: "socket, org twice", headers: []string{local, right, right}},
		{name: "socket, wrong org and live token", headers: []string{local, wrong, live}},
		{name: "socket, wrong replay trusted", trust: true, headers: []string{local, wrongState}},
		{name: "socket, wrong replay not trusted", headers: []string{local, wrongState}, want: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuard(t, Options{OrgID: org, TrustFlyReplay: tt.trust})
			w := httptest.NewRecorder()
			g.Wrap(pass).ServeHTTP(w, request(http.MethodGet, wire.PathStatus, tt.headers...))
			want := http.StatusNotFound
			if tt.want {
				want = http.StatusNoContent
			}
			if w.Code != want {
				t.Errorf("status = %d, want %d", w.Code, want)
			}
		})
	}
}

func TestGuard_opensByRawTargetOnly(t *testing.T) {
	t.Parallel()
	h := newGuard(t, Options{OrgID: org}).Wrap(pass)
	for _, tt := range []struct {
		method, target string
		open           bool
	}{
		{"GET", "/health", true},
		{"HEAD", "/health", true},
		{"GET", "/metrics", true},
		{"HEAD", "/metrics", true},
		{"GET", "/health?verbose", true},
		{"GET", "/health?", true},
		{"POST", "/health", false},
		{"OPTIONS", "/health", false},
		{"TRACE", "/metrics", false},
		{"get", "/health", false},
		{"GET", "/ready", false},
		{"GET", "/health/", false},
		{"GET", "//health", false},
		{"GET", "/./health", false},
		{"GET", "/v1/../health", false},
		{"GET", "/%68ealth", false},
		{"GET", "/health%3F", false},
		{"GET", "/health%00", false},
		{"GET", "/health;a", false},
		{"GET", "/health#a", false},
		{"GET", "/Health", false},
		{"GET", "/HEALTH", false},
		{"GET", "health", false},
		{"GET", "http://localhost/health", false},
		{"GET", "*", false},
		{"GET", "", false},
	} {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(tt.method, tt.target))
			if got := w.Code == http.StatusNoContent; got != tt.open {
				t.Errorf("open = %v (status %d), want %v", got, w.Code, tt.open)
			}
		})
	}
}

func TestGuard_removesAReplayHeaderNobodyVouchesFor(t *testing.T) {
	t.Parallel()
	const header = "region=fra;state=acme"
	for _, tt := range []struct {
		name string
		o    Options
		want string
	}{
		{"guarding, not trusted", Options{OrgID: org}, ""},
		{"guarding, trusted", Options{OrgID: org, TrustFlyReplay: true}, header},
		{"no organisation, not trusted", Options{}, ""},
		{"no organisation, trusted", Options{TrustFlyReplay: true}, header},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, target := range []string{wire.PathStatus, wire.PathHealth} {
				w := httptest.NewRecorder()
				newGuard(t, tt.o).Wrap(pass).ServeHTTP(w,
					request(http.MethodGet, target, wire.HeaderOrgID+": acme", "fly-replay-src: "+header))
				if w.Code != http.StatusNoContent {
					t.Fatalf("%s: status = %d, want the handler's", target, w.Code)
				}
				if got := w.Header().Get("Test-Replay"); got != tt.want {
					t.Errorf("%s: the handler sees %q, want %q", target, got, tt.want)
				}
			}
		})
	}
}

func TestGuard_withoutOrgPassesEverything(t *testing.T) {
	t.Parallel()
	h := newGuard(t, Options{}).Wrap(pass)
	for _, lines := range [][]string{nil, {wire.HeaderOrgID + ": other"}, {wire.HeaderOrgID + ": a", wire.HeaderOrgID + ": b"}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(http.MethodPost, wire.PathStatus, lines...))
		if w.Code != http.StatusNoContent {
			t.Errorf("status with %v = %d, want the handler's", lines, w.Code)
		}
	}
}

func TestGuard_withoutProofsConfiguredStaysShut(t *testing.T) {
	t.Parallel()
	g, err := New(Options{OrgID: org})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	g.Wrap(pass).ServeHTTP(w, request(http.MethodGet, wire.PathStatus, "Authorization: Bearer live", "Test-Local: yes"))
	if w.Code != http.StatusNotFound {
		t.Errorf("status = %d, want 404", w.Code)
	}
}

func TestNew_refusesAnOrgNoEdgeCanSend(t *testing.T) {
	t.Parallel()
	for _, id := range []string{" ", "-acme", "ac me", "acme\n", "a/b", "ä", strings.Repeat("a", 129)} {
		if _, err := New(Options{OrgID: id}); molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("New with org %q: %v, want Invalid", id, err)
		}
	}
	longest := strings.Repeat("a", 128)
	h := newGuard(t, Options{OrgID: longest}).Wrap(pass)
	for id, want := range map[string]int{longest: http.StatusNoContent, longest + "a": http.StatusNotFound, longest[1:]: http.StatusNotFound} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(http.MethodGet, wire.PathStatus, wire.HeaderOrgID+": "+id))
		if w.Code != want {
			t.Errorf("status for an id of %d bytes = %d, want %d", len(id), w.Code, want)
		}
	}
}

func TestPadded_equalSeesEveryByte(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", maxIDBytes)
	want := pad(id)
	if got := pad(id); got.equal(&want) != 1 {
		t.Error("an id is not equal to itself")
	}
	for i := range id {
		other := pad(id[:i] + "b" + id[i+1:])
		if other.equal(&want) != 0 {
			t.Errorf("a difference in byte %d is not seen", i)
		}
		shorter := pad(id[:i])
		if shorter.equal(&want) != 0 {
			t.Errorf("an id cut to %d bytes is equal", i)
		}
	}
}

// cases are what a guard is measured with.
func cases() map[string]*http.Request {
	return map[string]*http.Request{
		"right org":    request(http.MethodGet, wire.PathStatus, wire.HeaderOrgID+": acme"),
		"wrong org":    request(http.MethodGet, wire.PathStatus, wire.HeaderOrgID+": other"),
		"no header":    request(http.MethodGet, wire.PathStatus),
		"right replay": request(http.MethodGet, wire.PathStatus, wire.HeaderFlyReplay+": instance=1781;region=fra;t=1;state=acme"),
		"wrong replay": request(http.MethodGet, wire.PathStatus, wire.HeaderFlyReplay+": instance=1781;region=fra;t=1;state=other"),
		"open":         request(http.MethodGet, wire.PathHealth),
	}
}

func TestGuard_allocatesNothing(t *testing.T) { // not parallel: AllocsPerRun forbids it
	g, err := New(Options{OrgID: org, TrustFlyReplay: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range cases() {
		if got := testing.AllocsPerRun(100, func() { _ = open(r) || g.admits(r) }); got != 0 {
			t.Errorf("%s: %v allocations, want 0", name, got)
		}
	}
}

func BenchmarkGuard(b *testing.B) {
	g, err := New(Options{OrgID: org, TrustFlyReplay: true})
	if err != nil {
		b.Fatal(err)
	}
	for name, r := range cases() {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = open(r) || g.admits(r)
			}
		})
	}
}
