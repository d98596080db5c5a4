package moleculetest

import (
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// trouble is an incident as a part of the daemon would tell it.
func trouble(subject string) molecule.Incident {
	return molecule.Incident{
		Kind: molecule.IncidentSubsystem, Subject: subject, Severity: molecule.SeverityWarning, Title: subject + " does nothing",
		Evidence: molecule.Evidence{
			Error: "it hangs", BlockedIn: "main.wait", Stack: "goroutine 7\n", Names: []string{"a", "b"}, Total: 7,
			Facts: map[string]string{"state": "stuck"},
		},
	}
}

func incidents(t *testing.T, s Services) {
	ctx := s.context(t)
	before := time.Now().Add(-time.Second)
	s.OpenIncident(trouble("subsystem/x"))
	s.OpenIncident(trouble("subsystem/x"))
	page, err := s.Incidents.Incidents(ctx, molecule.IncidentFilter{})
	must(t, err)
	if len(page.Items) != 1 {
		t.Fatalf("open are %+v, want one", page.Items)
	}
	in := page.Items[0]
	if in.ID == "" || in.FirstSeen.Before(before) || in.LastSeen.Before(in.FirstSeen) || in.Count != 2 || !in.Open() || in.Evidence.Stack != "" {
		t.Errorf("in the list it is %+v", in)
	}
	want := trouble("subsystem/x")
	want.ID, want.FirstSeen, want.LastSeen, want.Count = in.ID, in.FirstSeen, in.LastSeen, 2
	got, err := s.Incidents.Incident(ctx, in.ID)
	must(t, err)
	got.Unsaved = false
	same(t, "the incident in full", got, want)

	acked, err := s.Incidents.AckIncident(ctx, in.ID)
	must(t, err)
	if acked.AckedBy == "" || acked.AckedAt.Before(before) {
		t.Errorf("acknowledged it is %+v", acked)
	}
	got, err = s.Incidents.Incident(ctx, in.ID[:35])
	must(t, err)
	same(t, "the incident by a prefix", got, acked)
	_, err = s.Incidents.AckIncident(ctx, in.ID)
	wantCode(t, err, molecule.Conflict, "acknowledging twice")
	_, err = s.Incidents.AckIncident(ctx, "ffffffff")
	wantCode(t, err, molecule.NotFound, "acknowledging nothing")
	_, err = s.Incidents.Incident(ctx, "ffffffff")
	wantCode(t, err, molecule.NotFound, "an incident nobody knows")

	events, err := s.Events.Events(ctx, molecule.EventFilter{Types: []string{"incident."}, Subject: "subsystem/x"})
	must(t, err)
	var types []string
	for _, e := range events.Items {
		types = append(types, e.Type)
	}
	same(t, "events", types, []string{molecule.EventIncidentOpened, molecule.EventIncidentAcked})
}

func incidentLists(t *testing.T, s Services) {
	ctx := s.context(t)
	var want []string
	for _, subject := range []string{"subsystem/a", "subsystem/b", "schedule/c", "schedule/d", "schedule/e"} {
		s.OpenIncident(trouble(subject))
		want = append([]string{subject}, want...)
	}
	list := func(f molecule.IncidentFilter) (ids, subjects []string) {
		for {
			page, err := s.Incidents.Incidents(ctx, f)
			must(t, err)
			for _, in := range page.Items {
				ids, subjects = append(ids, in.ID), append(subjects, in.Subject)
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				return ids, subjects
			}
		}
	}
	ids, got := list(molecule.IncidentFilter{Limit: 2})
	same(t, "subjects over all pages", got, want)
	_, got = list(molecule.IncidentFilter{All: true, Kind: molecule.IncidentSubsystem, Limit: 2})
	same(t, "those of a kind, over all pages", got, want)
	_, got = list(molecule.IncidentFilter{Subject: "subsystem/"})
	same(t, "those of subsystems", got, []string{"subsystem/b", "subsystem/a"})
	_, got = list(molecule.IncidentFilter{Subject: "schedule/d"})
	same(t, "those of one schedule", got, []string{"schedule/d"})

	common := 0
	for ids[0][common] == ids[1][common] {
		common++
	}
	_, err := s.Incidents.Incident(ctx, ids[0][:common])
	wantCode(t, err, molecule.Invalid, "an ambiguous prefix")
	_, err = s.Incidents.AckIncident(ctx, ids[0][:common])
	wantCode(t, err, molecule.Invalid, "acknowledging an ambiguous prefix")
	for about, f := range map[string]molecule.IncidentFilter{
		"a kind that is none":   {Kind: "subsystm"},
		"a subject that is one": {Subject: "scheduler"},
		"a cursor that is none": {Cursor: "x"},
	} {
		_, err := s.Incidents.Incidents(ctx, f)
		wantCode(t, err, molecule.Invalid, about)
	}
}
