package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// backupOf returns a backup of a store that has one agent.
func backupOf(t *testing.T, agent string) string {
	t.Helper()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, agent)
	path := filepath.Join(t.TempDir(), agent+".db")
	if _, err := db.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// killed lays the files of a store with one agent into dir as a process that was
// killed leaves them: what was stored last is in the log only.
func killed(t *testing.T, dir, agent string) {
	t.Helper()
	from := t.TempDir()
	db := sqlitetest.OpenDir(t, from)
	sqlitetest.Agent(t, db, agent)
	for _, name := range []string{"moleculed.db", "moleculed.db-wal", "moleculed.db-shm"} {
		file, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), file, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// wantAgent checks that the store of dir has the one agent.
func wantAgent(t *testing.T, dir, want string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), dir, discard())
	if err != nil {
		t.Fatal(err)
	}
	agents, err := db.Agents(t.Context(), molecule.AgentFilter{})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if len(agents.Items) != 1 || agents.Items[0].Name != want {
		t.Errorf("the store has %d agents, want just %s", len(agents.Items), want)
	}
}

func TestRestore_takesThePlaceAndKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	dir, backup := t.TempDir(), backupOf(t, "kept")
	killed(t, dir, "replaced")
	r, err := sqlite.Restore(t.Context(), dir, backup, discard().Log)
	if err != nil {
		t.Fatal(err)
	}
	wantAgent(t, dir, "kept")
	for _, name := range []string{"moleculed.db", filepath.Base(r.Replaced)} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	// What was there is a backup itself, with its log beside it.
	if _, err := sqlite.Restore(t.Context(), dir, r.Replaced, discard().Log); err != nil {
		t.Fatal(err)
	}
	wantAgent(t, dir, "replaced")
}

func TestRestore_intoANewDirectoryReplacesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	r, err := sqlite.Restore(t.Context(), dir, backupOf(t, "kept"), discard().Log)
	if err != nil || r.Replaced != "" {
		t.Errorf("replaced %q, %v", r.Replaced, err)
	}
	wantAgent(t, dir, "kept")
}

func TestRestore_refusesWithoutTouchingAnything(t *testing.T) {
	t.Parallel()
	backup := backupOf(t, "kept")
	newer := backupOf(t, "newer")
	db := rawFile(t, newer)
	_, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	if err := errors.Join(err, db.Close(), os.Remove(newer+".sha256")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	running := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, running, "running")
	_, err = sqlite.Restore(t.Context(), dir, backup, discard().Log)
	wantCode(t, err, molecule.Conflict)
	if err == nil || !strings.Contains(err.Error(), "in use by moleculed, pid ") {
		t.Errorf("error is %v, it must name the holder", err)
	}
	if _, err := running.Agent(t.Context(), "running"); err != nil {
		t.Errorf("the store that runs has lost its agent: %v", err)
	}
	free := t.TempDir()
	killed(t, free, "there")
	_, err = sqlite.Restore(t.Context(), free, newer, discard().Log)
	wantCode(t, err, molecule.Conflict)
	_, err = sqlite.Restore(t.Context(), free, filepath.Join(free, "moleculed.db"), discard().Log)
	wantCode(t, err, molecule.Invalid)
	_, err = sqlite.Restore(t.Context(), free, filepath.Join(free, "nothing"), discard().Log)
	wantCode(t, err, molecule.NotFound)
	wantAgent(t, free, "there")
}

// TestRestore_thatWasKilledIsFinished: the process ends behind each of the steps
// of changing places, and the next one opens the store.
func TestRestore_thatWasKilledIsFinished(t *testing.T) {
	t.Parallel()
	const at = "20260102T030405.000Z"
	steps := []struct {
		name string
		do   func(db string) error
	}{
		{"the new one is whole", func(string) error { return nil }},
		{"the old one has two names", func(db string) error { return os.Link(db, db+".replaced-"+at) }},
		{"its log is moved", func(db string) error { return os.Rename(db+"-wal", db+".replaced-"+at+"-wal") }},
		{"the index is gone", func(db string) error { return os.Remove(db + "-shm") }},
		{"the places are changed", func(db string) error { return os.Rename(db+".restoring-"+at, db) }},
	}
	for n := range steps {
		t.Run(steps[n].name, func(t *testing.T) {
			t.Parallel()
			dir, backup := t.TempDir(), backupOf(t, "kept")
			killed(t, dir, "replaced")
			db := filepath.Join(dir, "moleculed.db")
			file, err := os.ReadFile(backup)
			if err == nil {
				err = os.WriteFile(db+".restoring-"+at, file, 0o600)
			}
			for _, s := range steps[:n+1] {
				err = errors.Join(err, s.do(db))
			}
			if err != nil {
				t.Fatal(err)
			}
			wantAgent(t, dir, "kept")
			if left, _ := filepath.Glob(db + ".restoring-*"); len(left) > 0 {
				t.Errorf("%v is still there", left)
			}
			if _, err := sqlite.Restore(t.Context(), dir, db+".replaced-"+at, discard().Log); err != nil {
				t.Fatal(err)
			}
			wantAgent(t, dir, "replaced")
		})
	}
}

func TestBackupSum_isWhatSha256sumReads(t *testing.T) {
	t.Parallel()
	path := backupOf(t, "kept")
	sum, err := sqlite.BackupSum(path)
	text, rerr := os.ReadFile(path + ".sha256")
	if diff := cmp.Diff(string(text), sum+"  kept.db\n"); err != nil || rerr != nil || diff != "" {
		t.Errorf("%v, %v (-got +want):\n%s", err, rerr, diff)
	}
}
