package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/molecule-ai/molecli/internal/cli"
	"github.com/molecule-ai/molecli/internal/daemon"
)

// TestMain lets the test binary be both programs, so that scripts drive what
// was built with the race detector.
func TestMain(m *testing.M) {
	program := func(run func(ctx context.Context) int) func() {
		return func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			status := run(ctx)
			stop()
			os.Exit(status)
		}
	}
	testscript.Main(m, map[string]func(){
		"molecli":   program(func(ctx context.Context) int { return cli.Main(ctx, os.Args[1:], cli.Process()) }),
		"moleculed": program(func(ctx context.Context) int { return daemon.Main(ctx, os.Args[1:], os.Stdout, os.Stderr) }),
		"ask":       program(ask),
	})
}

// ask makes one request as an agent would, with the token in the variable TOKEN
// if there is one, and prints status and body: ask METHOD URL [BODY]
func ask(ctx context.Context) int {
	args := append(os.Args[1:], "")
	req, err := http.NewRequestWithContext(ctx, args[0], args[1], strings.NewReader(args[2]))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if token := strings.TrimSpace(os.Getenv("TOKEN")); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fmt.Println(res.StatusCode, string(body))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("MOLECULE_ENDPOINT", "unix://"+filepath.Join(env.WorkDir, "s"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("GORACE", "atexit_sleep_ms=10") // instead of a second for each command
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"capture":   capture,
			"pglogin":   loginPostgres,
			"postgres":  startPostgres,
			"hangup":    hangup,
			"sql":       execSQL,
			"terminate": terminate,
		},
	})
}

// capture sets a variable to what the first group of an expression matches in
// the standard output of the command before: capture VAR REGEXP
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture VAR REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	match := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(match) < 2 {
		ts.Fatalf("%s is not in the output", args[1])
	}
	ts.Setenv(args[0], match[1])
}

// execSQL changes the store of a daemon that does not run: sql DIR STATEMENT
func execSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sql DIR STATEMENT")
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(ts.MkAbs(args[0]), "moleculed.db"))
	ts.Check(err)
	_, err = db.Exec(strings.Join(args[1:], " "))
	ts.Check(err)
	ts.Check(db.Close())
}

// terminate sends SIGTERM to what runs in the background, as a service manager
// does: terminate
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: terminate")
	}
	signalAll(ts, syscall.SIGTERM)
}

// hangup sends SIGHUP to what runs in the background: hangup
func hangup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: hangup")
	}
	signalAll(ts, syscall.SIGHUP)
}

func signalAll(ts *testscript.TestScript, sig syscall.Signal) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(sig))
	}
}
