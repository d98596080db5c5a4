package netguard

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxSocketPath is what fits into a socket address on Linux, without the zero
// byte behind it.
const maxSocketPath = 107

// Daemon is the way to the daemon that an operator named. Its address is the
// operator's own and is not judged.
type Daemon struct {
	Client *http.Client // follows no redirect, uses no proxy; has no deadline of its own
	Base   string       // what a path is appended to

	network string // unix or tcp
	address string
}

// Endpoint returns the way to the daemon at raw: unix:///path or
// http(s)://host:port. It dials nobody yet. Anything else is Invalid.
func Endpoint(raw string) (*Daemon, error) {
	d, err := parseEndpoint(raw)
	if err != nil {
		return nil, err
	}
	d.Client = &http.Client{
		Transport: newTransport(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.Dial(ctx)
		}),
		CheckRedirect: stay,
	}
	return d, nil
}

// Dial opens a bare connection, without TLS. The caller closes it.
func (d *Daemon) Dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: connectTimeout}
	return dialer.DialContext(ctx, d.network, d.address)
}

func parseEndpoint(raw string) (*Daemon, error) {
	if socket, ok := strings.CutPrefix(raw, "unix://"); ok {
		return socketEndpoint(socket)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, badEndpoint("cannot be read")
	}
	at := HostPort(u)
	switch {
	case u.User != nil:
		return nil, badEndpoint("holds a user name or password")
	case at == "":
		return nil, badEndpoint("is neither unix:///path nor http(s)://host:port")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, badEndpoint("holds more than a host and a port")
	}
	if _, ok := place(at); !ok || strings.HasSuffix(u.Host, ":") {
		return nil, badEndpoint("has no port from 1 to 65535")
	}
	return &Daemon{Base: u.Scheme + "://" + u.Host, network: "tcp", address: at}, nil
}

func socketEndpoint(socket string) (*Daemon, error) {
	switch {
	case !path.IsAbs(socket) || strings.ContainsRune(socket, 0):
		return nil, badEndpoint("has no absolute path")
	case len(socket) > maxSocketPath:
		return nil, badEndpoint("has a path longer than the 107 bytes of a socket address")
	}
	// The name is for the Host header only, and no proxy or DNS ever sees it.
	return &Daemon{Base: "http://" + localName, network: "unix", address: path.Clean(socket)}, nil
}

// badEndpoint does not repeat the endpoint: it may hold a password.
func badEndpoint(what string) *molecule.Error {
	return molecule.Errorf(molecule.Invalid, "the endpoint %s", what).
		WithHint("write it as unix:///run/moleculed/moleculed.sock or http://127.0.0.1:7420")
}
