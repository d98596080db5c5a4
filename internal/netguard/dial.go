package netguard

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	connectTimeout = 5 * time.Second
	// lookupTimeout leaves room for a second name server: the usual wait for
	// the first is 5 s.
	lookupTimeout = 10 * time.Second
)

// confirmFunc returns an error for an address that must not be connected to.
type confirmFunc func(to netip.AddrPort) error

// dial opens a connection for a request of a class to addr, a host:port.
func (g *Guard) dial(ctx context.Context, class Class, addr string) (net.Conn, error) {
	t, ok := targetFrom(ctx, class)
	if !ok {
		return nil, noTarget()
	}
	host, port, err := splitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if (class == Operator || class == Stored) && !SameHostPort(t.Host, addr) {
		return nil, otherHost()
	}
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to connect: %w", context.Cause(ctx))
	}
	p := permit{class: class, loopback: g.local && strings.EqualFold(host, localName)}
	if class == Service {
		p.opened = g.opened("", addr) || g.proxy != nil && SameHostPort(HostPort(g.proxy), addr)
		if !p.opened && !slices.ContainsFunc(t.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
			return nil, otherHost()
		}
	}
	addrs, err := g.resolve(ctx, p, host, port)
	if err != nil {
		return nil, err
	}
	return g.connectAny(ctx, p, addrs)
}

// resolve returns the addresses of a host, all of which passed.
func (g *Guard) resolve(ctx context.Context, p permit, host string, port uint16) ([]netip.AddrPort, error) {
	addrs, named, err := g.lookUp(ctx, p, host)
	if err != nil {
		return nil, err
	}
	all := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		all[i] = netip.AddrPortFrom(plain(a), port)
		r := g.judge(p, all[i])
		if r != "" && r != reasonSelf && named {
			r = reasonDNS // what the name resolved to is nobody's business
		}
		if r != "" {
			return nil, refuseAddress(r).WithCause(fmt.Errorf("%s is at %s", host, all[i].Addr()))
		}
	}
	return all, nil
}

// lookUp returns the addresses of a host, and whether a name server said so.
func (g *Guard) lookUp(ctx context.Context, p permit, host string) (addrs []netip.Addr, named bool, err error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, false, nil
	}
	if strings.EqualFold(host, localName) {
		if p.class == Agent && !p.loopback || p.class == Service && !p.opened {
			return nil, false, refuseAddress(reasonAddress)
		}
		both := localhost()
		return both[:], false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	if addrs, err = g.resolver.LookupNetIP(ctx, "ip", host); err != nil {
		return nil, true, fmt.Errorf("look up the name: %w", err)
	}
	if len(addrs) == 0 {
		return nil, true, fmt.Errorf("look up the name: %w", &net.DNSError{Err: "no address", Name: host, IsNotFound: true})
	}
	return addrs, true, nil
}

// connectAny tries addresses in order and returns the first connection. Each
// gets an equal part of the time, so that a silent one leaves some to the next.
func (g *Guard) connectAny(ctx context.Context, p permit, addrs []netip.AddrPort) (net.Conn, error) {
	part := connectTimeout / time.Duration(len(addrs))
	var first error
	for _, to := range addrs {
		conn, err := g.connectOne(ctx, part, p, to)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil || molecule.CodeOf(err) == molecule.UnsafeURL {
			break
		}
	}
	return nil, first
}

func (g *Guard) connectOne(ctx context.Context, limit time.Duration, p permit, to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	network := "tcp6"
	if to.Addr().Is4() {
		network = "tcp4"
	}
	return g.connect(ctx, network, to, func(actual netip.AddrPort) error {
		if r := g.judge(p, actual); r != "" {
			return refuseAddress(r).WithCause(fmt.Errorf("the kernel was about to connect to %s", actual))
		}
		return nil
	})
}

// connect dials an address and asks confirm about what the kernel is told.
func connect(ctx context.Context, network string, to netip.AddrPort, confirm confirmFunc) (net.Conn, error) {
	d := net.Dialer{
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			actual, err := netip.ParseAddrPort(address)
			if err != nil || network != "tcp4" && network != "tcp6" {
				return refuseAddress(reasonAddress).WithCause(fmt.Errorf("unexpected %s address %q", network, address))
			}
			return confirm(actual)
		},
	}
	return d.DialContext(ctx, network, to.String())
}

// splitHostPort cuts what a transport wants to dial.
func splitHostPort(addr string) (string, uint16, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return "", 0, refuse(reasonHost, "it has no host", "write a plain URL, such as https://agent.example.com/a2a")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", 0, refuse(reasonPort, "its port is no number from 1 to 65535", "write it as :8080, or leave it out with its colon")
	}
	return host, uint16(n), nil
}

// newResolver returns who resolves names.
func newResolver(server string) (*net.Resolver, error) {
	if server == "" {
		return &net.Resolver{}, nil
	}
	at, err := netip.ParseAddrPort(server)
	if err != nil || at.Port() == 0 {
		return nil, molecule.Errorf(molecule.Invalid, "network.resolver %q is no ip:port", server).WithHint("write it as 192.168.1.1:53, or system")
	}
	return &net.Resolver{
		PreferGo: true, // the C library knows only the system's servers
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, at.String())
		},
	}, nil
}
