// Package platform speaks the wire that existing agents and their clients speak,
// on which an agent is called a workspace. None of them can be changed, so it
// reads what it can make sense of and writes exactly what they expect: compact
// JSON, lists that are [] when empty, errors that are {"error":"text"}.
//
// It keeps nothing: agents are the registry's, messages the inbox's. It judges
// who may ask for what: an agent for itself and for those it may talk to, an
// operator by scope.
//
// Start with [Face.Routes], the table, and row.go, which writes the one row that
// serves every client there is.
package platform
