// Package kinds is the one table of the kinds of sinks that can be opened. A
// map may name others, of which a runbook tells; to open one of those is refused
// before anything else happens.
package kinds

import (
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/envfile"
	"github.com/molecule-ai/molecli/internal/vault/sink/exec"
	"github.com/molecule-ai/molecli/internal/vault/sink/file"
	"github.com/molecule-ai/molecli/internal/vault/sink/github"
	"github.com/molecule-ai/molecli/internal/vault/sink/postgres"
	"github.com/molecule-ai/molecli/internal/vault/sink/vault"
	"github.com/molecule-ai/molecli/internal/vault/sink/webhook"
)

// table returns how each kind is opened.
func table() map[string]sink.Open {
	return map[string]sink.Open{
		"envfile":  envfile.Open,
		"exec":     exec.Open,
		"file":     file.Open,
		"github":   github.Open,
		"postgres": postgres.Open,
		"vault":    vault.Open,
		"webhook":  webhook.Open,
	}
}

// Open makes the sink that a spec describes. A spec that is not valid, and a
// kind that only a person can write to, are Invalid.
func Open(s sink.Spec) (sink.Sink, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	open, ok := table()[s.Kind]
	if !ok {
		return nil, molecule.Errorf(molecule.Invalid, "a sink of kind %s is written by hand only", s.Kind).
			WithHint("molecli secrets runbook %s says how; by itself are written %s", s.Secret, strings.Join(Names(), ", "))
	}
	return open(s)
}

// Names lists the kinds that can be opened, in the order of the alphabet.
func Names() []string {
	var names []string
	for _, k := range molecule.SinkKinds() {
		if _, ok := table()[k.Name]; ok {
			names = append(names, k.Name)
		}
	}
	return names
}
