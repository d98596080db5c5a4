package platform

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// source yields events as a test says.
type source struct {
	molecule.EventService
	watch func(ctx context.Context, yield func(molecule.Event, error) bool)
}

func (s source) LastEventID(context.Context) (int64, error) { return 0, nil }

func (s source) WatchEvents(ctx context.Context, _ molecule.EventFilter) iter.Seq2[molecule.Event, error] {
	return func(yield func(molecule.Event, error) bool) { s.watch(ctx, yield) }
}

// pipes are connections without a network.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.ended) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// socketBubble serves sockets that events come from, and hands test one.
func socketBubble(t *testing.T, events source, test func(conn *websocket.Conn, closed func() bool)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := New(Deps{
			Events: events, Changed: func() <-chan struct{} { return nil },
			Authenticate: func(*http.Request) (molecule.Principal, error) { return molecule.Principal{}, nil },
		})
		operator := molecule.Principal{Name: "uid:0", Scopes: []molecule.Scope{molecule.ScopeAdmin}}
		served := make(chan struct{})
		p := &pipes{conns: make(chan net.Conn), ended: make(chan struct{})}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(served)
			if err := f.socket(w, call{Request: r, by: operator}); err != nil {
				t.Errorf("the socket ends with %v", err)
			}
		})}
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := srv.Serve(p); !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("serve: %v", err)
			}
		})
		dial := func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			p.conns <- theirs
			return ours, nil
		}
		conn, _, err := websocket.Dial(t.Context(), "ws://pipe/ws", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dial}},
		})
		if err != nil {
			t.Fatal(err)
		}
		test(conn, func() bool {
			select {
			case <-served:
				return true
			default:
				return false
			}
		})
		if err := conn.CloseNow(); err != nil && !strings.Contains(err.Error(), "closed") {
			t.Logf("close: %v", err)
		}
		f.Wait()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
}

func TestSocket_aReaderThatReadsNothingIsDropped(t *testing.T) {
	t.Parallel()
	flood := source{watch: func(ctx context.Context, yield func(molecule.Event, error) bool) {
		for id := int64(1); ctx.Err() == nil && yield(molecule.Event{ID: id, Type: "clock.jumped", Subject: "clock"}, nil); id++ {
		}
	}}
	socketBubble(t, flood, func(_ *websocket.Conn, closed func() bool) {
		time.Sleep(writeWithin - time.Second)
		if closed() {
			t.Error("it is dropped at once")
		}
		time.Sleep(time.Second + 2*closeWithin)
		if synctest.Wait(); !closed() {
			t.Error("it is still served")
		}
	})
}

func TestSocket_aReaderThatVanishedIsFoundByAPing(t *testing.T) {
	t.Parallel()
	quiet := source{watch: func(ctx context.Context, _ func(molecule.Event, error) bool) { <-ctx.Done() }}
	socketBubble(t, quiet, func(_ *websocket.Conn, closed func() bool) {
		time.Sleep(pingEvery + writeWithin + 2*closeWithin)
		if synctest.Wait(); !closed() {
			t.Error("it is still served")
		}
	})
}

func TestSocket_aReaderThatAnswersPingsStays(t *testing.T) {
	t.Parallel()
	quiet := source{watch: func(ctx context.Context, _ func(molecule.Event, error) bool) { <-ctx.Done() }}
	socketBubble(t, quiet, func(conn *websocket.Conn, closed func() bool) {
		ctx := conn.CloseRead(context.Background())
		if err := conn.Write(ctx, websocket.MessageText, []byte(`{"type":"ping"}`)); err != nil {
			t.Errorf("what a reader says ends the socket: %v", err)
		}
		time.Sleep(time.Hour)
		if synctest.Wait(); closed() || ctx.Err() != nil {
			t.Error("it was dropped")
		}
	})
}

func TestSocket_saysWhyThereIsNoMore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		code websocket.StatusCode
		said string
	}{
		{molecule.Errorf(molecule.Gone, "pruned"), websocket.StatusPolicyViolation, "since is no longer kept"},
		{molecule.Errorf(molecule.Unavailable, "slow"), websocket.StatusPolicyViolation, "too slow"},
		{errors.New("broken"), websocket.StatusInternalError, "come back"},
	} {
		ends := source{watch: func(_ context.Context, yield func(molecule.Event, error) bool) { yield(molecule.Event{}, tt.err) }}
		socketBubble(t, ends, func(conn *websocket.Conn, _ func() bool) {
			_, _, err := conn.Read(context.Background())
			closed, ok := errors.AsType[websocket.CloseError](err)
			if !ok || closed.Code != tt.code || closed.Reason != tt.said {
				t.Errorf("after %v it reads %v", tt.err, err)
			}
		})
	}
}
