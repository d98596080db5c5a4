package molecule

import (
	"context"
	"time"
)

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

// How long an operator's token is good when nobody says, and at most.
const (
	DefaultTokenLife = 90 * 24 * time.Hour
	MaxTokenLife     = 366 * 24 * time.Hour
)

// NewToken asks for a token of an operator, and carries it back.
type NewToken struct {
	Name      string   `json:"name"`
	Scopes    []Scope  `json:"scopes"`
	ExpiresIn Duration `json:"expires_in,omitempty"` // zero: DefaultTokenLife

	// What the daemon fills in.
	ID        string    `json:"id"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Token     Shown     `json:"token,omitzero"` // told once, in the answer
}

// Validate refuses a name that cannot be typed, scopes that are none, and a life
// that is too long.
func (n NewToken) Validate() error {
	if err := ValidateName("token", n.Name); err != nil {
		return err
	}
	if len(n.Scopes) == 0 {
		return Errorf(Invalid, "a token without a scope may do nothing").WithHint("for example --scope schedules:read")
	}
	for _, s := range n.Scopes {
		if err := choice("scope", s, Scopes()...); err != nil {
			return err
		}
		if s == "" {
			return Errorf(Invalid, "a scope is empty")
		}
	}
	if d := time.Duration(n.ExpiresIn); d != 0 {
		return within("the life of a token", d, time.Minute, MaxTokenLife)
	}
	return nil
}

// Identity is who the daemon takes a caller for.
type Identity struct {
	Name      string    `json:"name"`
	Source    string    `json:"source"`
	Scopes    []Scope   `json:"scopes"`
	Fresh     bool      `json:"fresh"`
	Token     string    `json:"token,omitempty"` // name of the token, if there is one
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// TokenService keeps the tokens of operators. Errors are as in [AgentService].
type TokenService interface {
	// CreateToken makes a token. It needs a fresh principal, which can give no
	// scope away that it does not have.
	CreateToken(ctx context.Context, in *NewToken) error
	// Tokens lists what is known of every token, newest first.
	Tokens(ctx context.Context) ([]Token, error)
	// RevokeToken makes a token, by name or by a unique prefix of its id, good for
	// nothing: at once, also where it is being used. It returns what was revoked.
	RevokeToken(ctx context.Context, ref string) (Token, error)
	// WhoAmI tells the caller who he is taken for.
	WhoAmI(ctx context.Context) (Identity, error)
}

// Live reports whether the token may be used at now.
func (t Token) Live(now time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}
