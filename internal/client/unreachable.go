package client

import (
	"errors"
	"net"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Unreachable says that there was no connection at all, which is not the same
// as a daemon that answers 503. Its code is Unavailable.
type Unreachable struct{ err *molecule.Error }

// Error returns what was tried and why it failed.
func (u *Unreachable) Error() string { return u.err.Error() }

// Unwrap returns the coded error.
func (u *Unreachable) Unwrap() error { return u.err }

// unreachable returns the error for an endpoint that nobody answers at.
func unreachable(endpoint string, cause error) *Unreachable {
	hint := "moleculed serve, or --endpoint"
	if strings.HasPrefix(endpoint, "unix:///run/") {
		hint = "systemctl status moleculed, or --endpoint"
	}
	err := molecule.Errorf(molecule.Unavailable, "daemon not reachable at %s", endpoint).WithHint("%s", hint).WithCause(cause)
	return &Unreachable{err: err}
}

// neverConnected reports whether err happened before there was a connection.
func neverConnected(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func isSocket(endpoint string) bool { return strings.HasPrefix(endpoint, "unix:") }
