package tenant_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/tenant"
	"github.com/molecule-ai/molecli/internal/wire"
)

const (
	rightOrg = "X-Molecule-Org-Id: acme\r\n"
	wrongOrg = "X-Molecule-Org-Id: other\r\n"
	// probe follows a request on the same connection: its answer is missing
	// when the server closed the connection behind the first one.
	probe = "GET /health HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
)

// serve starts a real server whose handler chain is the daemon's: request id,
// fixed header, guard, body limit, router. It returns the server's address.
func serve(t testing.TB) string {
	t.Helper()
	guard, err := tenant.New(tenant.Options{
		OrgID:          "acme",
		TrustFlyReplay: true,
		TokenProof:     func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer live" },
	})
	if err != nil {
		t.Fatal(err)
	}
	limited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64)
		route(w, r)
	})
	var requests atomic.Int64
	guarded := guard.Wrap(limited)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(wire.HeaderRequestID, strconv.FormatInt(requests.Add(1), 10))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		guarded.ServeHTTP(w, r)
	}))
	tenant.Harden(srv.Config)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// route knows three paths and compares them as they were sent.
func route(w http.ResponseWriter, r *http.Request) {
	switch path, _, _ := strings.Cut(r.RequestURI, "?"); path {
	case wire.PathHealth, wire.PathMetrics:
		_, _ = io.WriteString(w, "open\n") // a lost client shows in the test itself
	case wire.PathAgents:
		_, _ = io.WriteString(w, "agents\n")
	default:
		tenant.NotFound(w, r)
	}
}

// exchange sends raw bytes on a connection of their own and returns all the
// server sends until it closes the connection.
func exchange(t testing.TB, addr, raw string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	// No more will come: a server that waits for the rest of a body need not.
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("read the answer to %q: %v (read %q)", raw, err, answer)
	}
	return variable.ReplaceAllString(string(answer), "")
}

// variable matches the two lines in which two equal answers may differ.
var variable = regexp.MustCompile(`(?m)^(Date|X-Request-Id): .*\r\n`)

// get is one request without a body, and the probe behind it.
func get(method, target, headers string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: acme.example\r\n%s\r\n%s", method, target, headers, probe)
}

// shape is a way to send the headers the guard looks at.
type shape struct {
	name, headers string
	proof         bool
}

var shapes = []shape{
	{"no header", "", false},
	{"wrong org", wrongOrg, false},
	{"empty org", "X-Molecule-Org-Id:\r\n", false},
	{"org twice", rightOrg + rightOrg, false},
	{"two orgs", rightOrg + wrongOrg, false},
	{"two orgs on one line", "X-Molecule-Org-Id: acme, other\r\n", false},
	{"org in other case", "X-Molecule-Org-Id: ACME\r\n", false},
	{"wrong replay", "Fly-Replay-Src: region=fra;state=other\r\n", false},
	{"replay of the older form", "Fly-Replay-Src: region=fra;state=org-id=acme\r\n", false},
	{"replay twice", "Fly-Replay-Src: state=acme\r\nFly-Replay-Src: state=acme\r\n", false},
	{"dead token", "Authorization: Bearer dead\r\n", false},
	{"wrong org and live token", wrongOrg + "Authorization: Bearer live\r\n", false},
	{"right org", rightOrg, true},
	{"right org, name in lower case", "x-molecule-org-id: \t acme \r\n", true},
	{"right replay", "Fly-Replay-Src: region=fra;state=acme\r\n", true},
	{"live token", "Authorization: Bearer live\r\n", true},
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO"}

// guardedTargets are the request targets of the corpus that nothing opens, and
// the one path behind the guard that the router knows.
func guardedTargets(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "targets.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{wire.PathAgents}
	for row := range strings.Lines(string(text)) {
		if target, ok := strings.CutPrefix(strings.TrimSuffix(row, "\n"), "guarded\t"); ok && target != wire.PathAgents {
			all = append(all, target)
		}
	}
	if len(all) < 90 {
		t.Fatalf("only %d targets are guarded", len(all))
	}
	return all
}

// TestNotFound_isTheSameForGuardAndUnknownPath looks at every method, target and
// shape. What net/http itself refuses is refused alike with and without proof.
func TestNotFound_isTheSameForGuardAndUnknownPath(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	targets := guardedTargets(t)
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			unknown := exchange(t, addr, get(method, "/no/such/path", rightOrg))
			if !strings.HasPrefix(unknown, "HTTP/1.1 404 Not Found\r\n") || !strings.HasSuffix(unknown, "open\n") {
				t.Fatalf("an unknown path is answered by %q", unknown)
			}
			for _, target := range targets {
				want := unknown
				if first := exchange(t, addr, get(method, target, rightOrg)); strings.HasPrefix(first, "HTTP/1.1 400 ") {
					want = first
				}
				for _, s := range shapes {
					got := exchange(t, addr, get(method, target, s.headers))
					known := s.proof && strings.TrimSuffix(target, "?limit=1") == wire.PathAgents
					if diff := cmp.Diff(got, want); known == (diff == "") {
						t.Errorf("%s with %s: equal to the 404 of an unknown path: %v, want %v (-got +want)\n%s",
							target, s.name, diff == "", !known, diff)
					}
				}
			}
		})
	}
}

func TestNotFound_isExact(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	const header = "HTTP/1.1 404 Not Found\r\nContent-Length: 53\r\nContent-Type: application/json\r\n" +
		"X-Content-Type-Options: nosniff\r\n\r\n"
	body := `{"error":{"code":"not_found","message":"not found"}}` + "\n"
	open := exchange(t, addr, probe)
	for method, want := range map[string]string{"GET": header + body + open, "HEAD": header + open} {
		if diff := cmp.Diff(exchange(t, addr, get(method, wire.PathAgents, wrongOrg)), want); diff != "" {
			t.Errorf("%s (-got +want)\n%s", method, diff)
		}
	}
}

func TestGuard_healthIsOpenWhateverTheHeadersSay(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	for _, target := range []string{"/health", "/metrics", "/health?verbose"} {
		for _, s := range shapes {
			got := exchange(t, addr, get("GET", target, s.headers))
			if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
				t.Errorf("%s with %s is answered by %q, want 200", target, s.name, got)
			}
		}
	}
}

func TestNotFound_endsTheConnectionAlike(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	for _, tt := range []struct {
		name string
		raw  string // after the request line and the guard's headers
	}{
		{"body", "Content-Length: 5\r\n\r\nhello" + probe},
		{"body over the limit behind the guard", "Content-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000) + probe},
		{"chunks", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + probe},
		{"chunks that are none", "Transfer-Encoding: chunked\r\n\r\nzz\r\n"},
		{"a large body announced, never sent", "Content-Length: 1048576\r\n\r\n"},
		{"a body that waits to be asked for", "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"},
		{"last request", "Connection: close\r\n\r\n"},
		{"upgrade", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n" + probe},
		{"upgrade to HTTP/2", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" + probe},
		{"preflight", "Origin: https://acme.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n" + probe},
		{"range", "Range: bytes=0-3\r\nAccept-Encoding: gzip\r\nIf-None-Match: *\r\n\r\n" + probe},
	} {
		for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				t.Run(tt.name+" "+version+" "+method, func(t *testing.T) {
					t.Parallel()
					send := func(target, org string) string {
						head := method + " " + target + " " + version + "\r\nHost: acme.example\r\n"
						return exchange(t, addr, head+org+tt.raw)
					}
					want := send("/no/such/path", rightOrg)
					if !strings.Contains(want, " 404 Not Found\r\n") {
						t.Fatalf("an unknown path is answered by %q", want)
					}
					for _, target := range []string{"/no/such/path", wire.PathAgents} {
						if diff := cmp.Diff(send(target, wrongOrg), want); diff != "" {
							t.Errorf("%s with the wrong org (-got +want)\n%s", target, diff)
						}
					}
				})
			}
		}
	}
}

func TestHarden_leavesNoTellingAnswerToTheServer(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	// What net/http refuses by itself looks alike for every path and org.
	for name, tt := range map[string]struct{ headers, status string }{
		"two hosts":           {"Host: other\r\n", "400"},
		"unknown expect":      {"Expect: tea\r\n", "417"},
		"unknown encoding":    {"Transfer-Encoding: tea\r\n", "501"},
		"no name of a header": {"X Molecule: a\r\n", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			send := func(target, org string) string {
				return exchange(t, addr, "GET "+target+" HTTP/1.1\r\nHost: a\r\n"+org+tt.headers+"\r\n")
			}
			want := send("/no/such/path", rightOrg)
			if !strings.HasPrefix(want, "HTTP/1.1 "+tt.status+" ") {
				t.Fatalf("answer = %q, want %s", want, tt.status)
			}
			if diff := cmp.Diff(send(wire.PathAgents, wrongOrg), want); diff != "" {
				t.Errorf("a known path with the wrong org (-got +want)\n%s", diff)
			}
		})
	}
}

func TestHarden_boundsReadingAndKeepsStreamsAlive(t *testing.T) {
	t.Parallel()
	s := &http.Server{WriteTimeout: 1}
	tenant.Harden(s)
	if s.WriteTimeout != 0 {
		t.Errorf("WriteTimeout = %v, want none", s.WriteTimeout)
	}
	if s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > http.DefaultMaxHeaderBytes {
		t.Errorf("MaxHeaderBytes = %d, want less than the default", s.MaxHeaderBytes)
	}
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.IdleTimeout <= 0 {
		t.Errorf("read timeouts = %v, %v, %v, want all set", s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout)
	}
	if s.Protocols.HTTP2() || s.Protocols.UnencryptedHTTP2() || !s.Protocols.HTTP1() {
		t.Errorf("protocols = %v, want HTTP/1 only", s.Protocols)
	}
}
