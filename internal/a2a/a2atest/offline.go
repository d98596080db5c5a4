package a2atest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/netguard"
)

// Wire leads to one agent over pipes in memory. It stands in for a
// netguard.Guard, with the same patience and no redirects, where time is not real.
type Wire struct {
	brief, patient *http.Client

	out atomic.Bool
}

// Offline serves a without a network until the test is over, and returns the
// only way to it.
func (a *Agent) Offline(tb testing.TB) *Wire {
	tb.Helper()
	l := &pipes{made: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("serve: %v", err)
		}
	})
	w := &Wire{}
	w.brief, w.patient = w.client(l, 10*time.Second), w.client(l, 0)
	tb.Cleanup(func() {
		close(a.done)
		w.brief.CloseIdleConnections()
		w.patient.CloseIdleConnections()
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
		wg.Wait()
	})
	a.URL = "http://agent.test"
	return w
}

// Unplug lets nobody connect any more, and Plug lets them again.
func (w *Wire) Unplug() {
	w.out.Store(true)
	w.brief.CloseIdleConnections()
	w.patient.CloseIdleConnections()
}

// Plug undoes Unplug.
func (w *Wire) Plug() { w.out.Store(false) }

// Client returns a client that waits 10 s for headers.
func (w *Wire) Client(netguard.Class) *http.Client { return w.brief }

// PatientClient returns a client that waits until the context ends.
func (w *Wire) PatientClient(netguard.Class) *http.Client { return w.patient }

// CheckURL allows everything.
func (*Wire) CheckURL(raw string) (*url.URL, error) { return url.Parse(raw) }

func (w *Wire) client(p *pipes, headers time.Duration) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		if w.out.Load() {
			return nil, errors.New("connection refused")
		}
		return p.dial(ctx)
	}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dial, ResponseHeaderTimeout: headers},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// pipes is a listener whose connections are in memory.
type pipes struct {
	made   chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.made <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.made:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr implements net.Listener.
func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
