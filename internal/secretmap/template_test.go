package secretmap

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// give has the same value for everything.
func give(value string) func(Ref) (molecule.Secret, bool) {
	return func(Ref) (molecule.Secret, bool) { return molecule.NewSecret(value), true }
}

func TestTemplate_putsValuesInTheirPlaces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, want string
		refs       []Ref
	}{
		{"", "", nil},
		{"plain", "plain", nil},
		{"a ${NAME} b", `a p@s/"% b`, []Ref{{Name: "NAME"}}},
		{"${A}${B}", `p@s/"%p@s/"%`, []Ref{{Name: "A"}, {Name: "B"}}},
		{"x://u:${A:url}@h", "x://u:p%40s%2F%22%25@h", []Ref{{Name: "A", Encoding: "url"}}},
		{`{"a":"${A:json}"}`, `{"a":"p@s/\"%"}`, []Ref{{Name: "A", Encoding: "json"}}},
		{"${A:base64}", "cEBzLyIl", []Ref{{Name: "A", Encoding: "base64"}}},
		{"${A.user}:${A.B}", `p@s/"%:p@s/"%`, []Ref{{Name: "A", Attr: "user"}, {Name: "A.B"}}},
		{"${answer.id}", `p@s/"%`, []Ref{{Name: "answer", Attr: "id"}}},
		{"$(date) $$ $${A} $ $", "$(date) $ ${A} $ $", nil},
	} {
		tmpl, err := ParseTemplate(tt.text)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if diff := cmp.Diff(tmpl.Refs(), tt.refs); diff != "" {
			t.Errorf("%q refers to (-got +want):\n%s", tt.text, diff)
		}
		if got, err := tmpl.Render(give(`p@s/"%`)); err != nil || got.Reveal() != tt.want {
			t.Errorf("%q becomes %q, %v, want %q", tt.text, got.Reveal(), err, tt.want)
		}
	}
}

func TestTemplate_refusesWhatMeansNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"${", "${A", "${}", "${A:}", "${A:rot13}", "${ A}", "${answer}", "${.user}", "${A${B}}", "a$${b}${"} {
		if _, err := ParseTemplate(text); molecule.CodeOf(err) != molecule.Invalid || molecule.HintOf(err) == "" {
			t.Errorf("%q: got error %v", text, err)
		}
	}
}

func TestTemplate_withoutAValueNamesTheSecret(t *testing.T) {
	t.Parallel()
	tmpl, err := ParseTemplate("x${KNOWN}${LOST}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tmpl.Render(func(r Ref) (molecule.Secret, bool) { return molecule.NewSecret("the value"), r.Name == "KNOWN" })
	if molecule.CodeOf(err) != molecule.NotFound || !strings.Contains(err.Error(), "LOST") || strings.Contains(err.Error(), "the value") {
		t.Errorf("got error %v", err)
	}
}

// TestTemplate_aURLKeepsThePassword reads back what was put into a URL: whatever
// the password is, it is that and the host is the host.
func TestTemplate_aURLKeepsThePassword(t *testing.T) {
	t.Parallel()
	tmpl, err := ParseTemplate("postgresql://app:${PASSWORD:url}@db.example.com:5432/app?sslmode=require&again=${PASSWORD:url}")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.OneOf(rapid.String(), rapid.StringMatching(`[@:/?#%&=+ \[\]]{1,9}`)).Draw(t, "password")
		text, err := tmpl.Render(give(password))
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(text.Reveal())
		if err != nil {
			t.Fatalf("%q: %v", text.Reveal(), err)
		}
		if got, _ := u.User.Password(); got != password || u.Host != "db.example.com:5432" || u.Path != "/app" || u.Query().Get("again") != password {
			t.Fatalf("%q becomes %q at %q", password, got, u.Host)
		}
	})
}

func TestOrder_hasFirstWhatOthersAreMadeOf(t *testing.T) {
	t.Parallel()
	derived := func(name, template string) molecule.MappedSecret {
		return molecule.MappedSecret{Name: name, Class: molecule.SecretDerived, Template: template}
	}
	m := molecule.SecretMap{Secrets: []molecule.MappedSecret{
		derived("C", "${B}${A}"), derived("B", "${A} ${A}"), {Name: "A", Class: molecule.SecretMinted}, derived("D", "${LOST}"),
	}}
	got, err := Order(m)
	if diff := cmp.Diff(got, []string{"A", "B", "C", "D"}); err != nil || diff != "" {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
	if diff := cmp.Diff(MadeOf(m, "A"), []string{"B", "C"}); diff != "" {
		t.Errorf("made of A (-got +want):\n%s", diff)
	}
	m.Secrets[2] = derived("A", "${C}")
	if _, err := Order(m); molecule.CodeOf(err) != molecule.Conflict || !strings.Contains(err.Error(), "C needs B needs A needs C") {
		t.Errorf("got error %v", err)
	}
	m.Secrets[2] = derived("A", "${A}")
	if _, err := Order(m); !strings.Contains(err.Error(), "A needs A") {
		t.Errorf("got error %v", err)
	}
}
