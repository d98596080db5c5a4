package molecule

import (
	"maps"
	"slices"
	"strings"
)

// SinkKind says what a kind of sink is and which keys its target has.
type SinkKind struct {
	Name     string
	About    string
	Required []string // one spelling each; alternatives are written a|b
	Optional []string
	// WriteOnly is whether nobody can ask the sink what it holds.
	WriteOnly bool
	// Hashed is whether the sink keeps something made of the value, such as a hash,
	// so that it tells whether a value is right and not which one it holds.
	Hashed bool
}

// SinkKinds lists every kind, by name. The name that the copy has in a sink is
// that of the secret unless its target says another.
func SinkKinds() []SinkKind {
	return []SinkKind{
		{Name: "agent", About: "agents, to whom the daemon delivers it and who acknowledge", Required: []string{"agents"}},
		{Name: "envfile", About: "one line of a file of environment variables", Required: []string{"path"}, Optional: []string{"key"}},
		{Name: "exec", About: "a program that speaks JSON on standard input and output", Required: []string{"command"}, Optional: []string{"config"}},
		{Name: "file", About: "a file of its own", Required: []string{"path"}, Optional: []string{"mode", "owner"}},
		{Name: "fly", About: "a secret of a Fly app", Required: []string{"app"}, Optional: []string{"name", "url"}, Hashed: true},
		{Name: "github", About: "an Actions secret", Required: []string{"repo|org"}, Optional: []string{"environment", "name", "url"}, WriteOnly: true},
		{Name: "htpasswd", About: "one line of a file of hashed passwords", Required: []string{"path", "user"}, Hashed: true},
		{Name: "kubernetes", About: "one key of a Secret", Required: []string{"namespace", "secret"}, Optional: []string{"key", "url"}},
		{Name: "postgres", About: "the password of one role, or of two that take turns", Required: []string{"host", "database", "role"}, Optional: []string{"port", "role_b", "sslmode", "user", "plaintext"}, Hashed: true},
		{Name: "redis", About: "the password of an ACL user", Required: []string{"address", "user"}, Optional: []string{"tls", "admin", "plaintext"}, Hashed: true},
		{Name: "systemd", About: "a credential of a unit", Required: []string{"path"}, Optional: []string{"name", "encrypt"}},
		{Name: "vault", About: "one key of a KV secret, version 2", Required: []string{"mount", "path", "url"}, Optional: []string{"key", "namespace", "ca", "plaintext"}},
		{Name: "webhook", About: "a signed request to a URL", Required: []string{"url"}, Optional: []string{"plaintext"}, WriteOnly: true},
	}
}

// SinkKindOf returns the kind of a name.
func SinkKindOf(name string) (SinkKind, bool) {
	kinds := SinkKinds()
	i := slices.IndexFunc(kinds, func(k SinkKind) bool { return k.Name == name })
	if i < 0 {
		return SinkKind{}, false
	}
	return kinds[i], true
}

// Validate refuses a kind there is not, and a target that is not what the kind
// asks for.
func (s SinkSpec) Validate() error {
	kind, ok := SinkKindOf(s.Kind)
	if !ok {
		return noSinkKind(s.Kind)
	}
	known := slices.Clone(kind.Optional)
	for _, either := range kind.Required {
		names := strings.Split(either, "|")
		known = append(known, names...)
		if !slices.ContainsFunc(names, func(n string) bool { return s.Target[n] != "" }) {
			return Errorf(Invalid, "a sink of kind %s needs %s", s.Kind, strings.Join(names, " or ")).
				WithHint("write target: {%s: …}", names[0])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Target)) {
		if slices.Contains(known, name) {
			continue
		}
		err := Errorf(Invalid, "the target of kind %s has no key %q", s.Kind, clip(name, 40))
		if near := Nearest(name, known); near != "" {
			return err.WithHint("did you mean %s?", near)
		}
		return err.WithHint("it has %s", strings.Join(known, ", "))
	}
	return choice("activation", s.Activation, Activations()...)
}

func noSinkKind(name string) error {
	var names []string
	for _, k := range SinkKinds() {
		names = append(names, k.Name)
	}
	err := Errorf(Invalid, "no kind of sinks is called %q", clip(name, 40))
	if near := Nearest(name, names); near != "" {
		return err.WithHint("did you mean %s?", near)
	}
	return err.WithHint("it is one of %s", strings.Join(names, ", "))
}

// Place says in one line where a copy lives.
func (s SinkSpec) Place() string {
	var parts []string
	kind, _ := SinkKindOf(s.Kind)
	how := []string{"plaintext", "ca"} // and not where
	if !slices.Contains(kind.Required, "url") {
		how = append(how, "url")
	}
	for _, key := range append(slices.Clone(kind.Required), kind.Optional...) {
		for _, name := range strings.Split(key, "|") {
			if v := s.Target[name]; v != "" && !slices.Contains(how, name) {
				parts = append(parts, v)
			}
		}
	}
	return s.Kind + ":" + strings.Join(parts, " ")
}

// At is Place with the name that the copy has there: that of the secret, unless
// the target says another.
func (s SinkSpec) At(secret string) string {
	for _, key := range []string{"name", "key"} {
		if s.Target[key] != "" {
			return s.Place()
		}
	}
	if s.named() {
		return s.Place() + " " + secret
	}
	return s.Place()
}

// named reports whether a sink of the kind holds many copies, each by a name.
func (s SinkSpec) named() bool {
	kind, _ := SinkKindOf(s.Kind)
	return s.Kind != "systemd" && (slices.Contains(kind.Optional, "name") || slices.Contains(kind.Optional, "key")) || s.Kind == "agent"
}
