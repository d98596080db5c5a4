package netguard

import (
	"net/netip"
	"slices"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// mark is what is known of an address; a set of bits. No bit: a public address.
type mark uint8

// The marks.
const (
	refused  mark = 1 << iota // agents may not be there
	metadata                  // where platforms keep credentials: refused to everybody
	own                       // leads to this machine whatever its interfaces are
	sealed                    // no configuration opens it
	private                   // agents may be there, services on the Internet are not
)

// span is one row of ranges.go: a prefix, its marks and what to call it.
type span struct {
	prefix netip.Prefix
	marks  mark
	name   string
}

// table answers what an address is by halving a list of edges: between two of
// them every address has the same marks. The predicates of netip change with its
// releases and are no policy.
type table struct {
	v4, v6 []edge
	spans  []span
}

// edge is the first address of a stretch.
type edge struct {
	from  netip.Addr
	marks mark
}

func newTable() table {
	spans := ranges()
	return table{v4: edges(spans, netip.IPv4Unspecified()), v6: edges(spans, netip.IPv6Unspecified()), spans: spans}
}

// edges returns the stretches of one family, of which zero is the first
// address.
func edges(spans []span, zero netip.Addr) []edge {
	starts := []netip.Addr{zero}
	for _, s := range spans {
		if s.prefix.Addr().Is4() != zero.Is4() {
			continue
		}
		starts = append(starts, s.prefix.Addr())
		if behind := last(s.prefix).Next(); behind.IsValid() {
			starts = append(starts, behind)
		}
	}
	slices.SortFunc(starts, netip.Addr.Compare)
	var all []edge
	for _, a := range slices.Compact(starts) {
		m := marksIn(spans, a)
		if len(all) == 0 || all[len(all)-1].marks != m {
			all = append(all, edge{a, m})
		}
	}
	return all
}

// marksIn joins the marks of every span that holds a.
func marksIn(spans []span, a netip.Addr) (m mark) {
	for _, s := range spans {
		if s.prefix.Contains(a) {
			m |= s.marks
		}
	}
	return m
}

// last returns the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	raw := p.Addr().AsSlice()
	for i := range raw {
		switch bits := p.Bits() - 8*i; {
		case bits <= 0:
			raw[i] = 0xff
		case bits < 8:
			raw[i] |= 0xff >> bits
		}
	}
	a, _ := netip.AddrFromSlice(raw) // as long as the address it came from
	return a
}

// marks returns what is known of a, an address in plain form.
func (t *table) marks(a netip.Addr) mark {
	list := t.v6
	if a.Is4() {
		list = t.v4
	}
	low, high := 0, len(list) // the stretch of a begins in [low, high)
	for high-low > 1 {
		if mid := int(uint(low+high) / 2); a.Less(list[mid].from) {
			high = mid
		} else {
			low = mid
		}
	}
	return list[low].marks
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
		for _, s := range t.spans {
			if s.marks&sealed != 0 && p.Overlaps(s.prefix) {
				return nil, molecule.Errorf(molecule.Invalid, "network.allow_prefixes: %s would open %s (%s), which always stays closed", p, s.prefix, s.name).
					WithHint("list only the smaller ranges your network uses, without it")
			}
		}
		all = append(all, p.Masked())
	}
	return all, nil
}
