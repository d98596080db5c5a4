package secretmap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Procedure is what a person does to change a secret, in order. It is made of
// the same data as what the daemon does.
type Procedure struct {
	Secret  string            `json:"secret"`
	Facts   []Fact            `json:"facts"`
	Dangers []molecule.Danger `json:"danger,omitempty"`
	Steps   []Step            `json:"steps"`
	// NoReturn is the number of the step behind which the old value is gone, from
	// 1; 0: there is none.
	NoReturn int      `json:"no_return,omitempty"`
	Back     []string `json:"back,omitempty"` // how to go back before that
	Forward  string   `json:"forward,omitempty"`
}

// Fact is one line of what is known of the secret.
type Fact struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// Step is one thing to do.
type Step struct {
	Title    string   `json:"title"`
	Text     []string `json:"text,omitempty"`     // paragraphs
	Commands []string `json:"commands,omitempty"` // to be typed
	Expect   []string `json:"expect,omitempty"`   // what has to be so before the next
}

// Runbook returns the procedure of one secret; NotFound names the nearest.
func Runbook(m molecule.SecretMap, name string) (Procedure, error) {
	s, ok := m.Secret(name)
	if !ok {
		err := molecule.Errorf(molecule.NotFound, "there is no secret %q in the map", molecule.Excerpt(name, 60))
		if near := molecule.Nearest(name, names(m)); near != "" {
			return Procedure{}, err.WithHint("did you mean %s?", near)
		}
		return Procedure{}, err.WithHint("molecli secrets map")
	}
	w := &writer{m: m, s: s, p: Procedure{Secret: s.Name, Dangers: s.Dangers}}
	w.facts()
	switch {
	case s.Class == molecule.SecretDerived:
		w.derived()
	case s.Rotatable() != nil:
		w.fixed()
	case s.Class == molecule.SecretRoot:
		w.root()
	default:
		w.rotation()
	}
	return w.p, nil
}

// names returns every name of a map.
func names(m molecule.SecretMap) []string {
	var all []string
	for _, s := range m.All() {
		all = append(all, s.Name)
	}
	return all
}

// writer writes the procedure of a secret.
type writer struct {
	m molecule.SecretMap
	s molecule.MappedSecret
	p Procedure
}

// step adds a step and returns its number.
func (w *writer) step(s Step) int {
	w.p.Steps = append(w.p.Steps, s)
	return len(w.p.Steps)
}

func (w *writer) fact(title, text string) {
	if text != "" {
		w.p.Facts = append(w.p.Facts, Fact{title, text})
	}
}

func (w *writer) facts() {
	s := w.s
	w.fact("what for", s.About)
	w.fact("owner", s.Owner)
	w.fact("class", string(s.Class)+", "+classText(s.Class))
	if s.Rotatable() == nil {
		w.fact("overlap", string(s.Overlap)+", "+overlapText(s))
	}
	w.fact("when", WhenText(s))
	if s.PartOf != "" {
		w.fact("part of", s.PartOf)
	}
	if made := MadeOf(w.m, s.Name); len(made) > 0 {
		w.fact("goes into", strings.Join(made, ", "))
	}
	if s.User != "" {
		user, _ := w.m.Secret(s.User)
		w.fact("user name", fmt.Sprintf("%s, which is %s", user.Literal, s.User))
	}
	for i, k := range s.Sinks {
		w.fact(fmt.Sprintf("copy %d", i+1), k.At(s.Name)+", in use "+activationText(k.Activation))
	}
}

// WhenText says in words when a secret is changed.
func WhenText(s molecule.MappedSecret) string {
	switch {
	case s.RotateEvery != 0:
		return "every " + s.RotateEvery.String() + ", and at once when it may have leaked"
	case s.Policy == molecule.RotateOnIncident:
		return "when it may have leaked"
	case s.Policy == molecule.RotateNever:
		return "never"
	case s.Policy == molecule.RotateAuto:
		return "by itself"
	}
	return "nothing says when"
}

func classText(c molecule.SecretClass) string {
	switch c {
	case molecule.SecretMinted:
		return "made by a provider"
	case molecule.SecretGenerated:
		return "made here, from random"
	case molecule.SecretDerived:
		return "made of other secrets"
	case molecule.SecretLiteral:
		return "has to equal an exact value"
	case molecule.SecretConfig:
		return "has a precondition"
	case molecule.SecretRoot:
		return "wraps other data"
	case molecule.SecretAuto:
		return "made by the platform"
	}
	return "not known"
}

func overlapText(s molecule.MappedSecret) string {
	switch s.Overlap {
	case molecule.OverlapDual:
		return "old and new both work until the old one is revoked"
	case molecule.OverlapAlternating:
		return "two holders take turns, and the one that is not in use is changed"
	case molecule.OverlapWindow:
		return "the old one works for " + s.Window.String() + " beside the new one, and not longer"
	case molecule.OverlapSingleSettable:
		return "setting the new one ends the old one, which can be set again"
	case molecule.OverlapSingleMinted:
		return "making the new one ends the old one, for good"
	}
	return "not known"
}

func activationText(a molecule.Activation) string {
	switch a {
	case molecule.ActivationOnDeploy:
		return "with the next deploy"
	case molecule.ActivationOnNextRun:
		return "with the next job"
	case molecule.ActivationOnRestart:
		return "when its reader starts again"
	case molecule.ActivationOnAck:
		return "when the holder acknowledges it"
	}
	return "at once"
}

// dangersOf returns the texts of the dangers of the rules.
func (w *writer) dangersOf(rules ...string) []string {
	var all []string
	for _, d := range w.s.Dangers {
		if slices.Contains(rules, d.Rule) {
			all = append(all, "Danger: "+d.Text)
		}
	}
	return all
}
