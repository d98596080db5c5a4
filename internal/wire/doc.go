// Package wire is what client and server agree on: header names, paths, the
// envelopes of errors and events, and which error code is which HTTP status.
//
// It dials nothing and serves nothing. Whoever adds a path or a code adds it
// here, so that both sides and the tests use one constant.
package wire
