package incident_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// asOperator is the context of somebody with a name.
func asOperator(t testing.TB, name string) context.Context {
	return molecule.WithPrincipal(t.Context(), molecule.Principal{Name: name})
}

func TestIncidents_comeInPagesFromMemoryAndStore(t *testing.T) {
	t.Parallel()
	store := &moody{DB: sqlitetest.Open(t)}
	k := keeperOf(t, store)
	var want []string
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		if i == 3 {
			store.before = errAway // d and e reach the store never
		}
		k.Open(late("schedule/" + name))
		if name == "b" || name == "d" {
			k.Close(molecule.IncidentMissedRuns, "schedule/"+name, molecule.Now())
		}
		if store.before == nil {
			flush(t, k)
		}
		want = append([]string{"schedule/" + name}, want...)
	}
	for limit := 1; limit <= 6; limit++ {
		var got []string
		f := molecule.IncidentFilter{All: true, Limit: limit}
		for {
			page, err := k.Incidents(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range page.Items {
				got = append(got, in.Subject)
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				break
			}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("in pages of %d (-got +want):\n%s", limit, diff)
		}
	}
}

func TestIncidents_areFiltered(t *testing.T) {
	t.Parallel()
	k := keeperOf(t, sqlitetest.Open(t))
	k.Open(late("schedule/a"))
	k.Open(late("schedule/b"))
	k.Open(molecule.Incident{Kind: molecule.IncidentSubsystem, Subject: "subsystem/x", Severity: molecule.SeverityCritical, Title: "x"})
	k.Close(molecule.IncidentMissedRuns, "schedule/b", molecule.Now())
	flush(t, k)
	tests := []struct {
		name   string
		filter molecule.IncidentFilter
		want   []string
		code   molecule.Code
	}{
		{name: "open", want: []string{"subsystem/x", "schedule/a"}},
		{name: "all", filter: molecule.IncidentFilter{All: true}, want: []string{"subsystem/x", "schedule/b", "schedule/a"}},
		{name: "of a kind", filter: molecule.IncidentFilter{Kind: molecule.IncidentMissedRuns}, want: []string{"schedule/a"}},
		{name: "of a subject", filter: molecule.IncidentFilter{All: true, Subject: "schedule/b"}, want: []string{"schedule/b"}},
		{name: "of all schedules", filter: molecule.IncidentFilter{All: true, Subject: "schedule/"}, want: []string{"schedule/b", "schedule/a"}},
		{name: "of a kind nobody knows", filter: molecule.IncidentFilter{Kind: "missed_run"}, code: molecule.Invalid},
		{name: "of no subject", filter: molecule.IncidentFilter{Subject: "a"}, code: molecule.Invalid},
		{name: "behind no cursor", filter: molecule.IncidentFilter{Cursor: "x"}, code: molecule.Invalid},
	}
	for _, tt := range tests {
		page, err := k.Incidents(t.Context(), tt.filter)
		if molecule.CodeOf(err) != tt.code || (err == nil) != (tt.code == "") || err != nil && molecule.HintOf(err) == "" {
			t.Errorf("%s: got %v", tt.name, err)
		}
		var got []string
		for _, in := range page.Items {
			got = append(got, in.Subject)
		}
		if diff := cmp.Diff(got, tt.want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", tt.name, diff)
		}
	}
}

func TestIncident_isFoundByAUniquePrefix(t *testing.T) {
	t.Parallel()
	store := &moody{DB: sqlitetest.Open(t)}
	k := keeperOf(t, store)
	k.Open(late("schedule/stored"))
	flush(t, k)
	k.Close(molecule.IncidentMissedRuns, "schedule/stored", molecule.Now())
	flush(t, k) // memory has forgotten it
	k.Open(late("schedule/both"))
	flush(t, k)
	store.before = errAway
	k.Open(late("schedule/unsaved"))
	all := known(t, k)
	ids := make(map[string]string)
	for _, in := range all {
		ids[in.Subject] = in.ID
	}
	shared := 0 // ids begin with the time, which may be the same
	for shared < 36 && all[0].ID[shared] == all[1].ID[shared] && all[0].ID[shared] == all[2].ID[shared] {
		shared++
	}
	unique := func(id string) string {
		for n := 1; ; n++ {
			if !slices.ContainsFunc(all, func(in molecule.Incident) bool { return in.ID != id && in.ID[:n] == id[:n] }) {
				return id[:n]
			}
		}
	}
	tests := []struct {
		name, ref, want string
		code            molecule.Code
	}{
		{name: "only in the store", ref: unique(ids["schedule/stored"]), want: "schedule/stored"},
		{name: "in both", ref: unique(ids["schedule/both"]), want: "schedule/both"},
		{name: "only in memory", ref: unique(ids["schedule/unsaved"]), want: "schedule/unsaved"},
		{name: "a whole id in memory", ref: ids["schedule/unsaved"], want: "schedule/unsaved"},
		{name: "a whole id in the store", ref: ids["schedule/stored"], want: "schedule/stored"},
		{name: "of several", ref: ids["schedule/both"][:shared], code: molecule.Invalid},
		{name: "of none", ref: "ffffffff", code: molecule.NotFound},
		{name: "no id at all", ref: "no id", code: molecule.NotFound},
		{name: "nothing", ref: "", code: molecule.NotFound},
	}
	for _, tt := range tests {
		got, err := k.Incident(t.Context(), tt.ref)
		if molecule.CodeOf(err) != tt.code || (err == nil) != (tt.code == "") || got.Subject != tt.want {
			t.Errorf("%s: %q is %q, %v", tt.name, tt.ref, got.Subject, err)
		}
		if err != nil && molecule.HintOf(err) == "" {
			t.Errorf("%s: the error does not say what to do: %v", tt.name, err)
		}
	}
}

func TestAckIncident_isKeptAndTheSecondIsToldOfIt(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	k := keeperOf(t, db)
	k.Open(late("schedule/a"))
	id := known(t, k)[0].ID // not stored yet
	got, err := k.AckIncident(asOperator(t, "uid:1000"), id)
	if err != nil || got.AckedBy != "uid:1000" || got.AckedAt.IsZero() {
		t.Fatalf("got %+v, %v", got, err)
	}
	if _, err := k.AckIncident(asOperator(t, "uid:0"), id[:30]); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("the second is told %v", err)
	}
	k.Open(late("schedule/a"))
	k.Close(molecule.IncidentMissedRuns, "schedule/a", molecule.Now())
	flush(t, k)
	if got := rows(t, db)[0]; got.AckedBy != "uid:1000" || got.Open() || got.Count != 2 {
		t.Errorf("at its end it is %+v", got)
	}
	wantTold(t, db, "opened schedule/a", "acked schedule/a", "closed schedule/a")
	for _, ref := range []string{"ffffffff", ""} {
		if _, err := k.AckIncident(asOperator(t, "uid:0"), ref); molecule.CodeOf(err) != molecule.NotFound {
			t.Errorf("%q: %v, want not found", ref, err)
		}
	}
}

func TestAckIncident_isShownBeforeTheNextWrite(t *testing.T) {
	t.Parallel()
	k := keeperOf(t, sqlitetest.Open(t))
	k.Open(late("schedule/a"))
	if _, err := k.AckIncident(asOperator(t, "uid:1000"), known(t, k)[0].ID); err != nil {
		t.Fatal(err)
	}
	page, err := k.Incidents(t.Context(), molecule.IncidentFilter{})
	if err != nil || page.Items[0].AckedBy != "uid:1000" || page.Items[0].AckedAt.After(molecule.Now().Add(time.Second)) {
		t.Errorf("the list has %+v, %v", page.Items, err)
	}
}

func TestAckIncident_saysThatTheStoreIsAway(t *testing.T) {
	t.Parallel()
	store := &moody{DB: sqlitetest.Open(t), before: errAway}
	k := keeperOf(t, store)
	k.Open(late("schedule/a"))
	if _, err := k.AckIncident(asOperator(t, "uid:1000"), known(t, k)[0].ID); err == nil {
		t.Error("nothing could be noted, and there is no error")
	}
	if got := known(t, k)[0]; got.AckedBy != "" {
		t.Errorf("nothing could be noted, and it is said to be acknowledged by %s", got.AckedBy)
	}
}
