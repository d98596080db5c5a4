package sqlitetest

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// layout is how the store writes instants.
const layout = "2006-01-02T15:04:05.000Z"

// Past stores runs in the store of dir as if they had happened when their slots
// say: each was made at its slot, has one attempt if it was started, and no event.
// It sets the ids of those that have none.
func Past(t testing.TB, dir string, runs []molecule.Run) {
	t.Helper()
	Raw(t, dir, func(tx *sql.Tx) error {
		for i := range runs {
			if err := past(t.Context(), tx, &runs[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Raw changes the file of a store beside it, as no part of the program would, in
// one transaction.
func Raw(t testing.TB, dir string, change func(tx *sql.Tx) error) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "moleculed.db")+
		"?_pragma=ignore_check_constraints(1)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := change(tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// past inserts one run.
func past(ctx context.Context, tx *sql.Tx, r *molecule.Run) error {
	if r.ID == "" {
		r.ID = fmt.Sprintf("%s-7000-8000-%012x", molecule.OldestID(r.Slot), rand.Int64N(1<<48))
	}
	r.State, r.Slots = molecule.RunFinished, max(r.Slots, 1)
	if r.Outcome == "" {
		r.State = molecule.RunStarted
	}
	if r.DueAt.IsZero() {
		r.DueAt = r.Slot
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO runs (id, schedule_id, agent_id, trigger, slot, slots, state, outcome, timeout_ms, due_at, claimed_at, started_at, ended_at, retry_of)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 60000, ?, ?, ?, ?, ?)`,
		r.ID, null(r.ScheduleID), r.AgentID, string(r.Trigger), at(r.Slot), r.Slots, string(r.State), null(string(r.Outcome)),
		at(r.DueAt), at(r.Slot), at(r.StartedAt), at(r.EndedAt), r.RetryOf)
	if err != nil || r.StartedAt.IsZero() {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run_attempts (run_id, number, started_at, ended_at, outcome) VALUES (?, 1, ?, ?, ?)`,
		r.ID, at(r.StartedAt), at(r.EndedAt), string(r.Outcome))
	return err
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(layout)
}
