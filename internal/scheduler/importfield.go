package scheduler

import (
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// invalidField checks what needs no clock and no store. It says which field is
// wrong, in the names of the wire, if it is one.
func invalidField(s molecule.Schedule) (field string, err error) {
	if err := molecule.ValidateName("schedule", s.Name); err != nil {
		return "name", err
	}
	if s.Agent == "" {
		return "agent", molecule.Errorf(molecule.Invalid, "a schedule needs an agent, who receives the prompt").WithHint("molecli agent list")
	}
	if err := molecule.ValidatePrompt(s.Prompt); err != nil {
		return "prompt", err
	}
	if err := s.Policy.Validate(); err != nil {
		return invalidPolicy(s.Policy), err
	}
	if err := s.Validate(); err != nil {
		if s.Cron == "" {
			return "cron", err
		}
		return "timeout", err
	}
	return "", nil
}

// invalidPolicy returns the field without which the policy would be valid; ""
// when there is no such one.
func invalidPolicy(p molecule.Policy) string {
	for _, f := range []struct {
		name  string
		reset func(*molecule.Policy)
	}{
		{"catch_up", func(p *molecule.Policy) { p.CatchUp = "" }},
		{"catch_up_window", func(p *molecule.Policy) { p.CatchUpWindow = 0 }},
		{"catch_up_max", func(p *molecule.Policy) { p.CatchUpMax = 0 }},
		{"overlap", func(p *molecule.Policy) { p.Overlap = "" }},
		{"jitter", func(p *molecule.Policy) { p.Jitter = molecule.Duration(time.Second) }},
		{"jitter_mode", func(p *molecule.Policy) { p.JitterMode = "" }},
		{"retries", func(p *molecule.Policy) { p.Retries = nil }},
		{"resend", func(p *molecule.Policy) { p.Resend = "" }},
		{"budget", func(p *molecule.Policy) { p.Budget = nil }},
		{"exclusions", func(p *molecule.Policy) { p.Exclusions = nil }},
		{"max_runs", func(p *molecule.Policy) { p.MaxRuns = 0 }},
	} {
		without := p
		if f.reset(&without); without.Validate() == nil {
			return f.name
		}
	}
	return ""
}
