package console

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func base(t testing.TB) Base {
	t.Helper()
	b, err := NewBase("example.com")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// line is one line of a corpus: what becomes of a text, and the text.
type line struct{ want, text string }

func corpus(t testing.TB, file string, least int) (all []line) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(text)) {
		row = strings.TrimSuffix(row, "\n")
		if row == "" || row[0] == '#' {
			continue
		}
		want, raw, _ := strings.Cut(row, "\t")
		if strings.HasPrefix(raw, `"`) {
			if _, err := fmt.Sscanf(raw, "%q", &raw); err != nil {
				t.Fatalf("%s: %s: %v", file, row, err)
			}
		}
		all = append(all, line{want, raw})
	}
	if len(all) < least {
		t.Errorf("%s holds %d lines, it promises %d", file, len(all), least)
	}
	return all
}

func TestClass_ofTheCorpusOfHosts(t *testing.T) {
	t.Parallel()
	b := base(t)
	for _, l := range corpus(t, "hosts.tsv", 80) {
		class, slug := b.Class(l.text)
		if got := strings.TrimSpace(class.String() + " " + slug); got != l.want {
			t.Errorf("%q is %q, want %q", l.text, got, l.want)
		}
	}
}

func TestSafeReturnTo_ofTheCorpus(t *testing.T) {
	t.Parallel()
	b := base(t)
	for _, l := range corpus(t, "return_to.tsv", 300) {
		got, ok := b.SafeReturnTo(l.text)
		if !ok {
			got = "-"
		}
		if got != l.want {
			t.Errorf("%q may be returned to as %q, want %q", l.text, got, l.want)
		}
	}
}

func TestNewBase_refusesWhatIsNoDomain(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{"", "com", "example..com", ".example.com", "example.com.", "exa mple.com", "example.com:443", "-a.com", "a_b.com"} {
		if _, err := NewBase(domain); molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("NewBase(%q): got error %v, want an invalid", domain, err)
		}
	}
}

func FuzzHostClass(f *testing.F) {
	b := base(f)
	for _, l := range corpus(f, "hosts.tsv", 80) {
		f.Add(l.text)
	}
	f.Fuzz(func(t *testing.T, host string) {
		class, name := b.Class(host)
		if (class == Tenant) != (name != "") {
			t.Fatalf("%q is %s with the slug %q", host, class, name)
		}
		if class != Tenant {
			return
		}
		if !slug(name) || reserved(name) || strings.HasPrefix(name, "xn--") {
			t.Errorf("%q has the slug %q", host, name)
		}
		if again, same := b.Class(name + ".example.com"); again != Tenant || same != name {
			t.Errorf("%q has the slug %q, whose own host is %s %q", host, name, again, same)
		}
	})
}

func FuzzSafeReturnTo(f *testing.F) {
	b := base(f)
	for _, l := range corpus(f, "return_to.tsv", 300) {
		f.Add(l.text)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		to, ok := b.SafeReturnTo(raw)
		if !ok {
			if to != "" {
				t.Errorf("%q is refused and still returned as %q", raw, to)
			}
			return
		}
		if again, ok := b.SafeReturnTo(to); !ok || again != to {
			t.Fatalf("%q is returned as %q, which is itself returned as %q, %v", raw, to, again, ok)
		}
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		// As a browser on the app host would go there.
		at := (&url.URL{Scheme: "https", Host: "app.example.com", Path: "/"}).ResolveReference(u)
		if at.Scheme != "https" || at.Host != "example.com" && !strings.HasSuffix(at.Host, ".example.com") {
			t.Errorf("%q leads to %s", raw, at)
		}
		if strings.HasPrefix(strings.ToLower(at.Path)+"/", loginPath+"/") {
			t.Errorf("%q leads to a login: %s", raw, at)
		}
	})
}
