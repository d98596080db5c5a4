package netguard

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/wire"
)

// agentServer is somebody's agent on loopback. It answers with the request it
// got: the target, then each header line. The function returns the connection
// of each request so far.
func agentServer(t *testing.T) (*httptest.Server, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.RemoteAddr)
		mu.Unlock()
		w.Header().Set("Set-Cookie", "a=b")
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI+"\n") // the client may be gone
		_ = r.Header.Write(w)
	}))
	t.Cleanup(s.Close)
	return s, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// named returns the URL of a loopback server by another name of it.
func named(t *testing.T, s *httptest.Server, host string) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Scheme + "://" + host + ":" + u.Port()
}

func TestClient_carriesOnlyWhatItShould(t *testing.T) {
	t.Parallel()
	s, _ := agentServer(t)
	g := newGuard(t, Options{InstanceID: "this-one"})
	for range 2 { // the second would carry a cookie
		res, err := get(t, g, Operator, s.URL+"/card?x=1")
		if err != nil {
			t.Fatal(err)
		}
		want := "GET /card?x=1\nUser-Agent: Go-http-client/1.1\r\n" + wire.HeaderInstance + ": this-one\r\n"
		if diff := cmp.Diff(text(t, res), want); diff != "" {
			t.Errorf("what the agent saw (-got +want):\n%s", diff)
		}
	}
	req, err := http.NewRequestWithContext(WithTarget(t.Context(), Target{Class: Operator, Host: HostPort(mustURL(t, s.URL))}), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(wire.HeaderInstance, "forged")
	res, err := g.Client(Operator).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := text(t, res); strings.Contains(got, "forged") || !strings.Contains(got, "this-one") {
		t.Errorf("got %q, want our own instance id only", got)
	}
	if got := req.Header.Get(wire.HeaderInstance); got != "forged" {
		t.Errorf("the caller's request was changed: %q", got)
	}
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestClient_returnsRedirectsUnfollowed(t *testing.T) {
	t.Parallel()
	s, _ := agentServer(t)
	trap := newCanary(t)
	g := newGuard(t, Options{Local: true})
	to := "http://localhost:" + trap.port + "/"
	for class, raw := range map[Class]string{Agent: named(t, s, "localhost"), Operator: s.URL} {
		res, err := get(t, g, class, raw+"/?to="+to)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusTemporaryRedirect || res.Header.Get("Location") != to {
			t.Errorf("got %s to %q, want the redirect itself", res.Status, res.Header.Get("Location"))
		}
	}
	trap.untouched(t)
}

func TestClient_usesNoProxyOfTheEnvironment(t *testing.T) { // sets the environment: not parallel
	trap := newCanary(t)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, "http://127.0.0.1:"+trap.port)
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	s, _ := agentServer(t)
	_, at := startNameServer(t, func(string, int) []netip.Addr { return addrs("127.0.0.1") })
	// by a name: loopback addresses are never sent to a proxy
	raw := named(t, s, "agent.example.com.") + "/card"
	res, err := get(t, newGuard(t, Options{Resolver: at}), Operator, raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, res); !strings.HasPrefix(got, "GET /card\n") {
		t.Errorf("the agent saw %q, want a request without a proxy", got)
	}
	d, err := Endpoint(named(t, s, "localhost"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Client.CloseIdleConnections()
	// the name leads to no server: only the endpoint itself is ever dialled
	if res, err = send(t.Context(), t, d.Client, "http://daemon.example.com/card"); err != nil {
		t.Fatal(err)
	}
	if got := text(t, res); !strings.HasPrefix(got, "GET /card\n") {
		t.Errorf("the daemon saw %q, want a request without a proxy", got)
	}
	trap.untouched(t)
}

func TestClient_refusesRequestsNobodyVouchesFor(t *testing.T) {
	t.Parallel()
	trap := newCanary(t)
	g := newGuard(t, Options{Local: true})
	at := "localhost:" + trap.port
	for _, tt := range []struct {
		name   string
		client Class
		ctx    context.Context
		want   reason
	}{
		{"no target", Agent, t.Context(), reasonHost},
		{"no target, operator's client", Operator, t.Context(), reasonHost},
		{"zero target", Agent, WithTarget(t.Context(), Target{}), reasonHost},
		{"no class at all", 0, WithTarget(t.Context(), Target{Host: at}), reasonHost},
		{"unknown class", 7, WithTarget(t.Context(), Target{Class: 7, Host: at}), reasonHost},
		{"agent with the operator's client", Operator, WithTarget(t.Context(), Target{Class: Agent, Host: at}), reasonHost},
		{"operator with the agents' client", Agent, WithTarget(t.Context(), Target{Class: Operator, Host: at}), reasonHost},
		{"operator without a stored host", Operator, WithTarget(t.Context(), Target{Class: Operator}), reasonHost},
		{"operator's other port", Operator, WithTarget(t.Context(), Target{Class: Operator, Host: "localhost:1"}), reasonHost},
		{"operator's other host", Operator, WithTarget(t.Context(), Target{Class: Operator, Host: "127.0.0.2:" + trap.port}), reasonHost},
	} {
		for name, c := range map[string]*http.Client{"client": g.Client(tt.client), "patient client": g.PatientClient(tt.client)} {
			_, err := send(tt.ctx, t, c, "http://"+at+"/")
			if got := reasonOf(t, err); got != tt.want {
				t.Errorf("%s, %s: got reason %q, want %q", tt.name, name, got, tt.want)
			}
		}
	}
	trap.untouched(t)
}

func TestClient_judgesTheTextOfEachRequestAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		class Class
		raw   string
		want  reason
	}{
		{Agent, "http://agent.example.com.:6379/", reasonPort},
		{Agent, "http://agent.localhost.:8080/", reasonHost},
		{Agent, "http://me:pw@agent.example.com./", reasonUserinfo},
		{Agent, "http://metadata.google.internal./", reasonMetadata},
		{Operator, "http://metadata.google.internal./", reasonMetadata},
		{Operator, "http://me:pw@agent.example.com./", reasonUserinfo},
	} {
		t.Run(tt.raw, func(t *testing.T) {
			t.Parallel()
			_, at := startNameServer(t, func(name string, _ int) []netip.Addr {
				t.Errorf("%s was looked up", name)
				return nil
			})
			g := newGuard(t, Options{Resolver: at})
			_, err := get(t, g, tt.class, tt.raw)
			if got := reasonOf(t, err); got != tt.want {
				t.Errorf("got reason %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDial_refusesWhatTheTransportShouldNotAsk(t *testing.T) {
	t.Parallel()
	trap := newCanary(t)
	g := newGuard(t, Options{})
	at := "127.0.0.1:" + trap.port
	for name, ctx := range map[string]context.Context{
		"no target":   t.Context(),
		"other class": WithTarget(t.Context(), Target{Class: Agent}),
		"other place": WithTarget(t.Context(), Target{Class: Operator, Host: "127.0.0.1:1"}),
	} {
		_, err := g.dial(ctx, Operator, at)
		if got := reasonOf(t, err); got != reasonHost {
			t.Errorf("%s: got reason %q, want %q", name, got, reasonHost)
		}
	}
	trap.untouched(t)
}

func TestClient_neverLendsAConnectionToAnotherClass(t *testing.T) {
	t.Parallel()
	s, seen := agentServer(t)
	g := newGuard(t, Options{Local: true})
	for range 2 {
		res, err := get(t, g, Operator, s.URL)
		if err != nil {
			t.Fatal(err)
		}
		text(t, res)
	}
	if from := seen(); len(from) != 2 || from[0] != from[1] {
		t.Fatalf("requests came from %v, want one connection used twice", from)
	}
	// Its idle connection is to 127.0.0.1, where an agent may not point at all.
	_, err := get(t, g, Agent, s.URL)
	if got := reasonOf(t, err); got != reasonAddress {
		t.Errorf("agent: got reason %q, want %q", got, reasonAddress)
	}
	// Nor may an operator's request with another stored address use it.
	other := WithTarget(t.Context(), Target{Class: Operator, Host: "127.0.0.1:1"})
	_, err = send(other, t, g.Client(Operator), s.URL)
	if got := reasonOf(t, err); got != reasonHost {
		t.Errorf("other operator: got reason %q, want %q", got, reasonHost)
	}
	if n := len(seen()); n != 2 {
		t.Errorf("the server saw %d requests, want 2", n)
	}
	// And where both may go, they go on connections of their own.
	byName := named(t, s, "localhost")
	for _, class := range []Class{Operator, Agent} {
		res, err := get(t, g, class, byName)
		if err != nil {
			t.Fatal(err)
		}
		text(t, res)
	}
	if from := seen(); len(from) != 4 || from[2] == from[3] {
		t.Errorf("requests came from %v, want the last two from different connections", from)
	}
}

func TestClient_takesTheNamesOfLoopbackForOne(t *testing.T) {
	t.Parallel()
	s, _ := agentServer(t)
	g := newGuard(t, Options{})
	stored := HostPort(mustURL(t, named(t, s, "[::1]")))
	for _, host := range []string{"127.0.0.1", "localhost"} {
		res, err := send(WithTarget(t.Context(), Target{Class: Operator, Host: stored}), t, g.Client(Operator), named(t, s, host))
		if err != nil {
			t.Errorf("%s, stored as %s: %v", host, stored, err)
			continue
		}
		text(t, res)
	}
}

func TestClient_boundsWaitingForHeadersAndTheirSize(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			w.Header().Set("X-Large", strings.Repeat("x", maxHeaderBytes))
			return
		}
		<-release
	}))
	t.Cleanup(s.Close)
	ctx := WithTarget(t.Context(), Target{Class: Operator, Host: HostPort(mustURL(t, s.URL))})
	g := newGuard(t, Options{})
	if _, err := send(ctx, t, g.Client(Operator), s.URL+"/large"); err == nil || !strings.Contains(err.Error(), "headers exceeded") {
		t.Errorf("got error %v, want one of too large headers", err)
	}
	_, err := send(ctx, t, g.newClient(Operator, 20*time.Millisecond), s.URL)
	if err == nil || !strings.Contains(err.Error(), "awaiting response headers") {
		t.Errorf("got error %v, want one of late headers", err)
	}
	close(release)
	if _, err := send(ctx, t, g.PatientClient(Operator), s.URL); err != nil {
		t.Error(err)
	}
	for class := Agent; class <= Operator; class++ {
		for c, want := range map[*http.Client]time.Duration{g.Client(class): headerTimeout, g.PatientClient(class): 0} {
			if got := c.Transport.(*guarded).base.ResponseHeaderTimeout; got != want || c.Jar != nil || c.Timeout != 0 {
				t.Errorf("class %d: waits %s for headers, want %s, and no jar and no timeout of the whole", class, got, want)
			}
		}
	}
}

func TestClient_leavesBodiesAsTheyAre(t *testing.T) {
	t.Parallel()
	squeezed := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Error("compression was asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(squeezed) // the client may be gone
	}))
	t.Cleanup(s.Close)
	res, err := get(t, newGuard(t, Options{}), Operator, s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, res); got != string(squeezed) {
		t.Errorf("got body %x, want %x", got, squeezed)
	}
}

func TestClient_speaksOnlyTLSItTrusts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		max  uint16
		is   func(error) bool
	}{
		{"old version", tls.VersionTLS11, func(err error) bool { return strings.Contains(err.Error(), "protocol version") }},
		{"unknown authority", tls.VersionTLS13, func(err error) bool {
			_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
			return unknown
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			var log bytes.Buffer
			s.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(&log, nil), slog.LevelError)
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tt.max}
			s.StartTLS()
			t.Cleanup(s.Close)
			if _, err := get(t, newGuard(t, Options{}), Operator, s.URL); err == nil || !tt.is(err) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestClient_closesTheBodyOfARefusedRequest(t *testing.T) {
	t.Parallel()
	body := &closing{Reader: strings.NewReader("{}")}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://1.1.1.1/", body)
	if err != nil {
		t.Fatal(err)
	}
	_, err = newGuard(t, Options{}).Client(Agent).Do(req)
	if got := reasonOf(t, err); got != reasonHost || !body.closed {
		t.Errorf("got reason %q and closed %v, want %q and true", got, body.closed, reasonHost)
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

func TestSameHostPort_comparesByText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"a.example:80", "A.Example:80", true},
		{"127.0.0.1:80", "localhost:80", true},
		{"[::1]:80", "LOCALHOST:80", true},
		{"[::ffff:127.0.0.1]:80", "127.0.0.1:80", true},
		{"[2600:0::1]:80", "[2600::1]:80", true},
		{"a.example:80", "a.example:81", false},
		{"a.example:80", "b.example:80", false},
		{"a.example:80", "a.example.:80", false},
		{"127.0.0.2:80", "localhost:80", false},
		{"localhost.:80", "localhost:80", false},
		{"a.example", "a.example", false},
		{":80", ":80", false},
		{"a.example:0", "a.example:0", false},
		{"", "", false},
	} {
		if got := SameHostPort(tt.a, tt.b); got != tt.want {
			t.Errorf("SameHostPort(%q, %q): got %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestHostPort_fillsInThePort(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://a.example/x":     "a.example:80",
		"https://a.example":      "a.example:443",
		"https://a.example:8443": "a.example:8443",
		"http://[2600::1]/":      "[2600::1]:80",
		"unix:///run/x.sock":     "",
		"/path":                  "",
		"http://:80/":            "",
	} {
		if got := HostPort(mustURL(t, raw)); got != want {
			t.Errorf("HostPort(%q): got %q, want %q", raw, got, want)
		}
	}
}
