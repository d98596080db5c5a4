package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// post puts n messages into the inbox of an agent and returns their ids.
func post(t *testing.T, db *sqlite.DB, a molecule.Agent, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		row := molecule.Activity{AgentID: a.ID, Type: molecule.ActivityReceive, MessageID: fmt.Sprint(i), Message: []byte(`{}`)}
		if err := db.PostActivity(t.Context(), &row); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, row.ID)
	}
	return ids
}

// handOut asks as an agent does and returns the ids of what it gets.
func handOut(t *testing.T, db *sqlite.DB, a molecule.Agent, after string) []string {
	t.Helper()
	f := molecule.ActivityFilter{AgentID: a.ID, After: after, Limit: 100, HandOut: true}
	rows, err := db.HandOut(t.Context(), f, molecule.Now(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}

func TestPruneActivities_keepsWhatIsWaitedForAndACursor(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a, b, idle := poller(t, db, "a", ""), poller(t, db, "b", ""), poller(t, db, "idle", "")
	ids := post(t, db, a, 3)
	waiting := post(t, db, b, 2)
	handOut(t, db, a, "")
	handOut(t, db, a, ids[2])
	only := post(t, db, idle, 1)
	handOut(t, db, idle, "")
	handOut(t, db, idle, only[0])
	n, err := db.PruneActivities(t.Context(), molecule.Now().Add(time.Hour), 100)
	if err != nil || n != 2 {
		t.Errorf("forgot %d rows, %v, want 2", n, err)
	}
	for _, id := range ids[:2] {
		_, err := db.Activities(t.Context(), molecule.ActivityFilter{AgentID: a.ID, After: id, Limit: 1})
		wantCode(t, err, molecule.Gone)
	}
	if got := handOut(t, db, a, ids[2]); len(got) != 0 {
		t.Errorf("behind the newest: %v", got)
	}
	if got := handOut(t, db, b, ""); len(got) != len(waiting) {
		t.Errorf("what waited: %v, want %v", got, waiting)
	}
	if got := handOut(t, db, idle, only[0]); len(got) != 0 {
		t.Errorf("behind the only one: %v", got)
	}
}

func TestActivities_aCursorOfAnotherAgentIsGone(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a, b := poller(t, db, "a", ""), poller(t, db, "b", "")
	theirs := post(t, db, b, 1)
	for _, after := range []string{theirs[0], "nothing", "0199aaaa-0000-7000-8000-000000000001"} {
		_, err := db.HandOut(t.Context(), molecule.ActivityFilter{AgentID: a.ID, After: after, Limit: 1}, molecule.Now(), time.Minute)
		wantCode(t, err, molecule.Gone)
	}
}

func TestHandOut_ofNothingNewWritesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	a := poller(t, db, "a", "")
	ids := post(t, db, a, 2)
	handOut(t, db, a, "")
	handOut(t, db, a, ids[0])
	before := db.Size()
	for range 50 {
		handOut(t, db, a, ids[0])
		handOut(t, db, a, "")
	}
	if after := db.Size(); after != before {
		t.Errorf("the store grew from %d to %d bytes", before, after)
	}
}

func TestHandOut_asksOnlyForItsOwnType(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a := poller(t, db, "a", "")
	ids := post(t, db, a, 1)
	logged := molecule.Activity{AgentID: a.ID, Type: molecule.ActivityLog, Summary: "started"}
	if err := db.LogActivity(t.Context(), &logged, false); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[molecule.ActivityType]int{"": 1, molecule.ActivityReceive: 0, molecule.ActivityLog: 1, molecule.ActivityTask: 0} {
		rows, err := db.Activities(t.Context(), molecule.ActivityFilter{AgentID: a.ID, Type: kind, After: ids[0], Limit: 10})
		if err != nil || len(rows) != want {
			t.Errorf("type %q: %d rows, %v, want %d", kind, len(rows), err, want)
		}
	}
}

func TestCloseForsaken_endsTheWaitForARunThatEnded(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a := poller(t, db, "a", "")
	run := molecule.Run{AgentID: a.ID, Trigger: molecule.TriggerManual, State: molecule.RunClaimed, Slot: noon, Prompt: "work"}
	if err := db.CreateRun(t.Context(), &run); err != nil {
		t.Fatal(err)
	}
	row := molecule.Activity{AgentID: a.ID, Type: molecule.ActivityReceive, RunID: run.ID, MessageID: "m"}
	if err := db.PostActivity(t.Context(), &row); err != nil {
		t.Fatal(err)
	}
	if err := db.CloseForsaken(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := handOut(t, db, a, ""); len(got) != 1 {
		t.Errorf("while it is open: %v", got)
	}
	if _, err := db.FinishRun(t.Context(), molecule.Finish{RunID: run.ID, Outcome: molecule.OutcomeCanceled, EndedAt: noon}); err != nil {
		t.Fatal(err)
	}
	if err := db.CloseForsaken(t.Context()); err != nil {
		t.Fatal(err)
	}
	runID, _, err := db.AnswerActivity(t.Context(), a.ID, []string{run.ID}, molecule.Answer{})
	if err != nil || runID != "" {
		t.Errorf("a reply to a run that ended closes %q, %v", runID, err)
	}
}
