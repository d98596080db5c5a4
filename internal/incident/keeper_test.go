package incident_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/molecule-ai/molecli/internal/incident"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// errAway is what a store in trouble says.
var errAway = errors.New("the store is away")

// moody is a real store that does not always do as it is told.
type moody struct {
	*sqlite.DB
	before, behind error  // of SaveIncidents: instead of storing, and after it
	while          func() // called in the middle of SaveIncidents; may be nil
}

// SaveIncidents implements incident.Store.
func (m *moody) SaveIncidents(ctx context.Context, all []molecule.Incident) error {
	if m.before != nil {
		return m.before
	}
	if m.while != nil {
		m.while()
	}
	return errors.Join(m.DB.SaveIncidents(ctx, all), m.behind)
}

// keeperOf returns a keeper that has learned what store knows.
func keeperOf(t testing.TB, store incident.Store) *incident.Keeper {
	t.Helper()
	k := incident.New(incident.Options{Store: store, Log: slog.New(slog.DiscardHandler)})
	if err := k.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k
}

func flush(t testing.TB, k *incident.Keeper) {
	t.Helper()
	if err := k.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// late is an incident as the watchdog of slots would tell it.
func late(subject string) molecule.Incident {
	return molecule.Incident{
		Kind: molecule.IncidentMissedRuns, Subject: subject, Severity: molecule.SeverityWarning, Title: subject + " is late",
		Evidence: molecule.Evidence{Names: []string{"a"}, Total: 1},
	}
}

// known returns what a keeper tells of every incident, newest first.
func known(t testing.TB, k *incident.Keeper) []molecule.Incident {
	t.Helper()
	page, err := k.Incidents(t.Context(), molecule.IncidentFilter{All: true, Limit: molecule.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// rows returns what the store holds, newest first.
func rows(t testing.TB, db *sqlite.DB) []molecule.Incident {
	t.Helper()
	all, err := db.Incidents(t.Context(), molecule.IncidentFilter{All: true}, "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// told returns the events about incidents, in order.
func told(t testing.TB, db *sqlite.DB) []string {
	t.Helper()
	page, err := db.Events(t.Context(), molecule.EventFilter{Types: []string{"incident."}})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range page.Items {
		types = append(types, strings.TrimPrefix(e.Type, "incident.")+" "+e.Subject)
	}
	return types
}

// wantTold compares the events about incidents, in order.
func wantTold(t testing.TB, db *sqlite.DB, want ...string) {
	t.Helper()
	if diff := cmp.Diff(told(t, db), want); diff != "" {
		t.Errorf("events (-got +want):\n%s", diff)
	}
}

// wantBrief compares incidents by subject, state and count.
func wantBrief(t testing.TB, got []molecule.Incident, want ...string) {
	t.Helper()
	var lines []string
	for _, in := range got {
		lines = append(lines, brief(in))
	}
	if diff := cmp.Diff(lines, want, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("incidents (-got +want):\n%s", diff)
	}
}

// anyID ignores what no test can know.
func anyID() cmp.Option { return cmpopts.IgnoreFields(molecule.Incident{}, "ID") }

func TestOpen_opensOneAndCountsTheRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db := sqlitetest.OpenDir(t, dir)
		k := keeperOf(t, db)
		began := molecule.Now()
		k.Open(late("schedule/a"))
		flush(t, k)
		time.Sleep(time.Second)
		worse := late("schedule/a")
		worse.Severity, worse.Title, worse.Evidence = molecule.SeverityCritical, "it got worse", molecule.Evidence{Error: "no disk"}
		k.Open(worse)
		mild := late("schedule/a")
		mild.Evidence = molecule.Evidence{}
		k.Open(mild)
		flush(t, k)
		want := []molecule.Incident{{
			Kind: molecule.IncidentMissedRuns, Subject: "schedule/a", Severity: molecule.SeverityCritical, Title: "it got worse",
			FirstSeen: began, LastSeen: began.Add(time.Second), Count: 3,
			Evidence: molecule.Evidence{Error: "no disk", Names: []string{"a"}, Total: 1},
		}}
		if diff := cmp.Diff(rows(t, db), want, anyID()); diff != "" {
			t.Errorf("the row (-got +want):\n%s", diff)
		}
		if diff := cmp.Diff(known(t, k), want, anyID()); diff != "" {
			t.Errorf("what is known (-got +want):\n%s", diff)
		}
		wantTold(t, db, "opened schedule/a")
	})
}

func TestClose_endsItOnceAndWhatComesBackIsAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db := sqlitetest.OpenDir(t, dir)
		k := keeperOf(t, db)
		k.Open(late("schedule/a"))
		flush(t, k)
		time.Sleep(time.Minute)
		over := molecule.Now()
		k.Close(molecule.IncidentMissedRuns, "schedule/a", over)
		k.Close(molecule.IncidentMissedRuns, "schedule/a", over.Add(time.Hour))
		k.Close(molecule.IncidentMissedRuns, "schedule/never", over)
		k.Open(late("schedule/a")) // before the store heard of the end
		flush(t, k)
		flush(t, k)
		got := rows(t, db)
		if len(got) != 2 || !got[0].Open() || !got[1].ClosedAt.Equal(over) || got[0].Count != 1 || got[1].Count != 1 {
			t.Errorf("the rows are %+v, want one that ended at %v and one that is open", got, over)
		}
		wantTold(t, db, "opened schedule/a", "closed schedule/a", "opened schedule/a")
	})
}

func TestClose_isNeverBeforeItWasLastSeen(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	k := keeperOf(t, db)
	k.Open(late("schedule/a"))
	k.Close(molecule.IncidentMissedRuns, "schedule/a", molecule.Now().Add(-time.Hour)) // a clock that was set back
	flush(t, k)
	if got := rows(t, db); len(got) != 1 || !got[0].ClosedAt.Equal(got[0].LastSeen) {
		t.Errorf("the row is %+v, want an end when it was last seen", got)
	}
}

// brief writes an incident as one line.
func brief(in molecule.Incident) string {
	state := " over "
	if in.Open() {
		state = " open "
	}
	return in.Subject + state + string(rune('0'+in.Count))
}

func TestOpen_writesCountsAtMostFourTimesAMinute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db := sqlitetest.OpenDir(t, dir)
		k := keeperOf(t, db)
		var counts []int
		for range 32 {
			k.Open(late("schedule/a"))
			flush(t, k)
			if n := rows(t, db)[0].Count; len(counts) == 0 || counts[len(counts)-1] != n {
				counts = append(counts, n)
			}
			time.Sleep(time.Second)
		}
		if diff := cmp.Diff(counts, []int{1, 16, 31}); diff != "" {
			t.Errorf("counts that were written (-got +want):\n%s", diff)
		}
	})
}

func TestLoad_aRestartRaisesNoSecondAlarm(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	k := keeperOf(t, db)
	k.Open(late("schedule/a"))
	k.Report(molecule.IncidentScheduleError, molecule.Now(), late("schedule/b"), late("schedule/c"))
	flush(t, k)
	before := rows(t, db)

	k = keeperOf(t, db) // the next process
	k.Report(molecule.IncidentScheduleError, molecule.Now(), late("schedule/b"))
	k.Open(late("schedule/a"))
	flush(t, k)
	after := rows(t, db)
	if len(after) != len(before) {
		t.Fatalf("there are %d rows, want the %d that were there", len(after), len(before))
	}
	want := []string{"opened schedule/a", "opened schedule/b", "opened schedule/c", "closed schedule/c"}
	if diff := cmp.Diff(told(t, db), want, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("events (-got +want):\n%s", diff)
	}
	if got := k.Counts(); got[molecule.SeverityWarning] != 2 {
		t.Errorf("%v are open, want two warnings", got)
	}
}

func TestFlush_forgetsNothingWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		before, behind error
	}{
		{name: "nothing was stored", before: errAway},
		{name: "all was stored and nobody heard", behind: errAway},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := &moody{DB: sqlitetest.Open(t), before: tt.before, behind: tt.behind}
			k := keeperOf(t, store)
			step := func(do func()) {
				do()
				if err := k.Flush(t.Context()); !errors.Is(err, errAway) {
					t.Fatalf("Flush says %v", err)
				}
			}
			step(func() { k.Open(late("schedule/a")) })
			if got := known(t, k); len(got) != 1 || !got[0].Unsaved {
				t.Errorf("what is known is %+v, want one that is not stored", got)
			}
			step(func() { k.Close(molecule.IncidentMissedRuns, "schedule/a", molecule.Now()) })
			step(func() { k.Open(late("schedule/a")); k.Open(late("schedule/a")) })
			store.before, store.behind = nil, nil
			flush(t, k)
			wantBrief(t, rows(t, store.DB), "schedule/a open 2", "schedule/a over 1")
			wantTold(t, store.DB, "opened schedule/a", "closed schedule/a", "opened schedule/a")
		})
	}
}

func TestFlush_storesWhatHappensWhileItWrites(t *testing.T) {
	t.Parallel()
	store := &moody{DB: sqlitetest.Open(t)}
	k := keeperOf(t, store)
	k.Open(late("schedule/counted"))
	k.Open(late("schedule/over"))
	store.while = func() {
		store.while = nil
		worse := late("schedule/counted")
		worse.Severity = molecule.SeverityCritical
		k.Open(worse)
		k.Close(molecule.IncidentMissedRuns, "schedule/over", molecule.Now())
	}
	flush(t, k)
	wantBrief(t, rows(t, store.DB), "schedule/over over 1", "schedule/counted open 2")
}

func TestLoad_bringsNothingBackThatHasEnded(t *testing.T) {
	t.Parallel()
	k := keeperOf(t, sqlitetest.Open(t))
	k.Open(late("schedule/a"))
	flush(t, k)
	k.Close(molecule.IncidentMissedRuns, "schedule/a", molecule.Now())
	if err := k.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := known(t, k); len(got) != 1 || got[0].Open() {
		t.Errorf("it knows %+v, want one that is over", got)
	}
}

func TestFlush_goesOnWhenTheStoreKnowsOneThatWeDoNot(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	other, k := keeperOf(t, db), keeperOf(t, db)
	other.Open(late("schedule/a"))
	flush(t, other)
	k.Open(late("schedule/a"))
	k.Open(late("schedule/b"))
	if err := k.Flush(t.Context()); molecule.CodeOf(err) != molecule.Conflict {
		t.Fatalf("Flush says %v", err)
	}
	flush(t, k)
	open, err := db.OpenIncidents(t.Context())
	if err != nil || len(open) != 2 || len(rows(t, db)) != 3 {
		t.Errorf("of %d incidents %+v are open, %v; want ours of a and b, and the other one over", len(rows(t, db)), open, err)
	}
}

func TestOpen_keepsNoMoreThanItCan(t *testing.T) {
	t.Parallel()
	store := &moody{DB: sqlitetest.Open(t), before: errAway}
	k := keeperOf(t, store)
	stays := late("schedule/stays")
	k.Open(stays)
	for range 5000 { // comes and goes while the store is away
		k.Open(late("schedule/flaps"))
		k.Close(molecule.IncidentMissedRuns, "schedule/flaps", molecule.Now())
	}
	k.Open(late("schedule/last"))
	var open []string
	page, err := k.Incidents(t.Context(), molecule.IncidentFilter{})
	for _, in := range page.Items {
		open = append(open, in.Subject)
	}
	if diff := cmp.Diff(open, []string{"schedule/last", "schedule/stays"}); err != nil || diff != "" {
		t.Errorf("open (-got +want), %v:\n%s", err, diff)
	}
	kept := 0
	for f := (molecule.IncidentFilter{All: true, Limit: molecule.MaxLimit}); ; {
		page, err := k.Incidents(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		kept += len(page.Items)
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	if kept != 4096 {
		t.Errorf("%d incidents are kept", kept)
	}
}

func TestOpen_refusesWhatCouldNotBeFoundAgain(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	k := keeperOf(t, db)
	for _, change := range []func(*molecule.Incident){
		func(in *molecule.Incident) { in.Kind = "" },
		func(in *molecule.Incident) { in.Kind = "two words" },
		func(in *molecule.Incident) { in.Subject = "" },
		func(in *molecule.Incident) { in.Subject = strings.Repeat("x", 257) },
		func(in *molecule.Incident) { in.Severity = "terrible" },
	} {
		in := late("schedule/a")
		change(&in)
		k.Open(in)
	}
	if got := known(t, k); len(got) != 0 {
		t.Errorf("it keeps %+v", got)
	}
}

func TestOpen_boundsItsEvidence(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	k := keeperOf(t, db)
	in := late("schedule/a")
	in.Title = strings.Repeat("ä", 1000)
	in.Evidence = molecule.Evidence{
		Error: strings.Repeat("x", 5000), Stack: strings.Repeat("goroutine 7 [running]:\n", 2000),
		Names: make([]string, 100), Facts: map[string]string{"long": strings.Repeat("y", 5000)},
	}
	k.Open(in)
	flush(t, k)
	page := known(t, k)
	if page[0].Evidence.Stack != "" {
		t.Error("a list carries stacks")
	}
	got, err := k.Incident(t.Context(), page[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	e := got.Evidence
	if len([]rune(got.Title)) != 200 || len(e.Error) > 1100 || len(e.Stack) > 9000 || len(e.Names) != 20 || e.Total != 100 || len(e.Facts["long"]) > 1100 {
		t.Errorf("kept are a title of %d bytes, an error of %d, a stack of %d, %d of %d names", len(got.Title), len(e.Error), len(e.Stack), len(e.Names), e.Total)
	}
	if !strings.HasSuffix(e.Stack, "]:\n…") {
		t.Errorf("the stack ends inside a line: %q", e.Stack[len(e.Stack)-20:])
	}
}
