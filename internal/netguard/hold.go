package netguard

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

type holdKey struct{}

// WithHold returns a context whose next request is held back when all is ready
// for it and before its first byte leaves, until release returns. When that
// returns an error nothing leaves, and the request fails. A request that has to
// change its connection asks again.
//
// The body of a request cannot do that: unless net/http knows it to be in
// memory, the headers leave before it is read.
func WithHold(ctx context.Context, release func() error) context.Context {
	return context.WithValue(ctx, holdKey{}, release)
}

// held returns req so that it is held back when its context says so.
func held(req *http.Request) *http.Request {
	release, ok := req.Context().Value(holdKey{}).(func() error)
	if !ok {
		return req
	}
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			c := info.Conn
			if t, secure := c.(*tls.Conn); secure {
				c = t.NetConn()
			}
			if h, ours := c.(*holdable); ours {
				h.release.Store(&release)
			}
		},
	}))
}

// holdable is a connection that can hold back what is written to it.
type holdable struct {
	net.Conn
	release atomic.Pointer[func() error]
}

// Write implements net.Conn.
func (c *holdable) Write(p []byte) (int, error) {
	if release := c.release.Load(); release != nil {
		if err := (*release)(); err != nil {
			return 0, err
		}
		c.release.Store(nil)
	}
	return c.Conn.Write(p)
}
