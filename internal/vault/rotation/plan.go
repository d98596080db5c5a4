package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/secretmap"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// stepsOf returns the copies that change with a secret: its own, and those of
// what is made of it, in the order they are written.
func stepsOf(m molecule.SecretMap, s molecule.MappedSecret) []molecule.RotationStep {
	var steps []molecule.RotationStep
	add := func(of molecule.MappedSecret, value string) {
		for _, k := range of.Sinks {
			steps = append(steps, molecule.RotationStep{
				N: len(steps) + 1, Secret: of.Name, Place: k.At(of.Name), Activation: k.Activation, State: molecule.StepPending,
				Spec: k, Value: value,
			})
		}
	}
	add(s, "")
	for _, name := range secretmap.MadeOf(m, s.Name) {
		made, _ := m.Secret(name)
		add(made, made.Template)
	}
	return steps
}

// groupOf returns the name under which one rotation at a time is allowed: of a
// secret, all it is made of and all that is made of it, whose copies would be
// written by both.
func groupOf(m molecule.SecretMap, name string) string {
	group := []string{name}
	for grown := true; grown; {
		grown = false
		for _, s := range m.All() {
			near := append(secretmap.Needs(s), s.Name)
			touches := slices.ContainsFunc(near, func(n string) bool { return slices.Contains(group, n) })
			for _, n := range near {
				if touches && !slices.Contains(group, n) {
					group, grown = append(group, n), true
				}
			}
		}
	}
	return slices.Min(group)
}

// mapped returns the entry of a secret that may be rotated.
func (s *Service) mapped(ctx context.Context, name string) (molecule.SecretMap, molecule.MappedSecret, error) {
	m, err := s.engine.store.SecretMap(ctx)
	if err != nil {
		return m, molecule.MappedSecret{}, err
	}
	entry, ok := m.Secret(name)
	if !ok {
		return m, entry, molecule.Errorf(molecule.NotFound, "the map names no secret %q", molecule.Excerpt(name, 80)).
			WithHint("molecli secrets apply -f secrets.yaml says where its copies live")
	}
	if err := entry.Rotatable(); err != nil {
		return m, entry, err
	}
	if entry.Class == molecule.SecretRoot {
		return m, entry, molecule.Errorf(molecule.Conflict, "%s wraps other data, which has to be wrapped anew and counted first", name).
			WithHint("molecli secrets runbook %s", name)
	}
	return m, entry, nil
}

// PlanRotation says what Rotate would do now, and changes nothing.
func (s *Service) PlanRotation(ctx context.Context, name string) (molecule.RotationPlan, error) {
	m, entry, err := s.mapped(ctx, name)
	if err != nil {
		return molecule.RotationPlan{}, err
	}
	if err := s.engine.vault.Ready(ctx); err != nil {
		return molecule.RotationPlan{}, err
	}
	of, value, err := s.engine.vault.InUse(ctx, name)
	if err != nil {
		return molecule.RotationPlan{}, err
	}
	p := planner{RotationPlan: molecule.RotationPlan{Secret: name, Class: entry.Class, Overlap: entry.Overlap, Ready: true}}
	if !value.IsZero() {
		p.Old = s.engine.vault.Fingerprint(of.ID, value)
	}
	for _, d := range entry.Dangers {
		p.Warnings = append(p.Warnings, d.Text)
	}
	p.make(entry)
	steps := stepsOf(m, entry)
	v := values{vault: s.engine.vault, rotated: name, old: value}
	for _, step := range steps {
		p.write(s.engine.planned(ctx, v, step))
	}
	p.rest(entry, len(steps))
	return p.RotationPlan, nil
}

// planner writes the steps of a plan.
type planner struct{ molecule.RotationPlan }

func (p *planner) add(step molecule.PlannedStep) int {
	step.N = len(p.Steps) + 1
	p.Steps = append(p.Steps, step)
	return step.N
}

func (p *planner) make(entry molecule.MappedSecret) {
	text := "seal the value that is handed over, and commit it before anything else happens"
	if entry.Generator != nil {
		text = "generate a value (" + string(entry.Generator.Kind) + "), seal it and commit it before anything else happens"
	}
	n := p.add(molecule.PlannedStep{Do: "make", Text: text})
	if entry.ForwardOnly() {
		p.NoReturn = n
		p.Warnings = append(p.Warnings, "making the new value ends the old one: there is no way back from the first step on, only forward")
	}
}

// write adds the step that writes one place.
func (p *planner) write(step molecule.RotationStep, fault error) {
	planned := molecule.PlannedStep{Do: "write", Place: step.Place, Holds: step.Holds, Text: "write it where the old value is, or nothing; anything else is held"}
	if step.Activation != molecule.ActivationImmediate {
		planned.Text += "; in use " + string(step.Activation)
	}
	if fault != nil {
		planned.Fault, p.Ready = messageOf(fault), false
	}
	p.add(planned)
}

// rest adds what comes behind the writing.
func (p *planner) rest(entry molecule.MappedSecret, places int) {
	p.add(molecule.PlannedStep{Do: "verify", Text: fmt.Sprintf("ask each of %d places for the new value and for a random one", places)})
	n := p.add(molecule.PlannedStep{Do: "promote", Text: "the new version is the one in use, in one transaction with its audit row"})
	if p.NoReturn == 0 {
		p.NoReturn = n
	}
	if grace := time.Duration(entry.Grace); grace > 0 {
		p.add(molecule.PlannedStep{Do: "wait", Text: entry.Grace.String() + " for who still has the old value"})
	}
	text := "end the old value where a place keeps both"
	if entry.Revoke != nil {
		text += "; then: " + cmpText(entry.Revoke)
	}
	p.add(molecule.PlannedStep{Do: "revoke", Text: text})
}

func cmpText(p *molecule.Probe) string {
	if p.Text != "" {
		return p.Text
	}
	return "as the map says (" + string(p.Kind) + ")"
}

// planned asks a place what it holds, and whether it could be written.
func (e *Engine) planned(ctx context.Context, v values, step molecule.RotationStep) (molecule.RotationStep, error) {
	s, err := e.sinkOf(step)
	if err != nil {
		return step, err
	}
	c, err := v.change(ctx, "plan", step, before)
	if err != nil {
		return step, err
	}
	limited, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	state, err := s.Probe(limited, c)
	step.Holds = string(state.Holds)
	if err == nil && state.Holds == sink.HoldsOther {
		err = sink.Drift(step.Place)
	}
	return step, err
}
