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
)

// counted is a connection that counts what is written to it.
type counted struct {
	net.Conn
	writes *atomic.Int64
}

// Write implements net.Conn.
func (c counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// countWrites makes g count what is written to its connections.
func countWrites(g *Guard) *atomic.Int64 {
	var writes atomic.Int64
	real := g.connect
	g.connect = func(ctx context.Context, network string, to netip.AddrPort, confirm confirmFunc) (net.Conn, error) {
		c, err := real(ctx, network, to, confirm)
		return counted{c, &writes}, err
	}
	return &writes
}

// post sends a body that is held back by release.
func post(t *testing.T, g *Guard, url, body string, release func() error) error {
	t.Helper()
	ctx := WithHold(WithTarget(t.Context(), Target{Class: Operator, Host: strings.TrimLeft(url[strings.Index(url, ":"):], ":/")}), release)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := g.PatientClient(Operator).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err == nil && string(got) != body {
		t.Errorf("%d bytes arrived of %d", len(got), len(body))
	}
	return err
}

// echo answers with what it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		_, _ = w.Write(body) // the client may be gone
	}
}

func TestWithHold_letsNothingLeaveBeforeItIsReleased(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		start  func(*httptest.Server)
		body   string
		writes int64 // of the held request; 0 is any number
	}{
		{name: "plain", start: (*httptest.Server).Start, body: "hello", writes: 1},
		{name: "over TLS", start: (*httptest.Server).StartTLS, body: "hello", writes: 1},
		{name: "longer than the buffer of the connection", start: (*httptest.Server).Start, body: strings.Repeat("hello", 10_000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
			tt.start(s)
			t.Cleanup(s.Close)
			g := newGuard(t, Options{})
			if s.Certificate() != nil {
				trust(g, s)
			}
			writes := countWrites(g)
			for range 2 { // the second goes over the connection of the first
				var released int64 = -1
				if err := post(t, g, s.URL, tt.body, func() error { released = writes.Load(); return nil }); err != nil {
					t.Fatal(err)
				}
				after := writes.Load() - released
				if released < 0 || after < 1 || tt.writes > 0 && after != tt.writes {
					t.Errorf("%d writes were before the release and %d behind it, want %d behind it", released, after, tt.writes)
				}
			}
		})
	}
}

func TestWithHold_failsARequestThatIsNotReleased(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }))
	t.Cleanup(s.Close)
	g := newGuard(t, Options{})
	writes := countWrites(g)
	why := errors.New("not today")
	if err := post(t, g, s.URL, "hello", func() error { return why }); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	if n := writes.Load(); n != 0 {
		t.Errorf("%d writes reached the network", n)
	}
}

// trust makes g trust the certificate of s.
func trust(g *Guard, s *httptest.Server) {
	for _, c := range g.clients {
		if t, ok := c.Transport.(*guarded); ok {
			t.base.TLSClientConfig.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		}
	}
}
