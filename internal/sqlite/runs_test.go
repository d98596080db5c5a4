package sqlite_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// openRun stores a manual run of a new agent.
func openRun(t *testing.T, db *sqlite.DB, agent string) molecule.Run {
	t.Helper()
	a := sqlitetest.Agent(t, db, agent)
	r := molecule.Run{AgentID: a.ID, Trigger: molecule.TriggerManual, Slot: noon, State: molecule.RunClaimed, Prompt: "p"}
	if err := db.CreateRun(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// eventTypes returns the types of the events of one run, in order.
func eventTypes(t *testing.T, db *sqlite.DB, id string) []string {
	t.Helper()
	page, err := db.Events(t.Context(), molecule.EventFilter{Subject: "run/" + id})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range page.Items {
		types = append(types, e.Type)
	}
	return types
}

func TestStartRun_keepsEachAttemptAndTheFirstStart(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	r := openRun(t, db, "echo")
	deadline := noon.Add(time.Minute)
	second := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
	err := errors.Join(
		db.StartRun(t.Context(), r, second(0), deadline, 1),
		db.SetRunHandle(t.Context(), r.ID, "task-1"),
		db.FinishAttempt(t.Context(), r.ID, molecule.Attempt{Number: 1, EndedAt: second(1), Outcome: molecule.OutcomeUnreachable, Reason: "refused"}),
		db.StartRun(t.Context(), r, second(3), deadline, 2),
		db.StartRun(t.Context(), r, second(3), deadline, 2), // asked twice after a lost answer
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.FinishRun(t.Context(), molecule.Finish{RunID: r.ID, Outcome: molecule.OutcomeOK, EndedAt: second(4)}); err != nil {
		t.Fatal(err)
	}
	got, err := db.Run(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []molecule.Attempt{
		{Number: 1, StartedAt: second(0), EndedAt: second(1), Outcome: molecule.OutcomeUnreachable, Reason: "refused"},
		{Number: 2, StartedAt: second(3), EndedAt: second(4), Outcome: molecule.OutcomeOK},
	}
	if diff := cmp.Diff(got.Attempts, want); diff != "" {
		t.Errorf("attempts (-got +want):\n%s", diff)
	}
	if got.Attempt != 2 || !got.StartedAt.Equal(noon) || !got.Deadline.Equal(deadline) {
		t.Errorf("attempt %d, started %v, deadline %v", got.Attempt, got.StartedAt, got.Deadline)
	}
	if diff := cmp.Diff(eventTypes(t, db, r.ID), []string{"run.started", "run.finished"}); diff != "" {
		t.Errorf("events (-got +want):\n%s", diff)
	}
}

func TestSetRunWaiting_tellsWhatTheAgentAsks(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	r := openRun(t, db, "echo")
	if err := db.SetRunWaiting(t.Context(), r.ID, molecule.RunWaiting, "which branch?", time.Time{}); err != nil {
		t.Fatal(err)
	}
	got, err := db.Run(t.Context(), r.ID)
	if err != nil || got.State != molecule.RunWaiting || got.Reason != "which branch?" {
		t.Errorf("the run is %s because %q, %v", got.State, got.Reason, err)
	}
	if diff := cmp.Diff(eventTypes(t, db, r.ID), []string{"run.waiting"}); diff != "" {
		t.Errorf("events (-got +want):\n%s", diff)
	}
	open, err := db.OpenRuns(t.Context(), 10)
	if err != nil || len(open) != 1 || open[0].Prompt != "p" {
		t.Errorf("open runs are %+v, %v", open, err)
	}
}

func TestRuns_unknownIsNotFound(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	const id = "01a20a9b-476b-7661-8094-12d031f879a1"
	tests := map[string]func() error{
		"run":     func() error { _, err := db.Run(t.Context(), id); return err },
		"start":   func() error { return db.StartRun(t.Context(), molecule.Run{ID: id}, noon, noon, 1) },
		"handle":  func() error { return db.SetRunHandle(t.Context(), id, "x") },
		"waiting": func() error { return db.SetRunWaiting(t.Context(), id, molecule.RunWaiting, "x", time.Time{}) },
		"finish": func() error {
			_, err := db.FinishRun(t.Context(), molecule.Finish{RunID: id, Outcome: molecule.OutcomeOK, EndedAt: noon})
			return err
		},
		"of no agent":    func() error { return db.CreateRun(t.Context(), &molecule.Run{AgentID: id, Prompt: "p"}) },
		"of no schedule": func() error { return db.CreateRun(t.Context(), &molecule.Run{ScheduleID: id, Prompt: "p"}) },
		"list by schedule": func() error {
			_, err := db.Runs(t.Context(), molecule.RunFilter{Schedule: "nobody"})
			return err
		},
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) { wantCode(t, do(), molecule.NotFound) })
	}
}

func TestUpdateSchedule_changesAllOrNothing(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	other := sqlitetest.Agent(t, db, "other")
	sqlitetest.Schedule(t, db, "echo", "taken", noon)
	before := sqlitetest.Schedule(t, db, "echo", "hello", noon)
	tests := []struct {
		name   string
		change func(*molecule.Schedule) error
		code   molecule.Code
	}{
		{"a name that is taken", func(s *molecule.Schedule) error { s.Name = "taken"; return nil }, molecule.Conflict},
		{"an agent nobody knows", func(s *molecule.Schedule) error { s.Agent = "nobody"; return nil }, molecule.NotFound},
		{"a change that says no", func(s *molecule.Schedule) error {
			s.Prompt = "lost"
			return molecule.Errorf(molecule.Invalid, "no")
		}, molecule.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := db.UpdateSchedule(t.Context(), "hello", molecule.EventScheduleUpdated, tt.change)
			wantCode(t, err, tt.code)
			after, err := db.Schedule(t.Context(), "hello")
			if err != nil || after.Prompt != before.Prompt || after.Agent != "echo" || !after.UpdatedAt.Equal(before.UpdatedAt) {
				t.Errorf("it is now %+v, %v", after, err)
			}
		})
	}
	got, err := db.UpdateSchedule(t.Context(), before.ID[:18], molecule.EventScheduleUpdated, func(s *molecule.Schedule) error {
		s.Name, s.Agent, s.Prompt = "renamed", other.ID, "say more"
		return nil
	})
	if err != nil || got.Agent != "other" || got.AgentID != other.ID {
		t.Errorf("updated: %+v, %v", got, err)
	}
	stored, err := db.Schedule(t.Context(), "renamed")
	if diff := cmp.Diff(stored, got); err != nil || diff != "" {
		t.Errorf("stored (-got +want), %v:\n%s", err, diff)
	}
}
