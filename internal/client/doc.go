// Package client is the operator's side of the daemon's API: the service
// interfaces of package molecule over HTTP, on a unix socket or TCP.
//
// It decides nothing and keeps nothing. Errors come out with the code they had
// on the other side; that nobody answered at all is an [Unreachable]. One
// request is bounded by Options.Timeout; waiting for a run and watching events
// are bounded by their context only. Start with [New].
package client
