package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// newSchedules are n schedules of an agent as an import hands them over.
func newSchedules(a molecule.Agent, n int) []*molecule.Schedule {
	list := make([]*molecule.Schedule, n)
	for i := range list {
		list[i] = &molecule.Schedule{
			ID: fmt.Sprintf("00000000-0000-7000-8000-%012d", i), Name: fmt.Sprintf("s%05d", i), AgentID: a.ID, Agent: a.Name,
			Cron: "0 0 1 1 *", TZ: "UTC", Description: "yearly", Prompt: fmt.Sprintf("prompt %d", i%7), State: molecule.ScheduleActive,
			Timeout: molecule.Duration(time.Minute), NextSlot: noon.Add(time.Hour), ActiveSince: noon,
		}
	}
	return list
}

// count returns the one number that a query of the file of a store returns.
func count(t *testing.T, dir, query string) (n int) {
	t.Helper()
	if err := raw(t, dir).QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func nothingChanged(*molecule.Schedule) (bool, error) {
	return false, errors.New("nothing was to be changed")
}

func TestImportSchedules_storesRowsAndEachPromptOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	made := newSchedules(sqlitetest.Agent(t, db, "echo"), 12_345) // more than a pace, and no whole number of statements
	if err := db.ImportSchedules(t.Context(), made, nil, nothingChanged); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		"SELECT COUNT(*) FROM schedules":                          12_345,
		"SELECT COUNT(*) FROM prompts":                            7,
		"SELECT COUNT(DISTINCT updated_at) FROM schedules":        1,
		"SELECT COUNT(*) FROM events WHERE type LIKE 'schedule%'": 1,
	} {
		if got := count(t, dir, query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	got, err := db.Schedule(t.Context(), "s12344")
	if err != nil {
		t.Fatal(err)
	}
	want := *made[12_344]
	want.DueAt, want.Recent, want.CreatedAt, want.UpdatedAt = want.NextSlot, []molecule.Outcome{}, got.CreatedAt, got.UpdatedAt
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("read back (-got +want):\n%s", diff)
	}
}

func TestImportSchedules_doesAllOrNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		// spoil changes what is handed over, or what it was decided on.
		spoil func(t *testing.T, db *sqlite.DB, made []*molecule.Schedule) (ids []string, change func(*molecule.Schedule) (bool, error))
		code  molecule.Code
	}{
		{"a name that is in use by now", func(t *testing.T, db *sqlite.DB, made []*molecule.Schedule) ([]string, func(*molecule.Schedule) (bool, error)) {
			made[len(made)-1].Name = "there"
			return nil, nothingChanged
		}, molecule.Conflict},
		{"an agent that is gone by now", func(t *testing.T, db *sqlite.DB, made []*molecule.Schedule) ([]string, func(*molecule.Schedule) (bool, error)) {
			gone := sqlitetest.Agent(t, db, "gone")
			made[0].AgentID = gone.ID
			if err := db.RemoveAgent(t.Context(), "gone"); err != nil {
				t.Fatal(err)
			}
			return nil, nothingChanged
		}, molecule.Conflict},
		{"a calendar that is gone by now", func(t *testing.T, db *sqlite.DB, made []*molecule.Schedule) ([]string, func(*molecule.Schedule) (bool, error)) {
			made[0].Exclusions = []string{"gone"}
			return nil, nothingChanged
		}, molecule.NotFound},
		{"a schedule that is gone by now", func(t *testing.T, db *sqlite.DB, made []*molecule.Schedule) ([]string, func(*molecule.Schedule) (bool, error)) {
			return []string{"00000000-0000-7000-8000-ffffffffffff"}, nothingChanged
		}, molecule.Conflict},
		{"a change that cannot be made", func(t *testing.T, db *sqlite.DB, made []*molecule.Schedule) ([]string, func(*molecule.Schedule) (bool, error)) {
			there, err := db.Schedule(t.Context(), "there")
			if err != nil {
				t.Fatal(err)
			}
			return []string{there.ID}, func(*molecule.Schedule) (bool, error) { return false, molecule.Errorf(molecule.Invalid, "no") }
		}, molecule.Invalid},
		{"a change that panics", func(t *testing.T, db *sqlite.DB, made []*molecule.Schedule) ([]string, func(*molecule.Schedule) (bool, error)) {
			there, err := db.Schedule(t.Context(), "there")
			if err != nil {
				t.Fatal(err)
			}
			return []string{there.ID}, func(*molecule.Schedule) (bool, error) { panic("no") }
		}, molecule.Internal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db := sqlitetest.OpenDir(t, dir)
			made := newSchedules(sqlitetest.Agent(t, db, "echo"), 6_000)
			sqlitetest.Schedule(t, db, "echo", "there", noon.Add(time.Hour))
			ids, change := tt.spoil(t, db, made)
			before := db.Version()
			err := db.ImportSchedules(t.Context(), made, ids, change)
			if molecule.CodeOf(err) != tt.code || err == nil {
				t.Errorf("got %v, want code %s", err, tt.code)
			}
			if n, prompts := count(t, dir, "SELECT COUNT(*) FROM schedules"), count(t, dir, "SELECT COUNT(*) FROM prompts"); n != 1 || prompts != 1 || db.Version() != before {
				t.Errorf("it left %d schedules and %d prompts, version %d after %d", n, prompts, db.Version(), before)
			}
			sqlitetest.Agent(t, db, "after") // the writer goes on
		})
	}
}

func TestImportSchedules_endsWhenNobodyWaitsAnyMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	made := newSchedules(sqlitetest.Agent(t, db, "echo"), 6_000)
	there := sqlitetest.Schedule(t, db, "echo", "there", noon.Add(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	err := db.ImportSchedules(ctx, made, []string{there.ID}, func(*molecule.Schedule) (bool, error) {
		cancel()
		return true, nil
	})
	if !errors.Is(err, context.Canceled) || count(t, dir, "SELECT COUNT(*) FROM schedules") != 1 {
		t.Errorf("it ended with %v", err)
	}
}

func TestImportSchedules_tellsOfEachWhenTheyAreFew(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{100: 101, 101: 1} {
		dir := t.TempDir()
		db := sqlitetest.OpenDir(t, dir)
		made := newSchedules(sqlitetest.Agent(t, db, "echo"), n)
		if err := db.ImportSchedules(t.Context(), made, nil, nothingChanged); err != nil {
			t.Fatal(err)
		}
		page, err := db.Events(t.Context(), molecule.EventFilter{Types: []string{"schedule.", molecule.EventSchedulesImport}, Limit: 1000})
		if err != nil || len(page.Items) != want {
			t.Fatalf("%d schedules are %d events, %v; want %d", n, len(page.Items), err, want)
		}
		last := page.Items[len(page.Items)-1]
		told := fmt.Sprintf(`{"created":%d,"updated":0,"names":["s00000",`, n)
		if last.Subject != "schedules" || len(last.Data) < len(told) || string(last.Data[:len(told)]) != told {
			t.Errorf("the event of %d is about %s: %s", n, last.Subject, last.Data)
		}
	}
}

func TestSchedulesNamed_returnsThoseThereAre(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	for _, name := range []string{"a", "b", "c"} {
		sqlitetest.Schedule(t, db, "echo", name, noon.Add(time.Hour))
	}
	if err := db.RemoveSchedule(t.Context(), "c", nil); err != nil {
		t.Fatal(err)
	}
	found, err := db.SchedulesNamed(t.Context(), []string{"b", "nothing", "c", "a"})
	got := map[string]bool{}
	for _, s := range found {
		got[s.Name] = s.Prompt == "say "+s.Name
	}
	if diff := cmp.Diff(got, map[string]bool{"a": true, "b": true}); err != nil || diff != "" {
		t.Errorf("%v, (-got +want):\n%s", err, diff)
	}
}
