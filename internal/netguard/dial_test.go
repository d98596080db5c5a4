package netguard

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// canary is a listener that nobody may reach.
type canary struct {
	port    string
	accepts *atomic.Int32
}

// newCanary listens on loopback and counts who connects.
func newCanary(t *testing.T) canary {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := canary{accepts: new(atomic.Int32)}
	if _, c.port, err = net.SplitHostPort(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			c.accepts.Add(1)
			_ = conn.Close() // it was counted
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
	return c
}

// untouched fails the test when somebody connected. A connect of the kernel is
// complete before accept, so one connection of our own is put behind it.
func (c canary) untouched(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("tcp4", "127.0.0.1:"+c.port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Read(make([]byte, 1)) // returns when ours was accepted and closed
	if n := c.accepts.Load(); n != 1 {
		t.Errorf("the canary was reached %d times", n-1)
	}
}

// tried is one connection that would have been opened.
type tried struct{ Network, To string }

// errNotDialled stands for a network that is not there.
var errNotDialled = errors.New("not dialled in this test")

// record makes g note connections instead of opening them.
func record(g *Guard) func() []tried {
	var mu sync.Mutex
	var all []tried
	g.connect = func(_ context.Context, network string, to netip.AddrPort, confirm confirmFunc) (net.Conn, error) {
		if err := confirm(to); err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, tried{network, to.String()})
		return nil, errNotDialled
	}
	return func() []tried {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// get asks for a URL as a class would; the target is the URL itself. Names in
// URLs end in a root dot, which keeps the search list of this machine out.
func get(t *testing.T, g *Guard, class Class, raw string) (*http.Response, error) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	ctx := WithTarget(t.Context(), Target{Class: class, Host: HostPort(u)})
	return send(ctx, t, g.Client(class), raw)
}

func send(ctx context.Context, t *testing.T, c *http.Client, raw string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err == nil {
		t.Cleanup(func() { _ = res.Body.Close() }) // read to its end, or of no interest
	}
	return res, err
}

func TestDial_judgesEveryAnswer(t *testing.T) {
	t.Parallel()
	const name = "agent.example.com"
	for _, tt := range []struct {
		name    string
		class   Class
		answers string
		want    []tried
		refused reason
	}{
		{"public", Agent, "1.1.1.1", []tried{{"tcp4", "1.1.1.1:8080"}}, ""},
		{"private", Agent, "10.1.2.3", []tried{{"tcp4", "10.1.2.3:8080"}}, ""},
		{"IPv6", Agent, "2600::1", []tried{{"tcp6", "[2600::1]:8080"}}, ""},
		{"loopback", Agent, "127.0.0.1", nil, reasonDNS},
		{"loopback on IPv6", Agent, "::1", nil, reasonDNS},
		{"metadata", Agent, "169.254.169.254", nil, reasonDNS},
		{"unspecified", Agent, "0.0.0.0", nil, reasonDNS},
		{"mapped loopback", Agent, "::ffff:127.0.0.1", nil, reasonDNS},
		{"public and loopback", Agent, "1.1.1.1 127.0.0.1", nil, reasonDNS},
		{"public and loopback on IPv6", Agent, "1.1.1.1 ::1", nil, reasonDNS},
		{"loopback and public", Agent, "127.0.0.1 1.1.1.1", nil, reasonDNS},
		{"ourselves", Agent, "10.9.8.7", nil, reasonSelf},
		{"operator, loopback", Operator, "127.0.0.1", []tried{{"tcp4", "127.0.0.1:8080"}}, ""},
		{"operator, metadata", Operator, "169.254.169.254", nil, reasonDNS},
		{"operator, metadata among others", Operator, "1.1.1.1 fd00:ec2::254", nil, reasonDNS},
		{"operator, ourselves", Operator, "10.9.8.7", nil, reasonSelf},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, at := startNameServer(t, func(string, int) []netip.Addr { return addrs(tt.answers) })
			g := newGuard(t, Options{Resolver: at, Local: true})
			tries := record(g)
			if tt.refused == reasonSelf {
				g.SetBound([]uint16{8080})
			}
			_, err := get(t, g, tt.class, "http://"+name+".:8080/")
			if err == nil {
				t.Fatal("got an answer from nowhere")
			}
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
			if a, aaaa := server.lookups(name, typeA), server.lookups(name, typeAAAA); a != 1 || aaaa != 1 {
				t.Errorf("got %d and %d look-ups, want one of each family", a, aaaa)
			}
		})
	}
}

func TestDial_connectsToWhatWasCheckedWhenTheAnswerFlips(t *testing.T) {
	t.Parallel()
	_, at := startNameServer(t, func(_ string, nth int) []netip.Addr {
		if nth == 1 {
			return addrs("1.1.1.1")
		}
		return addrs("127.0.0.1")
	})
	trap := newCanary(t)
	g := newGuard(t, Options{Resolver: at})
	tries := record(g)
	raw := "http://flips.example.com.:" + trap.port + "/"
	if _, err := get(t, g, Agent, raw); !errors.Is(err, errNotDialled) {
		t.Errorf("got error %v, want one of the connection", err)
	}
	if diff := cmp.Diff(tries(), []tried{{"tcp4", "1.1.1.1:" + trap.port}}); diff != "" {
		t.Errorf("connections (-got +want):\n%s", diff)
	}
	g.connect = connect
	_, err := get(t, g, Agent, raw)
	if got := reasonOf(t, err); got != reasonDNS {
		t.Errorf("after the flip: got reason %q, want %q", got, reasonDNS)
	}
	trap.untouched(t)
}

func TestDial_saysNothingOfWhatANameResolvedTo(t *testing.T) {
	t.Parallel()
	messages := make(map[string]string)
	for _, a := range []string{"127.0.0.1", "169.254.169.254", "240.0.0.1", "fd00::1"} {
		_, at := startNameServer(t, func(string, int) []netip.Addr { return addrs(a) })
		_, err := get(t, newGuard(t, Options{Resolver: at}), Agent, "http://agent.example.com./")
		e, ok := errors.AsType[*molecule.Error](err)
		if !ok {
			t.Fatalf("got error %v, want a refusal", err)
		}
		messages[e.Message+e.Hint] = a
		if !strings.Contains(e.Err.Error(), a) {
			t.Errorf("the cause %q does not tell the log the address %s", e.Err, a)
		}
	}
	if len(messages) != 1 {
		t.Errorf("got %d messages, want the same for every address: %v", len(messages), messages)
	}
}

func TestDial_tellsAnUnknownNameFromARefusedOne(t *testing.T) {
	t.Parallel()
	_, at := startNameServer(t, func(string, int) []netip.Addr { return nil })
	g := newGuard(t, Options{Resolver: at})
	_, err := get(t, g, Agent, "http://nobody.example.com./")
	if d, ok := errors.AsType[*net.DNSError](err); !ok || !d.IsNotFound {
		t.Errorf("got error %v, want that the name is not found", err)
	}
	if code := molecule.CodeOf(err); code == molecule.UnsafeURL {
		t.Error("a name that does not resolve was called unsafe: it would never be tried again")
	}
}

func TestDial_takesLocalhostForLoopbackWithoutDNS(t *testing.T) {
	t.Parallel()
	server, at := startNameServer(t, func(string, int) []netip.Addr { return addrs("1.1.1.1") })
	want := []tried{{"tcp4", "127.0.0.1:8080"}, {"tcp6", "[::1]:8080"}}
	for _, class := range []Class{Agent, Operator} {
		g := newGuard(t, Options{Resolver: at, Local: true})
		tries := record(g)
		if _, err := get(t, g, class, "http://LocalHost:8080/"); !errors.Is(err, errNotDialled) {
			t.Errorf("class %d: got error %v, want one of the connection", class, err)
		}
		if diff := cmp.Diff(tries(), want); diff != "" {
			t.Errorf("class %d: connections (-got +want):\n%s", class, diff)
		}
	}
	if n := server.lookups("localhost", typeA); n != 0 {
		t.Errorf("localhost was looked up %d times", n)
	}
}

func TestDial_refusesBeforeTheKernelConnects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		p    permit
		want reason
	}{
		{"agent", permit{class: Agent}, reasonAddress},
		{"no class", permit{}, reasonAddress},
		{"agent as localhost, at our own port", permit{class: Agent, loopback: true}, reasonSelf},
		{"operator, at our own port", permit{class: Operator}, reasonSelf},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			trap := newCanary(t)
			g := newGuard(t, Options{})
			to := netip.MustParseAddrPort("127.0.0.1:" + trap.port)
			if tt.want == reasonSelf {
				g.SetBound([]uint16{to.Port()})
			}
			// as if the check of the answers had been passed
			_, err := g.connectAny(t.Context(), tt.p, []netip.AddrPort{to})
			if got := reasonOf(t, err); got != tt.want {
				t.Errorf("got reason %q, want %q", got, tt.want)
			}
			trap.untouched(t)
		})
	}
}

func TestConnect_showsTheRealAddressAndDialsTCPOnly(t *testing.T) {
	t.Parallel()
	trap := newCanary(t)
	to := netip.MustParseAddrPort("127.0.0.1:" + trap.port)
	var shown []netip.AddrPort
	no := errors.New("no")
	_, err := connect(t.Context(), "tcp4", to, func(a netip.AddrPort) error {
		shown = append(shown, a)
		return no
	})
	if !errors.Is(err, no) || len(shown) != 1 || shown[0] != to {
		t.Errorf("got error %v after %v, want %v after %v", err, shown, no, to)
	}
	_, err = connect(t.Context(), "udp4", to, func(netip.AddrPort) error { return nil })
	if got := reasonOf(t, err); got != reasonAddress {
		t.Errorf("udp: got reason %q, want %q", got, reasonAddress)
	}
	trap.untouched(t)
}

func TestDial_refusesWithoutAHostOrPort(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{Local: true})
	ctx := WithTarget(t.Context(), Target{Class: Agent})
	for addr, want := range map[string]reason{"": reasonHost, ":80": reasonHost, "localhost": reasonHost, "localhost:0": reasonPort, "localhost:http": reasonPort} {
		_, err := g.dial(ctx, Agent, addr)
		if got := reasonOf(t, err); got != want {
			t.Errorf("dial %q: got reason %q, want %q", addr, got, want)
		}
	}
	_, err := newGuard(t, Options{}).dial(ctx, Agent, "localhost:80")
	if got := reasonOf(t, err); got != reasonAddress {
		t.Errorf("localhost where agents may not be: got reason %q, want %q", got, reasonAddress)
	}
}

func TestDial_boundsConnectsInProgress(t *testing.T) {
	t.Parallel()
	asked, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	server, at := startNameServer(t, func(string, int) []netip.Addr {
		once.Do(func() { close(asked) })
		<-proceed
		return addrs("1.1.1.1")
	})
	g := newGuard(t, Options{Resolver: at, MaxConnects: 1})
	record(g)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := get(t, g, Agent, "http://first.example.com./"); !errors.Is(err, errNotDialled) {
			t.Errorf("got error %v, want one of the connection", err)
		}
	})
	<-asked
	ctx, cancel := context.WithTimeout(WithTarget(t.Context(), Target{Class: Agent}), 20*time.Millisecond)
	defer cancel()
	if _, err := g.dial(ctx, Agent, "second.example.com.:80"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want that the context ended while waiting", err)
	}
	close(proceed)
	wg.Wait()
	if n := server.lookups("second.example.com", typeA); n != 0 {
		t.Errorf("the second name was looked up %d times over the limit", n)
	}
	if _, err := get(t, g, Agent, "http://third.example.com./"); !errors.Is(err, errNotDialled) {
		t.Errorf("after the first ended: got error %v, want one of the connection", err)
	}
}

func TestDial_triesTheNextAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	g := newGuard(t, Options{})
	conn, err := g.connectAny(t.Context(), permit{class: Operator}, []netip.AddrPort{
		netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port), // nobody listens
		netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.RemoteAddr().String(); got != l.Addr().String() {
		t.Errorf("connected to %s, want %s", got, l.Addr())
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// text reads a body to its end.
func text(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
