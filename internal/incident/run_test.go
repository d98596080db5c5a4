package incident_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/incident"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// house is a supervised keeper on a real store.
type house struct {
	t      *testing.T
	db     *sqlite.DB
	keeper *incident.Keeper
	stop   func()
}

// build runs the writer of the store of dir, a keeper and more. store makes what
// the keeper writes to. Call it inside a bubble; close before the bubble ends.
func build(t *testing.T, dir string, store func(*sqlite.DB) incident.Store, more ...supervised.Spec) *house {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sqlitetest.Seed(t, dir)
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	s := supervised.New(supervised.Options{})
	h := &house{t: t, db: db}
	h.keeper = incident.New(incident.Options{
		Store: store(db), Transitions: s.Transitions(), Log: log,
		Subsystems: func() []string {
			var names []string
			for _, st := range s.Snapshot() {
				names = append(names, st.Name)
			}
			return names
		},
	})
	for _, spec := range append([]supervised.Spec{
		{Name: "store-writer", Run: db.RunWriter, Every: 30 * time.Second, Optional: true},
		{Name: "incident-keeper", Run: h.keeper.Run, Every: 30 * time.Second, Optional: true},
	}, more...) {
		if err := s.Add(spec); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.keeper.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("supervisor: %v", err)
		}
	})
	h.stop = func() {
		cancel()
		parts.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	return h
}

// itself is a store nobody stands in front of.
func itself(db *sqlite.DB) incident.Store { return db }

// open returns the incidents that are open, one a line.
func (h *house) open() []string {
	h.t.Helper()
	page, err := h.keeper.Incidents(h.t.Context(), molecule.IncidentFilter{})
	if err != nil {
		h.t.Fatal(err)
	}
	var lines []string
	for _, in := range page.Items {
		line := in.Subject + ": " + in.Title
		if in.Unsaved {
			line += " (unsaved)"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestRun_storesWhatIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := build(t, dir, itself)
		defer h.stop()
		time.Sleep(5 * time.Second)
		h.keeper.Open(late("schedule/a"))
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		h.keeper.Close(molecule.IncidentMissedRuns, "schedule/a", molecule.Now())
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		wantTold(t, h.db, "opened schedule/a", "closed schedule/a")
	})
}

func TestRun_aLockedStoreCannotHideItsOwnIncident(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := build(t, dir, itself)
		defer h.stop()
		time.Sleep(5 * time.Second)
		other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "moleculed.db")+"?_txlock=immediate")
		if err != nil {
			t.Fatal(err)
		}
		held, err := other.Begin()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second)
		want := []string{"subsystem/store-writer: store-writer has finished no turn in time (unsaved)"}
		if diff := cmp.Diff(h.open(), want); diff != "" {
			t.Errorf("while the store is locked it tells (-got +want):\n%s", diff)
		}
		if err := errors.Join(held.Rollback(), other.Close()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Second)
		if got := h.open(); len(got) != 0 {
			t.Errorf("once it is free %v are open", got)
		}
		if got := strings.Join(told(t, h.db), ", "); !strings.Contains(got, "opened subsystem/store-writer") || !strings.Contains(got, "closed subsystem/store-writer") {
			t.Errorf("the store was told %s", got)
		}
	})
}

// stuckStore hangs in every write until it is freed, whatever its context says.
type stuckStore struct {
	*sqlite.DB
	free chan struct{}
}

// SaveIncidents implements incident.Store.
func (s stuckStore) SaveIncidents(ctx context.Context, all []molecule.Incident) error {
	<-s.free
	return s.DB.SaveIncidents(ctx, all)
}

func TestRun_aKeeperThatHangsTellsOfItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		h := build(t, dir, func(db *sqlite.DB) incident.Store { return stuckStore{db, free} })
		defer h.stop()
		h.keeper.Open(late("schedule/a"))
		time.Sleep(12 * time.Second)
		got := strings.Join(h.open(), "\n")
		if !strings.Contains(got, "subsystem/incident-keeper: incident-keeper is stuck in ") || !strings.Contains(got, "stuckStore") {
			t.Errorf("while it hangs it tells\n%s", got)
		}
		time.Sleep(2 * time.Minute)
		close(free)
		time.Sleep(3 * time.Minute)
		if got := h.open(); len(got) != 1 || got[0] != "schedule/a: schedule/a is late" {
			t.Errorf("once it is free %q are open", got)
		}
		for _, in := range rows(t, h.db) {
			if in.Subject == "subsystem/incident-keeper" && (in.Open() || in.Evidence.Stack == "") {
				t.Errorf("its own incident is kept as %+v", in)
			}
		}
	})
}

func TestRun_closesWhatTheLastLifeLeftOnceThisOneIsHealthy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		works := func(ctx context.Context, beat *supervised.Beat) error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-beat.C():
					_ = beat.Tick(ctx, func(context.Context) error { return nil }) // it cannot fail
				}
			}
		}
		deaf := func(ctx context.Context, _ *supervised.Beat) error { <-ctx.Done(); return nil }
		h := build(t, dir, itself,
			supervised.Spec{Name: "part", Run: deaf, Every: time.Second, Optional: true},
			supervised.Spec{Name: "old", Run: deaf, Every: time.Second, Optional: true})
		time.Sleep(11 * time.Second)
		synctest.Wait()
		first := rows(t, h.db)
		h.stop()

		h = build(t, dir, itself, supervised.Spec{Name: "part", Run: works, Every: time.Second, Optional: true})
		defer h.stop()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(first) != 2 || len(rows(t, h.db)) != 2 {
			t.Fatalf("there were %d incidents and are %d, want the same two", len(first), len(rows(t, h.db)))
		}
		for _, in := range rows(t, h.db) {
			if in.Open() {
				t.Errorf("%s is open still: %s", in.Subject, in.Title)
			}
		}
	})
}
