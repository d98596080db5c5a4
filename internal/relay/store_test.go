package relay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/relay"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// bench is a relay over a real store.
type bench struct {
	t  *testing.T
	db *sqlite.DB
	*relay.Relay
}

// newBench returns a relay that does not run yet. Call it inside a bubble.
func newBench(t *testing.T, dir string, tweaks ...func(relay.Store) relay.Store) *bench {
	t.Helper()
	db := sqlitetest.OpenDir(t, dir)
	store := relay.Store(db)
	for _, tweak := range tweaks {
		store = tweak(store)
	}
	return &bench{t: t, db: db, Relay: relay.New(store, slog.New(slog.DiscardHandler))}
}

// start runs the relay until the test ends.
func (b *bench) start() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		err := supervised.RunWithRecover(ctx, supervised.Spec{Name: "event-relay", Run: b.Run, Every: 30 * time.Second})
		if err != nil && !errors.Is(err, context.Canceled) {
			b.t.Errorf("relay: %v", err)
		}
	})
	b.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	synctest.Wait()
}

// tell commits n events in one transaction.
func (b *bench) tell(n int) {
	b.t.Helper()
	events := make([]molecule.SubsystemEvent, n)
	for i := range events {
		events[i] = molecule.SubsystemEvent{At: time.Now(), Subsystem: fmt.Sprintf("part-%d", i%2)}
	}
	if err := b.db.AppendSubsystemEvents(b.t.Context(), events); err != nil {
		b.t.Error(err)
	}
}

// follower reads events of a real store in the background.
type follower struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu  sync.Mutex
	ids []int64
	err error
}

// follow starts a follower.
func (b *bench) follow(f molecule.EventFilter) *follower {
	ctx, cancel := context.WithCancel(b.t.Context())
	r := &follower{cancel: cancel, done: make(chan struct{})}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(r.done)
		for e, err := range b.WatchEvents(ctx, f) {
			r.mu.Lock()
			if err != nil {
				r.err = err
			} else {
				r.ids = append(r.ids, e.ID)
			}
			r.mu.Unlock()
		}
	})
	b.t.Cleanup(func() {
		cancel()
		reading.Wait()
	})
	synctest.Wait()
	return r
}

// saw returns the ids that came and the error at the end.
func (r *follower) saw() ([]int64, error) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int64(nil), r.ids...), r.err
}

// wantIDs checks that a follower saw exactly first to last, in order.
func wantIDs(t *testing.T, r *follower, first, last int64) {
	t.Helper()
	got, err := r.saw()
	if err != nil {
		t.Errorf("the reader ended: %v", err)
	}
	var want []int64
	for id := first; id <= last; id++ {
		want = append(want, id)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("%d events, want %d to %d (-got +want):\n%s", len(got), first, last, diff)
	}
}

func TestWatchEvents_yieldsWhatIsKeptAndThenWhatComes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name        string
		kept, comes int
		after       int64
	}{
		{"nothing kept", 0, 3, 0},
		{"nothing comes", 3, 0, 0},
		{"some of both", 5, 5, 0},
		{"from the middle", 5, 5, 3},
		{"from the end", 5, 5, 5},
		{"exactly a page", 500, 1, 0},
		{"several pages", 1203, 200, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, dir)
				b.tell(c.kept)
				b.start()
				r := b.follow(molecule.EventFilter{After: c.after})
				for range c.comes {
					b.tell(1)
				}
				wantIDs(t, r, c.after+1, int64(c.kept+c.comes))
			})
		})
	}
}

func TestWatchEvents_resumesBehindTheLastOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir)
		b.start()
		first := b.follow(molecule.EventFilter{})
		b.tell(40)
		wantIDs(t, first, 1, 40)
		first.cancel()
		b.tell(40) // while nobody reads
		second := b.follow(molecule.EventFilter{After: 40})
		b.tell(40)
		wantIDs(t, second, 41, 120)
		wantIDs(t, first, 1, 40)
	})
}

func TestWatchEvents_losesNothingBetweenCommitAndNotice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir)
		b.start()
		const writers, each = 4, 25
		var writing sync.WaitGroup
		for range writers {
			writing.Go(func() {
				for range each {
					b.tell(1)
				}
			})
		}
		var readers []*follower
		for range 8 { // each begins while the writers are somewhere else
			readers = append(readers, b.follow(molecule.EventFilter{}))
		}
		writing.Wait()
		for _, r := range readers {
			wantIDs(t, r, 1, writers*each)
		}
	})
}

func TestWatchEvents_leavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir)
		b.tell(3)
		b.start()
		r := b.follow(molecule.EventFilter{})
		if n := b.Readers(); n != 1 {
			t.Errorf("%d readers, want 1", n)
		}
		r.cancel()
		<-r.done
		wantIDs(t, r, 1, 3) // and no error: it was the reader who ended it
		for _, after := range []int64{0, 2} {
			for e, err := range b.WatchEvents(t.Context(), molecule.EventFilter{After: after}) {
				if e.ID != after+1 || err != nil {
					t.Errorf("event %d (%v), want %d", e.ID, err, after+1)
				}
				break
			}
		}
		if n := b.Readers(); n != 0 {
			t.Errorf("%d readers are left", n)
		}
	})
}

// ailing is a store that fails some reads, or never says that there is news.
type ailing struct {
	relay.Store
	mu   sync.Mutex
	left int // reads that fail
	mute bool
}

func (s *ailing) Events(ctx context.Context, f molecule.EventFilter) (molecule.Page[molecule.Event], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left > 0 {
		s.left--
		return molecule.Page[molecule.Event]{}, molecule.Errorf(molecule.Unavailable, "the store is busy")
	}
	return s.Store.Events(ctx, f)
}

func (s *ailing) Committed() <-chan struct{} {
	if s.mute {
		return nil
	}
	return s.Store.Committed()
}

func (s *ailing) fail(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = n
}

func TestRelay_heals(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		fails int
		mute  bool
	}{
		{"a lost signal", 0, true},
		{"one read that fails", 1, false},
		{"several reads that fail", 3, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var sick *ailing
				b := newBench(t, dir, func(s relay.Store) relay.Store {
					sick = &ailing{Store: s, mute: c.mute}
					return sick
				})
				b.start()
				r := b.follow(molecule.EventFilter{})
				sick.fail(c.fails)
				b.tell(5)
				time.Sleep(time.Minute)
				wantIDs(t, r, 1, 5)
			})
		})
	}
}

func TestWatchEvents_endsWithTheErrorOfTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var sick *ailing
		b := newBench(t, dir, func(s relay.Store) relay.Store {
			sick = &ailing{Store: s}
			return sick
		})
		b.start()
		sick.fail(1)
		r := b.follow(molecule.EventFilter{})
		if ids, err := r.saw(); molecule.CodeOf(err) != molecule.Unavailable || len(ids) != 0 {
			t.Errorf("%d events, then %v", len(ids), err)
		}
		if n := b.Readers(); n != 0 {
			t.Errorf("%d readers are left", n)
		}
	})
}
