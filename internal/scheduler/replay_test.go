package scheduler_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

func TestReplay_deadOnABadRow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, dir, fine)
		p.add("bad", "good")
		other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "moleculed.db"))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // whoever writes now is done
		// The row that once killed the loop: an expression nobody can parse.
		if _, err := other.Exec(`UPDATE schedules SET cron = 'every full moon' WHERE name = 'bad'`); err != nil {
			t.Fatal(err)
		}
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3*time.Minute + time.Second)
		if got := len(p.runs("good")); got != 3 {
			t.Errorf("the good schedule fired %d times in three minutes beside a bad one", got)
		}
		s, err := p.db.Schedule(t.Context(), "bad")
		if err != nil || s.State != molecule.ScheduleError || !strings.Contains(s.Reason, "cron") {
			t.Errorf("the bad schedule is %s because %q, %v", s.State, s.Reason, err)
		}
		if got := p.state("scheduler"); got != molecule.SubsystemHealthy {
			t.Errorf("the scheduler is %s", got)
		}
		page, err := p.db.Events(t.Context(), molecule.EventFilter{Types: []string{molecule.EventScheduleError}})
		if err != nil || len(page.Items) != 1 {
			t.Errorf("%d events tell of the bad row, %v; want 1", len(page.Items), err)
		}
		p.close()
	})
}

func TestReplay_maskedByAPulse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		// A loop that hangs while a second goroutine of it beats from a timer:
		// what made the incident invisible the second time.
		var generations int
		hung := make(chan struct{})
		p := start(t, dir, fine, supervised.Spec{
			Name: "masked", Every: 30 * time.Second, Optional: true, Run: maskedRun(hung, &generations),
		})
		time.Sleep(11 * time.Second)
		if got := p.state("masked"); got != molecule.SubsystemStuck {
			t.Errorf("a hung loop with a pulse is %s, want stuck", got)
		}
		time.Sleep(49 * time.Second)
		if got := p.state("masked"); got != molecule.SubsystemHealthy {
			t.Errorf("after a minute it is %s, want healthy", got)
		}
		close(hung)
		synctest.Wait() // the first generation is gone
		p.stopAndCheck("masked", molecule.SubsystemStuck)
	})
}

// maskedRun hangs in its first generation, under a pulse, until hung is closed,
// and works in the ones after it.
func maskedRun(hung chan struct{}, generations *int) func(context.Context, *supervised.Beat) error {
	return func(ctx context.Context, beat *supervised.Beat) error {
		*generations++
		if *generations == 1 {
			var pulse sync.WaitGroup
			defer pulse.Wait()
			pulse.Go(func() {
				for {
					beat.Heartbeat()
					select {
					case <-hung:
						return
					case <-time.After(time.Second):
					}
				}
			})
			return beat.Tick(ctx, func(context.Context) error {
				<-hung // deaf to its context, as a lock would be
				return nil
			})
		}
		for {
			if err := beat.Tick(ctx, func(context.Context) error { return nil }); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(10 * time.Second):
			}
		}
	}
}

// stopAndCheck stops the plant and wants a transition in the store.
func (p *plant) stopAndCheck(name string, to molecule.SubsystemState) {
	p.t.Helper()
	if err := p.stop(); err != nil {
		p.t.Errorf("stop: %v", err)
	}
	if !p.recorded(name, to) {
		p.t.Errorf("the store has no record of %s turning %s", name, to)
	}
	if err := p.db.Close(); err != nil {
		p.t.Error(err)
	}
}

func TestReplay_starvedByLongRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, dir, func(ctx context.Context, d molecule.Delivery) molecule.Reply {
			if strings.HasPrefix(d.Agent.Name, "hung") {
				return hang(ctx, d)
			}
			return fine(ctx, d)
		})
		for i := range 40 {
			p.add(fmt.Sprintf("hung-%d", i))
		}
		p.add("quick-1", "quick-2")
		time.Sleep(5*time.Minute + time.Second)
		for _, name := range []string{"quick-1", "quick-2"} {
			runs := p.runs(name)
			if len(runs) != 5 {
				t.Errorf("%s fired %d times in five minutes beside 40 hung agents", name, len(runs))
			}
			for _, r := range runs {
				if late := r.StartedAt.Sub(r.Slot); late > time.Second || r.Outcome != molecule.OutcomeOK {
					t.Errorf("%s: slot %v began %v late and ended %s", name, r.Slot, late, r.Outcome)
				}
			}
		}
		for _, s := range p.supervisor.Snapshot() {
			if s.State != molecule.SubsystemHealthy {
				t.Errorf("%s is %s beside 40 hung agents", s.Name, s.State)
			}
		}
		// The hung ones have their record too: one open run, the rest skipped.
		for _, r := range p.runs("hung-7")[1:] {
			if r.Outcome != molecule.OutcomeSkippedOverlap {
				t.Errorf("a slot behind a hung run ended %q", r.Outcome)
			}
		}
		p.close()
	})
}

func TestReplay_wedgedByAHeldTransaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, dir, fine)
		p.add("a")
		time.Sleep(90 * time.Second) // one slot fired
		other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "moleculed.db")+"?_txlock=immediate")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // whoever writes now is done
		tx, err := other.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for p.state("scheduler") == molecule.SubsystemHealthy && p.state("store-writer") == molecule.SubsystemHealthy {
			if time.Since(began) > 2*time.Minute {
				t.Fatal("a held transaction was not noticed in two minutes")
			}
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Second) // the watch looks twice a second; what it saw is recorded
		if err := errors.Join(tx.Rollback(), other.Close()); err != nil {
			t.Fatal(err)
		}
		healed := time.Now()
		for p.state("scheduler") != molecule.SubsystemHealthy || p.state("store-writer") != molecule.SubsystemHealthy {
			if time.Since(healed) > time.Minute {
				t.Fatal("not healed a minute after the transaction ended")
			}
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute)
		covered(t, p.runs("a"))
		if err := p.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		events, err := p.db.SubsystemEvents(context.WithoutCancel(t.Context()), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		noticed := false
		for _, e := range events {
			noticed = noticed || e.To == molecule.SubsystemStale || e.To == molecule.SubsystemStuck
		}
		if !noticed {
			t.Errorf("the store has no record of it: %+v", events)
		}
		if err := p.db.Close(); err != nil {
			t.Error(err)
		}
	})
}
