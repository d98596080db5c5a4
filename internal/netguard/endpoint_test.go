package netguard

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

func TestEndpoint_readsSocketsAndAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		raw  string
		want [3]string // network, address, base
		bad  string
	}{
		{raw: "unix:///run/moleculed/moleculed.sock", want: [3]string{"unix", "/run/moleculed/moleculed.sock", "http://localhost"}},
		{raw: "http://127.0.0.1:7420", want: [3]string{"tcp", "127.0.0.1:7420", "http://127.0.0.1:7420"}},
		{raw: "http://127.0.0.1:7420/", want: [3]string{"tcp", "127.0.0.1:7420", "http://127.0.0.1:7420"}},
		{raw: "HTTPS://moleculed.example.com", want: [3]string{"tcp", "moleculed.example.com:443", "https://moleculed.example.com"}},
		{raw: "http://[::1]:7420", want: [3]string{"tcp", "[::1]:7420", "http://[::1]:7420"}},
		{raw: "", bad: "is neither"},
		{raw: "127.0.0.1:7420", bad: "cannot be read"},
		{raw: "/run/moleculed.sock", bad: "is neither"},
		{raw: "tcp://127.0.0.1:7420", bad: "is neither"},
		{raw: "unix:/run/moleculed.sock", bad: "is neither"},
		{raw: "unix://moleculed.sock", bad: "no absolute path"},
		{raw: "unix://", bad: "no absolute path"},
		{raw: "unix:///" + strings.Repeat("x", maxSocketPath), bad: "longer than"},
		{raw: "http://127.0.0.1:7420/v1", bad: "more than a host"},
		{raw: "http://127.0.0.1:7420?x=1", bad: "more than a host"},
		{raw: "http://me:s3cret@127.0.0.1:7420", bad: "user name"},
		{raw: "http://me:s3cret@127.0.0.1:7420 ", bad: "cannot be read"},
		{raw: "http://127.0.0.1:", bad: "no port"},
		{raw: "http://127.0.0.1:70000", bad: "no port"},
		{raw: "http://:7420", bad: "is neither"},
	} {
		t.Run(tt.raw, func(t *testing.T) {
			t.Parallel()
			d, err := Endpoint(tt.raw)
			if tt.bad != "" {
				if molecule.CodeOf(err) != molecule.Invalid || molecule.HintOf(err) == "" ||
					!strings.Contains(err.Error(), tt.bad) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("got error %v, want an invalid with a hint that says %q", err, tt.bad)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([3]string{d.network, d.address, d.Base}, tt.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
}

func TestEndpoint_reachesASocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Test-Host", r.Host)
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	d, err := Endpoint("unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	res, err := send(t.Context(), t, d.Client, d.Base+"/health")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{res.Status, res.Header.Get("Test-Host"), res.Header.Get("Location")}
	if diff := cmp.Diff(got, []string{"302 Found", "localhost", "/elsewhere"}); diff != "" {
		t.Errorf("answer (-got +want):\n%s", diff)
	}
	conn, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestRefuseLoops_answersOnlyOurOwnCallsWith508(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		id       string
		instance []string
		want     int
	}{
		{"no header", "me", nil, http.StatusNoContent},
		{"another daemon", "me", []string{"you"}, http.StatusNoContent},
		{"ourselves", "me", []string{"me"}, http.StatusLoopDetected},
		{"ourselves behind another daemon", "me", []string{"you", "me"}, http.StatusLoopDetected},
		{"no id", "", []string{""}, http.StatusNoContent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reached := 0
			h := RefuseLoops(tt.id, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				reached++
				w.WriteHeader(http.StatusNoContent)
			}))
			r := httptest.NewRequest(http.MethodPost, "/v1/runs", nil)
			r.Header[wire.HeaderInstance] = tt.instance
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.want || (reached == 1) != (tt.want == http.StatusNoContent) {
				t.Errorf("got %d with the handler reached %d times, want %d", w.Code, reached, tt.want)
			}
			if w.Code == http.StatusLoopDetected && molecule.HintOf(wire.DecodeError(w.Code, w.Body.Bytes())) == "" {
				t.Errorf("the answer %s says not what to do", w.Body)
			}
		})
	}
}

func TestClient_callingItselfIsAnswered508(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{InstanceID: "me"})
	s := httptest.NewServer(RefuseLoops(g.InstanceID(), http.NotFoundHandler()))
	t.Cleanup(s.Close)
	res, err := get(t, g, Operator, s.URL) // a way to us that the guard was not told of
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusLoopDetected {
		t.Errorf("got %s, want 508", res.Status)
	}
}

func BenchmarkEndpoint(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Endpoint("unix:///run/moleculed/moleculed.sock"); err != nil {
			b.Fatal(err)
		}
	}
}
