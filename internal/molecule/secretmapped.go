package molecule

import (
	"cmp"
	"fmt"
	"slices"
)

// Effective returns s with what holds when nothing is said written out, and its
// sinks in the order they are written.
func (s MappedSecret) Effective() MappedSecret {
	s.Overlap = orElse(s.Overlap, OverlapDual)
	s.Sinks = slices.Clone(s.Sinks)
	for i := range s.Sinks {
		s.Sinks[i].Order = cmp.Or(s.Sinks[i].Order, i+1)
		s.Sinks[i].Activation = orElse(s.Sinks[i].Activation, ActivationImmediate)
	}
	slices.SortStableFunc(s.Sinks, func(a, b SinkSpec) int { return a.Order - b.Order })
	return s
}

// Coupled reports whether copies of s live in more than one place, so that they
// have to change together.
func (s MappedSecret) Coupled() bool { return len(s.Sinks) > 1 }

// SelfCredential reports whether a sink of s is opened by s itself.
func (s MappedSecret) SelfCredential() bool {
	return slices.ContainsFunc(s.Sinks, func(k SinkSpec) bool { return k.Credential == s.Name })
}

// Rotatable says why s may not be rotated; nil when it may. The error is a
// Conflict.
func (s MappedSecret) Rotatable() error {
	refused := func(why, hint string) error {
		return Errorf(Conflict, "%s is not rotated: %s", s.Name, why).WithHint("%s", hint)
	}
	switch s.Class {
	case SecretDerived:
		return refused("it is derived, and changes with what it is made of", "molecli secrets runbook "+s.Name)
	case SecretLiteral:
		return refused("it is a literal, and has to be exactly what it is", "molecli secrets lint")
	case SecretAuto:
		return refused("the platform makes it", "nothing is to be done")
	}
	if s.Policy == RotateNever {
		return refused("its policy is never", "change the policy in the map first")
	}
	return nil
}

// ForwardOnly reports whether there is no way back once a rotation has begun:
// the old value dies with it.
func (s MappedSecret) ForwardOnly() bool { return s.Overlap == OverlapSingleMinted }

// FieldFault is what is wrong with one field.
type FieldFault struct {
	Field string // in the names of the wire, such as sinks[0]
	Err   error  // coded Invalid
}

// Validate refuses what is no entry of a map. It judges s alone; what does not
// fit to others, or is merely dangerous, finds package secretmap.
func (s MappedSecret) Validate() error {
	if faults := s.Faults(); len(faults) > 0 {
		return faults[0].Err
	}
	return nil
}

// Faults returns all that Validate refuses.
func (s MappedSecret) Faults() []FieldFault {
	var faults []FieldFault
	add := func(field string, err error) {
		if err != nil {
			faults = append(faults, FieldFault{field, err})
		}
	}
	if !secretNamed(s.Name) {
		add("name", Errorf(Invalid, "secret name %q is not valid", clip(s.Name, 60)).
			WithHint("begin with a letter; use up to 128 letters, digits, _ - and ."))
	}
	if s.Class == "" {
		add("class", Errorf(Invalid, "secret %s has no class", s.Name).WithHint("for example class: %s", SecretMinted))
	}
	add("class", choice("class of secrets", s.Class, SecretClasses()...))
	add("overlap", choice("overlap of secrets", s.Overlap, SecretOverlaps()...))
	add("policy", choice("policy of rotation", s.Policy, RotatePolicies()...))
	if len(s.Sinks) == 0 {
		add("sinks", Errorf(Invalid, "secret %s has no sinks: nobody would get its value", s.Name).
			WithHint("write sinks: [{kind: file, target: {path: …}}]"))
	}
	for i, k := range s.Sinks {
		add(fmt.Sprintf("sinks[%d]", i), k.Validate())
	}
	for i, d := range s.Dangers {
		add(fmt.Sprintf("danger[%d]", i), d.Validate())
	}
	for _, p := range s.Probes() {
		add(p.Field, p.Validate())
	}
	if s.Generator != nil {
		add("generator", s.Generator.Validate())
	}
	return faults
}

// NamedProbe is a probe of a secret and the field it stands in.
type NamedProbe struct {
	Field string
	*Probe
}

// Probes returns the probes s has, and not what undoes them.
func (s MappedSecret) Probes() []NamedProbe {
	all := []NamedProbe{{"mint", s.Mint}, {"verify", s.Verify}, {"revoke", s.Revoke}, {"precondition", s.Precondition}, {"rewrap", s.Rewrap}}
	return slices.DeleteFunc(all, func(p NamedProbe) bool { return p.Probe == nil })
}

// secretNamed reports whether name is one that an environment can have.
func secretNamed(name string) bool {
	return named(name, 128) && (name[0] < '0' || name[0] > '9')
}

// Validate refuses a probe that asks nothing. nil is no probe, and valid.
func (p *Probe) Validate() error {
	if p == nil {
		return nil
	}
	needs := func(what string) error {
		return Errorf(Invalid, "a probe of kind %s needs %s", p.Kind, what).WithHint("molecli secrets runbook NAME shows what a probe does")
	}
	switch {
	case p.Kind == "":
		return Errorf(Invalid, "a probe needs a kind").WithHint("for example kind: %s", ProbeHTTP)
	case p.Kind == ProbeHTTP && p.URL == "":
		return needs("a url")
	case p.Kind == ProbeExec && len(p.Command) == 0:
		return needs("a command")
	case p.Kind == ProbeNone && p.Text == "":
		return needs("a text that says what a person does")
	}
	if err := choice("kind of probes", p.Kind, ProbeKinds()...); err != nil {
		return err
	}
	return p.Undo.Validate()
}

// Validate refuses what cannot be made.
func (g Generator) Validate() error {
	if g.Kind == "" {
		return Errorf(Invalid, "a generator needs a kind").WithHint("for example kind: %s", GeneratePassword)
	}
	if g.Length < 0 || g.Length > 4096 {
		return Errorf(Invalid, "the length of a generator is %d, it must be between 0 and 4096", g.Length)
	}
	return choice("kind of generators", g.Kind, GeneratorKinds()...)
}
