package postgres

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/postgres/postgrestest"
	"github.com/molecule-ai/molecli/internal/vault/sink/sinktest"
)

// database is the one server that all tests share; each makes roles of its own.
var database *postgrestest.Server // set by TestMain

func TestMain(m *testing.M) {
	var err error
	if database, err = postgrestest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	database.Stop()
	os.Exit(status)
}

var superPassword = molecule.NewSecret(postgrestest.Password) // never written

// target is a map's target for roles at an address.
func target(t testing.TB, addr string, names ...string) map[string]string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{"host": host, "port": port, "database": postgrestest.Database, "role": names[0], "user": postgrestest.Superuser}
	if len(names) == 2 {
		out["role_b"] = names[1]
	}
	return out
}

func open(t testing.TB, target map[string]string) sink.Sink {
	t.Helper()
	guard, err := netguard.New(netguard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := Open(sink.Spec{Secret: "DATABASE_PASSWORD", Net: guard, SinkSpec: molecule.SinkSpec{Kind: "postgres", Target: target}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// exec runs statements as the superuser.
func exec(t testing.TB, statements ...string) {
	t.Helper()
	if err := database.Exec(t.Context(), statements...); err != nil {
		t.Error(err)
	}
}

// newRoles makes roles without passwords.
func newRoles(t testing.TB, n int) []string {
	t.Helper()
	var names []string
	for i := range n {
		name := fmt.Sprintf("Role %q %c", strings.ToLower(rand.Text()[:8]), 'a'+i) // a name that has to be quoted
		exec(t, "CREATE ROLE "+quoted(name)+" LOGIN")
		names = append(names, name)
	}
	return names
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// loggedIn reports whether a role gets in.
func loggedIn(t testing.TB, role, password string) bool {
	t.Helper()
	conn, err := postgrestest.Connect(t.Context(), database.Addr, role, password)
	if err != nil {
		if !strings.Contains(err.Error(), "28P01") {
			t.Error(err)
		}
		return false
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	return true
}

func rig(t testing.TB, n int) sinktest.Rig {
	names := newRoles(t, n)
	addr, cut := sinktest.Proxy(t, database.Addr)
	return sinktest.Rig{
		Sink:       open(t, target(t, addr, names...)),
		Credential: superPassword,
		KeepsOld:   n == 2,
		Accepts: func(value molecule.Secret) bool {
			any := false
			for _, name := range names {
				if value.IsZero() {
					has, err := database.HasPassword(t.Context(), name)
					if err != nil {
						t.Error(err)
					}
					any = any || has
					continue
				}
				any = any || loggedIn(t, name, value.Reveal())
			}
			return any != value.IsZero()
		},
		Tamper: func(value string) {
			for _, name := range names {
				exec(t, "ALTER ROLE "+quoted(name)+" PASSWORD '"+value+"'")
			}
		},
		Cut:     cut,
		Holds:   []string{`it's "quoted" \ $1 :x %s`, " blanks ", strings.Repeat("x", 300)},
		Rejects: []string{"line\nbreak", "zero\x00", "umlaut ä", "\x7f"},
	}
}

func TestPostgres_oneRolePassesTheSuite(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t testing.TB) sinktest.Rig { return rig(t, 1) })
}

func TestPostgres_twoRolesPassTheSuite(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t testing.TB) sinktest.Rig { return rig(t, 2) })
}

func TestPostgres_rolesTakeTurnsAndTellWhoIsNext(t *testing.T) {
	t.Parallel()
	names := newRoles(t, 2)
	k := open(t, target(t, database.Addr, names...))
	var got []string
	old := molecule.Secret{}
	for i := range 4 {
		c := sink.Change{Old: old, New: molecule.NewSecret(fmt.Sprintf("password-%d", i)), Credential: superPassword}
		state, err := k.Apply(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, state.User)
		if _, err := k.Revoke(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		old = c.New
	}
	if diff := cmp.Diff(got, []string{names[0], names[1], names[0], names[1]}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

func TestPostgres_noPasswordIsInTheLogOfTheServer(t *testing.T) {
	t.Parallel()
	names := newRoles(t, 2)
	k := open(t, target(t, database.Addr, names...))
	first, second := "log-"+rand.Text(), "log-"+rand.Text()
	c := sink.Change{New: molecule.NewSecret(first), Credential: superPassword}
	for _, do := range []func() error{
		func() error { _, err := k.Apply(t.Context(), c); return err },
		func() error { c.Old, c.New = c.New, molecule.NewSecret(second); return nil },
		func() error { _, err := k.Apply(t.Context(), c); return err },
		func() error { _, err := k.Verify(t.Context(), c); return err },
		func() error { _, err := k.Undo(t.Context(), c); return err },
		func() error { _, err := k.Apply(t.Context(), c); return err },
		func() error { _, err := k.Revoke(t.Context(), c); return err },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.ReadFile(database.Log)
	if err != nil || !strings.Contains(string(log), "PASSWORD 'SCRAM-SHA-256$4096:") {
		t.Fatalf("%v: the log of %d bytes has no statement of ours, so nothing is shown by it", err, len(log))
	}
	for _, value := range []string{first, second, postgrestest.Password} {
		if strings.Contains(string(log), value) {
			t.Errorf("%s is in the log", value)
		}
	}
}

func TestPostgres_roleThatGetsInWithAnythingProvesNothing(t *testing.T) {
	t.Parallel()
	exec(t, "CREATE ROLE trusting LOGIN") // the one that pg_hba.conf trusts
	k := open(t, target(t, database.Addr, "trusting"))
	c := sink.Change{New: molecule.NewSecret("password-1"), Credential: superPassword}
	if _, err := k.Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if verdict, err := k.Verify(t.Context(), c); err != nil || verdict != sink.Invalid {
		t.Errorf("got %s, %v, want %s", verdict, err, sink.Invalid)
	}
}

func TestPostgres_administratorWhoSeesNoVerifierAsksByLogins(t *testing.T) {
	t.Parallel()
	names := newRoles(t, 3)
	exec(t, "ALTER ROLE "+quoted(names[2])+" CREATEROLE PASSWORD 'admin-password'")
	to := target(t, database.Addr, names[:2]...)
	to["user"] = names[2]
	k := open(t, to)
	c := sink.Change{New: molecule.NewSecret("password-1"), Credential: molecule.NewSecret("admin-password")}
	if _, err := k.Apply(t.Context(), c); sink.TroubleOf(err) != sink.Drifted {
		t.Errorf("roles of which nobody knows whether they have a password: got %v, want drift", err)
	}
	exec(t, "ALTER ROLE "+quoted(names[0])+" PASSWORD 'password-1'")
	c.Old, c.New = c.New, molecule.NewSecret("password-2")
	var got []sink.Holds
	for _, step := range []func() (sink.State, error){
		func() (sink.State, error) { return k.Probe(t.Context(), c) },
		func() (sink.State, error) { return k.Apply(t.Context(), c) },
		func() (sink.State, error) { return k.Undo(t.Context(), c) },
		func() (sink.State, error) { return k.Apply(t.Context(), c) },
		func() (sink.State, error) { return k.Revoke(t.Context(), c) },
	} {
		state, err := step()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, state.Holds)
	}
	if diff := cmp.Diff(got, []sink.Holds{sink.HoldsOld, sink.HoldsBoth, sink.HoldsOld, sink.HoldsBoth, sink.HoldsNew}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if !loggedIn(t, names[1], "password-2") || loggedIn(t, names[0], "password-1") {
		t.Error("the new password does not get in, or the old one does")
	}
}

func TestPostgres_roleChangesItsOwnPassword(t *testing.T) {
	t.Parallel()
	name := newRoles(t, 1)[0]
	exec(t, "ALTER ROLE "+quoted(name)+" PASSWORD 'password-1'")
	to := target(t, database.Addr, name)
	delete(to, "user")
	k := open(t, to)
	c := sink.Change{Old: molecule.NewSecret("password-1"), New: molecule.NewSecret("password-2")}
	for range 2 { // behind the change it gets in with the new one
		if state, err := k.Apply(t.Context(), c); err != nil || state.Holds != sink.HoldsNew {
			t.Fatalf("got %+v, %v", state, err)
		}
		if verdict, err := k.Verify(t.Context(), c); err != nil || verdict != sink.Proved {
			t.Errorf("got %s, %v, want %s", verdict, err, sink.Proved)
		}
	}
	if state, err := k.Undo(t.Context(), c); err != nil || state.Holds != sink.HoldsOld || !loggedIn(t, name, "password-1") {
		t.Errorf("got %+v, %v, want the old password back", state, err)
	}
}

func TestPostgres_whatIsInTheWayIsSaidBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	names := newRoles(t, 3)
	exec(t, "ALTER ROLE "+quoted(names[0])+" NOLOGIN", "ALTER ROLE "+quoted(names[1])+" PASSWORD 'plain-password'")
	for _, tt := range []struct {
		name       string
		key, value string
		credential string
		code       molecule.Code
		says       string
	}{
		{"a wrong password of the administrator", "", "", "wrong", molecule.Unauthenticated, "login is refused"},
		{"no password of the administrator", "", "", "", molecule.Unauthenticated, "login is refused"},
		{"a database there is not", "database", "nowhere", postgrestest.Password, molecule.NotFound, "no such database"},
		{"a role there is not", "role", "nobody", postgrestest.Password, molecule.NotFound, "no role nobody"},
		{"a role that may not log in", "role", names[0], postgrestest.Password, molecule.Forbidden, "may not log in"},
		{"an administrator who may not", "user", names[1], "plain-password", molecule.Forbidden, "may not change"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			to := target(t, database.Addr, names[2])
			if tt.key != "" {
				to[tt.key] = tt.value
			}
			_, err := open(t, to).Probe(t.Context(), sink.Change{New: molecule.NewSecret("x"), Credential: molecule.NewSecret(tt.credential)})
			if molecule.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) || molecule.HintOf(err) == "" {
				t.Errorf("got %v with the hint %q, want %s that says %q", err, molecule.HintOf(err), tt.code, tt.says)
			}
		})
	}
}

func TestPostgres_targetThatCannotBeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	guard, err := netguard.New(netguard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, key, value string
		code             molecule.Code
	}{
		{"a port that is none", "port", "0", molecule.Invalid},
		{"a socket", "host", "/run/postgresql", molecule.Invalid},
		{"TLS that is given up when asked to", "sslmode", "prefer", molecule.Invalid},
		{"the same role twice", "role_b", "role_a", molecule.Invalid},
		{"a role that rotates itself as another", "user", "role_a", molecule.Invalid},
		{"two roles and nobody who may", "user", "", molecule.Invalid},
		{"a switch that is neither on nor off", "plaintext", "maybe", molecule.Invalid},
		{"where platforms keep credentials", "host", "169.254.169.254", molecule.UnsafeURL},
		{"no TLS beyond this machine", "sslmode", "disable", molecule.UnsafeURL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			to := map[string]string{"host": "db.example.com", "database": "d", "role": "role_a", "role_b": "role_b", "user": "postgres"}
			to[tt.key] = tt.value
			_, err := Open(sink.Spec{Secret: "S", Net: guard, SinkSpec: molecule.SinkSpec{Kind: "postgres", Target: to}})
			if molecule.CodeOf(err) != tt.code || molecule.HintOf(err) == "" {
				t.Errorf("got %v with the hint %q, want %s with one", err, molecule.HintOf(err), tt.code)
			}
		})
	}
}

func TestVerifier_isWhatTheServerMakesItself(t *testing.T) {
	t.Parallel()
	name := newRoles(t, 1)[0]
	for _, method := range []string{"scram-sha-256", "md5"} {
		exec(t, "SET password_encryption = '"+method+"'; ALTER ROLE "+quoted(name)+" PASSWORD 'p''a\"ss w$rd'")
		k := open(t, target(t, database.Addr, name))
		state, err := k.Probe(t.Context(), sink.Change{Old: molecule.NewSecret(`p'a"ss w$rd`), Credential: superPassword})
		if err != nil || state.Holds != sink.HoldsOld {
			t.Errorf("%s: got %+v, %v, want that it is known", method, state, err)
		}
		state, err = k.Probe(t.Context(), sink.Change{Old: molecule.NewSecret("another"), Credential: superPassword})
		if err != nil || state.Holds != sink.HoldsOther {
			t.Errorf("%s: got %+v, %v, want that another is not", method, state, err)
		}
	}
	for _, kept := range []string{"", "md5", "SCRAM-SHA-256$", "SCRAM-SHA-256$0:AA==$AA==:AA==", "SCRAM-SHA-256$x:AA==$AA==:AA==", "SCRAM-SHA-256$1:!$AA==:AA=="} {
		if matches(kept, "role", "") {
			t.Errorf("%q matches an empty password", kept)
		}
	}
}
