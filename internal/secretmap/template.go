package secretmap

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Names in templates that are no secrets.
const (
	refValue  = "value"  // the value that a probe or a sink is about
	refAnswer = "answer" // what a probe was answered, in what undoes it
)

// Ref is a place in a template that a value takes.
type Ref struct {
	Name     string // of a secret, or value, or answer
	Attr     string // user of a secret that has one; a field of an answer
	Encoding string // one of Encodings, or "" for the value as it is
}

// Own reports whether the reference is to no secret of the map.
func (r Ref) Own() bool { return r.Name == refValue || r.Name == refAnswer }

// Encodings are how a value can be written where it stands: percent signs for
// what means something in a URL, base64, or the inside of a JSON string.
func Encodings() []string { return []string{"url", "base64", "json"} }

// Template is a text with references in it. The zero Template is empty.
type Template struct{ pieces []piece }

// piece is a text, and the reference behind it, if any.
type piece struct {
	text string
	ref  *Ref
}

// ParseTemplate reads a template: ${NAME}, ${NAME:url}, ${NAME.user}. A dollar
// sign before anything but a brace or another one is itself, and $$ is one.
func ParseTemplate(text string) (Template, error) {
	var t Template
	var plain strings.Builder
	for rest := text; rest != ""; {
		at := strings.IndexByte(rest, '$')
		if at < 0 || at == len(rest)-1 {
			plain.WriteString(rest)
			break
		}
		plain.WriteString(rest[:at])
		switch rest[at+1] {
		case '$':
			plain.WriteByte('$')
			rest = rest[at+2:]
		case '{':
			inside, behind, closed := strings.Cut(rest[at+2:], "}")
			if !closed {
				return Template{}, molecule.Errorf(molecule.Invalid, "${%s is not closed", molecule.Excerpt(inside, 40)).WithHint("write ${NAME}, or $$ for a dollar sign")
			}
			ref, err := parseRef(inside)
			if err != nil {
				return Template{}, err
			}
			t.pieces = append(t.pieces, piece{plain.String(), &ref})
			plain.Reset()
			rest = behind
		default:
			plain.WriteByte('$')
			rest = rest[at+1:]
		}
	}
	if plain.Len() > 0 {
		t.pieces = append(t.pieces, piece{plain.String(), nil})
	}
	return t, nil
}

func parseRef(inside string) (Ref, error) {
	name, encoding, encoded := strings.Cut(inside, ":")
	r := Ref{Name: name, Encoding: encoding}
	if encoded && !slices.Contains(Encodings(), encoding) {
		err := molecule.Errorf(molecule.Invalid, "${%s}: there is no encoding %q", molecule.Excerpt(inside, 40), molecule.Excerpt(encoding, 20))
		return r, err.WithHint("it is one of %s", strings.Join(Encodings(), ", "))
	}
	if field, ok := strings.CutPrefix(name, refAnswer+"."); ok {
		r.Name, r.Attr = refAnswer, field
	} else if of, ok := strings.CutSuffix(name, ".user"); ok {
		r.Name, r.Attr = of, "user"
	}
	if r.Name == "" || strings.ContainsAny(r.Name, " ${") || r.Name == refAnswer && r.Attr == "" {
		return r, molecule.Errorf(molecule.Invalid, "${%s} names nothing", molecule.Excerpt(inside, 40)).WithHint("write ${NAME}, or $$ for a dollar sign")
	}
	return r, nil
}

// Refs returns the references in the order they stand.
func (t Template) Refs() []Ref {
	var all []Ref
	for _, p := range t.pieces {
		if p.ref != nil {
			all = append(all, *p.ref)
		}
	}
	return all
}

// Render returns the text with every value in its place. value may say that it
// has none, which is a NotFound that names it.
func (t Template) Render(value func(Ref) (molecule.Secret, bool)) (molecule.Secret, error) {
	var b strings.Builder
	for _, p := range t.pieces {
		b.WriteString(p.text)
		if p.ref == nil {
			continue
		}
		v, ok := value(*p.ref)
		if !ok {
			return molecule.Secret{}, molecule.Errorf(molecule.NotFound, "there is no value of %s", p.ref.Name).
				WithHint("give %s a value first", p.ref.Name)
		}
		b.WriteString(encode(p.ref.Encoding, v.Reveal()))
	}
	return molecule.NewSecret(b.String()), nil
}

// encode writes a value the way its place needs.
func encode(encoding, value string) string {
	switch encoding {
	case "url":
		// A plus sign would be a blank in a query and itself in a password; %20 is
		// a blank in both.
		return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(value))
	case "json":
		quoted, err := json.Marshal(value)
		if err != nil {
			return value // never: a string can always be written
		}
		return string(quoted[1 : len(quoted)-1])
	}
	return value
}

// bareInURL returns the references that stand in a URL and are written as they
// are.
func (t Template) bareInURL() []Ref {
	var bare []Ref
	inURL := false
	for _, p := range t.pieces {
		inURL = inURL || strings.Contains(p.text, "://")
		if p.ref != nil && inURL && p.ref.Encoding == "" && p.ref.Attr == "" {
			bare = append(bare, *p.ref)
		}
	}
	return bare
}
