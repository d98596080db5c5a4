package netguard

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func newGuard(t testing.TB, o Options) *Guard {
	t.Helper()
	if o.Interfaces == nil {
		o.Interfaces = func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("10.9.8.7")}, nil }
	}
	g, err := New(o)
	if err != nil {
		t.Fatalf("New(%+v): %v", o, err)
	}
	t.Cleanup(g.CloseIdle)
	return g
}

// reasonOf returns the reason an error shows to the outside, "" for no error.
func reasonOf(t testing.TB, err error) reason {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*molecule.Error](err)
	if !ok || e.Code != molecule.UnsafeURL {
		t.Fatalf("got error %v, want one of code unsafe_url", err)
	}
	if e.Hint == "" {
		t.Errorf("%q says not what to do", e.Message)
	}
	_, rest, _ := strings.Cut(e.Message, "(")
	r, _, _ := strings.Cut(rest, ")")
	return reason(r)
}

// both judges one URL with agents on this machine refused and allowed.
type both struct{ Remote, Local reason }

func TestCheckURL_holdsEachRuleOfForm(t *testing.T) {
	t.Parallel()
	always := func(r reason) both { return both{r, r} }
	long := strings.Repeat("a", 63)
	for _, tt := range []struct {
		name string
		raw  string
		want both
	}{
		{"plain", "http://agent.example.com/a2a?x=1", both{}},
		{"https and port", "https://agent.example.com:8443", both{}},
		{"scheme in capitals", "HTTPS://Agent.Example.com/", both{}},
		{"longest", "http://a.example/" + strings.Repeat("x", maxURLBytes-17), both{}},
		{"empty", "", always(reasonScheme)},
		{"too long", "http://a.example/" + strings.Repeat("x", maxURLBytes-16), always(reasonScheme)},
		{"leading space", " http://a.example/", always(reasonScheme)},
		{"trailing newline", "http://a.example/\n", always(reasonScheme)},
		{"tab inside", "http://a.exa\tmple/", always(reasonScheme)},
		{"zero byte", "http://a.example/\x00", always(reasonScheme)},
		{"delete", "http://a.example/\x7f", always(reasonScheme)},
		{"backslash", `http://a.example\@b.example/`, always(reasonScheme)},
		{"quote", `http://a.example/"`, always(reasonScheme)},
		{"angle bracket", "http://a.example/<x>", always(reasonScheme)},
		{"caret", "http://a.example/^", always(reasonScheme)},
		{"brace", "http://a.example/{x}", always(reasonScheme)},
		{"bar", "http://a.example/|", always(reasonScheme)},
		{"backtick", "http://a.example/`", always(reasonScheme)},
		{"not ASCII", "http://bücher.example/", always(reasonScheme)},
		{"full-width dot", "http://127。0。0。1/", always(reasonScheme)},
		{"not UTF-8", "http://a.example/\xff", always(reasonScheme)},
		{"other scheme", "ftp://a.example/", always(reasonScheme)},
		{"file", "file:///etc/passwd", always(reasonScheme)},
		{"no scheme", "//a.example/", always(reasonScheme)},
		{"name only", "a.example", always(reasonScheme)},
		{"opaque", "http:a.example", always(reasonScheme)},
		{"one slash", "http:/a.example", always(reasonScheme)},
		{"no host", "http:///path", always(reasonHost)},
		{"port without host", "http://:80/", always(reasonHost)},
		{"query without host", "http://?x", always(reasonHost)},
		{"user", "http://user@a.example/", always(reasonUserinfo)},
		{"user and password", "http://a.example:80@b.example/", always(reasonUserinfo)},
		{"empty user", "http://@a.example/", always(reasonUserinfo)},
		{"at sign in path", "http://a.example/@x", both{}},
		{"percent in host", "http://%61.example/", always(reasonHost)},
		{"percent in path", "http://a.example/%20", both{}},
		{"broken percent in path", "http://a.example/%zz", always(reasonScheme)},
		{"fragment", "http://a.example/#x", always(reasonScheme)},
		{"empty fragment", "http://a.example/#", always(reasonScheme)},
		{"colon without port", "http://a.example:/", always(reasonPort)},
		{"port zero", "http://a.example:0/", always(reasonPort)},
		{"port with leading zero", "http://a.example:080/", always(reasonPort)},
		{"port too large", "http://a.example:65536/", always(reasonPort)},
		{"largest port", "http://a.example:65535/", both{}},
		{"signed port", "http://a.example:+80/", always(reasonPort)},
		{"two ports", "http://a.example:80:80/", always(reasonPort)},
		{"ssh", "http://a.example:22/", always(reasonPort)},
		{"mail", "https://a.example:25/", always(reasonPort)},
		{"docker", "http://a.example:2375/", always(reasonPort)},
		{"redis", "http://a.example:6379/", always(reasonPort)},
		{"database", "http://a.example:5432/", always(reasonPort)},
		{"IPv6", "http://[2606:4700::1111]:8080/", both{}},
		{"IPv6 with zone", "http://[fe80::1%25eth0]/", always(reasonHost)},
		{"IPv4 in brackets", "http://[1.1.1.1]/", always(reasonHost)},
		{"mapped", "http://[::ffff:1.1.1.1]/", always(reasonHost)},
		{"mapped in hex", "http://[::ffff:7f00:1]/", always(reasonHost)},
		{"open bracket", "http://[2606:4700::1111/", always(reasonHost)},
		{"text behind bracket", "http://[2606:4700::1111]x/", always(reasonHost)},
		{"name in brackets", "http://[a.example]/", always(reasonHost)},
		{"IPv6 without brackets", "http://2606:4700::1111/", always(reasonPort)},
		{"IPv4", "http://1.1.1.1:8080/", both{}},
		{"IPv4 with leading zeros", "http://01.1.1.1/", always(reasonHost)},
		{"IPv4 with root dot", "http://127.0.0.1./", always(reasonHost)},
		{"short IPv4", "http://127.1/", always(reasonHost)},
		{"IPv4 as number", "http://2130706433/", always(reasonHost)},
		{"IPv4 in hex", "http://0x7f000001/", always(reasonHost)},
		{"IPv4 partly in hex", "http://127.0.0.0X1/", always(reasonHost)},
		{"five parts", "http://1.2.3.4.5/", always(reasonHost)},
		{"digits before a name", "http://127.0.0.1.example/", both{}},
		{"single label", "http://worker:8080/", both{}},
		{"underscore", "http://my_worker:8080/", both{}},
		{"root dot", "http://agent.example.com./", both{}},
		{"two root dots", "http://agent.example.com../", always(reasonHost)},
		{"root dot only", "http://./", always(reasonHost)},
		{"empty label", "http://a..example/", always(reasonHost)},
		{"leading hyphen", "http://-a.example/", always(reasonHost)},
		{"trailing hyphen", "http://a-.example/", always(reasonHost)},
		{"longest label", "http://" + long + ".example/", both{}},
		{"label too long", "http://a" + long + ".example/", always(reasonHost)},
		{"name too long", "http://" + strings.Repeat(long+".", 4) + "example/", always(reasonHost)},
		{"star", "http://*.example/", always(reasonHost)},
		{"international name", "http://xn--bcher-kva.example/", both{}},
		{"international name that does not decode", "http://xn--0.example/", always(reasonHost)},
		{"international name of plain letters", "http://xn--localhost-/", always(reasonHost)},
		{"localhost", "http://localhost:8080/", both{Remote: reasonHost}},
		{"localhost in capitals", "http://LOCALHOST:8080/", both{Remote: reasonHost}},
		{"localhost with root dot", "http://localhost.:8080/", always(reasonHost)},
		{"below localhost", "http://a.LocalHost:8080/", always(reasonHost)},
		{"below localhost with root dot", "http://a.localhost.:8080/", always(reasonHost)},
		{"machine of a container", "http://host.docker.internal:8080/", both{Remote: reasonHost}},
		{"gateway of a container", "http://gateway.docker.internal:8080/", both{Remote: reasonHost}},
		{"machine of another container", "http://host.Containers.internal.:8080/", both{Remote: reasonHost}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, remote := newGuard(t, Options{}).CheckURL(tt.raw)
			_, local := newGuard(t, Options{Local: true}).CheckURL(tt.raw)
			if diff := cmp.Diff(both{reasonOf(t, remote), reasonOf(t, local)}, tt.want); diff != "" {
				t.Errorf("CheckURL(%q) (-got +want):\n%s", tt.raw, diff)
			}
		})
	}
}

func TestCheckURL_refusesPlatformNames(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{Local: true})
	for _, name := range []string{
		"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal",
		"metadata.azure.internal", "metadata.tencentyun.com", "metadata.packet.net", "metadata.platformequinix.com",
		"rancher-metadata", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "_api.internal",
	} {
		for _, host := range []string{name, name + ".", strings.ToUpper(name)} {
			for check, f := range map[string]func(string) (*url.URL, error){"CheckURL": g.CheckURL, "CheckOperatorURL": g.CheckOperatorURL} {
				_, err := f("http://" + host + "/latest")
				if got := reasonOf(t, err); got != reasonMetadata {
					t.Errorf("%s of host %q: got reason %q, want %q", check, host, got, reasonMetadata)
				}
			}
		}
	}
}

func TestCheckURL_neverRepeatsTheURL(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{})
	for _, raw := range []string{"http://me:s3cret@a.example/", "http://127.0.0.1/s3cret", "ftp://s3cret/", "http://s3cret.localhost/", "http://a/%zzs3cret"} {
		_, err := g.CheckURL(raw)
		if err == nil || strings.Contains(err.Error()+molecule.HintOf(err), "s3cret") {
			t.Errorf("CheckURL(%q): got error %v, want one without what was sent", raw, err)
		}
	}
}

func TestCheckOperatorURL_allowsThisMachineButNotOurselves(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{})
	g.SetBound([]uint16{7420})
	for _, tt := range []struct {
		raw  string
		want reason
	}{
		{"http://127.0.0.1:9000/", ""},
		{"http://localhost:9000/", ""},
		{"http://[::1]:9000/", ""},
		{"http://127.9.9.9:22/", ""}, // any port but ours
		{"http://100.64.0.1/", ""},
		{"http://[fd00::1]/", ""},
		{"http://worker/", ""},
		{"http://127.0.0.1:7420/", reasonSelf},
		{"http://localhost:7420/", reasonSelf},
		{"http://[::1]:7420/", reasonSelf},
		{"http://[::ffff:127.0.0.1]:7420/", reasonSelf},
		{"http://0.0.0.0:7420/", reasonSelf},
		{"http://[::]:7420/", reasonSelf},
		{"http://127.3.2.1:7420/", reasonSelf},
		{"http://10.9.8.7:7420/", reasonSelf},
		{"http://10.9.8.6:7420/", ""},
		{"http://10.9.8.7:7421/", ""},
		{"http://169.254.169.254/", reasonMetadata},
		{"http://169.254.0.1/", reasonMetadata},
		{"http://[::ffff:169.254.169.254]/", reasonMetadata},
		{"http://[64:ff9b::a9fe:a9fe]/", reasonMetadata},
		{"http://[fd00:ec2::254]/", reasonMetadata},
		{"http://100.100.100.200/", reasonMetadata},
		{"http://user@127.0.0.1:9000/", reasonUserinfo},
		{"http://127.0.0.1:9000/#x", reasonScheme},
		{"unix:///run/agent.sock", reasonScheme},
		{"http://127.0.0.1:/", reasonPort},
	} {
		t.Run(tt.raw, func(t *testing.T) {
			t.Parallel()
			_, err := g.CheckOperatorURL(tt.raw)
			if got := reasonOf(t, err); got != tt.want {
				t.Errorf("got reason %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCheckURL_refusesOurselvesInEveryMode(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{Local: true})
	for _, raw := range []string{"http://localhost:7420/", "http://10.9.8.7:7420/"} {
		if _, err := g.CheckURL(raw); err != nil {
			t.Errorf("CheckURL(%q) before anything is bound: %v", raw, err)
		}
	}
	g.SetBound([]uint16{80, 7420})
	for _, raw := range []string{"http://localhost:7420/", "http://localhost/", "http://10.9.8.7:7420/", "http://10.9.8.7"} {
		_, err := g.CheckURL(raw)
		if got := reasonOf(t, err); got != reasonSelf {
			t.Errorf("CheckURL(%q): got reason %q, want %q", raw, got, reasonSelf)
		}
	}
}

func TestCheckURL_takesAnUnknownMachineForOurs(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{Interfaces: func() ([]netip.Addr, error) { return nil, errors.New("no netlink") }})
	g.SetBound([]uint16{7420})
	_, err := g.CheckURL("http://1.1.1.1:7420/")
	if got := reasonOf(t, err); got != reasonSelf {
		t.Errorf("got reason %q, want %q", got, reasonSelf)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, raw := range []string{
		"http://agent.example.com:8080/a2a?x=1", "https://[2606:4700::1111]/", "http://localhost:1234", "http://127.0.0.1",
		"http://xn--bcher-kva.example/", "http://a@b/", `http://a\b/`, "http://0x7f.1/", "HTTP://A.b./%2e%2e/", "http://[::ffff:1.2.3.4]:80/",
		"http://a:080/", "http://a#b", "http://-a/", "http://xn--99999999/", "http://1.1.1.1:65535//x",
	} {
		f.Add(raw)
	}
	for _, e := range readCorpus(f, "tricks.tsv") {
		f.Add(e.text)
	}
	g := newGuard(f, Options{Local: true})
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := g.CheckURL(raw)
		if err != nil {
			reasonOf(t, err)
			return
		}
		again, err := g.CheckURL(u.String())
		if err != nil {
			t.Fatalf("%q is accepted, but not as it is written again, %q: %v", raw, u, err)
		}
		if got, want := [2]string{again.Scheme, again.Host}, [2]string{u.Scheme, u.Host}; got != want {
			t.Errorf("%q is read again as %q, want %q", raw, got, want)
		}
		if _, err := g.CheckOperatorURL(raw); err != nil {
			t.Errorf("%q is accepted of an agent and refused of an operator: %v", raw, err)
		}
	})
}

func BenchmarkCheckURL(b *testing.B) {
	g := newGuard(b, Options{})
	for _, raw := range []string{"https://agent.example.com:8443/a2a", "http://192.168.1.7:8080/", "http://[2606:4700::1111]/"} {
		b.Run(raw[:12], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.CheckURL(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
