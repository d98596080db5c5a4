package moleculetest

import (
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// agentIdentity holds what an agent that is no command is given when it is added.
func agentIdentity(t *testing.T, s Services) {
	ctx := s.context(t)
	boss := molecule.Agent{Name: "boss", Kind: molecule.AgentPoll}
	must(t, s.Agents.CreateAgent(ctx, &boss))
	if !strings.HasPrefix(boss.Token.Reveal(), "mol_agent_") || !boss.AwaitUntil.IsZero() {
		t.Errorf("its token begins with %.10q, its window ends %v", boss.Token.Reveal(), boss.AwaitUntil)
	}
	late := molecule.Agent{
		Name: "late", Kind: molecule.AgentPoll, Await: molecule.Duration(time.Minute),
		Parent: "boss", Role: "scribe", Tier: 2, Runtime: "cli",
	}
	must(t, s.Agents.CreateAgent(ctx, &late))
	if !late.Token.IsZero() || time.Until(late.AwaitUntil) <= 0 {
		t.Errorf("one that is awaited has a token: %v, its window ends %v", !late.Token.IsZero(), late.AwaitUntil)
	}
	none := ""
	for _, want := range []string{boss.ID, ""} {
		got, err := s.Agents.Agent(ctx, "late")
		must(t, err)
		if got.ParentID != want || got.Role != "scribe" || got.Tier != 2 || got.Runtime != "cli" || !got.Token.IsZero() {
			t.Errorf("it is kept as %+v", got)
		}
		_, err = s.Agents.UpdateAgent(ctx, "late", molecule.AgentUpdate{Parent: &none})
		must(t, err)
	}
	for about, bad := range map[string]molecule.Agent{
		"a window of a day":      {Name: "x", Kind: molecule.AgentPoll, Await: molecule.Duration(24 * time.Hour)},
		"a window of a command":  {Name: "x", Exec: &molecule.Exec{Command: "cat"}, Await: molecule.Duration(time.Minute)},
		"a URL of one that asks": {Name: "x", Kind: molecule.AgentPoll, URL: "https://agent.example.com"},
	} {
		wantCode(t, s.Agents.CreateAgent(ctx, &bad), molecule.Invalid, about)
	}
	orphan := molecule.Agent{Name: "x", Kind: molecule.AgentPoll, Parent: "nobody"}
	wantCode(t, s.Agents.CreateAgent(ctx, &orphan), molecule.NotFound, "a parent nobody is")

	leave := molecule.Enrolment{Name: "helper", ExpiresIn: molecule.Duration(time.Minute)}
	must(t, s.Enrolments.CreateEnrolment(ctx, &leave))
	if !strings.HasPrefix(leave.Token.Reveal(), "mol_enrol_"+leave.ID) || time.Until(leave.ExpiresAt) > time.Minute {
		t.Errorf("the enrolment is %+v", leave)
	}
	wantCode(t, s.Enrolments.CreateEnrolment(ctx, &molecule.Enrolment{}), molecule.Invalid, "an enrolment of nobody")
}
