package netguard

import (
	"encoding/binary"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// refusedIPv4 is the address table of IPv4 written a second time, by comparing
// numbers: first and last of each range agents may not have, and whether
// platforms keep credentials there.
func refusedIPv4() []struct {
	first, last uint32
	why         reason
} {
	const address, meta = reasonAddress, reasonMetadata
	return []struct {
		first, last uint32
		why         reason
	}{
		{0x00000000, 0x00ffffff, address}, // 0/8
		{0x64400000, 0x646464c7, address}, // 100.64/10 below
		{0x646464c8, 0x646464c8, meta},    // 100.100.100.200
		{0x646464c9, 0x647fffff, address}, // 100.64/10 above
		{0x7f000000, 0x7fffffff, address}, // 127/8
		{0xa83f8110, 0xa83f8110, meta},    // 168.63.129.16
		{0xa9fe0000, 0xa9feffff, meta},    // 169.254/16
		{0xc0000000, 0xc00000ff, address}, // 192.0.0/24
		{0xc0000200, 0xc00002ff, address}, // 192.0.2/24
		{0xc01fc400, 0xc01fc4ff, address}, // 192.31.196/24
		{0xc034c100, 0xc034c1ff, address}, // 192.52.193/24
		{0xc0586300, 0xc05863ff, address}, // 192.88.99/24
		{0xc0af3000, 0xc0af30ff, address}, // 192.175.48/24
		{0xc6120000, 0xc613ffff, address}, // 198.18/15
		{0xc6336400, 0xc63364ff, address}, // 198.51.100/24
		{0xcb007100, 0xcb0071ff, address}, // 203.0.113/24
		{0xe0000000, 0xffffffff, address}, // 224/4, 240/4
	}
}

func ipv4(n uint32) netip.Addr {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], n)
	return netip.AddrFrom4(raw)
}

// TestIPv4_everyAddressIsJudgedAsTheTableSays looks at all 2^32 addresses when
// MOLECULE_EXHAUSTIVE is set, else at the 64 around each edge and at one in
// 65,521.
func TestIPv4_everyAddressIsJudgedAsTheTableSays(t *testing.T) {
	t.Parallel()
	if os.Getenv("MOLECULE_EXHAUSTIVE") != "" {
		everyIPv4(t)
		return
	}
	g := newGuard(t, Options{})
	check := func(n uint32) {
		if got, want := g.judge(permit{class: Agent}, netip.AddrPortFrom(ipv4(n), 8080)), wantIPv4(n); got != want {
			t.Errorf("%s: got reason %q, want %q", ipv4(n), got, want)
		}
	}
	for _, r := range refusedIPv4() {
		for d := range uint32(64) {
			check(r.first - 32 + d)
			check(r.last - 32 + d)
		}
	}
	for n := uint64(0); n < 1<<32; n += 65_521 {
		check(uint32(n))
	}
}

func wantIPv4(n uint32) reason {
	for _, r := range refusedIPv4() {
		if n >= r.first && n <= r.last {
			return r.why
		}
	}
	return ""
}

// everyIPv4 walks the whole space in two halves, each beside the list of ranges.
func everyIPv4(t *testing.T) {
	g := newGuard(t, Options{})
	var differences, looked atomic.Uint64
	var wg sync.WaitGroup
	const halves = 2
	for h := range uint64(halves) {
		wg.Go(func() {
			ranges := refusedIPv4()
			for n := h << 31; n < (h+1)<<31; n++ {
				for len(ranges) > 0 && uint32(n) > ranges[0].last {
					ranges = ranges[1:]
				}
				want := reason("")
				if len(ranges) > 0 && uint32(n) >= ranges[0].first {
					want = ranges[0].why
				}
				if got := g.judge(permit{class: Agent}, netip.AddrPortFrom(ipv4(uint32(n)), 8080)); got != want {
					if differences.Add(1) <= 20 {
						t.Errorf("%s: got reason %q, want %q", ipv4(uint32(n)), got, want)
					}
				}
			}
			looked.Add(1 << 31)
		})
	}
	wg.Wait()
	t.Logf("%d addresses, %d differences", looked.Load(), differences.Load())
	if looked.Load() != 1<<32 {
		t.Error("not every address was looked at")
	}
}

// edgesIPv6 lists, for each special prefix of IPv6, its first and its last
// address, with whether agents may be there, at the address before the first and
// at the one behind the last.
func edgesIPv6() []struct {
	first, last            string
	before, inside, behind reason
} {
	const address, meta, open = reasonAddress, reasonMetadata, reason("")
	return []struct {
		first, last            string
		before, inside, behind reason
	}{
		{"::", "::", address, address, address},
		{"::1", "::1", address, address, address},
		{"::", "::ffff:ffff", address, address, address},
		{"64:ff9b::", "64:ff9b::ffff:ffff", address, address, address},
		{"64:ff9b::a9fe:0", "64:ff9b::a9fe:ffff", address, meta, address},
		{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", address, address, address},
		{"100::", "100::ffff:ffff:ffff:ffff", address, address, address},
		{"1fff:ffff::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", address, address, open},
		{"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", open, address, open},
		{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", open, address, open},
		{"2002::", "2002:a9fd:ffff:ffff:ffff:ffff:ffff:ffff", open, address, meta},
		{"2002:a9fe::", "2002:a9fe:ffff:ffff:ffff:ffff:ffff:ffff", address, meta, address},
		{"2002:a9ff::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", meta, address, open},
		{"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", open, address, open},
		{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", open, address, open},
		{"4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", open, address, address},
		{"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", address, address, address},
		{"fc00::", "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", address, address, address},
		{"fd00:42::42", "fd00:42::42", address, meta, address},
		{"fd00:ec2::254", "fd00:ec2::254", address, meta, address},
		{"fd20:ce::254", "fd20:ce::254", address, meta, address},
		{"fdaa::3", "fdaa::3", address, meta, address},
		{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", address, address, address},
		{"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", address, address, address},
		{"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", address, address, address},
	}
}

func TestIPv6_eachSpecialPrefixEndsWhereItShould(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{})
	check := func(a netip.Addr, want reason) {
		t.Helper()
		if !a.IsValid() {
			return // beyond the first or the last address there is
		}
		if got := g.judge(permit{class: Agent}, netip.AddrPortFrom(a, 8080)); got != want {
			t.Errorf("%s: got reason %q, want %q", a, got, want)
		}
	}
	for _, e := range edgesIPv6() {
		first, last := netip.MustParseAddr(e.first), netip.MustParseAddr(e.last)
		check(first.Prev(), e.before)
		check(first, e.inside)
		check(last, e.inside)
		check(last.Next(), e.behind)
	}
}

// embeddings are the ways to write an IPv4 address within one of IPv6.
func embeddings(a netip.Addr) map[string]netip.Addr {
	v4 := a.As4()
	into := func(prefix string, at int) netip.Addr {
		raw := netip.MustParseAddr(prefix).As16()
		copy(raw[at:], v4[:])
		return netip.AddrFrom16(raw)
	}
	inverted := into("2001:0:4136:e378:8000:63bf::", 12).As16() // Teredo writes the client's bits the other way round
	for i := 12; i < 16; i++ {
		inverted[i] ^= 0xff
	}
	return map[string]netip.Addr{
		"mapped": into("::ffff:0:0", 12), "compatible": into("::", 12), "translated": into("::ffff:0:0:0", 12),
		"NAT64": into("64:ff9b::", 12), "local NAT64": into("64:ff9b:1::", 12), "6to4": into("2002::", 2),
		"Teredo server": into("2001::", 4), "Teredo client": netip.AddrFrom16(inverted), "ISATAP": into("fe80::5efe:0:0", 12),
	}
}

func TestIPv6_noEmbeddedFormOpensAnAddress(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{Local: true})
	addrs := []uint32{0x01010101, 0x0a000001, 0xac100001, 0xc0a80001} // allowed
	for _, r := range refusedIPv4() {
		addrs = append(addrs, r.first, r.last)
	}
	for _, n := range addrs {
		for form, a := range embeddings(ipv4(n)) {
			got := g.judge(permit{class: Agent}, netip.AddrPortFrom(a, 8080))
			want := reasonAddress
			switch {
			case form == "mapped": // how resolvers may return IPv4: judged as what it is
				want = wantIPv4(n)
			case n>>16 == 0xa9fe && (form == "NAT64" || form == "6to4"):
				want = reasonMetadata
			}
			if got != want {
				t.Errorf("%s of %s, %s: got reason %q, want %q", form, ipv4(n), a, got, want)
			}
			if _, err := g.CheckURL("http://[" + a.String() + "]:8080/"); err == nil {
				t.Errorf("%s of %s, %s: accepted in a URL", form, ipv4(n), a)
			}
		}
	}
}
