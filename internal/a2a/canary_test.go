package a2a_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

// listen counts who connects to a port of loopback at which nobody has business.
func listen(t *testing.T) (port string, met *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	met = new(atomic.Int64)
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			met.Add(1)
			_ = conn.Close() // whoever it was
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // nobody listens on
		listening.Wait()
	})
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, met
}

// led makes a rig whose agent is the operator's, and whose guard lets agents be
// nowhere on this machine. bound is the port of the daemon itself.
func led(t *testing.T, agent *a2atest.Agent, bound ...uint16) *rig {
	t.Helper()
	guard, err := netguard.New(netguard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	guard.SetBound(bound)
	t.Cleanup(guard.CloseIdle)
	return newRig(agent.Start(t), guard)
}

func TestDeliver_isLedNowhereByACard(t *testing.T) {
	t.Parallel()
	port, met := listen(t)
	for _, host := range []string{
		"127.0.0.1", "localhost", "LOCALHOST", "localhost.", "a.localhost", "[::1]", "[::ffff:127.0.0.1]", "[::]", "0.0.0.0", "127.1", "2130706433",
		"0x7f000001", "127.0.0.1.", "user@127.0.0.1", "169.254.169.254", "[fe80::1]", "[fe80::1%25lo]",
	} {
		for _, version := range []string{"1.0", "0.3"} {
			at := "http://" + host + ":" + port + "/"
			r := led(t, a2atest.New())
			r.agent.Cards(map[string]string{
				a2atest.CardPath: fmt.Sprintf(`{"supportedInterfaces":[{"protocolVersion":%q,"protocolBinding":"JSONRPC","url":%q}]}`, version, at),
			})
			if got := r.deliver(t, time.Minute); got.Failure != molecule.FailUnsafe {
				t.Errorf("%s %s: got failure %q (%s)", version, at, got.Failure, got.Detail)
			}
		}
	}
	if n := met.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestDeliver_isLedNowhereByARedirect(t *testing.T) {
	t.Parallel()
	port, met := listen(t)
	t.Cleanup(func() {
		if n := met.Load(); n != 0 {
			t.Errorf("%d connections were made", n)
		}
	})
	away := a2atest.Redirects("http://127.0.0.1:" + port + "/")
	for _, op := range []a2atest.Op{a2atest.Card, a2atest.Send, a2atest.Get, a2atest.Cancel, a2atest.List} {
		eachFace(t, func(t *testing.T, f a2atest.Face) {
			r := led(t, a2atest.New(f).Holds("old").On(op, away))
			deadline := time.Minute
			switch op {
			case a2atest.Get:
				r.delivery.Run.Handle = handleOf(r, f, "old")
			case a2atest.Cancel: // which is told at the deadline
				r.delivery.Run.Handle, deadline = handleOf(r, f, "old"), 100*time.Millisecond
			case a2atest.List:
				r.agent.On(a2atest.Send, a2atest.Cuts())
			}
			r.deliver(t, deadline)
			asked := len(r.agent.Requests(op)) > 0
			if can := op != a2atest.List || f.Version == a2atest.V1; asked != can {
				t.Errorf("asked for %s is %v", op, asked)
			}
		})
	}
}

func TestDeliver_isNotLedToTheDaemonItself(t *testing.T) {
	t.Parallel()
	r := led(t, a2atest.New(a2atest.Faces()...))
	_, port, err := net.SplitHostPort(strings.TrimPrefix(r.agent.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	var own uint16
	if _, err := fmt.Sscan(port, &own); err != nil {
		t.Fatal(err)
	}
	r = led(t, a2atest.New(), own) // the operator's own place is refused, too, when it is ours
	r.delivery.Agent.URL = "http://127.0.0.1:" + port
	if got := r.deliver(t, time.Minute); got.Failure != molecule.FailUnsafe || got.Answered {
		t.Errorf("got %+v, want that it is unsafe", got)
	}
}
