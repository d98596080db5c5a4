package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// one returns what a query of one number says of the database at path.
func one(t *testing.T, path, query string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	err = db.QueryRow(query).Scan(&n)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// names lists a directory.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all = append(all, f.Name())
	}
	return all
}

// TestBackup_isOfOneMomentWhileOthersWrite: each change has one event, so a copy
// that holds as many of both is of one moment.
func TestBackup_isOfOneMomentWhileOthersWrite(t *testing.T) {
	t.Parallel()
	dir, into := t.TempDir(), t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for w := range 3 {
		writing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				a := molecule.Agent{Name: fmt.Sprintf("a%d-%d", w, i), Kind: molecule.AgentPush, State: molecule.AgentPending, MaxConcurrent: 1}
				if err := db.CreateAgent(ctx, &a); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 5 {
		path := filepath.Join(into, fmt.Sprintf("%d.db", i))
		var made molecule.Backup
		var err error
		if i%2 == 0 {
			made, err = db.Backup(t.Context(), path)
		} else {
			made, err = sqlite.BackUp(t.Context(), dir, path) // as another process does
		}
		if err != nil {
			t.Fatal(err)
		}
		checked, err := sqlite.CheckBackup(t.Context(), path)
		checked.MadeAt = made.MadeAt
		if diff := cmp.Diff(checked, made); err != nil || diff != "" {
			t.Errorf("the copy is not what was told, %v (-got +want):\n%s", err, diff)
		}
		agents, events := one(t, path, "SELECT COUNT(*) FROM agents"), one(t, path, "SELECT COUNT(*) FROM events")
		if agents != events {
			t.Errorf("copy %d has %d agents and %d events of them", i, agents, events)
		}
		for _, f := range []string{path, path + ".sha256"} {
			if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", f, info.Mode(), err)
			}
		}
	}
	stop()
	writing.Wait()
	want := []string{"0.db", "0.db.sha256", "1.db", "1.db.sha256", "2.db", "2.db.sha256", "3.db", "3.db.sha256", "4.db", "4.db.sha256"}
	if diff := cmp.Diff(names(t, into), want); diff != "" {
		t.Errorf("what is left in the directory (-got +want):\n%s", diff)
	}
}

func TestBackup_leavesNothingBehindWhenItFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	tests := []struct {
		name string
		lay  func(into string) error
		path string
		ctx  func() context.Context
		code molecule.Code
		left []string
	}{
		{
			name: "the name is taken", path: "b.db", code: molecule.Conflict, left: []string{"b.db"},
			lay: func(into string) error { return os.WriteFile(filepath.Join(into, "b.db"), []byte("mine"), 0o600) },
		},
		{
			name: "a link has the name", path: "b.db", code: molecule.Conflict, left: []string{"b.db"},
			lay: func(into string) error { return os.Symlink("nowhere", filepath.Join(into, "b.db")) },
		},
		{name: "there is no directory", path: "no/b.db", code: molecule.Unavailable},
		{
			name: "whoever asked has gone", path: "b.db", code: molecule.Internal,
			ctx: func() context.Context {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				return ctx
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			into, ctx := t.TempDir(), t.Context()
			if tt.lay != nil {
				if err := tt.lay(into); err != nil {
					t.Fatal(err)
				}
			}
			if tt.ctx != nil {
				ctx = tt.ctx()
			}
			_, err := db.Backup(ctx, filepath.Join(into, tt.path))
			wantCode(t, err, tt.code)
			if diff := cmp.Diff(names(t, into), tt.left); diff != "" {
				t.Errorf("what is left (-got +want):\n%s", diff)
			}
		})
	}
	_, err := sqlite.BackUp(t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "b.db"))
	wantCode(t, err, molecule.NotFound)
}

// copyVar makes the test binary write a backup of the directory it names to
// b.db beside the database.
const copyVar = "SQLITE_TEST_COPY"

func copyStore(dir string) int {
	if _, err := sqlite.BackUp(context.Background(), dir, filepath.Join(dir, "b.db")); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// TestBackup_killedInTheMiddleHasNoName: whoever makes it is killed as soon as a
// file appears.
func TestBackup_killedInTheMiddleHasNoName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sqlitetest.Seed(t, dir)
	sqlitetest.Raw(t, dir, func(tx *sql.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
			INSERT INTO prompts (id, body) SELECT randomblob(32), hex(randomblob(4000)) FROM n`)
		return err
	})
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), copyVar+"="+dir)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	begun := func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "*b.db*"))
		partial, err2 := filepath.Glob(filepath.Join(dir, ".moleculed-*.partial"))
		return errors.Join(err, err2) == nil && len(found)+len(partial) > 0
	}
	for !begun() {
		<-tick.C
	}
	if err := other.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	_ = other.Wait() // killed
	if _, err := os.Lstat(filepath.Join(dir, "b.db")); err == nil {
		if _, err := sqlite.CheckBackup(t.Context(), filepath.Join(dir, "b.db")); err != nil {
			t.Errorf("half a backup has the name: %v", err)
		}
	}
	partials, err := filepath.Glob(filepath.Join(dir, ".moleculed-*.partial*")) // with its journal
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range partials { // a day later
		long := time.Now().Add(-25 * time.Hour)
		if err := os.Chtimes(p, long, long); err != nil {
			t.Fatal(err)
		}
	}
	sqlitetest.OpenDir(t, dir)
	if left, _ := filepath.Glob(filepath.Join(dir, ".moleculed-*")); len(left) > 0 {
		t.Errorf("what the killed one left is still there: %v", left)
	}
}

func TestCheckBackup_findsWhatWasDoneToIt(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	for i := range 50 {
		sqlitetest.Agent(t, db, fmt.Sprintf("agent-%d", i))
	}
	whole := filepath.Join(t.TempDir(), "b.db")
	if _, err := db.Backup(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(at int) []byte {
		c := append([]byte(nil), file...)
		for i := range 64 {
			c[at+i] ^= 0xff
		}
		return c
	}
	tests := []struct {
		name string
		file []byte
		sum  string
		code molecule.Code
		says string
	}{
		{name: "a page is not what it was", file: flipped(3 * 4096), code: molecule.Unavailable, says: "damaged"},
		{name: "its head is not", file: flipped(0), code: molecule.Unavailable, says: "damaged"},
		{name: "its end is gone", file: file[:len(file)-8192], code: molecule.Unavailable, says: "damaged"},
		{name: "it is empty", file: nil, code: molecule.Invalid, says: "is no database of moleculed"},
		{name: "one bit of a text", file: []byte(strings.Replace(string(file), "agent-7", "agent-6", 1)), sum: "as made", code: molecule.Unavailable, says: "SHA-256"},
		{name: "its sum is no sum", file: file, sum: "nothing", code: molecule.Unavailable, says: "holds no SHA-256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "b.db")
			if err := os.WriteFile(path, tt.file, 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.sum != "" {
				text := []byte(tt.sum)
				if tt.sum == "as made" {
					if text, err = os.ReadFile(whole + ".sha256"); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(path+".sha256", text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := sqlite.CheckBackup(t.Context(), path)
			wantCode(t, err, tt.code)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error is %v, it must say %q", err, tt.says)
			}
			// What is not sound is not put into the place of anything.
			dir := t.TempDir()
			sqlitetest.Seed(t, dir)
			before, _ := os.ReadFile(filepath.Join(dir, "moleculed.db"))
			_, err = sqlite.Restore(t.Context(), dir, path, discard().Log)
			wantCode(t, err, tt.code)
			after, rerr := os.ReadFile(filepath.Join(dir, "moleculed.db"))
			if rerr != nil || string(after) != string(before) {
				t.Errorf("the database was touched, %v", rerr)
			}
			if diff := cmp.Diff(names(t, dir), []string{"moleculed.db", "moleculed.lock"}); diff != "" {
				t.Errorf("what is left (-got +want):\n%s", diff)
			}
		})
	}
	_, err = sqlite.CheckBackup(t.Context(), whole+"x")
	wantCode(t, err, molecule.NotFound)
	_, err = sqlite.CheckBackup(t.Context(), filepath.Dir(whole))
	wantCode(t, err, molecule.Invalid)
}
