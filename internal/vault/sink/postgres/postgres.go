// Package postgres is the sink that is the password of a role, or of two roles
// that take turns.
//
// With one role the new password takes the place of the old one. With two, the new
// one goes to the role that is not in use, and both work until the old one is
// revoked, which takes the password away from the other role; sessions that are
// open then stay open. Which of the two is in use is not kept anywhere: it is the
// one that has the old password.
//
// What is sent is the SCRAM verifier, made here, because the server writes
// statements into its log. A password is proved by a login over the network. Who
// may read pg_authid sees whether a role has a password at all; for any other
// administrator a password that does not log in is a stranger's.
package postgres

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// Open makes the sink of one role, or of two.
func Open(s sink.Spec) (sink.Sink, error) {
	p := &roles{place: s.At(), names: []string{s.Target["role"]}, admin: s.Target["user"]}
	if b := s.Target["role_b"]; b != "" {
		p.names = append(p.names, b)
	}
	switch {
	case len(p.names) == 2 && p.names[0] == p.names[1]:
		return nil, p.invalid("both roles are %q", p.names[0])("write two roles that take turns, or leave role_b out")
	case len(p.names) == 2 && p.admin == "":
		return nil, p.invalid("nobody is named who may give the roles their passwords")("write user: and a role that may, and credential: with its password")
	case slices.Contains(p.names, p.admin):
		return nil, p.invalid("%s would change its own password", p.admin)("leave user out: then the role changes its own")
	}
	var err error
	p.server, err = parseServer(s)
	return p, err
}

// invalid returns the error for a target, but for its hint.
func (p *roles) invalid(format string, args ...any) func(hint string) error {
	return func(hint string) error {
		err := molecule.Errorf(molecule.Invalid, format, args...)
		err.Message = p.place + ": " + err.Message
		return err.WithHint("%s", hint)
	}
}

// parseServer reads where the server is, and checks that it may be called.
func parseServer(s sink.Spec) (server, error) {
	v := server{place: s.At(), host: s.Target["host"], database: s.Target["database"], sslmode: s.Target["sslmode"]}
	bad := func(hint, format string, args ...any) (server, error) {
		err := molecule.Errorf(molecule.Invalid, format, args...)
		err.Message = v.place + ": " + err.Message
		return server{}, err.WithHint("%s", hint)
	}
	port := s.Target["port"]
	if port == "" {
		port = "5432"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return bad("write port: 5432", "port %q is none", molecule.Excerpt(port, 20))
	}
	v.port = uint16(n)
	if strings.HasPrefix(v.host, "/") {
		return bad("write host: localhost", "a socket of this machine is not called; the server has to listen on loopback")
	}
	if v.sslmode == "" {
		v.sslmode = "verify-full"
		if loopback(v.host) {
			v.sslmode = "disable"
		}
	}
	if !slices.Contains([]string{"disable", "require", "verify-ca", "verify-full"}, v.sslmode) {
		return bad("write sslmode: verify-full, verify-ca, require or disable", "sslmode %q is none, or one that gives up TLS when asked to", molecule.Excerpt(v.sslmode, 20))
	}
	plaintext, err := s.On("plaintext")
	if err != nil {
		return server{}, err
	}
	if s.Net == nil {
		return server{}, molecule.Errorf(molecule.Internal, "sink postgres was opened without a way out")
	}
	at := net.JoinHostPort(v.host, port)
	v.dial = s.Net.DialStored(at)
	return v, s.Net.CheckStored(at, v.sslmode != "disable", plaintext)
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.IsLoopback()
}

// roles is one role, or two.
type roles struct {
	place  string
	names  []string
	admin  string // "": the role changes its own password
	server server
}

// Place names the roles.
func (p *roles) Place() string { return p.place }

// Probe asks which of the values the roles have.
func (p *roles) Probe(ctx context.Context, c sink.Change) (sink.State, error) {
	var state sink.State
	err := p.with(ctx, c, func(s *session) error {
		seen, err := s.look(ctx, c)
		if err == nil {
			err = passwordOf(c.New.Reveal())
		}
		state = seen.state(c)
		return err
	})
	return state, err
}

// Apply gives the new password to the one role, or to the one of two that does
// not have the old one.
func (p *roles) Apply(ctx context.Context, c sink.Change) (sink.State, error) {
	if c.New.IsZero() {
		return sink.State{}, sink.Rejected("an empty value is not written")
	}
	return p.change(ctx, c, func(s *session, seen sight) error {
		switch seen.state(c).Holds {
		case sink.HoldsNew, sink.HoldsBoth:
			return nil
		case sink.HoldsOther:
			return sink.Drift(p.place)
		}
		return s.set(ctx, seen[seen.free()].name, c.New)
	})
}

// Undo takes the new password away again; a single role gets the old one back.
func (p *roles) Undo(ctx context.Context, c sink.Change) (sink.State, error) {
	return p.change(ctx, c, func(s *session, seen sight) error {
		switch state := seen.state(c); {
		case state.Holds == sink.HoldsOld, state.Holds == sink.HoldsNothing:
			return nil
		case state.Holds == sink.HoldsOther, len(seen) == 2 && state.Holds == sink.HoldsNew && !c.Old.IsZero():
			return sink.Drift(p.place) // of two, the one with the old value was to stay
		}
		back := molecule.Secret{}
		if len(seen) == 1 {
			back = c.Old
		}
		return s.set(ctx, seen[seen.with(sink.HoldsNew)].name, back)
	})
}

// Revoke takes the old password away from the role that has it, once the other
// has the new one.
func (p *roles) Revoke(ctx context.Context, c sink.Change) (sink.State, error) {
	return p.change(ctx, c, func(s *session, seen sight) error {
		switch seen.state(c).Holds {
		case sink.HoldsBoth:
			return s.set(ctx, seen[seen.with(sink.HoldsOld)].name, molecule.Secret{})
		case sink.HoldsOther:
			return sink.Drift(p.place)
		}
		return nil // the old one is gone, or still the only one
	})
}

// Verify logs in.
func (p *roles) Verify(ctx context.Context, c sink.Change) (sink.Verdict, error) {
	state, err := p.Probe(ctx, c)
	if err != nil {
		return "", err
	}
	user := state.User
	if user == "" {
		user = p.names[0] // of a value that is nowhere
	}
	return sink.Differential(c.New, func(value molecule.Secret) (bool, error) {
		return p.server.accepts(ctx, user, value)
	})
}

// change looks, changes and looks again, in one transaction with the roles
// locked.
func (p *roles) change(ctx context.Context, c sink.Change, do func(*session, sight) error) (sink.State, error) {
	if err := passwordOf(c.New.Reveal()); err != nil {
		return sink.State{}, err
	}
	var state sink.State
	err := p.with(ctx, c, func(s *session) error {
		err := s.atomically(ctx, func() error {
			seen, err := s.look(ctx, c)
			if err != nil {
				return err
			}
			state = seen.state(c)
			return do(s, seen)
		})
		if err != nil {
			return err
		}
		seen, err := s.look(ctx, c)
		state = seen.state(c)
		return err
	})
	return state, err
}
