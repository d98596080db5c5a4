package sqlite_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// stuck is an incident that was just opened.
func stuck(t *testing.T, subject string) molecule.Incident {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	now := molecule.Now()
	return molecule.Incident{
		ID: id.String(), Kind: molecule.IncidentSubsystem, Subject: subject, Severity: molecule.SeverityCritical, Title: "it is stuck",
		FirstSeen: now, LastSeen: now, Count: 1,
		Evidence: molecule.Evidence{Error: "inside one tick", BlockedIn: "main.wait", Stack: "goroutine 7\n", Names: []string{"a"}, Total: 1},
	}
}

func save(t *testing.T, db *sqlite.DB, all ...molecule.Incident) {
	t.Helper()
	if err := db.SaveIncidents(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

// told returns the types of the events about incidents, in order.
func told(t *testing.T, db *sqlite.DB) []string {
	t.Helper()
	page, err := db.Events(t.Context(), molecule.EventFilter{Types: []string{"incident."}})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range page.Items {
		types = append(types, e.Type+" "+e.Subject)
	}
	return types
}

func TestSaveIncidents_opensAndClosesOnceHoweverOftenItIsSaved(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	in := stuck(t, "subsystem/scheduler")
	save(t, db, in)
	save(t, db, in)
	again := in
	again.Count, again.Title = 5, "it is stuck again"
	save(t, db, again)
	closed := again
	closed.ClosedAt = in.FirstSeen.Add(time.Minute)
	save(t, db, closed)
	save(t, db, closed)
	save(t, db, in) // comes late
	got, err := db.Incident(t.Context(), in.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, closed); diff != "" {
		t.Errorf("the row (-got +want):\n%s", diff)
	}
	want := []string{"incident.opened subsystem/scheduler", "incident.closed subsystem/scheduler"}
	if diff := cmp.Diff(told(t, db), want); diff != "" {
		t.Errorf("events (-got +want):\n%s", diff)
	}
}

func TestSaveIncidents_countsNothingBack(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	in := stuck(t, "subsystem/scheduler")
	more := in
	more.Count, more.LastSeen = 9, in.LastSeen.Add(time.Hour)
	save(t, db, more)
	save(t, db, in)
	got, err := db.Incident(t.Context(), in.ID)
	if err != nil || got.Count != 9 || !got.LastSeen.Equal(more.LastSeen) {
		t.Errorf("got count %d, last seen %v (%v), want 9 and %v", got.Count, got.LastSeen, err, more.LastSeen)
	}
}

func TestSaveIncidents_refusesASecondOpenOne(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	first, second := stuck(t, "subsystem/scheduler"), stuck(t, "subsystem/scheduler")
	save(t, db, first)
	other := stuck(t, "subsystem/dispatcher")
	if err := db.SaveIncidents(t.Context(), []molecule.Incident{other, second}); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("got %v, want a conflict", err)
	}
	open, err := db.OpenIncidents(t.Context())
	if diff := cmp.Diff(open, []molecule.Incident{first}); err != nil || diff != "" {
		t.Errorf("open (-got +want), %v:\n%s", err, diff)
	}
	first.ClosedAt = molecule.Now()
	save(t, db, first)
	save(t, db, second)
	if got := told(t, db); len(got) != 3 {
		t.Errorf("got events %v, want opened, closed, opened", got)
	}
}

func TestIncidents_areFilteredNewestFirst(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a, b, c := stuck(t, "subsystem/a"), stuck(t, "subsystem/b"), stuck(t, "schedule/c")
	c.Kind, b.ClosedAt = molecule.IncidentMissedRuns, molecule.Now()
	save(t, db, a, b, c)
	tests := []struct {
		name   string
		filter molecule.IncidentFilter
		before string
		limit  int
		want   []string
	}{
		{name: "open", limit: 9, want: []string{"schedule/c", "subsystem/a"}},
		{name: "all", filter: molecule.IncidentFilter{All: true}, limit: 9, want: []string{"schedule/c", "subsystem/b", "subsystem/a"}},
		{name: "the first", filter: molecule.IncidentFilter{All: true}, limit: 1, want: []string{"schedule/c"}},
		{name: "older ones", filter: molecule.IncidentFilter{All: true}, before: c.ID, limit: 1, want: []string{"subsystem/b"}},
		{name: "kind", filter: molecule.IncidentFilter{Kind: molecule.IncidentMissedRuns}, limit: 9, want: []string{"schedule/c"}},
		{name: "subject", filter: molecule.IncidentFilter{All: true, Subject: "subsystem/b"}, limit: 9, want: []string{"subsystem/b"}},
		{name: "subjects", filter: molecule.IncidentFilter{All: true, Subject: "subsystem/"}, limit: 9, want: []string{"subsystem/b", "subsystem/a"}},
		{name: "kind and subject", filter: molecule.IncidentFilter{Kind: molecule.IncidentMissedRuns, Subject: "subsystem/a"}, limit: 9},
	}
	for _, tt := range tests {
		found, err := db.Incidents(t.Context(), tt.filter, tt.before, tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, in := range found {
			got = append(got, in.Subject)
		}
		if diff := cmp.Diff(got, tt.want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", tt.name, diff)
		}
	}
}

func TestAckIncident_theFirstOneStaysAndTheSecondIsToldOfIt(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	in := stuck(t, "subsystem/scheduler")
	save(t, db, in)
	first, err := db.AckIncident(t.Context(), in.ID[:13], "uid:1000")
	if err != nil || first.AckedBy != "uid:1000" || first.AckedAt.IsZero() {
		t.Fatalf("got %+v, %v", first, err)
	}
	if _, err := db.AckIncident(t.Context(), in.ID, "uid:0"); molecule.CodeOf(err) != molecule.Conflict || !strings.Contains(err.Error(), "by uid:1000 at") {
		t.Errorf("acked again: %v, want a conflict that says who was faster", err)
	}
	in.Count = 2
	save(t, db, in)
	kept, err := db.Incident(t.Context(), in.ID)
	if err != nil || kept.AckedBy != "uid:1000" {
		t.Errorf("a later count made it %+v (%v)", kept, err)
	}
	if _, err := db.AckIncident(t.Context(), "ffff", "uid:0"); molecule.CodeOf(err) != molecule.NotFound {
		t.Errorf("got %v, want not found", err)
	}
	want := []string{"incident.opened subsystem/scheduler", "incident.acked subsystem/scheduler"}
	if diff := cmp.Diff(told(t, db), want); diff != "" {
		t.Errorf("events (-got +want):\n%s", diff)
	}
}

// TestIncidents_aDamagedRowHidesNoOther: the daemon reads what is open before
// anything starts.
func TestIncidents_aDamagedRowHidesNoOther(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]string{
		"no object": "evidence = '{'", "no number": "count = 'many'", "no instant": "first_seen = 'yesterday'", "no last instant": "last_seen = 'today'", "a number": "acked_at = 7",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db := sqlitetest.OpenDir(t, dir)
			bad, good := stuck(t, "subsystem/bad"), stuck(t, "subsystem/good")
			save(t, db, bad, good)
			if _, err := raw(t, dir).Exec(`UPDATE incidents SET `+set+` WHERE id = ?`, bad.ID); err != nil {
				t.Fatal(err)
			}
			open, err := db.OpenIncidents(t.Context())
			if err != nil || len(open) != 2 || open[0].ID != bad.ID || !strings.Contains(open[0].Evidence.Error, "damaged") || open[1].Evidence.Error != good.Evidence.Error {
				t.Fatalf("open are %+v, %v", open, err)
			}
			if off := open[0].FirstSeen.Sub(bad.FirstSeen).Abs(); off > time.Second || open[0].LastSeen.Before(open[0].FirstSeen) {
				t.Errorf("it was seen from %v to %v, and not from %v", open[0].FirstSeen, open[0].LastSeen, bad.FirstSeen)
			}
			open[0].ClosedAt = molecule.Now()
			save(t, db, open[0])
			if open, err := db.OpenIncidents(t.Context()); err != nil || len(open) != 1 || open[0].ID != good.ID {
				t.Errorf("once it is closed %+v are open, %v", open, err)
			}
		})
	}
}
