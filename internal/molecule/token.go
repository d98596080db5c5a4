package molecule

import "time"

// The kinds of tokens. They are a field of the token itself.
const (
	TokenOperator  = "op"
	TokenAgent     = "agent"
	TokenEnrolment = "enrol"
)

// Token is what is kept of a bearer token: everything but the token.
type Token struct {
	ID        string    `json:"id"` // eight characters, part of the token itself
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`
	Scopes    []Scope   `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	LastUsed  time.Time `json:"last_used_at,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`

	AgentID string `json:"agent_id,omitempty"` // whose it is, of kind agent
	// For whom it is good, of kind enrol: the agent of a name, or any agent, which
	// then has the role.
	EnrolName string `json:"enrol_name,omitempty"`
	EnrolRole string `json:"enrol_role,omitempty"`

	// Digest is the SHA-256 of the whole token.
	Digest [32]byte `json:"-"`
}

// Live reports whether the token may be used at now.
func (t Token) Live(now time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}
