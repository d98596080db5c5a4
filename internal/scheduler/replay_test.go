package scheduler_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/relay"
	"github.com/molecule-ai/molecli/internal/scheduler"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// courier answers for every exec agent; behave is asked by agent name.
type courier struct {
	behave func(ctx context.Context, d molecule.Delivery) molecule.Reply
}

func (c courier) Deliver(ctx context.Context, d molecule.Delivery) molecule.Reply {
	return c.behave(ctx, d)
}

// fine answers at once.
func fine(_ context.Context, d molecule.Delivery) molecule.Reply {
	return molecule.Reply{Answered: true, Exit: &molecule.Exit{}, Parts: []molecule.Part{{Text: "did " + d.Text}}}
}

// hang answers when it is told to stop, and not before.
func hang(ctx context.Context, _ molecule.Delivery) molecule.Reply {
	<-ctx.Done()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return molecule.Reply{Failure: molecule.FailDeadline, Answered: true}
	}
	return molecule.Reply{Failure: molecule.FailShutdown}
}

// plant is everything that fires, without a network: real store, real loops.
type plant struct {
	t          *testing.T
	dir        string
	db         *sqlite.DB
	service    *scheduler.Service
	dispatcher *dispatch.Dispatcher
	supervisor *supervised.Supervisor
	stop       func() error
}

// start opens the store of dir and runs the table of what fires. behave stands
// for the agents. Call it inside a bubble; stop before the bubble ends.
func start(t *testing.T, dir string, behave func(context.Context, molecule.Delivery) molecule.Reply, more ...supervised.Spec) *plant {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	p := &plant{t: t, dir: dir, db: db, supervisor: supervised.New(supervised.Options{Log: log})}
	events := relay.New(db, log)
	p.dispatcher = dispatch.New(dispatch.Options{
		Store: db, Couriers: map[molecule.AgentKind]dispatch.Courier{molecule.AgentExec: courier{behave}},
		Drain: time.Second, Log: log,
		Stale: func(ctx context.Context, r molecule.Run, now time.Time) string { return p.service.Stale(ctx, r, now) },
	})
	p.service = scheduler.NewService(scheduler.ServiceOptions{Store: db, Events: events, Dispatcher: p.dispatcher})
	loop := scheduler.New(scheduler.Options{Store: db, Dispatcher: p.dispatcher, Service: p.service, Log: log})
	transitions := p.supervisor.Transitions()
	specs := append([]supervised.Spec{
		{Name: "store-writer", Run: db.RunWriter, Every: 30 * time.Second},
		{Name: "event-relay", Run: events.Run, Every: 30 * time.Second},
		{Name: "dispatcher", Run: p.dispatcher.Run, Every: 30 * time.Second, StopGrace: 30 * time.Second},
		{Name: "scheduler", Run: loop.Run, Every: 30 * time.Second},
	}, more...)
	for _, s := range specs {
		if err := p.supervisor.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	var result error
	parts.Go(func() { result = p.supervisor.Run(ctx) })
	p.stop = func() error {
		cancel()
		parts.Wait()
		// What the supervisor saw is kept as the daemon's bookkeeper would.
		write := sqlitetest.Write(db)
		err := transitions.Drain(context.WithoutCancel(ctx), db.AppendSubsystemEvents)
		write()
		return errors.Join(result, err)
	}
	return p
}

// onPlant calls do on a plant of its own, in a bubble.
func onPlant(t *testing.T, behave func(context.Context, molecule.Delivery) molecule.Reply, do func(t *testing.T, p *plant)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, dir, behave)
		defer p.close()
		do(t, p)
	})
}

// close ends the plant and its store.
func (p *plant) close() {
	p.t.Helper()
	if err := errors.Join(p.stop(), p.db.Close()); err != nil {
		p.t.Errorf("stop: %v", err)
	}
}

// add makes an agent and a schedule of the same name that fires each minute.
func (p *plant) add(names ...string) {
	p.t.Helper()
	for _, name := range names {
		sqlitetest.Agent(p.t, p.db, name)
		s := molecule.Schedule{Name: name, Agent: name, Cron: "* * * * *", Prompt: "work"}
		if err := p.service.CreateSchedule(p.t.Context(), &s); err != nil {
			p.t.Fatal(err)
		}
	}
}

// runs returns the runs of a schedule, oldest first.
func (p *plant) runs(name string) []molecule.Run {
	p.t.Helper()
	page, err := p.db.Runs(context.WithoutCancel(p.t.Context()), molecule.RunFilter{Schedule: name, Limit: 1000})
	if err != nil {
		p.t.Fatal(err)
	}
	var oldest []molecule.Run
	for i := len(page.Items) - 1; i >= 0; i-- {
		oldest = append(oldest, page.Items[i])
	}
	return oldest
}

// state is what the supervisor says of a subsystem.
func (p *plant) state(name string) molecule.SubsystemState {
	for _, s := range p.supervisor.Snapshot() {
		if s.Name == name {
			return s.State
		}
	}
	return ""
}

// recorded reports whether a transition of the subsystem to the state is in
// the store. The plant has to be stopped.
func (p *plant) recorded(name string, to molecule.SubsystemState) bool {
	p.t.Helper()
	events, err := p.db.SubsystemEvents(context.WithoutCancel(p.t.Context()), name, 100)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range events {
		if e.To == to {
			return true
		}
	}
	return false
}

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

// covered wants each minute from the first slot to the last in exactly one row.
func covered(t *testing.T, runs []molecule.Run) {
	t.Helper()
	seen := make(map[time.Time]int)
	var first, last time.Time
	for _, r := range runs {
		to := r.SlotTo
		if to.IsZero() {
			to = r.Slot
		}
		n := 0
		for at := r.Slot; !at.After(to); at = at.Add(time.Minute) {
			seen[at]++
			n++
		}
		if n != r.Slots {
			t.Errorf("the row of %v says %d slots and covers %d", r.Slot, r.Slots, n)
		}
		if first.IsZero() || r.Slot.Before(first) {
			first = r.Slot
		}
		if to.After(last) {
			last = to
		}
	}
	for at := first; !at.After(last); at = at.Add(time.Minute) {
		if seen[at] != 1 {
			t.Errorf("slot %v is covered %d times", at, seen[at])
		}
	}
}
