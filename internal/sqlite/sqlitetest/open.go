// Package sqlitetest opens a real store for tests.
package sqlitetest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// Open returns a store in a directory of its own whose writer runs until the
// test ends. It may be called inside a synctest bubble.
func Open(t testing.TB) *sqlite.DB {
	t.Helper()
	return OpenDir(t, t.TempDir())
}

// OpenDir is Open for a directory that the test chose.
func OpenDir(t testing.TB, dir string) *sqlite.DB {
	t.Helper()
	Seed(t, dir)
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	stop := Write(db)
	t.Cleanup(func() {
		stop()
		if err := db.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return db
}

// Write runs the writer of db until stop is called.
func Write(db *sqlite.DB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var writer sync.WaitGroup
	writer.Go(func() {
		// Its end is ours, and a test that needed it longer fails by itself.
		_ = supervised.RunWithRecover(ctx, supervised.Spec{Name: "store-writer", Run: db.RunWriter, Every: 30 * time.Second})
	})
	return func() {
		cancel()
		writer.Wait()
	}
}

// Agent stores an exec agent with the given name.
func Agent(t testing.TB, db *sqlite.DB, name string) molecule.Agent {
	t.Helper()
	a := molecule.Agent{
		Name: name, Kind: molecule.AgentExec, State: molecule.AgentOnline, MaxConcurrent: 1,
		Exec: &molecule.Exec{Command: "cat", Argv: []string{"/bin/cat"}},
	}
	if err := db.CreateAgent(t.Context(), &a); err != nil {
		t.Fatalf("create agent: %v", err)
	}
	return a
}

// Schedule stores an active schedule of agent whose next slot is next.
func Schedule(t testing.TB, db *sqlite.DB, agent, name string, next time.Time) molecule.Schedule {
	t.Helper()
	s := molecule.Schedule{
		Name: name, Agent: agent, Cron: "* * * * *", TZ: "UTC", Description: "every minute, UTC", Prompt: "say " + name,
		State: molecule.ScheduleActive, Timeout: molecule.Duration(time.Minute), NextSlot: next,
	}
	if err := db.CreateSchedule(t.Context(), &s); err != nil {
		t.Fatalf("create schedule: %v", err)
	}
	return s
}
