package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// timeLimit bounds one session.
const timeLimit = 30 * time.Second

// server is where the roles are.
type server struct {
	place, host, database, sslmode string
	port                           uint16
	dial                           func(ctx context.Context, network, addr string) (net.Conn, error)
}

// connect logs in. The caller closes the connection.
func (v server) connect(ctx context.Context, user string, password molecule.Secret) (*pgx.Conn, error) {
	// Everything that the library would look for in the environment or in files of
	// the home directory is said here.
	config, err := pgx.ParseConfig(fmt.Sprintf(
		"host=localhost port=%d dbname=x user=x password=x sslmode=%s passfile=/dev/null servicefile=/dev/null "+
			"application_name=moleculed connect_timeout=30 target_session_attrs=any sslcert='' sslkey='' sslrootcert='' channel_binding=prefer",
		v.port, v.sslmode))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.place, err)
	}
	config.Host, config.Database, config.User, config.Password = v.host, v.database, user, password.Reveal()
	config.Fallbacks, config.RuntimeParams = nil, map[string]string{"application_name": "moleculed"}
	if config.TLSConfig != nil {
		config.TLSConfig.ServerName = v.host
	}
	// A server that wants the password itself does not get it; one that wants none
	// is found out by the control.
	config.RequireAuth = "scram-sha-256,md5,none"
	config.DialFunc = v.dial
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, v.coded(ctx, err)
	}
	return conn, nil
}

// States of PostgreSQL, from the appendix of its manual.
const (
	badPassword    = "28P01"
	badAuth        = "28000"
	noDatabase     = "3D000"
	noPrivilege    = "42501"
	readOnly       = "25006"
	tooMany        = "53300"
	startsOrEnds   = "57P0" // and one digit
	changedInParts = "XX000"
)

// coded returns err with a code. What the server says names roles and hosts and
// no value.
func (v server) coded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", v.place, ctx.Err())
	}
	if molecule.CodeOf(err) != molecule.Internal && molecule.CodeOf(err) != molecule.Timeout {
		return fmt.Errorf("%s: %w", v.place, err)
	}
	said, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return sink.Unreachable(v.place, err)
	}
	failed := func(code molecule.Code, what, hint string) error {
		return molecule.Errorf(code, "%s: %s", v.place, what).WithHint("%s", hint).WithCause(fmt.Errorf("%s (%s)", said.Message, said.Code))
	}
	switch {
	case said.Code == badPassword:
		return failed(molecule.Unauthenticated, "the login is refused", "see that the credential of the sink is the password of its user")
	case said.Code == badAuth:
		return failed(molecule.Forbidden, "the login is not foreseen", "see pg_hba.conf, and that the role may log in")
	case said.Code == noDatabase:
		return failed(molecule.NotFound, "there is no such database", "see the database of the target")
	case said.Code == noPrivilege:
		return failed(molecule.Forbidden, "the user of the sink may not do it", "it needs CREATEROLE, or to be a superuser")
	case said.Code == readOnly:
		return failed(molecule.Forbidden, "the server is a standby", "write the host of the primary")
	case said.Code == tooMany, strings.HasPrefix(said.Code, startsOrEnds):
		return failed(molecule.Unavailable, "the server takes no connection now", "try again later")
	case said.Code == changedInParts && strings.Contains(said.Message, "concurrently updated"):
		return failed(molecule.Unavailable, "somebody else changed the role at the same time", "try again")
	}
	return failed(molecule.Forbidden, "the server refuses", "see its log")
}

// accepts reports whether a role gets in with a value.
func (v server) accepts(ctx context.Context, role string, value molecule.Secret) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	conn, err := v.connect(ctx, role, value)
	if molecule.CodeOf(err) == molecule.Unauthenticated {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, v.close(ctx, conn)
}

// close says good-bye.
func (v server) close(ctx context.Context, conn *pgx.Conn) error {
	if err := conn.Close(ctx); err != nil {
		return v.coded(ctx, err)
	}
	return nil
}

// session is a connection of whoever may change the roles.
type session struct {
	*roles
	conn *pgx.Conn
	// sees is whether the verifiers of roles can be read.
	sees bool
}

// with opens a session for as long as do takes.
func (p *roles) with(ctx context.Context, c sink.Change, do func(*session) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	conn, err := p.open(ctx, c)
	if err != nil {
		return err
	}
	s := &session{roles: p, conn: conn}
	err = conn.QueryRow(ctx, `SELECT has_column_privilege('pg_authid', 'rolpassword', 'SELECT')`).Scan(&s.sees)
	if err != nil {
		err = p.server.coded(ctx, err)
	} else {
		err = do(s)
	}
	return errors.Join(err, p.server.close(context.WithoutCancel(ctx), conn))
}

// open logs in as the administrator, or as the role itself: with its old
// password, and behind a change with its new one.
func (p *roles) open(ctx context.Context, c sink.Change) (*pgx.Conn, error) {
	if p.admin != "" {
		return p.server.connect(ctx, p.admin, c.Credential)
	}
	var err error
	for _, password := range []molecule.Secret{c.Old, c.New, c.Credential} {
		if password.IsZero() {
			continue
		}
		var conn *pgx.Conn
		conn, err = p.server.connect(ctx, p.names[0], password)
		if molecule.CodeOf(err) != molecule.Unauthenticated {
			return conn, err
		}
	}
	if err == nil {
		err = p.invalid("nobody is named who may give the role its first password")("write user: and a role that may, and credential: with its password")
	}
	return nil, err
}

// atomically does it in one transaction.
func (s *session) atomically(ctx context.Context, do func() error) error {
	if _, err := s.conn.Exec(ctx, "BEGIN"); err != nil {
		return s.server.coded(ctx, err)
	}
	end := "COMMIT"
	err := do()
	if err != nil {
		end = "ROLLBACK"
	}
	if _, failed := s.conn.Exec(ctx, end); failed != nil && err == nil {
		return s.server.coded(ctx, failed)
	}
	return err
}

// look says what each role holds.
func (s *session) look(ctx context.Context, c sink.Change) (sight, error) {
	all := make(sight, len(s.names))
	for i, name := range s.names {
		var err error
		if all[i], err = s.lookAt(ctx, name, c); err != nil {
			return nil, err
		}
	}
	if s.sees || len(all) == 1 {
		return all, nil
	}
	// Of two roles the one that is not in use has a password nobody here knows, or
	// none. It is ours because the other is.
	for i := range all {
		if other := all[1-i].holds; all[i].holds == sink.HoldsOther && other != sink.HoldsOther {
			all[i].holds = sink.HoldsNothing
		}
	}
	return all, nil
}

// lookAt says what one role holds.
func (s *session) lookAt(ctx context.Context, name string, c sink.Change) (seen, error) {
	var login, writable, expired bool
	err := s.conn.QueryRow(ctx, `
		SELECT r.rolcanlogin,
		       me.rolsuper OR r.rolname = me.rolname OR me.rolcreaterole AND NOT r.rolsuper,
		       coalesce(r.rolvaliduntil < now(), false)
		FROM pg_roles r, pg_roles me
		WHERE r.rolname = $1 AND me.rolname = current_user`, name).Scan(&login, &writable, &expired)
	refused := func(code molecule.Code, what, hint string) (seen, error) {
		return seen{}, molecule.Errorf(code, "%s: %s", s.place, fmt.Sprintf(what, name)).WithHint(hint, pgx.Identifier{name}.Sanitize())
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return refused(molecule.NotFound, "there is no role %s", "CREATE ROLE %s LOGIN")
	case err != nil:
		return seen{}, s.server.coded(ctx, err)
	case !login:
		return refused(molecule.Forbidden, "the role %s may not log in", "ALTER ROLE %s LOGIN")
	case !writable:
		return refused(molecule.Forbidden, "the user of the sink may not change %s", "let a superuser change %s, or give the user of the sink CREATEROLE")
	}
	found := seen{name: name}
	if expired {
		found.warning = "the password of " + name + " is past its VALID UNTIL, and no login works with it"
	}
	found.holds, err = s.holds(ctx, name, c)
	return found, err
}

// holds says what a role has, by its verifier or else by a login.
func (s *session) holds(ctx context.Context, name string, c sink.Change) (sink.Holds, error) {
	if s.sees {
		var kept *string
		// The lock makes a change in between wait, or fail.
		err := s.conn.QueryRow(ctx, "SELECT rolpassword FROM pg_authid WHERE rolname = $1 FOR UPDATE", name).Scan(&kept)
		if err != nil {
			return "", s.server.coded(ctx, err)
		}
		if kept == nil {
			return sink.HoldsNothing, nil
		}
		return firstOf(c.CompareBy(func(value string) bool { return matches(*kept, name, value) })), nil
	}
	var failed error
	held := c.CompareBy(func(value string) bool {
		ok, err := s.server.accepts(ctx, name, molecule.NewSecret(value))
		failed = errors.Join(failed, err)
		return ok
	})
	return firstOf(held), failed
}

// firstOf takes both for the new one: a role that any password opens.
func firstOf(h sink.Holds) sink.Holds {
	if h == sink.HoldsBoth {
		return sink.HoldsNew
	}
	return h
}

// set gives a role a password, or takes it away.
func (s *session) set(ctx context.Context, name string, value molecule.Secret) error {
	password := "NULL"
	if !value.IsZero() {
		v, err := verifier(value.Reveal())
		if err != nil {
			return err
		}
		password = "'" + v + "'" // base64, digits, $ and : only
	}
	if _, err := s.conn.Exec(ctx, "ALTER ROLE "+pgx.Identifier{name}.Sanitize()+" PASSWORD "+password); err != nil {
		return s.server.coded(ctx, err)
	}
	return nil
}
