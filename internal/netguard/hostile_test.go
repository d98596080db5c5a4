package netguard

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// hostileDials is how many ways in are tried; MOLECULE_EXHAUSTIVE asks for all.
func hostileDials() int {
	if os.Getenv("MOLECULE_EXHAUSTIVE") != "" {
		return 100_000
	}
	return 2_000
}

// onlyLoopback makes g reach loopback for real, where the canaries are, and
// nothing else.
func onlyLoopback(g *Guard) {
	real := g.connect
	g.connect = func(ctx context.Context, network string, to netip.AddrPort, confirm confirmFunc) (net.Conn, error) {
		if plain(to.Addr()).IsLoopback() {
			return real(ctx, network, to, confirm)
		}
		if err := confirm(to); err != nil {
			return nil, err
		}
		return nil, errNotDialled
	}
}

// flipping answers with a public address first, and then with what must not be
// reached: alone, mixed, in both families, in another spelling.
func flipping(name string, nth int) []netip.Addr {
	if nth == 1 && strings.HasPrefix(name, "flip") {
		return addrs("1.1.1.1")
	}
	answers := []string{
		"127.0.0.1", "1.1.1.1 127.0.0.1", "127.0.0.1 1.1.1.1", "::1", "::ffff:127.0.0.1", "127.8.8.8", "0.0.0.0", "::", "169.254.169.254",
		"2606:4700::1111 ::1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1",
	}
	return addrs(answers[(nth+len(name))%len(answers)])
}

// redirector answers with each kind of redirect to where it is told.
func redirector(t *testing.T) *httptest.Server {
	t.Helper()
	var n atomic.Int64
	kinds := []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(kinds[n.Add(1)%int64(len(kinds))])
	}))
	t.Cleanup(s.Close)
	return s
}

// TestHostile_nothingReachesTheCanaries tries to lead an agent's call, and a
// call to a service, to loopback. It sets the environment: not parallel.
func TestHostile_nothingReachesTheCanaries(t *testing.T) {
	trap := newCanary(t)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, "http://127.0.0.1:"+trap.port)
	}
	_, at := startNameServer(t, flipping)
	g := newGuard(t, Options{Resolver: at})
	onlyLoopback(g)
	front := redirector(t)
	// A pooled connection of the operator to the place the redirects come from.
	if _, err := get(t, g, Operator, front.URL+"/?to=http://127.0.0.1:"+trap.port); err != nil {
		t.Fatal(err)
	}
	h := hostile{g: g, trap: trap, front: front}
	total := hostileDials()
	var wg sync.WaitGroup
	const workers = 8
	for w := range workers {
		wg.Go(func() {
			for i := w; i < total; i += workers {
				h.attempt(t, i)
			}
		})
	}
	wg.Wait()
	trap.untouched(t)
	t.Logf("%d dials: %d refused, %d not reached, %d redirects returned", total, h.refused.Load(), h.missed.Load(), h.redirects.Load())
	if h.refused.Load() == 0 || h.missed.Load() == 0 || h.redirects.Load() == 0 {
		t.Error("one of the three ends was never seen: the attempts do not do what they should")
	}
}

// hostile makes attempts.
type hostile struct {
	g                          *Guard
	trap                       canary
	front                      *httptest.Server
	refused, missed, redirects atomic.Int64
}

func (h *hostile) attempt(t *testing.T, i int) {
	port := h.trap.port
	hosts := []string{
		fmt.Sprintf("flip%d.example.com.", i), fmt.Sprintf("bad%d.example.com.", i), fmt.Sprintf("flip%d.example.com.", i/7),
		"127.0.0.1", "[::1]", "localhost", "127.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "[fe80::1%25lo]", "0.0.0.0", "[::]",
	}
	class, raw := Agent, "http://"+hosts[i%len(hosts)]+":"+port+"/"
	target := Target{Class: Agent}
	switch i % 11 {
	case 3: // the operator's place sends us on, by each kind of redirect
		class, raw = Operator, h.front.URL+"/?to=http://127.0.0.1:"+port+"/"
		target = Target{Class: Operator, Host: strings.TrimPrefix(h.front.URL, "http://")}
	case 5: // an agent names what the operator has a connection to
		raw = h.front.URL + "/?to=http://127.0.0.1:" + port + "/"
	case 7: // a service that resolves to us
		class, raw = Service, "https://"+hosts[i%3]+":"+port+"/"
		target = Target{Class: Service, Hosts: hosts[:3]}
	}
	ctx := WithTarget(t.Context(), target)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
	if err != nil { // net/http cannot even read it
		h.refused.Add(1)
		return
	}
	res, err := h.g.Client(class).Do(req)
	switch {
	case err == nil && res.StatusCode/100 == 3:
		h.redirects.Add(1)
	case err == nil:
		t.Errorf("%s: got an answer, %s", raw, res.Status)
	case molecule.CodeOf(err) == molecule.UnsafeURL:
		h.refused.Add(1)
	default:
		h.missed.Add(1)
	}
	if err == nil {
		_ = res.Body.Close() // nothing is in it
	}
}
