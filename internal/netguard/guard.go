package netguard

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// defaultMaxConnects bounds connects in progress when Options does not.
const defaultMaxConnects = 64

// Options says what a guard opens beside the public addresses, and how.
type Options struct {
	Local          bool           // agents may be on this machine, as localhost
	AllowPrefixes  []netip.Prefix // ranges to open to agents
	Resolver       string         // a name server as ip:port; "" is the system's
	AllowSinkHosts []string       // origins of services that may be anywhere and speak plain http
	SinkProxy      string         // an origin; services, and nobody else, are called through it
	InstanceID     string         // sent with every request, to recognise our own
	MaxConnects    int            // connects in progress at once; zero is 64

	// Interfaces lists the addresses of this machine; nil asks the kernel.
	Interfaces func() ([]netip.Addr, error)
}

// Guard judges addresses and dials those that pass. It may be used by several
// goroutines.
type Guard struct {
	local      bool
	allowed    []netip.Prefix
	table      table
	sinkHosts  []*url.URL
	proxy      *url.URL
	resolver   *net.Resolver
	instance   string
	slots      chan struct{} // one for each connect in progress
	interfaces func() ([]netip.Addr, error)
	bound      atomic.Pointer[[]uint16]
	connect    connectFunc
	clients    map[clientKey]*http.Client // filled by New, then only read
}

// connectFunc opens a connection to a checked address. confirm is asked about
// the address the kernel is about to connect to.
type connectFunc func(ctx context.Context, network string, to netip.AddrPort, confirm confirmFunc) (net.Conn, error)

// New returns a guard. A prefix that would open what must stay closed, or a
// resolver that is no ip:port, is Invalid.
func New(o Options) (*Guard, error) {
	g := &Guard{
		local:      o.Local,
		table:      newTable(),
		instance:   o.InstanceID,
		interfaces: o.Interfaces,
		connect:    connect,
	}
	var err error
	if g.allowed, err = g.table.openable(o.AllowPrefixes); err != nil {
		return nil, err
	}
	if g.sinkHosts, err = origins(o.AllowSinkHosts); err != nil {
		return nil, err
	}
	if o.SinkProxy != "" {
		if g.proxy, err = origin("network.sink_proxy", o.SinkProxy); err != nil {
			return nil, err
		}
	}
	if g.resolver, err = newResolver(o.Resolver); err != nil {
		return nil, err
	}
	if o.MaxConnects < 0 {
		return nil, molecule.Errorf(molecule.Invalid, "the limit of connects in progress is %d, it must be positive", o.MaxConnects)
	}
	if o.MaxConnects == 0 {
		o.MaxConnects = defaultMaxConnects
	}
	g.slots = make(chan struct{}, o.MaxConnects)
	if g.interfaces == nil {
		g.interfaces = machineAddrs
	}
	g.clients = g.newClients()
	return g, nil
}

// SetBound tells the guard the TCP ports this daemon listens on. Call it when
// the listeners are open: from then on they are refused at every address of
// this machine.
func (g *Guard) SetBound(ports []uint16) {
	own := slices.Clone(ports)
	g.bound.Store(&own)
}

// InstanceID returns what outbound requests carry to be recognised by.
func (g *Guard) InstanceID() string { return g.instance }

// ourselves reports whether a, which has the marks m, is a listener of this
// daemon at that port. That the addresses of this machine cannot be listed
// counts as yes.
func (g *Guard) ourselves(a netip.Addr, m mark, port uint16) bool {
	ports := g.bound.Load()
	if ports == nil || !slices.Contains(*ports, port) {
		return false
	}
	if m&own != 0 {
		return true
	}
	addrs, err := g.interfaces()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(addrs, func(here netip.Addr) bool { return plain(here) == a })
}

// machineAddrs asks the kernel for the addresses of this machine.
func machineAddrs() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, f := range found {
		if n, ok := f.(*net.IPNet); ok {
			if a, ok := netip.AddrFromSlice(n.IP); ok {
				addrs = append(addrs, plain(a))
			}
		}
	}
	return addrs, nil
}
