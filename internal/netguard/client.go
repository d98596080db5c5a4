package netguard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

const (
	headerTimeout  = 10 * time.Second
	maxHeaderBytes = 64 << 10
	idleTimeout    = 90 * time.Second
	maxIdle        = 2048
	maxIdleOfHost  = 1024 // many agents may live at one
)

// clientKey tells clients apart. Each has connections of its own: a shared
// pool would hand one class what was opened for the other.
type clientKey struct {
	class   Class
	patient bool
}

// Client returns the client of a class for short questions: cards, probes and
// polls. Headers have to arrive within 10 s of the request.
//
// A request needs a [Target] of the class in its context. One that is refused
// has the code UnsafeURL, and then nothing was dialled; any other error of a
// name or a connection has none. A redirect is returned as it is.
func (g *Guard) Client(class Class) *http.Client { return g.client(clientKey{class, false}) }

// PatientClient returns the client of a class for a send, which waits for its
// answer until the context ends. It is like [Guard.Client] otherwise.
func (g *Guard) PatientClient(class Class) *http.Client { return g.client(clientKey{class, true}) }

func (g *Guard) client(k clientKey) *http.Client {
	if c, ok := g.clients[k]; ok {
		return c
	}
	return g.newClient(k.class, headerTimeout) // no such class: refuses every request
}

// TrustingClient returns a client like that of the class Stored, which trusts the
// given authorities and no others. It keeps no connection open.
func (g *Guard) TrustingClient(roots *x509.CertPool) *http.Client {
	t := newTransport(func(ctx context.Context, _, addr string) (net.Conn, error) {
		return g.dial(ctx, Stored, addr)
	})
	t.ResponseHeaderTimeout = headerTimeout
	t.TLSClientConfig.RootCAs = roots
	t.DisableKeepAlives = true
	return &http.Client{Transport: &guarded{guard: g, class: Stored, base: t}, CheckRedirect: stay}
}

// CloseIdle closes the connections that no request is using.
func (g *Guard) CloseIdle() {
	for _, c := range g.clients {
		c.CloseIdleConnections()
	}
}

func (g *Guard) newClients() map[clientKey]*http.Client {
	all := make(map[clientKey]*http.Client)
	for _, class := range []Class{Agent, Operator, Service, Stored} {
		all[clientKey{class, false}] = g.newClient(class, headerTimeout)
		all[clientKey{class, true}] = g.newClient(class, 0)
	}
	return all
}

// newClient returns a client with a pool of its own. A zero wait for headers
// is no limit.
func (g *Guard) newClient(class Class, headers time.Duration) *http.Client {
	t := newTransport(func(ctx context.Context, _, addr string) (net.Conn, error) {
		c, err := g.dial(ctx, class, addr)
		if err != nil {
			return nil, err
		}
		return &holdable{Conn: c}, nil
	})
	t.ResponseHeaderTimeout = headers
	if class == Service && g.proxy != nil {
		t.Proxy = http.ProxyURL(g.proxy) // of the configuration; the environment has no say
	}
	return &http.Client{Transport: &guarded{guard: g, class: class, base: t}, CheckRedirect: stay}
}

// newTransport returns a transport that connects by dial only and adds nothing
// of its own to a request. It speaks HTTP/1.1.
func newTransport(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // not even the environment's
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connectTimeout,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdleOfHost,
		IdleConnTimeout:        idleTimeout,
	}
}

// stay returns a redirect to the caller: where it leads was never checked.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// guarded refuses requests before a pooled connection can be used for them.
type guarded struct {
	guard *Guard
	class Class
	base  *http.Transport
}

// RoundTrip judges the request and sends it with the instance id.
func (t *guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.check(req); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // the refusal says more
		}
		return nil, err
	}
	out := req.Clone(req.Context()) // a RoundTripper may not change the caller's
	if t.guard.instance != "" {
		out.Header.Set(wire.HeaderInstance, t.guard.instance)
	}
	return t.base.RoundTrip(held(out))
}

// CloseIdleConnections lets http.Client close them.
func (t *guarded) CloseIdleConnections() { t.base.CloseIdleConnections() }

func (t *guarded) check(req *http.Request) error {
	target, ok := targetFrom(req.Context(), t.class)
	if !ok {
		return noTarget()
	}
	var err error
	switch raw := req.URL.String(); t.class {
	case Agent:
		_, err = t.guard.CheckURL(raw)
		return err
	case Service:
		_, err = t.guard.CheckServiceURL(raw, target.Hosts)
		return err
	case Stored:
		_, err = t.guard.CheckStoredURL(raw, target.Plaintext)
	default:
		_, err = t.guard.CheckOperatorURL(raw)
	}
	if err == nil && !SameHostPort(target.Host, HostPort(req.URL)) {
		return otherHost()
	}
	return err
}

// noTarget is the error for a request nobody vouches for.
func noTarget() *molecule.Error {
	return refuse(reasonHost, "nobody said who wrote it", "this is a fault of the daemon: please report it")
}

// otherHost is the error for a request that leaves what the operator stored.
func otherHost() *molecule.Error {
	return refuse(reasonHost, "it leaves the host and port that the administrator stored", "store the URL that the agent is to be called at")
}
