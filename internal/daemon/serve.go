package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/auth"
	"github.com/molecule-ai/molecli/internal/tenant"
)

// How long stopping takes at most, beside the grace of each part.
const (
	hangUp    = 2 * time.Second  // for open requests to end
	lastWords = 10 * time.Second // for what stopping itself has to store: a disk may be slow
)

// serve answers on every listener until ctx ends. Whoever was accepted by then is
// answered, also if the request is still to come: with sockets that the service
// manager holds open, nobody sees that the daemon restarts.
func (d *Daemon) serve(ctx context.Context, stop context.CancelCauseFunc) error {
	// Streams end when requests ends; other requests may finish first.
	requests, hang := context.WithCancel(context.WithoutCancel(ctx))
	defer hang()
	var accepted guests
	server := &http.Server{
		Handler:     d.handler,
		ConnContext: auth.ConnContext,
		ConnState:   accepted.note,
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    slog.NewLogLogger(d.log.With("subsystem", "api").Handler(), slog.LevelDebug),
	}
	tenant.Harden(server)
	var serving sync.WaitGroup
	for _, l := range d.listeners {
		serving.Go(func() {
			if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
				stop(fmt.Errorf("serve %s: %w", urlOf(l), err))
			}
		})
	}
	<-ctx.Done()
	d.log.Info("stopping")
	hang()
	err := d.closeListeners()
	serving.Wait() // afterwards every guest is known
	server.SetKeepAlivesEnabled(false)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUp)
	defer cancel()
	// Shutdown drops a request that it finds unread, so the guests come first.
	accepted.wait(grace)
	over := server.Shutdown(grace)
	if errors.Is(over, context.DeadlineExceeded) {
		over = server.Close() // whoever is still there is hung up on
	}
	d.agentFace.Wait() // the server knows nothing of sockets
	return errors.Join(err, over)
}

// closeListeners closes every listener that is still open.
func (d *Daemon) closeListeners() error {
	var failed error
	for _, l := range d.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// guests are the connections that wait for an answer, or have yet to ask.
type guests struct {
	mu   sync.Mutex
	here map[net.Conn]struct{}
	none chan struct{} // closed when there is none; nil while nobody waits for that
}

// note is told of each change of a connection.
func (g *guests) note(conn net.Conn, state http.ConnState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.here == nil {
		g.here = make(map[net.Conn]struct{})
	}
	if state == http.StateNew || state == http.StateActive {
		g.here[conn] = struct{}{}
		return
	}
	delete(g.here, conn)
	if g.none != nil && len(g.here) == 0 {
		close(g.none)
		g.none = nil
	}
}

// wait returns when nobody is here any more, or ctx ends.
func (g *guests) wait(ctx context.Context) {
	g.mu.Lock()
	if len(g.here) == 0 {
		g.mu.Unlock()
		return
	}
	gone := make(chan struct{})
	g.none = gone
	g.mu.Unlock()
	select {
	case <-gone:
	case <-ctx.Done():
	}
}
