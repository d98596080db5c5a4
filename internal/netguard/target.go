package netguard

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Class says who wrote the URL that is called. The zero Class may call nothing.
type Class int

// The classes.
const (
	Agent    Class = iota + 1 // an agent or a remote principal: held to the address table
	Operator                  // an administrator on the socket: exactly the stored host and port
	Service                   // a service on the Internet: https, public addresses, hosts of its own
	Stored                    // a sink of the secret map: exactly the host and port that stand there
)

// Target is what a request may be sent to.
type Target struct {
	Class Class

	// Host is the stored host:port of the classes Operator and Stored, as
	// [HostPort] returns it.
	Host string

	Hosts     []string // of class Service: what it may be called at
	Plaintext bool     // of class Stored: http also where it leaves this machine
}

type targetKey struct{}

// WithTarget returns a context whose requests may go to t.
func WithTarget(ctx context.Context, t Target) context.Context {
	return context.WithValue(ctx, targetKey{}, t)
}

// targetFrom returns the target of ctx when it is of the class.
func targetFrom(ctx context.Context, class Class) (Target, bool) {
	t, ok := ctx.Value(targetKey{}).(Target)
	return t, ok && t.Class == class && class >= Agent && class <= Stored
}

// HostPort returns the host and port that u is dialled at, "" when u is no
// http or https URL.
func HostPort(u *url.URL) string {
	port := defaultPort(u.Scheme)
	if port == "" || u.Hostname() == "" {
		return ""
	}
	if p := u.Port(); p != "" {
		port = p
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// SameHostPort reports whether two host:port mean one place: by text, with
// case and the spelling of an address aside, and with 127.0.0.1, ::1 and
// localhost as one. No name is looked up.
func SameHostPort(a, b string) bool {
	x, okx := place(a)
	y, oky := place(b)
	return okx && oky && x == y
}

// place returns a host:port in the form that is compared.
func place(hostPort string) (string, bool) {
	host, text, err := net.SplitHostPort(hostPort)
	if err != nil || host == "" {
		return "", false
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return "", false
	}
	name := strings.ToLower(host)
	if a, err := netip.ParseAddr(host); err == nil {
		if name = plain(a).String(); isLocalhost(plain(a)) {
			name = localName
		}
	}
	return name + " " + strconv.FormatUint(port, 10), true
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}
