package scheduler_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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

// behaviour stands for the agents; which of them is asked is in the delivery.
type behaviour func(ctx context.Context, d molecule.Delivery) molecule.Reply

// Deliver implements [dispatch.Courier].
func (b behaviour) Deliver(ctx context.Context, d molecule.Delivery) molecule.Reply { return b(ctx, d) }

// caller reaches push agents, which may be away.
type caller struct {
	behaviour
	there func() bool
}

// Reachable implements [dispatch.Prober].
func (c caller) Reachable(context.Context, molecule.Agent) bool { return c.there() }

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

// world is what a plant finds around it.
type world struct {
	behave behaviour
	there  func() bool          // whether push agents can be reached; nil: they can
	jump   func() time.Duration // of the clock on the wall; nil: it never does
	budget molecule.Budget      // of all runs together
	idle   bool                 // the loop does not run, so that nothing is claimed
	calm   bool                 // subsystems promise a tick a day, so that years pass quickly
}

// start opens the store of dir and runs the table of what fires. behave stands
// for the agents. Call it inside a bubble; stop before the bubble ends.
func start(t *testing.T, dir string, behave behaviour, more ...supervised.Spec) *plant {
	t.Helper()
	return world{behave: behave}.start(t, dir, more...)
}

// start is the function of that name for the whole of w.
func (w world) start(t *testing.T, dir string, more ...supervised.Spec) *plant {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sqlitetest.Seed(t, dir)
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if w.there == nil {
		w.there = func() bool { return true }
	}
	every, look := 30*time.Second, time.Duration(0)
	if w.calm {
		every, look = 24*time.Hour, 24*time.Hour
	}
	p := &plant{t: t, dir: dir, db: db, supervisor: supervised.New(supervised.Options{Log: log, Look: look})}
	events := relay.New(db, log)
	p.dispatcher = dispatch.New(dispatch.Options{
		Store: db,
		Couriers: map[molecule.AgentKind]dispatch.Courier{
			molecule.AgentExec: w.behave, molecule.AgentPush: caller{w.behave, w.there},
		},
		Budget: w.budget, Drain: time.Second, Log: log,
		Stale: func(ctx context.Context, r molecule.Run, now time.Time) string { return p.service.Stale(ctx, r, now) },
	})
	p.service = scheduler.NewService(scheduler.ServiceOptions{Store: db, Events: events, Dispatcher: p.dispatcher})
	loop := scheduler.New(scheduler.Options{Store: db, Dispatcher: p.dispatcher, Service: p.service, Jump: w.jump, Log: log})
	transitions := p.supervisor.Transitions()
	specs := append([]supervised.Spec{
		{Name: "store-writer", Run: db.RunWriter, Every: every},
		{Name: "event-relay", Run: events.Run, Every: every},
		{Name: "dispatcher", Run: p.dispatcher.Run, Every: every, StopGrace: 30 * time.Second},
	}, more...)
	if !w.idle {
		specs = append(specs, supervised.Spec{Name: "scheduler", Run: loop.Run, Every: every})
	}
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
func onPlant(t *testing.T, behave behaviour, do func(t *testing.T, p *plant)) {
	t.Helper()
	world{behave: behave}.on(t, do)
}

// on calls do on a plant of its own in w, in a bubble.
func (w world) on(t *testing.T, do func(t *testing.T, p *plant)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := w.start(t, dir)
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

// bySlot returns the runs of a schedule by slot, the oldest first.
func (p *plant) bySlot(name string) []molecule.Run {
	p.t.Helper()
	runs := p.runs(name)
	slices.SortStableFunc(runs, func(a, b molecule.Run) int { return a.Slot.Compare(b.Slot) })
	return runs
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
