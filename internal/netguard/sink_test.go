package netguard

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestCheckServiceURL_allowsTheServiceOnly(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{AllowSinkHosts: []string{"http://127.0.0.1:8080", "https://git.internal/"}, Local: true})
	hosts := []string{"api.example.com", "1.1.1.1", "127.0.0.2", "10.0.0.1", "localhost", "metadata.google.internal"}
	for raw, want := range map[string]reason{
		"https://api.example.com/x?y=1":          "",
		"https://API.example.com/":               "",
		"https://api.example.com:443/":           "",
		"https://api.example.com:8443/":          "",
		"https://1.1.1.1/":                       "",
		"http://127.0.0.1:8080/any":              "",
		"http://localhost:8080/any":              "", // the same place
		"https://git.internal/api":               "",
		"http://api.example.com/":                reasonScheme,
		"http://git.internal/":                   reasonScheme,
		"https://127.0.0.1:8080/":                reasonHost,
		"https://api.example.com.evil.example/":  reasonHost,
		"https://evil.example/":                  reasonHost,
		"https://evil.example/?api.example.com":  reasonHost,
		"https://api.example.com./":              reasonHost,
		"https://api.example.com@evil.example/":  reasonUserinfo,
		"https://api.example.com:22/":            reasonPort,
		"https://127.0.0.2/":                     reasonAddress,
		"https://10.0.0.1/":                      reasonAddress, // private: no service on the Internet
		"https://metadata.google.internal/":      reasonMetadata,
		"https://git.internal:444/":              reasonHost,
		"https://api.example.com/#x":             reasonScheme,
		`https://api.example.com\@evil.example/`: reasonScheme,
	} {
		_, err := g.CheckServiceURL(raw, hosts)
		if got := reasonOf(t, err); got != want {
			t.Errorf("CheckServiceURL(%q): got reason %q, want %q", raw, got, want)
		}
	}
}

func TestCheckStored_asksForTLSBeyondThisMachine(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{})
	g.SetBound([]uint16{7420})
	for _, tt := range []struct {
		at                string
		secure, plaintext bool
		want              reason
	}{
		{"db.internal:5432", true, false, ""},
		{"db.internal:5432", false, true, ""},
		{"db.internal:5432", false, false, reasonScheme},
		{"127.0.0.1:5432", false, false, ""},
		{"[::1]:6379", false, false, ""},
		{"localhost:6379", false, false, ""},
		{"10.0.0.5:5432", false, false, reasonScheme},
		{"127.0.0.1:7420", true, false, reasonSelf},
		{"169.254.169.254:80", true, true, reasonMetadata},
		{"[fd00:ec2::254]:80", true, true, reasonMetadata},
		{"metadata:80", true, true, reasonMetadata},
		{"user@db.internal:5432", true, false, reasonHost},
		{"db.internal", true, false, reasonHost},
		{"db.internal:0", true, false, reasonPort},
		{":5432", true, false, reasonHost},
	} {
		err := g.CheckStored(tt.at, tt.secure, tt.plaintext)
		if got := reasonOf(t, err); got != tt.want {
			t.Errorf("CheckStored(%q, %v, %v): got reason %q, want %q", tt.at, tt.secure, tt.plaintext, got, tt.want)
		}
	}
	for raw, want := range map[string]reason{
		"https://vault.internal:8200/v1": "", "http://127.0.0.1:8200/v1": "", "http://localhost:8200": "",
		"http://vault.internal:8200/v1": reasonScheme, "https://169.254.169.254/": reasonMetadata, "http://localhost:7420/": reasonSelf,
	} {
		_, err := g.CheckStoredURL(raw, false)
		if got := reasonOf(t, err); got != want {
			t.Errorf("CheckStoredURL(%q): got reason %q, want %q", raw, got, want)
		}
	}
}

func TestDial_judgesAnswersForSinks(t *testing.T) {
	t.Parallel()
	const name = "sink.example.com"
	for _, tt := range []struct {
		name    string
		class   Class
		answers string
		want    []tried
		refused reason
	}{
		{"service, public", Service, "1.1.1.1", []tried{{"tcp4", "1.1.1.1:443"}}, ""},
		{"service, private", Service, "10.1.2.3", nil, reasonDNS},
		{"service, loopback", Service, "127.0.0.1", nil, reasonDNS},
		{"service, unique local", Service, "fd00::1", nil, reasonDNS},
		{"service, metadata among others", Service, "1.1.1.1 169.254.169.254", nil, reasonDNS},
		{"stored, private", Stored, "10.1.2.3", []tried{{"tcp4", "10.1.2.3:443"}}, ""},
		{"stored, loopback", Stored, "127.0.0.1", []tried{{"tcp4", "127.0.0.1:443"}}, ""},
		{"stored, metadata", Stored, "169.254.169.254", nil, reasonDNS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, at := startNameServer(t, func(string, int) []netip.Addr { return addrs(tt.answers) })
			g := newGuard(t, Options{Resolver: at, Local: true, AllowPrefixes: []netip.Prefix{netip.MustParsePrefix("fd00::/120")}})
			tries := record(g)
			ctx := WithTarget(t.Context(), Target{Class: tt.class, Host: name + ".:443", Hosts: []string{name + "."}})
			_, err := g.dial(ctx, tt.class, name+".:443")
			if tt.refused == "" && !errors.Is(err, errNotDialled) {
				t.Errorf("got error %v, want one of the connection", err)
			}
			if tt.refused != "" {
				if got := reasonOf(t, err); got != tt.refused {
					t.Errorf("got reason %q, want %q", got, tt.refused)
				}
			}
			if diff := cmp.Diff(tries(), tt.want); diff != "" {
				t.Errorf("connections (-got +want):\n%s", diff)
			}
		})
	}
}

func TestDialStored_goesNowhereElse(t *testing.T) {
	t.Parallel()
	trap := newCanary(t)
	g := newGuard(t, Options{Local: true})
	dial := g.DialStored("127.0.0.1:1")
	for _, addr := range []string{"127.0.0.1:" + trap.port, "localhost:" + trap.port, "[::1]:" + trap.port, "db.internal:1", "", ":1"} {
		_, err := dial(t.Context(), "tcp", addr)
		if got := reasonOf(t, err); got != reasonHost {
			t.Errorf("%q: got reason %q, want %q", addr, got, reasonHost)
		}
	}
	trap.untouched(t)
}

func TestClient_reachesAServiceThroughItsProxyOnly(t *testing.T) {
	t.Parallel()
	var asked atomic.Pointer[string]
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.Method + " " + r.RequestURI
		asked.Store(&at)
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(proxy.Close)
	g := newGuard(t, Options{SinkProxy: proxy.URL})
	ctx := WithTarget(t.Context(), Target{Class: Service, Hosts: []string{"api.example.com"}})
	if _, err := send(ctx, t, g.Client(Service), "https://api.example.com/x"); err == nil {
		t.Error("got an answer through a proxy that refused")
	}
	if at := asked.Load(); at == nil || *at != "CONNECT api.example.com:443" {
		t.Errorf("the proxy was asked %v, want CONNECT api.example.com:443", at)
	}
	asked.Store(nil)
	tries := record(g)
	if _, err := get(t, g, Agent, "http://1.1.1.1:8080/"); !errors.Is(err, errNotDialled) {
		t.Errorf("got error %v, want one of the connection", err)
	}
	if diff := cmp.Diff(tries(), []tried{{"tcp4", "1.1.1.1:8080"}}); diff != "" || asked.Load() != nil {
		t.Errorf("an agent was called through the proxy of services: %s", diff)
	}
}

func TestClient_callsAServiceThatIsOpened(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(s.Close)
	ctx := WithTarget(t.Context(), Target{Class: Service, Hosts: []string{"api.example.com"}})
	if _, err := send(ctx, t, newGuard(t, Options{Local: true}).Client(Service), s.URL); reasonOf(t, err) != reasonScheme {
		t.Errorf("got error %v, want a refusal", err)
	}
	res, err := send(ctx, t, newGuard(t, Options{AllowSinkHosts: []string{s.URL}}).Client(Service), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, res); got != "hello" {
		t.Errorf("got %q, want hello", got)
	}
}

func TestNew_refusesSinkSettingsThatAreNoOrigin(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "localhost", "127.0.0.1:80", "ftp://a.example", "http://a.example/path", "http://a@b.example", "http://a.example?x"} {
		for setting, o := range map[string]Options{
			"network.allow_sink_hosts": {AllowSinkHosts: []string{text}}, "network.sink_proxy": {SinkProxy: text},
		} {
			if text == "" && o.SinkProxy == "" && len(o.AllowSinkHosts) == 0 {
				continue // no proxy
			}
			_, err := New(o)
			if molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error(), setting) {
				t.Errorf("%s %q: got error %v, want an invalid that names it", setting, text, err)
			}
		}
	}
}

func TestDialStored_speaksAnyProtocol(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	g := newGuard(t, Options{})
	dial := g.DialStored(l.Addr().String())
	conn, err := dial(context.WithoutCancel(t.Context()), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = there.Close() })
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(there, got); err != nil || string(got) != "PING\r\n" {
		t.Errorf("got %q, %v", got, err)
	}
}
