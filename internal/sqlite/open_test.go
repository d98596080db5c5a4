package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// holdVar makes the test binary the daemon of the directory it names.
const holdVar = "SQLITE_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdVar); dir != "" {
		os.Exit(hold(dir))
	}
	if dir := os.Getenv(copyVar); dir != "" {
		os.Exit(copyStore(dir))
	}
	if dir := os.Getenv(dieVar); dir != "" {
		os.Exit(killMigration(dir))
	}
	if dir := os.Getenv(pruneVar); dir != "" {
		os.Exit(pruneAll(dir))
	}
	os.Exit(m.Run())
}

// hold opens the store of dir, writes an agent, says so and waits for its
// standard input to end, or to be killed.
func hold(dir string) int {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, dir, discard())
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, err)
		return 1
	}
	defer sqlitetest.Write(db)()
	a := molecule.Agent{Name: "echo", Kind: molecule.AgentPush, State: molecule.AgentPending, MaxConcurrent: 1}
	_, _ = fmt.Fprintln(os.Stdout, "stored", db.CreateAgent(ctx, &a))
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// TestOpen_afterAKill: another process has the directory, is named by its pid,
// and is killed. What it was told to be stored is there.
func TestOpen_afterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), holdVar+"="+dir)
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(err, other.Start()); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || said != "stored <nil>\n" {
		t.Fatalf("the other process said %q, %v", said, err)
	}
	_, err = sqlite.Open(t.Context(), dir, discard())
	wantCode(t, err, molecule.Conflict)
	if pid := fmt.Sprintf("pid %d", other.Process.Pid); err == nil || !strings.Contains(err.Error(), pid) {
		t.Errorf("error is %v, it must name %s", err, pid)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // killed
	_ = stdin.Close()
	db := sqlitetest.OpenDir(t, dir)
	if _, err := db.Agent(t.Context(), "echo"); err != nil {
		t.Errorf("what was stored is gone: %v", err)
	}
	if last, err := db.LastEventID(t.Context()); err != nil || last != 1 {
		t.Errorf("last event is %d, %v; the change and its event are one", last, err)
	}
}

// TestOpen_judgesTheFile: what lies where the database should be.
func TestOpen_judgesTheFile(t *testing.T) {
	t.Parallel()
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	cases := []struct {
		name string
		lay  func(path string) error
		code molecule.Code
		says string
	}{
		{
			name: "a link", code: molecule.Forbidden, says: "moleculed.db",
			lay: func(path string) error { return os.Symlink(elsewhere, path) },
		},
		{
			name: "a directory", code: molecule.Forbidden, says: "moleculed.db",
			lay: func(path string) error { return os.Mkdir(path, 0o700) },
		},
		{
			name: "no database", code: molecule.Unavailable, says: "damaged",
			lay: func(path string) error {
				return os.WriteFile(path, []byte(strings.Repeat("nothing of ours\n", 512)), 0o600)
			},
		},
		{
			name: "a link for a lock", code: molecule.Forbidden, says: "moleculed.lock",
			lay: func(path string) error {
				return os.Symlink(elsewhere, filepath.Join(filepath.Dir(path), "moleculed.lock"))
			},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := c.lay(filepath.Join(dir, "moleculed.db")); err != nil {
				t.Fatal(err)
			}
			_, err := sqlite.Open(t.Context(), dir, discard())
			wantCode(t, err, c.code)
			if err == nil || !strings.Contains(err.Error(), c.says) || molecule.HintOf(err) == "" {
				t.Errorf("error is %v (hint %q), it must say %q", err, molecule.HintOf(err), c.says)
			}
			if _, err := os.Lstat(elsewhere); err == nil {
				t.Error("something was made behind the link")
			}
		})
	}
}

func TestOpen_followsNoLinkWithASlashBehindIt(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(t.Context(), link+"/", discard())
	wantCode(t, err, molecule.Forbidden)
}

func TestOpen_closesAFileToOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "moleculed.db")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o644)); err != nil {
		t.Fatal(err)
	}
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	if got := db.Size(); got <= 0 {
		t.Errorf("the store takes %d bytes", got)
	}
	for _, name := range []string{"moleculed.db", "moleculed.db-wal", "moleculed.db-shm", "moleculed.lock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("mode of %s is %v, want 0600", name, got)
		}
	}
}

func TestOpen_changesNothingOfANewerFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), dir, discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	newer := raw(t, dir)
	_, err = newer.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	if err := errors.Join(err, newer.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "moleculed.db")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), dir, discard())
	wantCode(t, err, molecule.Conflict)
	if err == nil || !strings.Contains(err.Error(), "schema 99") || !strings.Contains(molecule.HintOf(err), "install") {
		t.Errorf("error is %v (hint %q)", err, molecule.HintOf(err))
	}
	after, err := os.ReadFile(path)
	if diff := cmp.Diff(string(after), string(before)); err != nil || diff != "" {
		t.Errorf("the newer file was changed, %v", err)
	}
	// Refused, it is free again for the program that knows it.
	_, err = sqlite.Open(t.Context(), dir, discard())
	wantCode(t, err, molecule.Conflict)
	if err != nil && strings.Contains(err.Error(), "in use") {
		t.Errorf("the lock was kept: %v", err)
	}
}
