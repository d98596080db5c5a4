package molecule

import (
	"context"
	"slices"
	"time"
)

// Scope is one thing a principal may do.
type Scope string

// The scopes.
const (
	ScopeLivenessRead   Scope = "liveness:read"
	ScopeSchedulesRead  Scope = "schedules:read"
	ScopeSchedulesWrite Scope = "schedules:write"
	ScopeAgentsRead     Scope = "agents:read"
	ScopeAgentsWrite    Scope = "agents:write"
	ScopeAgentSelf      Scope = "agent:self"     // what an agent needs for itself, on the platform wire
	ScopeAgentEnrol     Scope = "agent:enrol"    // one registration
	ScopeSecretsMeta    Scope = "secrets:meta"   // all but the values
	ScopeSecretsRotate  Scope = "secrets:rotate" // to change them
	ScopeTokensAdmin    Scope = "tokens:admin"
	ScopeAdmin          Scope = "admin" // everything
)

// Scopes returns every scope that an operator's token may have.
func Scopes() []Scope {
	return append(OperateScopes(), ScopeSecretsRotate, ScopeTokensAdmin, ScopeAdmin)
}

// OperateScopes returns what a local user who is no administrator may do.
func OperateScopes() []Scope {
	return []Scope{ScopeLivenessRead, ScopeSchedulesRead, ScopeSchedulesWrite, ScopeAgentsRead, ScopeAgentsWrite, ScopeSecretsMeta}
}

// Principal is who is asking.
type Principal struct {
	Name   string  // uid:1000, token:ab12cd34 or daemon
	Scopes []Scope // what it may do
	Local  bool    // came over the unix socket, proven by the kernel
	Source string  // socket, or the address the request came from
	// Fresh says that it proved itself just now: on the socket, or by a token that
	// is younger than FreshFor. What cannot be taken back asks for it.
	Fresh bool

	TokenID string // of the token that was presented; empty on the socket
	AgentID string // whose token that is; empty: no agent's
}

// FreshFor is how long a token counts as fresh.
const FreshFor = 15 * time.Minute

// May reports whether p has the scope; admin has every one.
func (p Principal) May(s Scope) bool {
	return slices.Contains(p.Scopes, s) || slices.Contains(p.Scopes, ScopeAdmin)
}

// LocalAdmin reports whether p may do what only the socket allows: create or
// change an exec agent, or own a URL.
func (p Principal) LocalAdmin() bool { return p.Local && slices.Contains(p.Scopes, ScopeAdmin) }

// MayActFor reports whether p is the agent with an id, or may act for every
// agent because it has the scope.
func (p Principal) MayActFor(agentID string, s Scope) bool {
	if p.AgentID != "" {
		return p.AgentID == agentID && p.May(ScopeAgentSelf)
	}
	return p.May(s)
}

// Daemon returns the principal of work the daemon does by itself.
func Daemon() Principal {
	return Principal{Name: "daemon", Scopes: []Scope{ScopeAdmin}, Local: true, Fresh: true}
}

type (
	principalKey struct{}
	requestIDKey struct{}
)

// WithPrincipal returns a context that carries who is asking.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns who is asking; the zero Principal, which may do
// nothing, when nobody said.
func PrincipalFrom(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// WithRequestID returns a context that carries the id of the request.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestIDFrom returns the id of the request, or "".
func RequestIDFrom(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
