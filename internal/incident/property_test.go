package incident_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// TestMain draws fewer cases than the library's hundred: each one opens a store.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("10"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// reader remembers what it was told of each incident, by id.
type reader struct {
	who  string
	last map[string]molecule.Incident
}

// check holds what is told now against what was told before.
func (r *reader) check(t *rapid.T, all []molecule.Incident) {
	open := make(map[string]string)
	now := make(map[string]bool)
	for _, in := range all {
		k := in.Kind + " " + in.Subject
		if in.Open() && open[k] != "" {
			t.Fatalf("%s is told that %s and %s are open of %s", r.who, open[k], in.ID, k)
		}
		if in.Open() {
			open[k] = in.ID
		}
		before, known := r.last[in.ID]
		switch {
		case known && !before.Open() && !in.ClosedAt.Equal(before.ClosedAt):
			t.Fatalf("%s is told that %s, which ended at %v, ended at %v", r.who, in.ID, before.ClosedAt, in.ClosedAt)
		case in.Count < max(before.Count, 1):
			t.Fatalf("%s is told that %s was seen %d times, and before %d", r.who, in.ID, in.Count, before.Count)
		case before.Severity.Worse(in.Severity):
			t.Fatalf("%s is told that %s is %s, and before %s", r.who, in.ID, in.Severity, before.Severity)
		case in.FirstSeen.After(in.LastSeen), !in.Open() && in.ClosedAt.Before(in.LastSeen):
			t.Fatalf("%s is told of times out of order: %+v", r.who, in)
		}
		r.last[in.ID] = in
		now[in.ID] = true
	}
	for id := range r.last {
		if !now[id] {
			t.Fatalf("%s is not told of %s any more", r.who, id)
		}
	}
}

// TestKeeper_holdsItsPromisesWhateverHappens draws what parts of the daemon
// tell, a store that fails before or behind a commit, and restarts.
func TestKeeper_holdsItsPromisesWhateverHappens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			store := &moody{DB: sqlitetest.OpenDir(t, dir)}
			k := keeperOf(t, store)
			inMemory, inStore := reader{"a reader", map[string]molecule.Incident{}}, reader{"the store", map[string]molecule.Incident{}}
			subject := rapid.SampledFrom([]string{"schedule/a", "schedule/b", "schedule/c"})
			kind := rapid.SampledFrom([]string{molecule.IncidentMissedRuns, molecule.IncidentScheduleError})
			draw := func(rt *rapid.T) molecule.Incident {
				in := late(subject.Draw(rt, "subject"))
				in.Kind = kind.Draw(rt, "kind")
				in.Severity = rapid.SampledFrom([]molecule.Severity{molecule.SeverityWarning, molecule.SeverityCritical}).Draw(rt, "severity")
				in.Count = rapid.IntRange(0, 5).Draw(rt, "count")
				in.Title = fmt.Sprint("seen ", in.Count)
				return in
			}
			write := func(before, behind error) {
				store.before, store.behind = before, behind
				err := k.Flush(t.Context())
				store.before, store.behind = nil, nil
				if err != nil && before == nil && behind == nil {
					rt.Fatalf("flush: %v", err)
				}
			}
			rt.Repeat(map[string]func(*rapid.T){
				"open":  func(rt *rapid.T) { k.Open(draw(rt)) },
				"close": func(rt *rapid.T) { k.Close(kind.Draw(rt, "kind"), subject.Draw(rt, "subject"), molecule.Now()) },
				"report": func(rt *rapid.T) {
					found := rapid.SliceOfNDistinct(rapid.Custom(draw), 0, 3, func(in molecule.Incident) string { return in.Subject }).Draw(rt, "found")
					k.Report(kind.Draw(rt, "kind of report"), molecule.Now(), found...)
				},
				"time passes": func(rt *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(1, 40).Draw(rt, "seconds")) * time.Second) },
				"write":       func(*rapid.T) { write(nil, nil) },
				"change while it is written": func(rt *rapid.T) {
					in, over := draw(rt), rapid.Bool().Draw(rt, "and end it")
					store.while = func() {
						if k.Open(in); over {
							k.Close(in.Kind, in.Subject, molecule.Now())
						}
						store.while = nil
					}
					write(nil, nil)
					store.while = nil
				},
				"fail before writing": func(*rapid.T) { write(errAway, nil) },
				"fail behind writing": func(*rapid.T) { write(nil, errAway) },
				"restart": func(*rapid.T) {
					write(nil, nil) // what a crash may lose is lost to readers too
					time.Sleep(repeatEvery)
					write(nil, nil)
					k = keeperOf(t, store)
				},
				"crash": func(*rapid.T) {
					k = keeperOf(t, store)
					inMemory.last = map[string]molecule.Incident{} // what nobody stored is lost
				},
				"": func(rt *rapid.T) {
					inMemory.check(rt, known(t, k))
					inStore.check(rt, rows(t, store.DB))
				},
			})
		})
	})
}

// repeatEvery is how long what is only counted may wait to be written.
const repeatEvery = 15 * time.Second
