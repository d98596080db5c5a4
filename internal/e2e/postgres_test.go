package e2e_test

import (
	"context"
	"net"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/molecule-ai/molecli/internal/vault/sink/postgres/postgrestest"
)

// startPostgres starts a PostgreSQL with a role for a script, and says in PGADDR
// and PGPORT where it is, and in PGADMIN the password of postgres: postgres ROLE
// PASSWORD
func startPostgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: postgres ROLE PASSWORD")
	}
	s, err := postgrestest.Start()
	ts.Check(err)
	ts.Defer(s.Stop)
	ts.Check(s.Exec(context.Background(), "CREATE ROLE "+args[0]+" LOGIN PASSWORD '"+args[1]+"'"))
	_, port, err := net.SplitHostPort(s.Addr)
	ts.Check(err)
	ts.Setenv("PGADDR", s.Addr)
	ts.Setenv("PGPORT", port)
	ts.Setenv("PGADMIN", postgrestest.Password)
}

// loginPostgres logs in at the PostgreSQL of a script: pglogin ROLE PASSWORD
func loginPostgres(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: pglogin ROLE PASSWORD")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := postgrestest.Connect(ctx, ts.Getenv("PGADDR"), args[0], args[1])
	if err == nil {
		_ = conn.Close(ctx) // the login is what counts
	}
	if (err != nil) != neg {
		ts.Fatalf("login of %s: %v", args[0], err)
	}
}
