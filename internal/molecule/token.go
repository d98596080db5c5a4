package molecule

import "time"

// Token is what is kept of a bearer token: everything but the token.
type Token struct {
	ID        string    `json:"id"` // eight characters, part of the token itself
	Name      string    `json:"name"`
	Kind      string    `json:"kind"` // op for an operator
	Scopes    []Scope   `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	LastUsed  time.Time `json:"last_used_at,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`

	// Digest is the SHA-256 of the whole token.
	Digest [32]byte `json:"-"`
}

// Live reports whether the token may be used at now.
func (t Token) Live(now time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}
