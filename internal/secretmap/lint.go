package secretmap

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Lint returns what is wrong with a map, or dangerous in it, in its order. It
// knows nothing of values.
func Lint(m molecule.SecretMap) []Finding {
	l := &linter{m: m, entries: entries(m), names: make(map[string]int)}
	for l.at = range l.entries {
		l.name(l.entries[l.at])
	}
	for l.at = range l.entries {
		l.secret(l.entries[l.at])
	}
	l.cycle()
	l.places()
	return l.found
}

// entries returns every secret as it stands, parts before what they are of.
func entries(m molecule.SecretMap) []molecule.MappedSecret {
	var all []molecule.MappedSecret
	for _, s := range m.Secrets {
		all = append(append(all, s.Parts...), s)
	}
	return all
}

// Lint returns what is wrong with the file: what cannot be read of it, and what
// [Lint] finds in the rest, each with its place and in the order of the file.
func (f *File) Lint() []Finding {
	all := slices.Clone(f.Findings)
	for _, t := range Lint(f.Map) {
		t.put(f.locate(t))
		all = append(all, t)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return all
}

// Breaking returns those of the findings with which a map cannot be applied.
func Breaking(all []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return !f.Breaks() })
}

// linter goes through a map.
type linter struct {
	m       molecule.SecretMap
	entries []molecule.MappedSecret
	names   map[string]int // the first of entries with a name
	at      int            // the one that is looked at
	found   []Finding
}

func (l *linter) add(rule string, s molecule.MappedSecret, field, hint, format string, args ...any) {
	t := Finding{Rule: rule, Secret: s.Name, Field: field, Message: fmt.Sprintf(format, args...), Hint: hint, entry: l.at}
	if l.entries[l.at].Name != s.Name {
		t.entry = l.names[s.Name]
	}
	l.found = append(l.found, t)
}

// name keeps a name, of which there may be one.
func (l *linter) name(s molecule.MappedSecret) {
	if _, twice := l.names[s.Name]; twice {
		l.add(RuleSameName, s, "name", "rename one of them, or make one entry of both", "there are two secrets called %s", s.Name)
		return
	}
	l.names[s.Name] = l.at
}

// named returns the secret of a name.
func (l *linter) named(name string) (molecule.MappedSecret, bool) {
	i, ok := l.names[name]
	if !ok {
		return molecule.MappedSecret{}, false
	}
	return l.entries[i], true
}

// secret judges one secret.
func (l *linter) secret(s molecule.MappedSecret) {
	for _, f := range s.Faults() {
		l.add(RuleNotValid, s, f.Field, molecule.HintOf(f.Err), "%s", f.Err)
	}
	for i, p := range s.Parts {
		if len(p.Parts) > 0 {
			l.add(RuleNotValid, p, "parts", "write them beside it", "parts[%d] has parts of its own", i)
		}
	}
	l.references(s)
	l.class(s)
	l.times(s)
	l.sinks(s)
	l.probes(s)
	l.dangers(s)
	if s.Owner == "" {
		l.add(RuleOwner, s, "name", "write owner: and who is asked about it at night", "nobody owns %s", s.Name)
	}
}

// references judges what refers to other secrets.
func (l *linter) references(s molecule.MappedSecret) {
	for _, u := range usages(s) {
		t, err := ParseTemplate(u.text)
		if err != nil {
			l.add(RuleTemplate, s, u.field, molecule.HintOf(err), "%s", err)
			continue
		}
		for _, r := range t.Refs() {
			switch {
			case r.Name == refValue && !u.value, r.Name == refAnswer && !u.answer:
				l.add(RuleTemplate, s, u.field, "name the secret: ${NAME}", "${%s} means nothing in %s", r.Name, u.field)
			case !r.Own():
				l.known(s, u.field, r.Name)
			}
		}
		l.exposed(s, u, t)
	}
	for i, k := range s.Sinks {
		if k.Credential != "" {
			l.known(s, fmt.Sprintf("sinks[%d].credential", i), k.Credential)
		}
	}
	if s.User != "" {
		l.user(s)
	}
}

// known says whether there is a secret of a name.
func (l *linter) known(s molecule.MappedSecret, field, name string) bool {
	if _, ok := l.names[name]; ok {
		return true
	}
	hint := "add it to the map, or take the reference out"
	var names []string
	for known := range l.names {
		names = append(names, known)
	}
	slices.Sort(names)
	if near := molecule.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	l.add(RuleUnknown, s, field, hint, "there is no secret %s in the map", molecule.Excerpt(name, 60))
	return false
}

// exposed tells of a value that others can read where it is used.
func (l *linter) exposed(s molecule.MappedSecret, u usage, t Template) {
	for _, r := range t.bareInURL() {
		of, known := l.named(r.Name)
		if r.Name == refValue || known && of.Class != molecule.SecretLiteral && of.Class != molecule.SecretDerived {
			l.add(RuleURL, s, u.field, fmt.Sprintf("write ${%s:url}", r.Name), "%s stands in a URL as it is: @, / or %% in it would cut the URL short", r.Name)
		}
	}
	isProbe := u.field != "template" && !strings.HasPrefix(u.field, "sinks")
	if !isProbe {
		return
	}
	secret := slices.ContainsFunc(t.Refs(), func(r Ref) bool { return r.Name != refAnswer })
	switch {
	case secret && strings.Contains(u.field, ".command["):
		l.add(RuleExposed, s, u.field, "the command gets the value on standard input", "the command line holds the value, where every user of the machine can read it")
	case secret && strings.HasSuffix(u.field, ".url"):
		l.add(RuleExposed, s, u.field, "put it into headers or body", "the URL holds the value, and URLs are kept in logs")
	case strings.HasSuffix(u.field, ".url") && strings.HasPrefix(u.text, "http://") && !loopback(u.text):
		l.add(RuleExposed, s, u.field, "use https", "the value is sent over a connection that is not encrypted")
	}
}

// loopback reports whether a URL leads to this machine.
func loopback(url string) bool {
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	return host == "localhost" || strings.HasPrefix(host, "localhost:") || strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "[::1]")
}

// flyRegistryUser is the only user name the Fly registry accepts; any other is
// answered with 401 (checked 2026-04-15). The token is the password.
const flyRegistryUser = "x"

// user judges the user name beside a secret that is the password.
func (l *linter) user(s molecule.MappedSecret) {
	if !l.known(s, "user", s.User) {
		return
	}
	name, _ := l.named(s.User)
	if name.Class != molecule.SecretLiteral {
		l.add(RuleUserName, s, "user", "name a secret of class literal", "%s is %s and no literal, so nobody can say which user name it is", s.User, name.Class)
		return
	}
	opensFly := slices.ContainsFunc(s.Sinks, func(k molecule.SinkSpec) bool { return k.Kind == "fly" })
	want := name.Literal
	if opensFly && want != flyRegistryUser && want != "" {
		want = flyRegistryUser
		l.add(RuleUserName, name, "literal", "write literal: "+flyRegistryUser,
			"%s is %q: the Fly registry takes its token as the password of %s, and answers any other name with 401", s.User, name.Literal, flyRegistryUser)
	}
	for i, k := range s.Sinks {
		if user := k.Target["user"]; k.Kind == "htpasswd" && user != want {
			l.add(RuleUserName, s, fmt.Sprintf("sinks[%d].target.user", i), "write user: "+want, "the user of the sink is %q, and %s has to be %q", user, s.User, want)
		}
	}
}

// cycle tells of secrets that are made of each other.
func (l *linter) cycle() {
	if _, err := Order(l.m); err != nil {
		name, _, _ := strings.Cut(err.Error(), " needs ")
		s, _ := l.named(name)
		l.add(RuleCycle, s, "template", molecule.HintOf(err), "%s", err)
	}
}

// places tells of two copies that would overwrite each other.
func (l *linter) places() {
	taken := make(map[string]string)
	for l.at = range l.entries {
		s := l.entries[l.at]
		for i, k := range s.Sinks {
			place := k.At(s.Name)
			if by, twice := taken[place]; twice {
				l.add(RuleSamePlace, s, fmt.Sprintf("sinks[%d]", i), "give one of them another place",
					"%s is written to %s, and so is %s", s.Name, place, by)
				continue
			}
			taken[place] = s.Name
		}
	}
}
