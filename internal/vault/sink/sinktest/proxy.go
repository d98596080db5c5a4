package sinktest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy listens on loopback and passes every connection on to addr, until cut is
// called: then nobody listens there any more. It ends with the test.
func Proxy(tb testing.TB, addr string) (at string, cut func()) {
	tb.Helper()
	l, err := listen()
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{addr: addr, listener: l, open: make(map[net.Conn]bool)}
	p.passes.Go(p.accept)
	tb.Cleanup(p.cut)
	return l.Addr().String(), p.cut
}

type proxy struct {
	addr     string
	listener net.Listener
	passes   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return // it was cut
		}
		var d net.Dialer
		far, err := d.DialContext(context.Background(), "tcp", p.addr)
		if err != nil || !p.keep(near, far) {
			_ = near.Close() // as the other side did
			continue
		}
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			p.passes.Go(func() {
				_, _ = io.Copy(way[0], way[1]) // until either side hangs up
				_, _ = way[0].Close(), way[1].Close()
			})
		}
	}
}

// keep notes connections, unless it was cut.
func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close() // nobody uses it
		}
		p.open[c] = true
	}
	return !p.closed
}

func (p *proxy) cut() {
	p.mu.Lock()
	p.closed = true
	_ = p.listener.Close() // a second time does nothing
	for c := range p.open {
		_ = c.Close() // likewise
	}
	p.mu.Unlock()
	p.passes.Wait()
}
