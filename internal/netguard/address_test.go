package netguard

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestJudge_holdsAgentsToTheTable(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{})
	for _, tt := range []struct {
		name   string
		addrs  string // the edges of a range and their neighbours
		refuse reason
	}{
		{"private", "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255", ""},
		{"public IPv4", "1.0.0.0 1.1.1.1 9.255.255.255 11.0.0.0 172.15.255.255 172.32.0.0 223.255.255.255", ""},
		{"next to special", "100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 192.0.1.0 192.0.3.0", ""},
		{"next to more special", "192.88.98.255 192.88.100.0 198.17.255.255 198.20.0.0 198.51.99.255 203.0.112.255 168.63.129.15 168.63.129.17", ""},
		{"this network", "0.0.0.0 0.255.255.255", reasonAddress},
		{"loopback", "127.0.0.0 127.0.0.1 127.255.255.255", reasonAddress},
		{"carrier", "100.64.0.0 100.127.255.255", reasonAddress},
		{"protocol assignments", "192.0.0.0 192.0.0.255", reasonAddress},
		{"documentation", "192.0.2.0 192.0.2.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255", reasonAddress},
		{"name servers of private ranges", "192.31.196.1 192.52.193.1 192.88.99.1 192.175.48.1", reasonAddress},
		{"benchmarks", "198.18.0.0 198.19.255.255", reasonAddress},
		{"multicast and above", "224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.255", reasonAddress},
		{"metadata", "169.254.0.0 169.254.169.254 169.254.255.255 168.63.129.16 100.100.100.200", reasonMetadata},
		{"metadata on IPv6", "fd00:ec2::254 fd20:ce::254 fd00:42::42 fdaa::3", reasonMetadata},
		{"metadata through a translator", "64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 ::ffff:169.254.169.254", reasonMetadata},
		{"public IPv6", "2001:200:: 2001:4860:4860::8888 2600:: 2003:: 3ffe:ffff:: 3fff:1000:: 2620:4f:8001::", ""},
		{"outside global", ":: ::1 ::2 ::1.2.3.4 64:ff9b::1.1.1.1 100:: 1fff:ffff:: 4000:: 5f00:: fc00:: fd00::1 fe80::1 fe80::1%eth0 fec0:: ff02::1", reasonAddress},
		{"reserved inside global", "2001:: 2001:1ff:ffff:: 2001:db8:: 2002:: 2002:101:101::1 2620:4f:8000:: 3fff:: 3fff:fff:ffff::", reasonAddress},
		{"mapped, as resolvers return IPv4", "::ffff:127.0.0.1 ::ffff:0.0.0.0 ::ffff:224.0.0.1", reasonAddress},
		{"mapped public", "::ffff:1.1.1.1 ::ffff:10.0.0.1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for a := range strings.FieldsSeq(tt.addrs) {
				to := netip.AddrPortFrom(netip.MustParseAddr(a), 8080)
				if got := g.judge(permit{class: Agent}, to); got != tt.refuse {
					t.Errorf("%s: got reason %q, want %q", a, got, tt.refuse)
				}
			}
		})
	}
}

func TestJudge_agreesWithCheckURLOnLiterals(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{})
	for _, host := range []string{"1.1.1.1", "10.0.0.1", "127.0.0.1", "169.254.1.1", "240.0.0.1", "[2600::1]", "[::1]", "[fd00::1]", "[2002::1]"} {
		_, err := g.CheckURL("http://" + host + ":8080/")
		want := g.judge(permit{class: Agent}, netip.AddrPortFrom(netip.MustParseAddr(strings.Trim(host, "[]")), 8080))
		if got := reasonOf(t, err); got != want {
			t.Errorf("CheckURL of host %s: got reason %q, want %q", host, got, want)
		}
	}
}

func TestJudge_refusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{})
	for _, c := range []Class{Agent, Operator} {
		if got := g.judge(permit{class: c}, netip.AddrPort{}); got != reasonAddress {
			t.Errorf("class %d: got reason %q, want %q", c, got, reasonAddress)
		}
	}
}

func TestNew_opensThePrefixesItIsGiven(t *testing.T) {
	t.Parallel()
	open := []netip.Prefix{netip.MustParsePrefix("100.64.9.9/11"), netip.MustParsePrefix("fd7a:115c:a1e0::/48")}
	g := newGuard(t, Options{AllowPrefixes: open})
	for raw, want := range map[string]reason{
		"http://100.64.1.1/":            "",
		"http://100.95.255.255/":        "",
		"http://100.96.0.0/":            reasonAddress,
		"http://[fd7a:115c:a1e0::1]/":   "",
		"http://[fd7a:115c:a1e1::1]/":   reasonAddress,
		"http://100.100.100.200:8080/":  reasonMetadata,
		"http://[fd7a:115c:a1e0::1]:22": reasonPort,
	} {
		_, err := g.CheckURL(raw)
		if got := reasonOf(t, err); got != want {
			t.Errorf("CheckURL(%q): got reason %q, want %q", raw, got, want)
		}
	}
}

func TestNew_refusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	open := func(p string) Options { return Options{AllowPrefixes: []netip.Prefix{netip.MustParsePrefix(p)}} }
	for _, tt := range []struct {
		name string
		opts Options
		says string
	}{
		{"everything", open("0.0.0.0/0"), "would open 0.0.0.0/8 (this machine)"},
		{"everything on IPv6", open("::/0"), "would open ::/96 (loopback)"},
		{"loopback", open("127.0.0.0/8"), "would open 127.0.0.0/8 (loopback)"},
		{"part of loopback", open("127.0.0.1/32"), "would open 127.0.0.0/8 (loopback)"},
		{"loopback on IPv6", open("::1/128"), "would open ::/96 (loopback)"},
		{"link-local", open("169.254.8.0/24"), "would open 169.254.0.0/16"},
		{"this network", open("0.1.0.0/16"), "would open 0.0.0.0/8"},
		{"multicast", open("224.0.0.0/4"), "would open 224.0.0.0/4 (multicast)"},
		{"multicast on IPv6", open("ff02::/16"), "would open ff00::/8 (multicast)"},
		{"a whole tailnet", open("100.64.0.0/10"), "would open 100.100.100.200/32"},
		{"Azure", open("168.63.129.0/24"), "would open 168.63.129.16/32"},
		{"EC2", open("fd00:ec2::/32"), "would open fd00:ec2::254/128"},
		{"Google", open("fd20:ce::/64"), "would open fd20:ce::254/128"},
		{"Scaleway", open("fd00:42::42/128"), "would open fd00:42::42/128"},
		{"Fly", open("fdaa::/16"), "would open fdaa::3/128"},
		{"IPv4 mapped", open("::ffff:10.0.0.0/104"), "IPv4 in another spelling"},
		{"translator", open("64:ff9b::/96"), "would open 64:ff9b::"},
		{"zero prefix", Options{AllowPrefixes: []netip.Prefix{{}}}, "no address range"},
		{"resolver without port", Options{Resolver: "1.1.1.1"}, `network.resolver "1.1.1.1"`},
		{"resolver by name", Options{Resolver: "dns.example:53"}, "no ip:port"},
		{"resolver at port 0", Options{Resolver: "1.1.1.1:0"}, "no ip:port"},
		{"negative limit", Options{MaxConnects: -1}, "must be positive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tt.opts)
			if molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got error %v, want an invalid that says %q", err, tt.says)
			}
		})
	}
}

func TestMachineAddrs_holdsLoopback(t *testing.T) {
	t.Parallel()
	addrs, err := machineAddrs()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, a := range addrs {
		if a != plain(a) {
			t.Errorf("%s is not in plain form", a)
		}
		found = found || isLocalhost(a)
	}
	if !found {
		t.Errorf("got %v, want loopback among them", addrs)
	}
}

func TestDecodes_acceptsOnlyPunycode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, label string
		want        bool
	}{
		{"one letter", "bcher-kva", true},
		{"no plain letter", "9ca", true},
		{"Cyrillic", "g1ah2bza", true},
		{"Chinese", "rssz8cn5i3qav5li3b77m5w4a494bsud", true},
		{"Japanese behind digits", "3-6fuf5c1633at27d", true},
		{"hyphens inside", "-a-b-c-9ua", true},
		{"beyond the first plane", "e28h", true},
		{"empty", "", false},
		{"plain letters only", "localhost-", false},
		{"number cut off", "bcher-kv9", false},
		{"beyond Unicode", "99999999", false},
		{"overflow", strings.Repeat("9", 59), false},
		{"surrogate", "ib9b", false},
		{"underscore", "b_cher-kva", true}, // a plain letter to Punycode
		{"underscore in a number", "bcher-k_a", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := decodes(tt.label); got != tt.want {
				t.Errorf("decodes(%q): got %v, want %v", tt.label, got, tt.want)
			}
		})
	}
}

func BenchmarkCheckAddr(b *testing.B) {
	g := newGuard(b, Options{})
	g.SetBound([]uint16{7420})
	for _, text := range []string{"192.168.1.7:8080", "[2606:4700::1111]:443", "10.9.8.7:7420"} {
		to := netip.MustParseAddrPort(text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.judge(permit{class: Agent}, to)
			}
		})
	}
}
