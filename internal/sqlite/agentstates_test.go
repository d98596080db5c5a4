package sqlite_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// TestSchema_knowsTheStatesOfTheTable holds the constraint of the schema to the
// table of states.
func TestSchema_knowsTheStatesOfTheTable(t *testing.T) {
	t.Parallel()
	var quoted []string
	for _, row := range molecule.AgentStates() {
		quoted = append(quoted, "'"+string(row.State)+"'")
	}
	want := "CHECK (state IN (" + strings.Join(quoted, ", ") + "))"
	schema, err := os.ReadFile("schema.sql")
	if err != nil || !strings.Contains(string(schema), want) {
		t.Errorf("the schema (%v) does not hold:\n%s", err, want)
	}
}

// far stores a push agent and forgets that it did.
func far(t *testing.T, db *sqlite.DB, name string) molecule.Agent {
	t.Helper()
	a := molecule.Agent{Name: name, Kind: molecule.AgentPush, State: molecule.AgentPending, URL: "https://agents.example/" + name, MaxConcurrent: 1}
	if err := db.CreateAgent(t.Context(), &a); err != nil {
		t.Fatal(err)
	}
	db.AgentChanges()
	return a
}

// changes returns what AgentChanges does, by name.
func changes(db *sqlite.DB) []molecule.AgentRow {
	rows := db.AgentChanges()
	slices.SortFunc(rows, func(a, b molecule.AgentRow) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}

func TestChangeAgents_tellsEachTransitionWithItsEvent(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a, b := far(t, db, "a"), far(t, db, "b")
	after, err := db.ChangeAgents(t.Context(), []molecule.AgentChange{
		{ID: a.ID, From: "pending", To: "online", Reason: "its first request", Heard: true},
		{ID: b.ID, From: "online", To: "suspect", Reason: "it was never online"},
		{ID: "0198c0de-0000-7000-8000-000000000001", From: "online", To: "suspect"},
	})
	want := []molecule.AgentRow{
		{ID: a.ID, Name: "a", Kind: "push", State: "online", URL: a.URL, Heard: true},
		{ID: b.ID, Name: "b", Kind: "push", State: "pending", URL: b.URL},
	}
	if diff := gocmp.Diff(after, want); err != nil || diff != "" {
		t.Errorf("afterwards (-got +want), %v:\n%s", err, diff)
	}
	got, err := db.Agent(t.Context(), "a")
	if err != nil || got.State != "online" || got.StateReason != "its first request" || got.StateSince.IsZero() {
		t.Errorf("it is %s since %v: %s (%v)", got.State, got.StateSince, got.StateReason, err)
	}
	transitions, err := db.Transitions(t.Context(), a.ID, 10)
	if diff := gocmp.Diff(transitions, []molecule.AgentTransition{{At: got.StateSince, From: "pending", To: "online", Reason: "its first request"}}); err != nil || diff != "" {
		t.Errorf("transitions (-got +want), %v:\n%s", err, diff)
	}
	page, err := db.Events(t.Context(), molecule.EventFilter{Types: []string{molecule.EventAgentOnline, molecule.EventAgentSuspect}})
	if err != nil || len(page.Items) != 1 || page.Items[0].Subject != "agent/a" ||
		string(page.Items[0].Data) != fmt.Sprintf(`{"id":%q,"from":"pending","to":"online","reason":"its first request"}`, a.ID) {
		t.Errorf("events are %+v (%v)", page.Items, err)
	}
	rows, err := db.AgentRows(t.Context())
	slices.SortFunc(rows, func(a, b molecule.AgentRow) int { return cmp.Compare(a.Name, b.Name) })
	if diff := gocmp.Diff(rows, want); err != nil || diff != "" {
		t.Errorf("all rows (-got +want), %v:\n%s", err, diff)
	}
}

func TestAgentChanges_areTheLastOfEachAgent(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a, b := far(t, db, "a"), far(t, db, "b")
	if rows := db.AgentChanges(); rows != nil {
		t.Errorf("nothing changed, and %+v did", rows)
	}
	run := func(o molecule.Outcome) {
		t.Helper()
		r := molecule.Run{AgentID: a.ID, Trigger: molecule.TriggerManual, Slot: noon, State: molecule.RunClaimed, Prompt: "p"}
		if err := db.CreateRun(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		if _, err := db.FinishRun(t.Context(), molecule.Finish{RunID: r.ID, Outcome: o, EndedAt: noon}); err != nil {
			t.Fatal(err)
		}
	}
	run("unreachable")
	run("unreachable")
	rename := func(name string) {
		t.Helper()
		if _, err := db.UpdateAgent(t.Context(), "b", func(a *molecule.Agent) error { a.Name = name; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	rename("c")
	want := []molecule.AgentRow{
		{ID: a.ID, Name: "a", Kind: "push", State: "pending", URL: a.URL, SilentStreak: 2},
		{ID: b.ID, Name: "c", Kind: "push", State: "pending", URL: b.URL},
	}
	if diff := gocmp.Diff(changes(db), want); diff != "" {
		t.Errorf("changes (-got +want):\n%s", diff)
	}
	run("ok")
	if err := db.RemoveAgent(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	want[0].State, want[0].SilentStreak, want[1].State = "online", 0, "removed"
	if diff := gocmp.Diff(changes(db), want); diff != "" {
		t.Errorf("changes (-got +want):\n%s", diff)
	}
	run("ok") // proves nothing new
	if rows := db.AgentChanges(); rows != nil {
		t.Errorf("nothing changed, and %+v did", rows)
	}
}

func TestAgentChanges_holdNothingThatWasUndone(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	far(t, db, "a")
	no := errors.New("no")
	_, err := db.SetAgentState(t.Context(), "a", func(a *molecule.Agent) error {
		a.State = molecule.AgentOffline
		return no
	})
	if !errors.Is(err, no) || db.AgentChanges() != nil {
		t.Errorf("a change that was refused (%v) is told", err)
	}
}

func TestTransitions_keepTheLast(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a := far(t, db, "a")
	states := []molecule.AgentState{"pending", "online"}
	var many []molecule.AgentChange
	for i := range molecule.MaxTransitions + 7 {
		many = append(many, molecule.AgentChange{ID: a.ID, From: states[i%2], To: states[(i+1)%2], Reason: fmt.Sprint(i)})
	}
	if _, err := db.ChangeAgents(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	got, err := db.Transitions(t.Context(), a.ID, 10*molecule.MaxTransitions)
	if err != nil || len(got) != molecule.MaxTransitions || got[0].Reason != fmt.Sprint(molecule.MaxTransitions+6) || got[len(got)-1].Reason != "7" {
		t.Errorf("%d are kept (%v), the last for %s, the first for %s", len(got), err, got[0].Reason, got[len(got)-1].Reason)
	}
}

func TestCheckpoint_isTheLastOne(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	at, body, err := db.Checkpoint(t.Context())
	if err != nil || !at.IsZero() || body != nil {
		t.Errorf("before the first: %v %q (%v)", at, body, err)
	}
	version := db.Version()
	for i, text := range []string{"one", "two"} {
		if err := db.SaveCheckpoint(t.Context(), noon.Add(time.Duration(i)*time.Second), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	at, body, err = db.Checkpoint(t.Context())
	if err != nil || !at.Equal(noon.Add(time.Second)) || string(body) != "two" {
		t.Errorf("read %v %q (%v)", at, body, err)
	}
	if db.Version() != version {
		t.Error("a checkpoint is told as a change")
	}
}
