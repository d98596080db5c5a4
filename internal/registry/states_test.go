package registry_test

import (
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestSigns_ofAnOperator(t *testing.T) {
	t.Parallel()
	const far = "https://agent.example.com/"
	cases := []struct {
		name  string
		agent molecule.Agent
		from  molecule.AgentState
		ref   string // of what is tried
		want  molecule.AgentState
		code  molecule.Code
	}{
		{"pause", push("a", far), "online", "pause", "paused", ""},
		{"pause twice", push("a", far), "paused", "pause", "paused", ""},
		{"resume", push("a", far), "paused", "resume", "pending", ""},
		{"resume a command", command("a", "cat"), "paused", "resume", "online", ""},
		{"resume what was not paused", push("a", far), "degraded", "resume", "degraded", ""},
		{"confirm a suspect", push("a", far), "suspect", "confirm", "offline", ""},
		{"confirm one that is held", push("a", far), "unknown", "confirm", "offline", ""},
		{"confirm what is known", push("a", far), "offline", "confirm", "offline", ""},
		{"confirm what is there", push("a", far), "online", "confirm", "online", molecule.Conflict},
		{"confirm what was never seen", push("a", far), "pending", "confirm", "pending", molecule.Conflict},
		{"confirm what is paused", push("a", far), "paused", "confirm", "paused", molecule.Conflict},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, db := service(t)
			create(t, s, admin(t), c.agent)
			if _, err := db.SetAgentState(t.Context(), "a", func(a *molecule.Agent) error { a.State = c.from; return nil }); err != nil {
				t.Fatal(err)
			}
			do := map[string]func() (molecule.Agent, error){
				"pause":   func() (molecule.Agent, error) { return s.PauseAgent(operator(t), "a") },
				"resume":  func() (molecule.Agent, error) { return s.ResumeAgent(operator(t), "a") },
				"confirm": func() (molecule.Agent, error) { return s.ConfirmOffline(operator(t), "a") },
			}[c.ref]
			got, err := do()
			stored, serr := s.Agent(t.Context(), "a")
			if serr != nil || stored.State != c.want || (err == nil) != (c.code == "") || err != nil && molecule.CodeOf(err) != c.code {
				t.Errorf("it is %s (%v), and the answer %s (%v)", stored.State, serr, got.State, err)
			}
			if err == nil && c.want != c.from && !strings.HasSuffix(stored.StateReason, " by uid:1000") {
				t.Errorf("the reason is %q", stored.StateReason)
			}
		})
	}
}
