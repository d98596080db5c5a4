package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	driversqlite "modernc.org/sqlite"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// oldest is the first schema there ever was. No schema has been released yet, so
// that every store is of this one or a newer one.
const oldest = "0001_first_fire.sql"

// steps returns the migrations of this program of which keep is true, and more.
func steps(t testing.TB, keep func(name string) bool, more map[string]string) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	files, err := fs.Glob(sqlite.Embedded(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := fs.ReadFile(sqlite.Embedded(), f)
		if err != nil {
			t.Fatal(err)
		}
		if keep(f) {
			all[f] = &fstest.MapFile{Data: text}
		}
	}
	for name, text := range more {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func everything(string) bool { return true }

// layOldest makes a store of the oldest schema with a row of each noun.
func layOldest(t *testing.T, dir string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), dir, discard().WithSteps(steps(t, func(name string) bool { return name == oldest }, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	const at = "'2026-01-02T03:04:05.000Z'"
	sqlitetest.Raw(t, dir, func(tx *sql.Tx) error {
		for _, text := range []string{
			`INSERT INTO prompts (id, body) VALUES (zeroblob(32), 'say hello')`,
			`INSERT INTO agents (id, name, kind, state, exec, max_concurrent, created_at, updated_at)
				VALUES ('01000000-0000-7000-8000-000000000001', 'echo', 'exec', 'online', '{"command":"cat","argv":["/bin/cat"]}', 2, ` + at + `, ` + at + `)`,
			`INSERT INTO schedules (id, name, agent_id, cron, tz, description, prompt_id, state, timeout_ms, next_slot_at, created_at, updated_at)
				VALUES ('01000000-0000-7000-8000-000000000002', 'hello', '01000000-0000-7000-8000-000000000001', '0 8 * * *', 'UTC', 'daily', zeroblob(32),
				'active', 60000, '2099-01-01T08:00:00.000Z', ` + at + `, ` + at + `)`,
			`INSERT INTO runs (id, schedule_id, agent_id, trigger, slot, state, outcome, reply, attempt, timeout_ms, due_at, started_at, ended_at, prompt_id)
				VALUES ('01000000-0000-7000-8000-000000000003', '01000000-0000-7000-8000-000000000002', '01000000-0000-7000-8000-000000000001', 'cron', ` + at + `,
				'finished', 'success', 'hello', 1, 60000, ` + at + `, ` + at + `, ` + at + `, zeroblob(32))`,
			`INSERT INTO run_attempts (run_id, number, started_at, ended_at, outcome)
				VALUES ('01000000-0000-7000-8000-000000000003', 1, ` + at + `, ` + at + `, 'success')`,
			`INSERT INTO events (at, type, subject) VALUES (` + at + `, 'schedule.created', 'schedule/hello')`,
		} {
			if _, err := tx.Exec(text); err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
		}
		return nil
	})
}

// backups lists what is kept in the directory of the backups.
func backups(t *testing.T, dir string) (all []molecule.Backup) {
	t.Helper()
	for _, name := range names(t, filepath.Join(dir, "backups")) {
		if b, ok := molecule.ParseBackupName(name); ok {
			b.Path = filepath.Join(dir, "backups", name)
			all = append(all, b)
		}
	}
	return all
}

func TestOpen_bringsTheOldestSchemaUpToDate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	layOldest(t, dir)
	rehearsed, err := sqlite.Rehearse(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := sqlite.Schema(t.Context(), dir); err != nil || now != 1 {
		t.Fatalf("after a rehearsal the store has schema %d, %v; it had 1", now, err)
	}
	db := sqlitetest.OpenDir(t, dir)
	if got := db.SchemaVersion(); got != rehearsed.To || rehearsed.From != 1 || len(rehearsed.Steps) < 8 {
		t.Errorf("schema %d, rehearsed from %d to %d in %d steps", got, rehearsed.From, rehearsed.To, len(rehearsed.Steps))
	}
	s, err := db.Schedule(t.Context(), "hello")
	if err != nil || s.Agent != "echo" || s.Cron != "0 8 * * *" || s.Prompt != "say hello" || s.State != molecule.ScheduleActive {
		t.Errorf("the schedule is %+v, %v", s, err)
	}
	a, err := db.Agent(t.Context(), "echo")
	if err != nil || a.MaxConcurrent != 2 || a.Exec == nil || a.Exec.Command != "cat" || a.State != molecule.AgentOnline {
		t.Errorf("the agent is %+v, %v", a, err)
	}
	r, err := db.Run(t.Context(), "01000000-0000-7000-8000-000000000003")
	if err != nil || r.Schedule != "hello" || r.Outcome != "success" || r.Reply != "hello" || len(r.Attempts) != 1 {
		t.Errorf("the run is %+v, %v", r, err)
	}
	if last, err := db.LastEventID(t.Context()); err != nil || last != 1 {
		t.Errorf("the last event is %d, %v", last, err)
	}
	sqlitetest.Agent(t, db, "new")
	kept := backups(t, dir)
	if len(kept) != 1 || kept[0].Reason != molecule.BackupMigration || kept[0].Schema != 1 {
		t.Fatalf("kept %+v, want one copy of schema 1", kept)
	}
	if b, err := sqlite.CheckBackup(t.Context(), kept[0].Path); err != nil || b.Schema != 1 {
		t.Errorf("the copy has schema %d, %v", b.Schema, err)
	}
}

func TestOpen_changesNoSchemaWithoutACopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	layOldest(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "backups"), nil, 0o600); err != nil { // in the way
		t.Fatal(err)
	}
	_, err := sqlite.Open(t.Context(), dir, discard())
	wantCode(t, err, molecule.Unavailable)
	if err == nil || !strings.Contains(molecule.HintOf(err), "backup.dir") {
		t.Errorf("error is %v (hint %q)", err, molecule.HintOf(err))
	}
	if now, err := sqlite.Schema(t.Context(), dir); err != nil || now != 1 {
		t.Errorf("the store has schema %d, %v", now, err)
	}
}

func TestOpen_keepsNoCopyOfANewStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sqlitetest.OpenDir(t, dir)
	if diff := cmp.Diff(names(t, dir), []string{"moleculed.db", "moleculed.db-shm", "moleculed.db-wal", "moleculed.lock"}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

// dieVar makes the test binary open the store of the directory it names with a
// migration that ends the process.
const dieVar = "SQLITE_TEST_DIE"

// half is a migration that has done half of its work when doing comes.
func half(doing string) map[string]string {
	return map[string]string{"9001_half.sql": `-- +goose Up
CREATE TABLE half (a TEXT);
INSERT INTO half SELECT hex(randomblob(2000)) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n);
UPDATE agents SET name = name || '-half';
` + doing}
}

// killMigration opens the store of dir and is killed in the middle of the last
// migration.
func killMigration(dir string) int {
	driversqlite.MustRegisterScalarFunction("die", 0, func(*driversqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
	files, err := fs.Glob(sqlite.Embedded(), "*.sql")
	all := fstest.MapFS{}
	for _, f := range files {
		text, rerr := fs.ReadFile(sqlite.Embedded(), f)
		err = errors.Join(err, rerr)
		all[f] = &fstest.MapFile{Data: text}
	}
	for name, text := range half("UPDATE half SET a = die();") {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if err == nil {
		_, err = sqlite.Open(context.Background(), dir, discard().WithSteps(all))
	}
	fmt.Println(err)
	return 1
}

// TestOpen_afterAKillDuringAMigration: again and again, as a service manager
// would start it. Nothing of the migration is there, all that was stored is, and
// the disk does not fill with copies.
func TestOpen_afterAKillDuringAMigration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	killed(t, dir, "echo")
	const kills = 4
	for range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), dieVar+"="+dir)
		out, err := cmd.CombinedOutput()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("it was not killed: %v\n%s", err, out)
		}
	}
	wantAgent(t, dir, "echo")
	if n := one(t, filepath.Join(dir, "moleculed.db"), "SELECT COUNT(*) FROM sqlite_master WHERE name = 'half'"); n != 0 {
		t.Error("half a migration is there")
	}
	kept := backups(t, dir)
	if len(kept) != 2 {
		t.Fatalf("%d copies are kept after %d kills, want the first and the newest: %+v", len(kept), kills, kept)
	}
	for _, b := range kept {
		if _, err := sqlite.CheckBackup(t.Context(), b.Path); err != nil {
			t.Error(err)
		}
	}
	whole, err := sqlite.Open(t.Context(), dir, discard().WithSteps(steps(t, everything, half(""))))
	if err != nil {
		t.Fatal(err)
	}
	if whole.SchemaVersion() != 9001 {
		t.Errorf("schema %d, want 9001", whole.SchemaVersion())
	}
	if _, err := whole.Agent(t.Context(), "echo-half"); err != nil {
		t.Error(err)
	}
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	// The way back is the copy.
	if _, err := sqlite.Open(t.Context(), dir, discard()); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("the former program opens the newer store: %v", err)
	}
	if _, err := sqlite.Restore(t.Context(), dir, kept[0].Path, discard().Log); err != nil {
		t.Fatal(err)
	}
	wantAgent(t, dir, "echo")
}
