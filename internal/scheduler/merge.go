package scheduler

import (
	"slices"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// merger makes one schedule say what another says, and remembers which fields
// did not.
type merger struct{ fields []string }

// merge makes have say what want says and returns the fields that changed, in
// the names of the wire. What says the same in other words stays as it is.
func merge(have *molecule.Schedule, want molecule.Schedule) []string {
	var m merger
	if have.AgentID != want.AgentID {
		have.AgentID, have.Agent = want.AgentID, want.Agent
		m.fields = append(m.fields, "agent")
	}
	take(&m, "cron", &have.Cron, want.Cron)
	take(&m, "tz", &have.TZ, want.TZ)
	if molecule.CanonicalDST(have.DST) != molecule.CanonicalDST(want.DST) {
		take(&m, "dst", &have.DST, want.DST)
	}
	take(&m, "seconds", &have.Seconds, want.Seconds)
	take(&m, "phase", &have.Phase, want.Phase)
	take(&m, "prompt", &have.Prompt, want.Prompt)
	take(&m, "timeout", &have.Timeout, want.Timeout)
	have.Policy = have.Canonical()
	m.policy(&have.Policy, want.Canonical())
	return m.fields
}

func take[T comparable](m *merger, field string, have *T, want T) {
	if *have != want {
		*have = want
		m.fields = append(m.fields, field)
	}
}

// policy merges two policies in their canonical form.
func (m *merger) policy(have *molecule.Policy, want molecule.Policy) {
	take(m, "catch_up", &have.CatchUp, want.CatchUp)
	take(m, "catch_up_window", &have.CatchUpWindow, want.CatchUpWindow)
	take(m, "catch_up_max", &have.CatchUpMax, want.CatchUpMax)
	take(m, "overlap", &have.Overlap, want.Overlap)
	take(m, "jitter", &have.Jitter, want.Jitter)
	take(m, "jitter_mode", &have.JitterMode, want.JitterMode)
	takeAt(m, "retries", &have.Retries, want.Retries)
	take(m, "resend", &have.Resend, want.Resend)
	takeAt(m, "budget", &have.Budget, want.Budget)
	if !slices.Equal(have.Exclusions, want.Exclusions) {
		have.Exclusions = want.Exclusions
		m.fields = append(m.fields, "exclusions")
	}
	take(m, "max_runs", &have.MaxRuns, want.MaxRuns)
	if !have.Until.Equal(want.Until) {
		have.Until = want.Until
		m.fields = append(m.fields, "until")
	}
}

// takeAt is take for a field that may be absent.
func takeAt[T comparable](m *merger, field string, have **T, want *T) {
	if same := *have == nil && want == nil || *have != nil && want != nil && **have == *want; !same {
		*have = want
		m.fields = append(m.fields, field)
	}
}
