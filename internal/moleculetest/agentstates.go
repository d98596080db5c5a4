package moleculetest

import (
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func pauseAgent(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	paused, err := s.Agents.PauseAgent(ctx, "echo")
	must(t, err)
	if paused.State != molecule.AgentPaused || paused.StateSince.IsZero() || paused.StateReason == "" {
		t.Errorf("the paused agent is %+v", paused)
	}
	again, err := s.Agents.PauseAgent(ctx, "echo")
	must(t, err)
	same(t, "the agent paused again", again, paused)

	run, err := s.Runs.StartRun(ctx, molecule.NewRun{Agent: "echo", Prompt: "hi"})
	must(t, err)
	ended, err := s.Runs.WaitRun(ctx, run.ID)
	if err != nil || ended.Outcome != molecule.OutcomeBlocked || ended.Reason != "paused" {
		t.Errorf("its run ended as %s: %s (%v), want blocked: paused", ended.Outcome, ended.Reason, err)
	}
	_, err = s.Agents.ConfirmOffline(ctx, "echo")
	wantCode(t, err, molecule.Conflict, "the word that a paused agent is gone")

	resumed, err := s.Agents.ResumeAgent(ctx, "echo")
	if err != nil || resumed.State != molecule.AgentOnline {
		t.Errorf("the resumed agent is %s (%v), and a command is always there", resumed.State, err)
	}
	run, err = s.Runs.StartRun(ctx, molecule.NewRun{Agent: "echo", Prompt: "hi"})
	must(t, err)
	if ended, err = s.Runs.WaitRun(ctx, run.ID); err != nil || ended.Outcome != molecule.OutcomeOK {
		t.Errorf("a run of the resumed agent ended as %s: %s (%v)", ended.Outcome, ended.Reason, err)
	}

	h, err := s.Agents.AgentHistory(ctx, "echo")
	must(t, err)
	var steps []molecule.AgentState
	for _, tr := range h.Transitions {
		steps = append(steps, tr.To)
	}
	same(t, "what became of it, newest first", steps, []molecule.AgentState{molecule.AgentOnline, molecule.AgentPaused})
	for name, change := range map[string]func() error{
		"pause":           func() error { _, err := s.Agents.PauseAgent(ctx, "nobody"); return err },
		"resume":          func() error { _, err := s.Agents.ResumeAgent(ctx, "nobody"); return err },
		"confirm offline": func() error { _, err := s.Agents.ConfirmOffline(ctx, "nobody"); return err },
		"the history":     func() error { _, err := s.Agents.AgentHistory(ctx, "nobody"); return err },
	} {
		wantCode(t, change(), molecule.NotFound, name+" of nobody")
	}
}
