package secretmap

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Needs returns the secrets a derived one is made of, each once, in the order of
// its template. A template that cannot be read needs nothing.
func Needs(s molecule.MappedSecret) []string {
	t, err := ParseTemplate(s.Template)
	if err != nil || s.Class != molecule.SecretDerived {
		return nil
	}
	var names []string
	for _, r := range t.Refs() {
		if !r.Own() && !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	return names
}

// MadeOf returns the derived secrets that change when the one of a name does,
// those first of which others are made.
func MadeOf(m molecule.SecretMap, name string) []string {
	order, err := Order(m)
	if err != nil {
		return nil
	}
	changed := map[string]bool{name: true}
	var all []string
	for _, other := range order {
		s, _ := m.Secret(other)
		if slices.ContainsFunc(Needs(s), func(n string) bool { return changed[n] }) {
			changed[other] = true
			all = append(all, other)
		}
	}
	return all
}

// Order returns every name, those first of which others are made. Secrets that
// are made of each other are a Conflict.
func Order(m molecule.SecretMap) ([]string, error) {
	all := m.All()
	needs := make(map[string][]string, len(all))
	for _, s := range all {
		needs[s.Name] = Needs(s)
	}
	o := order{needs: needs, state: make(map[string]int, len(all))}
	for _, s := range all {
		if cycle := o.visit(s.Name, nil); cycle != nil {
			return nil, molecule.Errorf(molecule.Conflict, "%s: none of them could be made first", strings.Join(cycle, " needs ")).
				WithHint("write what they share as a part of its own")
		}
	}
	return o.done, nil
}

// order is a walk through what needs what.
type order struct {
	needs map[string][]string
	state map[string]int // 1: on the way, 2: done
	done  []string
}

// visit returns the way around when it comes back to where it is.
func (o *order) visit(name string, way []string) []string {
	way = append(way, name)
	switch o.state[name] {
	case 1:
		return slices.Clone(way[slices.Index(way, name):])
	case 2:
		return nil
	}
	needs, known := o.needs[name]
	if !known {
		return nil // lint says that there is no such secret
	}
	o.state[name] = 1
	for _, n := range needs {
		if cycle := o.visit(n, way); cycle != nil {
			return cycle
		}
	}
	o.state[name] = 2
	o.done = append(o.done, name)
	return nil
}

// usage is a text of a secret that may hold references, and where it stands.
type usage struct {
	field  string
	text   string
	value  bool // ${value} means something in it
	answer bool // and ${answer.FIELD}
}

// usages returns every text of s with references.
func usages(s molecule.MappedSecret) []usage {
	all := []usage{{field: "template", text: s.Template}}
	for i, k := range s.Sinks {
		all = append(all, usage{field: fmt.Sprintf("sinks[%d].template", i), text: k.Template, value: true})
	}
	for _, p := range s.Probes() {
		all = append(all, probeUsages(p.Field, p.Probe, false)...)
	}
	return slices.DeleteFunc(all, func(u usage) bool { return u.text == "" })
}

func probeUsages(field string, p *molecule.Probe, undo bool) []usage {
	if p == nil {
		return nil
	}
	all := []usage{{field + ".url", p.URL, true, undo}, {field + ".body", p.Body, true, undo}}
	for _, name := range slices.Sorted(maps.Keys(p.Headers)) {
		all = append(all, usage{field + ".headers." + name, p.Headers[name], true, undo})
	}
	for i, word := range p.Command {
		all = append(all, usage{fmt.Sprintf("%s.command[%d]", field, i), word, true, undo})
	}
	return append(all, probeUsages(field+".undo", p.Undo, true)...)
}
