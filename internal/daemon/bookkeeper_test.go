package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// TestCounts_areThoseOfTheLastTurnWhenTheBookkeeperHangs holds liveness to its
// 50 ms when something was committed just before the store, or the bookkeeper
// itself, stood still.
func TestCounts_areThoseOfTheLastTurnWhenTheBookkeeperHangs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db := sqlitetest.OpenDir(t, dir)
		supervisor := supervised.New(supervised.Options{})
		books := newBookkeeper(db, supervisor.Transitions(), func() map[string]time.Time { return nil }, nil)
		live := &liveness{supervisor: supervisor, books: books}
		sqlitetest.Agent(t, db, "one")
		if err := books.keep(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		counted := time.Now().Truncate(time.Millisecond)
		time.Sleep(time.Second)
		sqlitetest.Agent(t, db, "two") // and from here on nobody counts

		for range 3 {
			asked := time.Now()
			l, err := live.Liveness(t.Context())
			if err != nil || l.Agents.Online != 1 || !l.AsOf.Equal(counted) {
				t.Errorf("%d agents as of %v, %v; want the one of %v", l.Agents.Online, l.AsOf, err, counted)
			}
			if took := time.Since(asked); took >= 50*time.Millisecond {
				t.Errorf("the answer took %v", took)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if l, err := live.Liveness(ctx); err != nil || l.Agents.Online != 1 {
			t.Errorf("whoever waits no longer is told of %d agents, %v", l.Agents.Online, err)
		}
	})
}
