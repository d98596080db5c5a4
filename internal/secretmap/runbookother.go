package secretmap

import (
	"fmt"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// fixed writes why a secret is not changed, and what can be looked at.
func (w *writer) fixed() {
	s := w.s
	step := Step{Title: "Do not change it", Text: []string{sentence(strings.TrimPrefix(s.Rotatable().Error(), s.Name+" is not rotated: "))}}
	if s.Class == molecule.SecretLiteral {
		step.Text = append(step.Text, w.dangersOf(molecule.DangerExactValue)...)
		step.Expect = []string{fmt.Sprintf("every copy is exactly %q, without a line break; if one is not, write that", s.Literal)}
		for _, k := range s.Sinks {
			step.Commands = append(step.Commands, set(k, s, "new")...)
		}
		step.Commands = append([]string{"printf %s " + quote(s.Literal) + " > new"}, step.Commands...)
	}
	w.step(step)
	w.step(Step{Title: "See whether the map says so", Commands: []string{"molecli secrets lint -f MAP"}, Expect: []string{"nothing is told of " + s.Name}})
}

// derived writes what is done when something changed of which a secret is made.
func (w *writer) derived() {
	s := w.s
	needs := Needs(s)
	w.step(Step{
		Title: "Change what it is made of, not itself", Text: []string{"It is made as: " + s.Template},
		Commands: runbooksOf("", needs),
		Expect:   []string{"the new part works beside the old one, so that both of the URLs do; come back here before the old one is ended"},
	})
	make := Step{
		Title: "Make it of its parts", Text: w.dangersOf(molecule.DangerEncoding),
		Commands: []string{`umask 077 && cd "$(mktemp -d)"`, paste("old", "the value of today")},
		Expect:   []string{"cmp old new tells of a difference"},
	}
	make.Commands = append(append(make.Commands, w.fetch()...), assemble(s.Template)+" > new")
	w.step(make)
	if s.Verify != nil {
		w.step(w.prove("Prove it before anything holds it", "new", true))
	}
	first := w.write()
	w.after()
	w.p.Back = append([]string{fmt.Sprintf("From step %d on copies differ until all are written. While the old part lives, the old value can be put back, the last first:", first)}, w.back()...)
	step := Step{Title: "End the old part", Text: w.dangersOf(molecule.DangerHeldBack), Commands: runbooksOf("", needs)}
	step.Expect = []string{"every holder has acknowledged the new value; whoever has not is cut off"}
	w.p.NoReturn = w.step(step)
	w.p.Forward = fmt.Sprintf("From step %d on only the new value works.", w.p.NoReturn)
	w.step(Step{Title: "Leave nothing behind", Commands: []string{"shred -u *"}})
}

// root writes what is done to change a key that wraps other data: both have to
// be there until a count says that nothing is under the old one.
func (w *writer) root() {
	s := w.s
	w.look()
	w.make()
	add := Step{
		Title: "Give the new key beside the old one, and keep the old one", Text: w.dangersOf(molecule.DangerWrapsData),
		Expect: []string{"whoever reads data opens it with either key, and wraps what is new with the new one"},
	}
	for _, k := range s.Sinks {
		add.Commands = append(add.Commands, set(k, s, "new")...)
		add.Commands = append(add.Commands, activate(k)...)
	}
	add.Text = append(add.Text, "The reader has to know both: the old one goes on under the name "+s.Name+"_PREVIOUS, or however the reader calls it, before the new one is in use.")
	w.step(add)
	if s.Verify != nil {
		w.step(w.prove("Prove that both open what they wrapped", "new", true))
	}
	wrap := Step{Title: "Wrap everything anew, and count", Expect: []string{"it says how many rows it wrapped, and that 0 are left. Run it again until it does; it may be stopped and repeated at any time"}}
	if s.Rewrap != nil {
		wrap.Text = append(wrap.Text, sentence(s.Rewrap.Text))
		wrap.Commands = w.ask(s.Rewrap, "new")
	}
	n := w.step(wrap)
	end := Step{Title: "Destroy the old key, when nothing is under it", Text: []string{"Not before the last backup that holds rows of the old key is gone as well, or the key is kept with it."}}
	if s.Revoke != nil {
		end.Text = append(end.Text, sentence(s.Revoke.Text))
	}
	w.p.NoReturn = w.step(end)
	w.p.Back = []string{fmt.Sprintf("Before step %d both keys are there: make the old one the one that wraps, and run step %d again in the other direction.", w.p.NoReturn, n)}
	w.p.Forward = fmt.Sprintf("From step %d on whatever the old key still wrapped is lost for good. There is no way back.", w.p.NoReturn)
	w.keep()
}

// runbooksOf are the commands that print the runbooks of others; MAP is the file.
func runbooksOf(indent string, names []string) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = indent + "molecli secrets runbook " + n + " -f MAP"
	}
	return all
}
