package netguard

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// expected is one line of a corpus: a host or a URL, and what becomes of it
// where agents may not be on this machine and where they may.
type expected struct {
	text string
	want both
}

func same(r reason, texts ...string) (all []expected) {
	for _, text := range texts {
		all = append(all, expected{text, both{r, r}})
	}
	return all
}

// hostCorpus puts hosts together from the registries and from the ways to write
// an address. What becomes of each follows from how it was made.
func hostCorpus(t *testing.T) []expected {
	t.Helper()
	all := slices.Concat(registryHosts(t), spelledHosts(), nameHosts())
	for _, n := range []uint32{0x7f000001, 0xa9fea9fe, 0x0a000001, 0x01010101, 0x00000000, 0xc0a80101, 0x64646464} {
		forms := embeddings(ipv4(n))
		for _, form := range slices.Sorted(maps.Keys(forms)) {
			a, want := forms[form], reasonAddress
			switch {
			case form == "mapped":
				want = reasonHost
			case n == 0xa9fea9fe && (form == "NAT64" || form == "6to4"):
				want = reasonMetadata
			}
			all = append(all, same(want, "["+a.String()+"]")...)
		}
	}
	return all
}

// registryHosts lists both ends of each special range, and the addresses beside
// it that are not special.
func registryHosts(t *testing.T) (all []expected) {
	t.Helper()
	policy := readRegistry(t, "policy.csv").spans
	special := slices.Concat(policy, readRegistry(t, "ipv4.csv").spans, readRegistry(t, "ipv6.csv").spans)
	verdict := func(a netip.Addr) reason {
		inside, worst := false, reason("")
		for _, s := range special {
			if !s.prefix.Contains(a) {
				continue
			}
			inside = inside || s.marks == private
			switch {
			case s.marks&metadata != 0:
				return reasonMetadata
			case s.marks&refused != 0:
				worst = reasonAddress
			}
		}
		if inside {
			return ""
		}
		return worst
	}
	seen := make(map[netip.Addr]bool)
	for _, s := range special {
		first := s.prefix.Masked().Addr()
		end := last(s.prefix)
		for _, a := range []netip.Addr{first.Prev(), first, first.Next(), end.Prev(), end, end.Next()} {
			if !a.IsValid() || seen[a] {
				continue
			}
			seen[a] = true
			host, want := a.String(), verdict(a)
			if a.Is6() {
				host = "[" + host + "]"
				if a.Is4In6() {
					want = reasonHost
				}
			}
			all = append(all, same(want, host)...)
		}
	}
	return all
}

// spelledHosts writes addresses in the ways that some readers take for them.
func spelledHosts() (all []expected) {
	for _, n := range []uint32{0x7f000001, 0xa9fea9fe, 0x0a000001, 0x01010101, 0x00000000, 0xc0a80101, 0xffffffff} {
		a, b, c, d := n>>24, n>>16&0xff, n>>8&0xff, n&0xff
		all = append(all, same(reasonHost,
			fmt.Sprintf("%d", n), fmt.Sprintf("0x%x", n), fmt.Sprintf("0X%08X", n), fmt.Sprintf("0%o", n),
			fmt.Sprintf("%d.%d", a, n&0xffffff), fmt.Sprintf("%d.%d.%d", a, b, n&0xffff),
			fmt.Sprintf("0%o.0%o.0%o.0%o", a, b, c, d), fmt.Sprintf("0x%x.0x%x.0x%x.0x%x", a, b, c, d),
			fmt.Sprintf("%d.%d.%d.0x%x", a, b, c, d), fmt.Sprintf("0x%x.%d", a, n&0xffffff),
			fmt.Sprintf("%03d.%03d.%03d.%03d.", a, b, c, d), fmt.Sprintf("%d.%d.%d.%d.", a, b, c, d),
			fmt.Sprintf("%d.%d.%d.%d", a+256, b, c, d), fmt.Sprintf("%d.%d.%d.%d.0", a, b, c, d),
			fmt.Sprintf("[%d.%d.%d.%d]", a, b, c, d), fmt.Sprintf("[::ffff:%d.%d.%d.%d]", a, b, c, d),
			fmt.Sprintf("[fe80::1%%25eth%d]", d), fmt.Sprintf("%%3%d.%d.%d.%d", a%10, b, c, d),
		)...)
	}
	return all
}

// nameHosts lists names: of agents, of this machine and of platforms.
func nameHosts() (all []expected) {
	long := strings.Repeat("a", 63)
	all = append(all, same("",
		"agent.example.com", "agent.example.com.", "AGENT.Example.COM", "worker", "my_worker", "_dmarc.example.com", "a-b.example",
		"xn--bcher-kva.example", "XN--BCHER-KVA.example", "127.0.0.1.nip.io", "localhost.example.com", "localhostx", "notlocalhost",
		"metadata.example.com", "xmetadata", "kubernetes.example.com", "api.internal", long+".example", "1.example", "0x7f.example",
		"docker.internal", "a.b.c.d.e.f", "x", "x1", "1x", "3com.example",
	)...)
	all = append(all, same(reasonHost,
		"localhost.", "LOCALHOST.", "a.localhost", "a.b.LocalHost", "a.localhost.", "-a.example", "a-.example", "a..example", ".example", "example..",
		".", "..", "a"+long+".example", strings.Repeat(long+".", 4)+"example", "*.example", "a!b", "a,b", "a;b", "a&b", "a=b", "a+b", "a$b", "a'b", "a(b)", "~a",
		"xn--0.example", "xn--.example", "xn--99999999.example", "xn--localhost-", "a.1", "a.0x1", "a.0x", "example.123", "1", "0", "00",
		"a@b.example", "agent.example.com:80:80",
	)...)
	all[len(all)-2].want = both{reasonUserinfo, reasonUserinfo}
	all[len(all)-1].want = both{reasonPort, reasonPort}
	for _, here := range []string{"localhost", "LOCALHOST", "LocalHost", "host.docker.internal", "Gateway.Docker.Internal", "host.containers.internal"} {
		all = append(all, expected{here, both{Remote: reasonHost}})
	}
	for _, name := range []string{
		"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal", "metadata.azure.internal",
		"metadata.tencentyun.com", "metadata.packet.net", "metadata.platformequinix.com", "rancher-metadata", "kubernetes", "kubernetes.default",
		"kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "_api.internal",
	} {
		all = append(all, same(reasonMetadata, name, strings.ToUpper(name), name+".", strings.ToUpper(name[:1])+name[1:]+".")...)
	}
	return all
}

// urlCorpus puts each host into URLs, and ports behind a good one.
func urlCorpus(t *testing.T) (all []expected) {
	t.Helper()
	for _, h := range hostCorpus(t) {
		for _, form := range []string{"http://%s/", "https://%s:8443", "HTTP://%s:8080/a2a/v1?x=%%2e&y=@:80"} {
			if strings.Count(h.text, ":80:80") > 0 && strings.Contains(form, ":8") {
				continue
			}
			all = append(all, expected{fmt.Sprintf(form, h.text), h.want})
		}
	}
	for port := range 65536 / 8 {
		want := reason("")
		if port == 0 || unfit(uint16(port)) {
			want = reasonPort
		}
		if want != "" || port%400 == 80 {
			all = append(all, same(want, fmt.Sprintf("http://agent.example.com:%d/", port))...)
		}
	}
	return all
}

func corpusText(all []expected, head string) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for _, e := range all {
		fmt.Fprintf(&b, "%s\t%s\t%s\n", orOK(e.want.Remote), orOK(e.want.Local), e.text)
	}
	return b.Bytes()
}

func orOK(r reason) string {
	if r == "" {
		return "ok"
	}
	return string(r)
}

// readCorpus reads a file of testdata: what becomes of a URL where agents may
// not be on this machine, where they may, and the URL, quoted when it holds what
// no text file should.
func readCorpus(t testing.TB, file string) (all []expected) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		cells := strings.SplitN(line, "\t", 3)
		raw := cells[2]
		if strings.HasPrefix(raw, `"`) {
			if _, err := fmt.Sscanf(raw, "%q", &raw); err != nil {
				t.Fatalf("%s: %s: %v", file, line, err)
			}
		}
		e := expected{text: raw, want: both{reason(cells[0]), reason(cells[1])}}
		for _, r := range []*reason{&e.want.Remote, &e.want.Local} {
			if *r == "ok" {
				*r = ""
			}
		}
		all = append(all, e)
	}
	return all
}

func TestCorpus_ofURLsIsJudgedAsItSays(t *testing.T) {
	t.Parallel()
	const head = "# Made by go test ./internal/netguard -run Corpus -update, from testdata/registry and corpus_test.go.\n"
	made := corpusText(urlCorpus(t), head)
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "urls.tsv"), made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(filepath.Join("testdata", "urls.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, made) {
		t.Error("testdata/urls.tsv is not what its parts make: go test ./internal/netguard -run Corpus -update")
	}
	all := slices.Concat(readCorpus(t, "urls.tsv"), readCorpus(t, "tricks.tsv"))
	if len(all) < 1500 {
		t.Errorf("the corpus holds %d URLs, it promises 1,500", len(all))
	}
	remote, local := newGuard(t, Options{}), newGuard(t, Options{Local: true})
	for _, e := range all {
		_, err := remote.CheckURL(e.text)
		_, localErr := local.CheckURL(e.text)
		if got := (both{reasonOf(t, err), reasonOf(t, localErr)}); got != e.want {
			t.Errorf("%q: got %+v, want %+v", e.text, got, e.want)
		}
	}
	t.Logf("%d URLs", len(all))
}
