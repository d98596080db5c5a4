package registry

import (
	"context"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// PauseAgent puts an agent aside. What is on its way goes on.
func (s *Service) PauseAgent(ctx context.Context, ref string) (molecule.Agent, error) {
	return s.sign(ctx, ref, "paused", molecule.SignPaused)
}

// ResumeAgent takes a paused agent up again; any other stays as it is.
func (s *Service) ResumeAgent(ctx context.Context, ref string) (molecule.Agent, error) {
	return s.sign(ctx, ref, "resumed", molecule.SignResumed)
}

// ConfirmOffline takes the caller's word that a silent agent is gone.
func (s *Service) ConfirmOffline(ctx context.Context, ref string) (molecule.Agent, error) {
	return s.sign(ctx, ref, "confirmed", molecule.SignConfirmed)
}

// sign lets the caller give a sign about an agent.
func (s *Service) sign(ctx context.Context, ref, what string, sign molecule.AgentSign) (molecule.Agent, error) {
	return s.seen(s.store.SetAgentState(ctx, ref, func(a *molecule.Agent) error {
		to := a.State.After(sign)
		switch {
		case sign == molecule.SignConfirmed && to != molecule.AgentOffline:
			return molecule.Errorf(molecule.Conflict, "agent %q is %s: only one that is suspect or unknown can be confirmed to be gone", a.Name, a.State).
				WithHint("molecli agent pause %s", a.Name)
		case to == a.State:
			return nil
		case sign == molecule.SignResumed && a.Kind == molecule.AgentExec:
			to = to.After(molecule.SignAnswered) // a command is always there
		}
		a.State, a.StateReason = to, what+" by "+molecule.PrincipalFrom(ctx).Name
		return nil
	}))
}

// AgentHistory returns how an agent came to be what it is.
func (s *Service) AgentHistory(ctx context.Context, ref string) (molecule.AgentHistory, error) {
	a, err := s.store.Agent(ctx, ref)
	if err != nil {
		return molecule.AgentHistory{}, err
	}
	transitions, err := s.store.Transitions(ctx, a.ID, molecule.MaxTransitions)
	return molecule.AgentHistory{Card: a.Card, Transitions: transitions, Arrivals: s.monitor.Arrivals(a.ID)}, err
}
