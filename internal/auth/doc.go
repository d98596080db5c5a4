// Package auth says who is asking: the peer of the unix socket, proven by the
// kernel, or the bearer of a token.
//
// It knows no routes and decides nothing about them; whether a principal may do
// what it asks for is its scopes' matter, and theirs who own the route. Nothing
// here fails open: an answer that cannot be had is a refusal.
//
// Start with [Authenticator.Authenticate]. The server that uses it must have
// [ConnContext] set, since only the connection knows where a request came from.
package auth
