package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/relay"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// table is the events table of a store, in memory. Its hooks run before it answers.
type table struct {
	mu        sync.Mutex
	events    []molecule.Event
	committed chan struct{}
	pruned    int64 // events up to here are gone
	onLast    func() error
	onRead    func() error
}

func newTable() *table { return &table{committed: make(chan struct{}, 1)} }

// commit adds an event of a type and tells of it.
func (t *table) commit(kind string) {
	t.mu.Lock()
	t.events = append(t.events, molecule.Event{ID: int64(len(t.events) + 1), Type: kind, Subject: "agent/a", Data: json.RawMessage(`{}`)})
	t.mu.Unlock()
	select {
	case t.committed <- struct{}{}:
	default:
	}
}

// Events implements relay.Store.
func (t *table) Events(_ context.Context, f molecule.EventFilter) (molecule.Page[molecule.Event], error) {
	if t.onRead != nil {
		if err := t.onRead(); err != nil {
			return molecule.Page[molecule.Event]{}, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var page molecule.Page[molecule.Event]
	if f.After > 0 && f.After < t.pruned {
		return page, molecule.Errorf(molecule.Gone, "pruned up to %d", t.pruned)
	}
	for _, e := range t.events[t.pruned:] {
		if e.ID > f.After && f.Matches(e) && len(page.Items) < f.Limit {
			page.Items = append(page.Items, e)
		}
	}
	return page, nil
}

// LastEventID implements relay.Store.
func (t *table) LastEventID(context.Context) (int64, error) {
	if t.onLast != nil {
		if err := t.onLast(); err != nil {
			return 0, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(len(t.events)), nil
}

// Committed implements relay.Store.
func (t *table) Committed() <-chan struct{} { return t.committed }

// run runs a relay as its supervisor does, until the test ends.
func run(t *testing.T, store relay.Store) *relay.Relay {
	t.Helper()
	r := relay.New(store, slog.New(slog.DiscardHandler))
	supervise(t, r)
	return r
}

// supervise runs r as its supervisor does, until the test ends.
func supervise(t *testing.T, r *relay.Relay) {
	t.Helper()
	s := supervised.New(supervised.Options{})
	if err := s.Add(supervised.Spec{Name: "event-relay", Run: r.Run, Every: 30 * time.Second}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); parts.Wait() })
}

// reader collects what a watcher sees.
type reader struct {
	mu  sync.Mutex
	ids []int64
	err error
}

// read watches in a goroutine until the test ends or n events came; 0 is no end.
func read(t *testing.T, r *relay.Relay, f molecule.EventFilter, n int) *reader {
	t.Helper()
	seen := new(reader)
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() {
		for e, err := range r.WatchEvents(ctx, f) {
			seen.mu.Lock()
			if seen.err = err; err == nil {
				seen.ids = append(seen.ids, e.ID)
			}
			full := len(seen.ids) == n
			seen.mu.Unlock()
			if full {
				return
			}
		}
	})
	t.Cleanup(func() { cancel(); reading.Wait() })
	return seen
}

// want compares what was seen once nothing more happens.
func (s *reader) want(t *testing.T, ids ...int64) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(s.ids, ids); diff != "" || s.err != nil {
		t.Errorf("seen, %v (-got +want):\n%s", s.err, diff)
	}
}

func TestWatchEvents_losesNothingCommittedWhileTheRelayBegins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTable()
		store.commit("agent.created")
		asked, answer := make(chan struct{}), make(chan struct{})
		store.onLast = func() error { close(asked); <-answer; return nil }
		r := run(t, store)
		<-asked
		seen := read(t, r, molecule.EventFilter{}, 0)
		synctest.Wait() // the reader has read what it could
		store.commit("agent.updated")
		close(answer)
		seen.want(t, 1, 2)
	})
}

func TestWatchEvents_joinsWhatWasAndWhatComes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		filter molecule.EventFilter
		want   []int64
	}{
		{"everything", molecule.EventFilter{}, []int64{1, 2, 3, 4, 5, 6}},
		{"behind an id", molecule.EventFilter{After: 2}, []int64{3, 4, 5, 6}},
		{"behind one that is still to come", molecule.EventFilter{After: 4}, []int64{5, 6}},
		{"by prefix of the type", molecule.EventFilter{Types: []string{"agent."}}, []int64{1, 3, 4, 6}},
		{"by type", molecule.EventFilter{Types: []string{"run.started"}}, []int64{2, 5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newTable()
				r := run(t, store)
				kinds := []string{"agent.created", "run.started", "agent.updated"}
				for _, k := range kinds {
					store.commit(k)
				}
				synctest.Wait()
				seen := read(t, r, tt.filter, 0)
				synctest.Wait()
				for _, k := range kinds {
					store.commit(k)
				}
				seen.want(t, tt.want...)
			})
		})
	}
}

func TestWatchEvents_seesOnceWhatIsCommittedWhileItReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTable()
		r := run(t, store)
		synctest.Wait()
		store.commit("a")
		synctest.Wait()
		once := sync.OnceFunc(func() { store.commit("b") })
		store.onRead = func() error { once(); return nil } // in the table and in the queue
		read(t, r, molecule.EventFilter{}, 0).want(t, 1, 2)
	})
}

func TestRun_dropsWhoIsTooSlowAndNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTable()
		r := run(t, store)
		synctest.Wait()
		quick := read(t, r, molecule.EventFilter{Types: []string{"last"}}, 0)
		stopped := make(chan struct{})
		var slow []error
		var last int64
		var reading sync.WaitGroup
		reading.Go(func() {
			for e, err := range r.WatchEvents(context.Background(), molecule.EventFilter{}) {
				if err != nil {
					slow = append(slow, err)
					return
				}
				if last = e.ID; last == 1 {
					<-stopped
				}
			}
		})
		synctest.Wait()
		for range 1000 {
			store.commit("noise")
		}
		store.commit("last")
		quick.want(t, 1001)
		if n := r.Readers(); n != 1 {
			t.Errorf("%d readers are left, want the quick one", n)
		}
		close(stopped)
		reading.Wait()
		if len(slow) != 1 || molecule.CodeOf(slow[0]) != molecule.Unavailable || last >= 1001 {
			t.Errorf("the slow one got %v after event %d", slow, last)
		}
		again := read(t, r, molecule.EventFilter{After: last}, 0) // it can go on where it was
		var rest []int64
		for id := last + 1; id <= 1001; id++ {
			rest = append(rest, id)
		}
		again.want(t, rest...)
	})
}

func TestRun_goesOnBehindTheLastEventAfterAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTable()
		var mu sync.Mutex
		var broken error
		store.onRead = func() error { mu.Lock(); defer mu.Unlock(); return broken }
		r := run(t, store)
		synctest.Wait()
		seen := read(t, r, molecule.EventFilter{}, 0)
		store.commit("a")
		seen.want(t, 1)
		mu.Lock()
		broken = errors.New("the table cannot be read")
		mu.Unlock()
		store.commit("b")
		time.Sleep(time.Second)
		store.commit("c")
		mu.Lock()
		broken = nil
		mu.Unlock()
		time.Sleep(time.Minute) // it is started again
		seen.want(t, 1, 2, 3)
	})
}

// prune forgets the events up to an id.
func (t *table) prune(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pruned = id
}

func TestWatchEvents_saysThatWhatIsBehindItsStartWasPruned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTable()
		r := run(t, store)
		for range 5 {
			store.commit("a")
		}
		synctest.Wait()
		store.prune(3)
		read(t, r, molecule.EventFilter{}, 0).want(t, 4, 5)
		read(t, r, molecule.EventFilter{After: 3}, 0).want(t, 4, 5)
		late := read(t, r, molecule.EventFilter{After: 2}, 0)
		synctest.Wait()
		late.mu.Lock()
		defer late.mu.Unlock()
		if molecule.CodeOf(late.err) != molecule.Gone || late.ids != nil {
			t.Errorf("behind a pruned event it saw %v and got %v", late.ids, late.err)
		}
	})
}

func TestRun_goesOnBehindWhatWasPrunedBeforeItWasOffered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTable()
		r := run(t, store)
		store.commit("a")
		synctest.Wait()
		seen := read(t, r, molecule.EventFilter{}, 0)
		seen.want(t, 1)
		store.mu.Lock() // the relay waits for the table while much is committed and pruned
		for id := int64(2); id <= 9; id++ {
			store.events = append(store.events, molecule.Event{ID: id, Type: "b"})
		}
		store.pruned = 7
		store.mu.Unlock()
		store.commit("c")
		synctest.Wait()
		seen.mu.Lock()
		if molecule.CodeOf(seen.err) != molecule.Unavailable || len(seen.ids) != 1 {
			t.Errorf("a reader before the gap saw %v and got %v", seen.ids, seen.err)
		}
		seen.mu.Unlock()
		again := read(t, r, molecule.EventFilter{After: 8}, 0)
		store.commit("d")
		again.want(t, 9, 10, 11)
	})
}

func TestSeen_signalsAfterWhatWasOffered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTable()
		r := relay.New(store, slog.New(slog.DiscardHandler))
		readers := []<-chan struct{}{r.Seen(), r.Seen()}
		supervise(t, r)
		for n := range 4 {
			if n > 0 { // the first signal is that it begins
				store.commit("a")
			}
			for i, seen := range readers {
				select {
				case <-seen:
				case <-time.After(time.Second):
					t.Fatalf("reader %d was not told", i)
				}
			}
		}
		synctest.Wait()
		for i, seen := range readers {
			select {
			case <-seen:
				t.Errorf("reader %d was told without an event", i)
			default:
			}
		}
		if id, err := r.LastEventID(t.Context()); err != nil || id != 3 {
			t.Errorf("the newest event is %d, %v", id, err)
		}
		if page, err := r.Events(t.Context(), molecule.EventFilter{Limit: 2}); err != nil || len(page.Items) != 2 {
			t.Errorf("a page is %+v, %v", page, err)
		}
	})
}
