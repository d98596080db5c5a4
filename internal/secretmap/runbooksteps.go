package secretmap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// rotation writes what is done to change a secret that can be changed.
func (w *writer) rotation() {
	s := w.s
	w.look()
	if s.Class == molecule.SecretConfig {
		w.precondition()
	}
	made := w.make()
	provable := s.Verify != nil && s.Verify.Kind != molecule.ProbeSink && s.Class != molecule.SecretGenerated
	if provable {
		w.step(w.prove("Prove the new value before anything holds it", "new", true))
	}
	first := w.write()
	w.after()
	switch s.Overlap {
	case molecule.OverlapSingleMinted:
		w.p.NoReturn = made
		w.p.Forward = "The old value is dead as soon as the new one is made. There is no way back, only on: write the new one to every copy."
	case molecule.OverlapSingleSettable:
		w.p.Back = append(w.p.Back, fmt.Sprintf("From step %d on the old value does not work. Going back is setting it again, everywhere it was replaced:", first))
		w.p.Back = append(w.p.Back, w.back()...)
	case molecule.OverlapAlternating:
		w.p.Back = append([]string{"The holder whose turn it was keeps its password until the next change, so going back is naming it again wherever it was replaced, the last first:"}, w.backOfMade()...)
	default:
		w.p.NoReturn = w.end()
		w.p.Back = append(w.p.Back, fmt.Sprintf("Before step %d the old value works, so going back loses nothing. Put it back where it was replaced, the last first:", w.p.NoReturn))
		w.p.Back = append(w.p.Back, w.back()...)
		w.p.Back = append(w.p.Back, "Then revoke the new value, and not the old one.")
		w.p.Forward = fmt.Sprintf("From step %d on the old value is dead: a copy that still holds it is mended with the new one.", w.p.NoReturn)
	}
	w.keep()
}

// look is the step before anything is changed.
func (w *writer) look() {
	step := Step{
		Title: "Look, and change nothing",
		Text:  append(w.dangersOf(molecule.DangerCoupledOrder, molecule.DangerSilentFailure, molecule.DangerShadowed), "Work in a directory that nobody else can read, in bash."),
		Commands: []string{
			`umask 077 && cd "$(mktemp -d)"`,
			paste("old", "the value of today"),
		},
		Expect: []string{"nobody is changing it at the same time, and no copy holds another value than that of today: ask its owner"},
	}
	step.Commands = append(step.Commands, w.fetch()...)
	w.step(step)
}

// fetch gets what else is needed into files of their names, and opens the doors
// through which copies are written.
func (w *writer) fetch() []string {
	var lines []string
	for _, name := range w.others() {
		lines = append(lines, paste(name, "the value of "+name))
	}
	i := slices.IndexFunc(w.s.Sinks, func(k molecule.SinkSpec) bool { return k.Kind == "fly" && k.Credential != "" })
	if i < 0 {
		return lines
	}
	file := w.s.Sinks[i].Credential
	if file == w.s.Name {
		file = "old"
	}
	return append(lines, `export FLY_API_TOKEN="$(cat `+file+`)"`)
}

// others are the other secrets that are needed, each once.
func (w *writer) others() []string {
	var all []string
	add := func(name string) {
		if name != "" && name != w.s.Name && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	for _, u := range usages(w.s) {
		t, err := ParseTemplate(u.text)
		if err != nil {
			continue
		}
		for _, r := range t.Refs() {
			if !r.Own() {
				add(r.Name)
			}
		}
	}
	for _, k := range w.s.Sinks {
		add(k.Credential)
	}
	return all
}

func (w *writer) precondition() {
	step := Step{
		Title: "Check what has to be true first", Text: w.dangersOf(molecule.DangerPrecondition),
		Expect: []string{"it is so; else make it so first, and begin again"},
	}
	if p := w.s.Precondition; p != nil {
		step.Text = append(step.Text, sentence(p.Text))
		step.Commands = w.ask(p, "new")
	}
	w.step(step)
}

// make is how a new value comes to be; it returns the number of its step.
func (w *writer) make() int {
	s := w.s
	step := Step{Title: "Make a new value", Text: w.dangersOf(molecule.DangerKillsOld, molecule.DangerExactValue)}
	switch {
	case s.Generator != nil:
		step.Commands = []string{generate(*s.Generator) + " > new"}
	case s.Class == molecule.SecretConfig:
		step.Text = append(step.Text, "Write it into the file new, without a line break at its end.")
		step.Commands = []string{paste("new", "the new value")}
	case s.Mint != nil && s.Mint.Kind == molecule.ProbeExec:
		step.Text = append(step.Text, sentence(s.Mint.Text))
		step.Commands = []string{words(s.Mint.Command) + " > new"}
	default:
		if s.Mint != nil {
			step.Text = append(step.Text, "At the provider: "+ended(s.Mint.Text))
		}
		step.Text = append(step.Text, "Paste it without showing it; the line break does not come with it.")
		step.Commands = []string{paste("new", "the new value")}
	}
	step.Expect = []string{"wc -c < new is what the provider says, and cmp old new tells of a difference"}
	if s.Generator != nil {
		step.Expect = []string{"wc -c < new is not 0, and cmp old new tells of a difference"}
	}
	return w.step(step)
}

// write writes every copy in its order; it returns the number of the first step.
func (w *writer) write() int {
	first := 0
	for i, k := range w.s.Sinks {
		step := Step{Title: fmt.Sprintf("Write copy %d of %d: %s", i+1, len(w.s.Sinks), k.At(w.s.Name)), Commands: set(k, w.s, "new")}
		if k.Credential == w.s.Name {
			step.Text = append(step.Text, w.dangersOf(molecule.DangerSelf)...)
		}
		if k.Activation == molecule.ActivationOnDeploy {
			step.Text = append(step.Text, w.dangersOf(molecule.DangerStaged)...)
		}
		step.Text = append(step.Text, w.dangersByKind(k)...)
		step.Commands = append(step.Commands, activate(k)...)
		step.Expect = append(step.Expect, expectOf(k))
		if n := w.step(step); first == 0 {
			first = n
		}
	}
	return first
}

// dangersByKind are those that come with how a sink is written.
func (w *writer) dangersByKind(k molecule.SinkSpec) []string {
	switch k.Kind {
	case "postgres", "redis":
		return w.dangersOf(molecule.DangerLogged, molecule.DangerEncoding)
	}
	return w.dangersOf(molecule.DangerEncoding)
}

// after is what follows when every copy is written.
func (w *writer) after() {
	if w.s.Verify != nil {
		w.step(w.prove("Prove it again, now that it is in use", "new", false))
	}
	for _, name := range MadeOf(w.m, w.s.Name) {
		made, _ := w.m.Secret(name)
		w.step(Step{
			Title: "Write " + name + " anew, which it goes into", Text: []string{"It is made as: " + made.Template},
			Commands: []string{"molecli secrets runbook " + name + " -f MAP"},
		})
	}
}

// prove is the step that tells a living value from a dead one.
func (w *writer) prove(title, file string, first bool) Step {
	p := w.s.Verify
	step := Step{Title: title, Text: append(w.dangersOf(molecule.DangerFalseProbe), sentence(p.Text)), Commands: w.ask(p, file)}
	switch p.Kind {
	case molecule.ProbeHTTP:
		alive, dead := statuses(p.Alive), statuses(p.Dead)
		step.Commands = append(step.Commands, w.asked(file), `probe "control-$RANDOM$RANDOM"`)
		step.Expect = []string{
			"the first prints " + alive + ": the new value is alive",
			"the second, the control, prints " + dead + ": the probe tells a living value from garbage. When both print the same it proves nothing; stop and find another",
		}
	case molecule.ProbeSink:
		step.Expect = []string{"each copy that can be read is byte for byte the new value"}
	default:
		step.Commands = append(step.Commands, `printf %s "control-$RANDOM$RANDOM" | `+words(p.Command)+`; echo $?`)
		step.Expect = []string{"the first prints 0", "the second, the control, does not: when it prints 0 as well the probe proves nothing; stop and find another"}
	}
	if !first {
		step.Expect = append(step.Expect, "a real request of whoever uses it works, too: a probe is not one")
	}
	return step
}

// end revokes the old value; it returns the number of the step.
func (w *writer) end() int {
	s := w.s
	step := Step{Title: "End the old value", Text: w.dangersOf(molecule.DangerHeldBack, molecule.DangerWindow)}
	if s.Grace > 0 {
		step.Text = append(step.Text, "Wait for "+s.Grace.String()+" from the last copy on, so that what is under way ends with the old value.")
	}
	switch {
	case s.Overlap == molecule.OverlapWindow:
		step.Text = append(step.Text, "Nothing is to be done: the provider ends it "+s.Window.String()+" after the new one was made. Every copy has to be in use before that.")
	case s.Revoke != nil && s.Revoke.Kind != molecule.ProbeNone:
		step.Text = append(step.Text, sentence(s.Revoke.Text))
		step.Commands = append(step.Commands, w.ask(s.Revoke, "old")...)
	case s.Revoke != nil:
		step.Text = append(step.Text, "At the provider: "+ended(s.Revoke.Text))
	case slices.ContainsFunc(s.Sinks, func(k molecule.SinkSpec) bool { return k.Kind == "redis" }):
		for _, k := range s.Sinks {
			step.Commands = append(step.Commands, unset(k, "old")...)
		}
	default:
		step.Text = append(step.Text, "The map does not say how: find out, end it, and write it into the map as revoke.")
	}
	if s.Verify != nil && s.Verify.Kind == molecule.ProbeHTTP && s.Overlap != molecule.OverlapWindow {
		step.Commands = append(step.Commands, w.asked("old"))
		step.Expect = []string{"it prints " + statuses(s.Verify.Dead) + ": the old value is dead. As long as it prints " + statuses(s.Verify.Alive) + " it is not"}
	}
	return w.step(step)
}

// back is how every copy gets its old value again, the last first.
func (w *writer) back() []string {
	var all []string
	for _, k := range slices.Backward(w.s.Sinks) {
		for _, line := range append(set(k, w.s, "old"), activate(k)...) {
			all = append(all, "  "+line)
		}
	}
	return all
}

// backOfMade names what goes back with what is made of the secret.
func (w *writer) backOfMade() []string {
	return runbooksOf("  ", MadeOf(w.m, w.s.Name))
}

// keep is the last step.
func (w *writer) keep() {
	w.step(Step{
		Title: "Leave nothing behind", Text: []string{"Keep the new value where its owner keeps it, and write down when it was changed and by whom."},
		Commands: []string{"shred -u *"},
	})
}

// paste is a command that takes a value into a file, without showing it and
// without the line break behind it.
func paste(file, what string) string {
	return `read -rsp ` + quote(what+": ") + ` line && printf %s "$line" > ` + file
}

// statuses writes HTTP statuses.
func statuses(all []int) string {
	text := make([]string, len(all))
	for i, s := range all {
		text[i] = fmt.Sprint(s)
	}
	return strings.Join(text, " or ")
}

// sentence ends s like one and begins it like one.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + ended(s[1:])
}

// ended ends s like a sentence.
func ended(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?:") {
		return s
	}
	return s + "."
}
