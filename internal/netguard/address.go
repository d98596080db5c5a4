package netguard

import (
	"net/netip"
	"slices"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// table is what addresses are judged by. Everything in it is compared with
// addresses in plain form; the predicates of netip change with its releases and
// are no policy.
type table struct {
	special  []netip.Prefix // of IPv4: refused
	global   netip.Prefix   // of IPv6: all else is refused
	reserved []netip.Prefix // inside global: refused
	metadata []netip.Prefix // where platforms keep credentials: refused to everybody
	own      []netip.Prefix // leads to this machine whatever its interfaces are
	sealed   []sealedRange  // no configuration opens these
}

// sealedRange is a range that stays closed, and what to call it.
type sealedRange struct {
	prefix netip.Prefix
	what   string
}

// newTable returns the table. Ranges are those of the IANA special-purpose
// registries (read 2026-04) and what clouds document. 10/8, 172.16/12 and
// 192.168/16 are not in it: container networks live there.
func newTable() table {
	t := table{
		special: prefixes(
			"0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24",
			"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", "198.18.0.0/15",
			"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
		),
		global:   netip.MustParsePrefix("2000::/3"),
		reserved: prefixes("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
		metadata: prefixes(
			"169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32",
			"fd00:ec2::254/128", "fd20:ce::254/128", "fd00:42::42/128", "fdaa::3/128",
			// 169.254/16 again, through a translator
			"64:ff9b::a9fe:0/112", "2002:a9fe::/32",
		),
		own: prefixes("127.0.0.0/8", "0.0.0.0/8", "::/127"),
	}
	for _, p := range t.metadata {
		t.sealed = append(t.sealed, sealedRange{p, "where platforms keep credentials"})
	}
	t.sealed = append(t.sealed, []sealedRange{
		{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
		{netip.MustParsePrefix("0.0.0.0/8"), "this machine"},
		{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
		{netip.MustParsePrefix("::/96"), "loopback"},
		{netip.MustParsePrefix("ff00::/8"), "multicast"},
		{netip.MustParsePrefix("::ffff:0:0/96"), "IPv4 in another spelling"},
		{netip.MustParsePrefix("64:ff9b::/96"), "IPv4 through a translator"},
		{netip.MustParsePrefix("2002::/16"), "IPv4 through a tunnel"},
	}...)
	return t
}

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}

// plain returns a in the one form that is compared: IPv4 as IPv4, no zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func within(a netip.Addr, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}

// here reports whether a leads to this machine whatever its interfaces are.
func (t *table) here(a netip.Addr) bool { return within(a, t.own) }

// public reports whether agents may be at a.
func (t *table) public(a netip.Addr) bool {
	if a.Is4() {
		return !within(a, t.special)
	}
	return t.global.Contains(a) && !within(a, t.reserved)
}

// openable returns the prefixes as they are compared. One that touches a
// sealed range is Invalid.
func (t *table) openable(open []netip.Prefix) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, p := range open {
		if !p.IsValid() {
			return nil, molecule.Errorf(molecule.Invalid, "network.allow_prefixes holds something that is no address range").
				WithHint("write it as 100.64.0.0/11")
		}
		for _, s := range t.sealed {
			if p.Overlaps(s.prefix) {
				return nil, molecule.Errorf(molecule.Invalid, "network.allow_prefixes: %s would open %s (%s), which always stays closed", p, s.prefix, s.what).
					WithHint("list only the smaller ranges your network uses, without it")
			}
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// permit is what one call may reach.
type permit struct {
	class    Class
	loopback bool // also 127.0.0.1 and ::1: the name was localhost and agents may be here
}

// judge returns why a call may not go to an address and port; "" when it may.
func (g *Guard) judge(p permit, to netip.AddrPort) reason {
	a := plain(to.Addr())
	switch {
	case !a.IsValid():
		return reasonAddress
	case g.ourselves(netip.AddrPortFrom(a, to.Port())):
		return reasonSelf
	case within(a, g.table.metadata):
		return reasonMetadata
	case p.class == Operator:
		return "" // the operator's address was compared before; it may be anything else
	case p.loopback && isLocalhost(a), within(a, g.allowed), g.table.public(a):
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
