package auth

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// accepted returns the server's end of a new connection to l.
func accepted(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	dialled, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dialled.Close()
		conn.Close()
		l.Close()
	})
	return conn
}

// hidden is a connection whose socket cannot be asked.
type hidden struct{ net.Conn }

func TestPeerCred_isTheProcessAtTheOtherEnd(t *testing.T) {
	t.Parallel()
	got, err := PeerCred(accepted(t, listenUnix(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := Peer{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), PID: int32(os.Getpid())}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("peer (-got +want)\n%s", diff)
	}
}

func TestPeerCred_refusesWhatTheKernelCannotVouchFor(t *testing.T) {
	t.Parallel()
	closed := accepted(t, listenUnix(t))
	closed.Close()
	piped, other := net.Pipe()
	t.Cleanup(func() { piped.Close(); other.Close() })
	for name, conn := range map[string]net.Conn{
		"tcp":     accepted(t, listenTCP(t)),
		"pipe":    piped,
		"wrapped": hidden{accepted(t, listenUnix(t))},
		"closed":  closed,
	} {
		if got, err := PeerCred(conn); err == nil || got != (Peer{}) {
			t.Errorf("%s: PeerCred = %+v, %v, want an error", name, got, err)
		}
	}
}

func TestConnContext_notesWhereAConnectionComesFrom(t *testing.T) {
	t.Parallel()
	piped, other := net.Pipe()
	t.Cleanup(func() { piped.Close(); other.Close() })
	for _, tt := range []struct {
		name     string
		conn     net.Conn
		local    bool
		loopback bool
	}{
		{"socket", accepted(t, listenUnix(t)), true, false},
		{"socket that hides", hidden{accepted(t, listenUnix(t))}, false, false},
		{"loopback", accepted(t, listenTCP(t)), false, true},
		{"another interface", addressed{piped, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}}, false, false},
		{"mapped loopback", addressed{piped, &net.TCPAddr{IP: net.ParseIP("::ffff:127.0.0.1")}}, false, true},
		{"something unknown", piped, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx := ConnContext(context.WithoutCancel(t.Context()), tt.conn)
			r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
			if got := Local(r); got != tt.local {
				t.Errorf("Local = %v, want %v", got, tt.local)
			}
			if o, ok := ctx.Value(originKey{}).(origin); !ok || o.loopback != tt.loopback {
				t.Errorf("loopback = %v, want %v", o.loopback, tt.loopback)
			}
		})
	}
}

// addressed is a connection that was accepted at an address of our choice.
type addressed struct {
	net.Conn
	at net.Addr
}

// LocalAddr returns that address.
func (a addressed) LocalAddr() net.Addr { return a.at }
