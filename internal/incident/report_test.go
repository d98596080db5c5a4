package incident_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

func TestReport_opensWhatIsNewAndEndsWhatIsGone(t *testing.T) {
	t.Parallel()
	of := func(subject string, n int) molecule.Incident {
		in := late(subject)
		in.Count = n
		return in
	}
	tests := []struct {
		name    string
		reports [][]molecule.Incident
		want    []string // subject, whether it is open, count
		events  []string
	}{
		{
			name:    "nothing is wrong",
			reports: [][]molecule.Incident{nil, nil},
		},
		{
			name:    "one that stays is opened once",
			reports: [][]molecule.Incident{{of("schedule/a", 1)}, {of("schedule/a", 1)}, {of("schedule/a", 1)}},
			want:    []string{"schedule/a open 1"}, events: []string{"opened schedule/a"},
		},
		{
			name:    "the most there were stays",
			reports: [][]molecule.Incident{{of("schedule/a", 2)}, {of("schedule/a", 7)}, {of("schedule/a", 3)}},
			want:    []string{"schedule/a open 7"}, events: []string{"opened schedule/a"},
		},
		{
			name:    "one that is not told any more is over",
			reports: [][]molecule.Incident{{of("schedule/a", 1), of("schedule/b", 0)}, {of("schedule/b", 1)}, nil},
			want:    []string{"schedule/b over 1", "schedule/a over 1"},
			events:  []string{"opened schedule/a", "opened schedule/b", "closed schedule/a", "closed schedule/b"},
		},
		{
			name:    "one that comes back is another",
			reports: [][]molecule.Incident{{of("schedule/a", 5)}, nil, {of("schedule/a", 1)}},
			want:    []string{"schedule/a open 1", "schedule/a over 5"},
			events:  []string{"opened schedule/a", "closed schedule/a", "opened schedule/a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := sqlitetest.Open(t)
			k := keeperOf(t, db)
			k.Open(molecule.Incident{Kind: molecule.IncidentSubsystem, Subject: "subsystem/x", Severity: molecule.SeverityWarning, Title: "of another kind"})
			for _, found := range tt.reports {
				k.Report(molecule.IncidentMissedRuns, molecule.Now(), found...)
				flush(t, k)
			}
			var got []string
			for _, in := range known(t, k) {
				if in.Kind == molecule.IncidentMissedRuns {
					got = append(got, brief(in))
				}
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("known (-got +want):\n%s", diff)
			}
			events := told(t, db)[1:]
			if diff := cmp.Diff(events, tt.events, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("events (-got +want):\n%s", diff)
			}
			if open := k.Counts(); open[molecule.SeverityWarning] != 1+strings.Count(strings.Join(tt.want, " "), "open") {
				t.Errorf("%v are open", open)
			}
		})
	}
}

func TestReport_costsNoWriteWhenItRepeatsItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := &moody{DB: sqlitetest.OpenDir(t, dir)}
		k := keeperOf(t, store)
		k.Report(molecule.IncidentMissedRuns, molecule.Now(), late("schedule/a"))
		flush(t, k)
		store.before = errAway
		for range 100 {
			time.Sleep(time.Minute)
			k.Report(molecule.IncidentMissedRuns, molecule.Now(), late("schedule/a"))
			if err := k.Flush(t.Context()); err != nil {
				t.Fatalf("the store was asked to write: %v", err)
			}
		}
		if got := known(t, k); len(got) != 1 || !got[0].LastSeen.Equal(molecule.Now()) || got[0].Unsaved {
			t.Errorf("what is known is %+v, want one that was seen just now", got)
		}
	})
}

func TestReport_writesNewEvidenceBeforeLong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db := sqlitetest.OpenDir(t, dir)
		k := keeperOf(t, db)
		in := late("schedule/a")
		for _, name := range []string{"a", "b", "c"} {
			in.Evidence = molecule.Evidence{Names: []string{name}, Total: 1}
			k.Report(molecule.IncidentMissedRuns, molecule.Now(), in)
			flush(t, k)
			time.Sleep(5 * time.Second)
		}
		flush(t, k)
		if got := rows(t, db); len(got) != 1 || !got[0].Evidence.Equal(in.Evidence) || got[0].Count != 1 {
			t.Errorf("after fifteen seconds the row is %+v, want the evidence %+v", got, in.Evidence)
		}
	})
}
