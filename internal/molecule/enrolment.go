package molecule

import (
	"context"
	"encoding/json"
	"time"
)

// Bounds of how long an enrolment token is good. Zero asks for DefaultEnrolment.
const (
	DefaultEnrolment = 10 * time.Minute
	MaxEnrolment     = time.Hour
)

// Enrolment is leave for one agent to register itself. Exactly one of Name and
// Role is set: the name it will have, or its role, and then its card names it.
type Enrolment struct {
	Name      string    `json:"name,omitempty"`
	Role      string    `json:"role,omitempty"`
	ExpiresIn Duration  `json:"expires_in,omitempty"`
	ID        string    `json:"id"` // of the token
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Token     Shown     `json:"token,omitzero"` // told once, in the answer
}

// Validate refuses an enrolment that is bound to nothing, to too much, or for
// too long.
func (e Enrolment) Validate() error {
	switch {
	case e.Name != "" && e.Role != "":
		return Errorf(Invalid, "an enrolment is for a name or for a role, not for both")
	case e.Name == "" && e.Role == "":
		return Errorf(Invalid, "an enrolment is for a name or for a role").WithHint("molecli agent enrol --name NAME")
	case e.ExpiresIn < 0 || time.Duration(e.ExpiresIn) > MaxEnrolment:
		return Errorf(Invalid, "an enrolment is good for up to %s, not for %s", Duration(MaxEnrolment), e.ExpiresIn)
	case e.Name != "":
		return ValidateName("agent", e.Name)
	}
	return ValidateRole(e.Role)
}

// EnrolmentService lets agents in.
type EnrolmentService interface {
	// CreateEnrolment makes a token for one registration and fills in what the
	// daemon decides.
	CreateEnrolment(ctx context.Context, in *Enrolment) error
}

// Registration is what an agent says of itself when it comes.
type Registration struct {
	AgentID string
	Kind    AgentKind // push or poll
	URL     string    // of a push agent
	Card    json.RawMessage
}

// Admission is what the store holds when a registration comes, and then what is
// to become of it.
type Admission struct {
	Agent     *Agent // who has the id, also when removed; nil: nobody ever had it
	Enrolment *Token // what was presented; nil: none, or one that is no longer good
	Now       time.Time

	Store bool   // Agent is new or was changed
	Issue *Token // becomes the only token of Agent
	Use   bool   // Enrolment is used up
}

// Directory is the registry as agents see it: by whole ids, and with those who
// were removed. Errors are NotFound for an id that no agent ever had.
type Directory interface {
	// Register takes a registration from the principal of ctx and returns the
	// agent's token when it is given one. Unauthenticated says that the principal
	// proves too little for what would change, Forbidden that it is somebody else.
	Register(ctx context.Context, in Registration) (Secret, error)
	// SetCard replaces the card of an agent.
	SetCard(ctx context.Context, agentID string, card json.RawMessage) error
	// Member returns one agent with its card; RemovedAt is set when it is gone.
	Member(ctx context.Context, agentID string) (Agent, error)
	// Members returns every agent with its card, by name.
	Members(ctx context.Context) ([]Agent, error)
	// Peers returns the siblings, the children and the parent of an agent, by name.
	Peers(ctx context.Context, agentID string) ([]Agent, error)
	// Lineage returns who is above an agent.
	Lineage(ctx context.Context, agentID string) (Lineage, error)
}
