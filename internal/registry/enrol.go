package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// CreateEnrolment makes a token with which one agent may register itself.
func (s *Service) CreateEnrolment(ctx context.Context, in *molecule.Enrolment) error {
	if err := in.Validate(); err != nil {
		return err
	}
	if err := s.mayEnrol(ctx, in.Name); err != nil {
		return err
	}
	if in.ExpiresIn == 0 {
		in.ExpiresIn = molecule.Duration(molecule.DefaultEnrolment)
	}
	now := molecule.Now()
	t, secret, err := s.tokens.Mint(molecule.TokenEnrolment, "enrolment", []molecule.Scope{molecule.ScopeAgentEnrol},
		now, now.Add(time.Duration(in.ExpiresIn)))
	if err != nil {
		return fmt.Errorf("make an enrolment token: %w", err)
	}
	t.EnrolName, t.EnrolRole, t.CreatedBy = in.Name, in.Role, molecule.PrincipalFrom(ctx).Name
	if err := s.store.CreateEnrolment(ctx, &t); err != nil {
		return fmt.Errorf("store an enrolment token: %w", err)
	}
	s.tokens.Put(t)
	in.ID, in.ExpiresAt, in.Token = t.ID, t.ExpiresAt, molecule.Show(secret)
	return nil
}

// mayEnrol refuses a name that nobody could register under.
func (s *Service) mayEnrol(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	a, err := s.store.Agent(ctx, name)
	switch {
	case molecule.CodeOf(err) == molecule.NotFound, molecule.CodeOf(err) == molecule.Invalid: // nobody is called so
		return nil
	case err != nil:
		return err
	case a.Name == name && a.Kind == molecule.AgentExec:
		return molecule.Errorf(molecule.Conflict, "agent %q is a local command, which does not register", name).
			WithHint("choose the name of no agent, or of one that registers")
	}
	return nil
}

// admit stores a new agent with what it will prove itself by.
func (s *Service) admit(ctx context.Context, fresh *molecule.Agent, await time.Duration) error {
	now := molecule.Now()
	var own []molecule.Token
	var secret molecule.Secret
	switch {
	case await < 0 || await > molecule.MaxAwait:
		return molecule.Errorf(molecule.Invalid, "await is %s, it must be %s at most", molecule.Duration(await), molecule.Duration(molecule.MaxAwait))
	case fresh.Kind == molecule.AgentExec && await != 0:
		return molecule.Errorf(molecule.Invalid, "an exec agent does not register, so there is nothing to await")
	case fresh.Kind == molecule.AgentExec:
	case await > 0:
		fresh.AwaitUntil = now.Add(await)
	default:
		t, made, err := s.mint(ctx, *fresh, now)
		if err != nil {
			return err
		}
		own, secret = []molecule.Token{t}, made
	}
	if err := s.store.CreateAgent(ctx, fresh, own...); err != nil {
		return fmt.Errorf("create agent: %w", err)
	}
	for _, t := range own {
		t.AgentID = fresh.ID
		s.tokens.Put(t)
		fresh.Token = molecule.Show(secret)
	}
	return nil
}

// mint makes a token for an agent. It lives until it is revoked: nobody could
// bring a new one to an agent that is not asked.
func (s *Service) mint(ctx context.Context, a molecule.Agent, now time.Time) (molecule.Token, molecule.Secret, error) {
	t, secret, err := s.tokens.Mint(molecule.TokenAgent, a.Name, []molecule.Scope{molecule.ScopeAgentSelf}, now, time.Time{})
	if err != nil {
		return t, secret, fmt.Errorf("make the token of agent %s: %w", a.Name, err)
	}
	t.AgentID, t.CreatedBy = a.ID, molecule.PrincipalFrom(ctx).Name
	return t, secret, nil
}
