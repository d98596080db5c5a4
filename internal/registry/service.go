// Package registry keeps the agents and watches them.
//
// [Service] holds the rules about who may create which kind of agent, what an
// address may point at and which program may be started, and hands the rest to
// the store. It calls no agent and starts no program.
//
// [Monitor] knows when each agent was last heard. That lives in memory, where a
// request is one stamp, and is written down every few seconds as a whole; a row is
// changed only when another state is believed. What a state is and which sign
// leads where is the table in package molecule. Start with judge.go (one agent),
// mass.go (too many at once) and clock.go (our own silence is not theirs).
package registry

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Store is what the registry needs of the store.
type Store interface {
	CreateAgent(ctx context.Context, a *molecule.Agent, tokens ...molecule.Token) error
	Agent(ctx context.Context, ref string) (molecule.Agent, error)
	Agents(ctx context.Context, f molecule.AgentFilter) (molecule.Page[molecule.Agent], error)
	UpdateAgent(ctx context.Context, ref string, change func(*molecule.Agent) error) (molecule.Agent, error)
	RemoveAgent(ctx context.Context, ref string) error
	SetAgentState(ctx context.Context, ref string, decide func(*molecule.Agent) error) (molecule.Agent, error)
	Transitions(ctx context.Context, agentID string, limit int) ([]molecule.AgentTransition, error)

	Register(ctx context.Context, agentID, enrolmentID string, decide func(*molecule.Admission) error) error
	CreateEnrolment(ctx context.Context, t *molecule.Token) error
	Member(ctx context.Context, id string) (molecule.Agent, error)
	Members(ctx context.Context) ([]molecule.Agent, error)
	Peers(ctx context.Context, id string) ([]molecule.Agent, error)
	Lineage(ctx context.Context, id string) (molecule.Lineage, error)
}

// Addresses judges URLs without a look-up and without dialling.
type Addresses interface {
	CheckURL(raw string) (*url.URL, error)         // written by an agent or a remote principal
	CheckOperatorURL(raw string) (*url.URL, error) // written by a local administrator
}

// Tokens makes tokens, and is told of those that are stored or no longer good.
type Tokens interface {
	Mint(kind, name string, scopes []molecule.Scope, now, expires time.Time) (molecule.Token, molecule.Secret, error)
	Put(t molecule.Token)
	RevokeAgent(agentID string, at time.Time)
}

// Options are what a Service needs.
type Options struct {
	Store     Store
	Addresses Addresses
	Tokens    Tokens
	// Resolve finds the program of a command and refuses one that cannot be
	// started.
	Resolve func(*molecule.Exec) error
	Monitor *Monitor
	// Reserved is an id that no agent may have; empty is none.
	Reserved string
}

// Service implements [molecule.AgentService], [molecule.EnrolmentService] and
// [molecule.Directory] over a store.
type Service struct {
	store     Store
	addresses Addresses
	tokens    Tokens
	resolve   func(*molecule.Exec) error
	reserved  string
	monitor   *Monitor
}

// New returns a Service.
func New(o Options) *Service {
	return &Service{store: o.Store, addresses: o.Addresses, tokens: o.Tokens, resolve: o.Resolve, reserved: o.Reserved, monitor: o.Monitor}
}

// CreateAgent stores in. The kind follows from what was given when it was not
// said; an exec agent needs a local administrator. Any other is given a token,
// or a window in which its first registration is.
func (s *Service) CreateAgent(ctx context.Context, in *molecule.Agent) error {
	if in.Kind == "" {
		in.Kind = molecule.AgentPush
		if in.Exec != nil {
			in.Kind = molecule.AgentExec
		}
	}
	if in.MaxConcurrent == 0 {
		in.MaxConcurrent = 1
	}
	if err := in.Validate(); err != nil {
		return err
	}
	fresh := molecule.Agent{
		Name: in.Name, Kind: in.Kind, URL: in.URL, Exec: in.Exec,
		MaxConcurrent: in.MaxConcurrent, Budget: in.Budget, State: molecule.AgentPending,
		Role: in.Role, Tier: in.Tier, Parent: in.Parent, Runtime: in.Runtime,
	}
	if err := s.check(ctx, &fresh); err != nil {
		return err
	}
	if fresh.Kind == molecule.AgentExec {
		fresh.State = molecule.AgentOnline // its program was just found here
	}
	if err := s.admit(ctx, &fresh, time.Duration(in.Await)); err != nil {
		return err
	}
	*in = fresh
	return nil
}

// Agent returns one agent.
func (s *Service) Agent(ctx context.Context, ref string) (molecule.Agent, error) {
	return s.seen(s.store.Agent(ctx, ref))
}

// seen adds what the monitor knows of an agent.
func (s *Service) seen(a molecule.Agent, err error) (molecule.Agent, error) {
	if err == nil {
		s.monitor.Seen(&a)
	}
	return a, err
}

// Agents returns a page of agents, by name.
func (s *Service) Agents(ctx context.Context, f molecule.AgentFilter) (molecule.Page[molecule.Agent], error) {
	if err := f.Validate(); err != nil {
		return molecule.Page[molecule.Agent]{}, err
	}
	page, err := s.store.Agents(ctx, f)
	page.Items, err = s.allSeen(page.Items, err)
	return page, err
}

// allSeen is seen for several agents.
func (s *Service) allSeen(all []molecule.Agent, err error) ([]molecule.Agent, error) {
	for i := range all {
		s.monitor.Seen(&all[i])
	}
	return all, err
}

// UpdateAgent changes the fields that up names. A new address or command is
// checked as at creation; the kind of an agent never changes.
func (s *Service) UpdateAgent(ctx context.Context, ref string, up molecule.AgentUpdate) (molecule.Agent, error) {
	before, err := s.store.Agent(ctx, ref)
	if err != nil {
		return molecule.Agent{}, err
	}
	// Programs and addresses are looked at outside the transaction, which must
	// not wait for a file system.
	wanted := before
	if err := staysItsKind(before, up); err != nil {
		return molecule.Agent{}, err
	}
	apply(&wanted, up)
	if err := wanted.Validate(); err != nil {
		return molecule.Agent{}, err
	}
	if up.URL != nil || up.Exec != nil {
		if err := s.check(ctx, &wanted); err != nil {
			return molecule.Agent{}, err
		}
	} else if err := s.allowed(ctx, before); err != nil {
		return molecule.Agent{}, err
	}
	return s.seen(s.store.UpdateAgent(ctx, before.ID, func(a *molecule.Agent) error {
		if err := s.allowed(ctx, *a); err != nil {
			return err // an administrator took it over meanwhile
		}
		apply(a, up)
		if up.URL != nil {
			a.URLOwner = wanted.URLOwner
			a.SilentStreak = 0
			if to := a.State.After(molecule.SignMoved); to != a.State {
				a.State, a.StateReason = to, "nothing is known of its new address"
			}
		}
		if up.Exec != nil {
			a.Exec = wanted.Exec
		}
		return a.Validate()
	}))
}

// staysItsKind refuses an address or a command that would make another kind of
// agent.
func staysItsKind(a molecule.Agent, up molecule.AgentUpdate) error {
	wanted := a.Kind
	switch {
	case up.Exec != nil:
		wanted = molecule.AgentExec
	case up.URL != nil && *up.URL != "":
		wanted = molecule.AgentPush
	}
	if wanted != a.Kind {
		return molecule.Errorf(molecule.Invalid, "agent %q is of kind %s and stays so: it cannot become %s", a.Name, a.Kind, wanted).
			WithHint("add another agent, and have schedules name that one")
	}
	return nil
}

// RemoveAgent removes an agent that no schedule names and that has no children.
// Its tokens are good for nothing from then on.
func (s *Service) RemoveAgent(ctx context.Context, ref string) error {
	a, err := s.store.Agent(ctx, ref)
	if err != nil {
		return err
	}
	if err := s.allowed(ctx, a); err != nil {
		return err
	}
	if err := s.store.RemoveAgent(ctx, a.ID); err != nil {
		return err
	}
	s.tokens.RevokeAgent(a.ID, molecule.Now())
	return nil
}

// apply sets the fields that up names.
func apply(a *molecule.Agent, up molecule.AgentUpdate) {
	if up.Name != nil {
		a.Name = *up.Name
	}
	if up.URL != nil {
		a.URL = *up.URL
	}
	if up.Exec != nil {
		a.Exec = up.Exec
	}
	if up.MaxConcurrent != nil {
		a.MaxConcurrent = *up.MaxConcurrent
	}
	if up.Budget != nil {
		a.Budget = *up.Budget
	}
	if up.Role != nil {
		a.Role = *up.Role
	}
	if up.Tier != nil {
		a.Tier = *up.Tier
	}
	if up.Parent != nil {
		a.Parent = *up.Parent
	}
	if up.Runtime != nil {
		a.Runtime = *up.Runtime
	}
}

// check looks at the address or the program of a, as the principal may name
// one, and fills in what follows from it.
func (s *Service) check(ctx context.Context, a *molecule.Agent) error {
	p := molecule.PrincipalFrom(ctx)
	if err := s.allowed(ctx, *a); err != nil {
		return err
	}
	if a.Kind == molecule.AgentExec {
		if err := s.resolve(a.Exec); err != nil {
			return fmt.Errorf("resolve command: %w", err)
		}
		return nil
	}
	// Only who is proven by the kernel may point at loopback: a remote token
	// would otherwise reach every port of this machine.
	judge, owner := s.addresses.CheckURL, molecule.URLOwnerAgent
	if p.LocalAdmin() {
		judge, owner = s.addresses.CheckOperatorURL, molecule.URLOwnerOperator
	}
	if a.Kind == molecule.AgentPoll { // that it has no URL is its owner's to say, too
		a.URLOwner = owner
		return nil
	}
	if _, err := judge(a.URL); err != nil {
		return err
	}
	a.URLOwner = owner
	return nil
}

// allowed refuses a principal that may not touch an agent of this kind.
func (s *Service) allowed(ctx context.Context, a molecule.Agent) error {
	p := molecule.PrincipalFrom(ctx)
	if p.LocalAdmin() {
		return nil
	}
	if a.Kind == molecule.AgentExec {
		return forbidden("exec agents are created and changed only by an administrator on the unix socket", p)
	}
	if a.Kind == molecule.AgentPush && a.URLOwner != molecule.URLOwnerAgent && a.URLOwner != "" {
		return forbidden("the URL of this agent belongs to an administrator on the unix socket", p)
	}
	return nil
}

// forbidden says no, and to whom.
func forbidden(why string, p molecule.Principal) error {
	who := strings.TrimSpace(p.Name)
	if who == "" {
		who = "nobody"
	}
	return molecule.Errorf(molecule.Forbidden, "%s; you are %s", why, who).
		WithHint("run the command on the daemon's machine as root or as the daemon's user")
}
