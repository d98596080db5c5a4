package netguard

import (
	"net/netip"
	"slices"
)

// prefix reads one that is written in this program.
func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// plain returns a in the one form that is compared: IPv4 as IPv4, no zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func within(a netip.Addr, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}

// permit is what one call may reach.
type permit struct {
	class    Class
	loopback bool // also 127.0.0.1 and ::1: the name was localhost and agents may be here
	opened   bool // of class Service: the configuration opened its origin
}

// judge returns why a call may not go to an address and port; "" when it may.
func (g *Guard) judge(p permit, to netip.AddrPort) reason {
	a := plain(to.Addr())
	if !a.IsValid() {
		return reasonAddress
	}
	m := g.table.marks(a)
	switch {
	case g.ourselves(a, m, to.Port()):
		return reasonSelf
	case m&metadata != 0:
		return reasonMetadata
	case p.class == Operator, p.class == Stored, p.opened:
		return "" // what the operator wrote was compared before; it may be anything else
	case m == 0, p.class == Agent && m == private:
		return ""
	case p.class == Agent && (p.loopback && isLocalhost(a) || within(a, g.allowed)):
		return ""
	}
	return reasonAddress
}

// localhost returns what the name means, in the order it is tried. Neither DNS
// nor a hosts file is asked: both could say something else.
func localhost() [2]netip.Addr {
	return [2]netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
}

func isLocalhost(a netip.Addr) bool {
	both := localhost()
	return a == both[0] || a == both[1]
}
