package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Register takes what an agent says of itself. Who never was here needs an
// enrolment token, or an open window for its id; who is known needs its own
// token for whatever would change. Nobody owns an id by being first.
func (s *Service) Register(ctx context.Context, in molecule.Registration) (molecule.Secret, error) {
	if err := s.checkRegistration(in); err != nil {
		return molecule.Secret{}, err
	}
	r := registering{Service: s, in: in, by: molecule.PrincipalFrom(ctx)}
	if r.nobody() { // what an open window lets in is asked for by somebody all the same
		ctx = molecule.WithPrincipal(ctx, molecule.Principal{Name: "registration", Source: r.by.Source})
	}
	decide := func(a *molecule.Admission) error { return r.decide(ctx, a) }
	err := s.store.Register(ctx, in.AgentID, r.by.TokenID, decide)
	if molecule.CodeOf(err) == molecule.Conflict && r.named == byCard {
		r.named = byID // another agent is called so
		err = s.store.Register(ctx, in.AgentID, r.by.TokenID, decide)
	}
	if err != nil {
		return molecule.Secret{}, fmt.Errorf("register: %w", err)
	}
	r.tell()
	return r.secret, nil
}

// checkRegistration looks at what needs no store: the id, the address, which is
// neither looked up nor dialled, and the card.
func (s *Service) checkRegistration(in molecule.Registration) error {
	if !molecule.IsID(in.AgentID) || in.AgentID == s.reserved {
		return molecule.Errorf(molecule.Invalid, "%q is not an id an agent can have", molecule.Excerpt(in.AgentID, 80)).
			WithHint("make a UUID and keep it")
	}
	switch {
	case in.Kind == molecule.AgentPush && in.URL == "":
		return molecule.Errorf(molecule.Invalid, "a push agent needs a URL").WithHint("send url, or delivery_mode poll")
	case in.Kind == molecule.AgentPush:
		if _, err := s.addresses.CheckURL(in.URL); err != nil {
			return err
		}
	case in.Kind != molecule.AgentPoll:
		return molecule.Errorf(molecule.Invalid, "an agent of kind %q does not register", molecule.Excerpt(string(in.Kind), 40))
	}
	return s.checkCard(in.Card)
}

// naming says where a new agent has its name from.
type naming int

const (
	byEnrolment naming = iota
	byCard
	byID
)

// registering is one registration on its way.
type registering struct {
	*Service
	in    molecule.Registration
	by    molecule.Principal
	named naming

	// What the last decision left, to be told once it is stored.
	issued *molecule.Token
	secret molecule.Secret
	used   *molecule.Token
}

// nobody reports whether no token was presented and no peer is known.
func (r *registering) nobody() bool { return r.by.Name == "" }

// decide says what becomes of the registration. It may be asked more than once.
func (r *registering) decide(ctx context.Context, a *molecule.Admission) error {
	r.issued, r.used = nil, nil
	if a.Agent == nil {
		return r.enrol(ctx, a)
	}
	if err := r.refuseGone(*a.Agent); err != nil {
		return err
	}
	changed := r.merge(a.Agent)
	switch {
	case r.by.MayActFor(a.Agent.ID, molecule.ScopeAgentsWrite):
		a.Store = changed
		return nil
	case r.nobody() && a.Now.Before(a.Agent.AwaitUntil):
	case r.nobody() && !changed:
		return nil
	case r.nobody():
		return molecule.Errorf(molecule.Unauthenticated, "this would change the agent: send its token").
			WithHint("for a new one: molecli agent enrol --name %s", a.Agent.Name)
	case a.Enrolment != nil && a.Enrolment.EnrolName == a.Agent.Name:
		a.Use = true
	default:
		return molecule.Errorf(molecule.Forbidden, "this is not the token of the agent")
	}
	return r.issue(ctx, a)
}

// refuseGone refuses a known id that nothing can register as any more.
func (r *registering) refuseGone(a molecule.Agent) error {
	switch {
	case r.nobody() && (!a.RemovedAt.IsZero() || a.Kind == molecule.AgentExec):
		return molecule.Errorf(molecule.Unauthenticated, "a token is needed to register")
	case !a.RemovedAt.IsZero():
		return molecule.Errorf(molecule.Gone, "the agent was removed").WithHint("register with a new id")
	case a.Kind == molecule.AgentExec:
		return molecule.Errorf(molecule.Invalid, "an exec agent does not register")
	}
	return nil
}

// enrol makes an agent of an id nobody had.
func (r *registering) enrol(ctx context.Context, a *molecule.Admission) error {
	if a.Enrolment == nil {
		code := molecule.Forbidden
		if r.nobody() {
			code = molecule.Unauthenticated
		}
		return molecule.Errorf(code, "an enrolment token is needed to register a new agent").
			WithHint("molecli agent enrol --name NAME")
	}
	r.named = max(r.named, byCard)
	name := a.Enrolment.EnrolName
	if name != "" {
		r.named = byEnrolment
	} else {
		name = r.ownName()
	}
	a.Agent = &molecule.Agent{
		ID: r.in.AgentID, Name: name, Role: a.Enrolment.EnrolRole, State: molecule.AgentPending, MaxConcurrent: 1,
		Kind: r.in.Kind, URL: r.in.URL, URLOwner: molecule.URLOwnerAgent, Card: r.in.Card,
	}
	a.Use = true
	return r.issue(ctx, a)
}

// ownName makes a name of what the card calls the agent, and of its id when
// another has that.
func (r *registering) ownName() string {
	var card struct {
		Name any `json:"name"`
	}
	_ = json.Unmarshal(r.in.Card, &card) // it was read as an object before
	said, _ := card.Name.(string)        // a card may say nothing that is a name
	name := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_':
			return c
		}
		return '-'
	}, molecule.Excerpt(said, 50))
	name = strings.Trim(name, "-._")
	if name == "" {
		name = "agent"
	}
	if r.named == byID || molecule.ValidateName("agent", name) != nil {
		name += "-" + r.in.AgentID[len(r.in.AgentID)-6:]
	}
	return name
}

// merge takes the registration into what is known and reports whether that
// changed anything. Who wrote the URL decides whether it is replaced.
func (r *registering) merge(a *molecule.Agent) (changed bool) {
	if a.URLOwner == molecule.URLOwnerAgent {
		changed = a.Kind != r.in.Kind || a.URL != r.in.URL
		a.Kind, a.URL = r.in.Kind, r.in.URL
		if changed {
			a.SilentStreak = 0
			if to := a.State.After(molecule.SignMoved); to != a.State {
				a.State, a.StateReason = to, "it registered with another address"
			}
		}
	} else {
		reported := r.in.URL
		if reported == a.URL {
			reported = ""
		}
		changed = a.ReportedURL != reported
		a.ReportedURL = reported
	}
	if !sameJSON(a.Card, r.in.Card) {
		a.Card, changed = r.in.Card, true
	}
	return changed
}

// issue gives the agent its token, the only one from then on.
func (r *registering) issue(ctx context.Context, a *molecule.Admission) error {
	a.Agent.AwaitUntil = time.Time{}
	t, secret, err := r.mint(ctx, *a.Agent, a.Now)
	if err != nil {
		return err
	}
	a.Store, a.Issue = true, &t
	r.issued, r.secret = &t, secret
	if a.Use {
		used := *a.Enrolment
		used.RevokedAt = a.Now
		r.used = &used
	}
	return nil
}

// tell makes what was stored good from the next request on.
func (r *registering) tell() {
	if r.issued != nil {
		r.tokens.RevokeAgent(r.issued.AgentID, r.issued.CreatedAt)
		r.tokens.Put(*r.issued)
	}
	if r.used != nil {
		r.tokens.Put(*r.used)
	}
}
