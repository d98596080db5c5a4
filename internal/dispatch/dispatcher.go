package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	reconcileLimit = 10_000 // open runs read at once
	readTogether   = 256    // runs whose agents are read at once
	hardStop       = 8 * time.Second
)

// Store is what the dispatcher needs of the store.
type Store interface {
	// Recipients returns those of the agents with ids that are not removed.
	Recipients(ctx context.Context, ids []string) ([]molecule.Agent, error)
	OpenRuns(ctx context.Context, limit int) ([]molecule.Run, error)
	StartRun(ctx context.Context, r molecule.Run, started, deadline time.Time, attempt int) error
	FinishAttempt(ctx context.Context, id string, a molecule.Attempt) error
	SetRunHandle(ctx context.Context, id, handle string) error
	SetRunWaiting(ctx context.Context, id string, state molecule.RunState, reason string, deadline time.Time) error
	FinishRun(ctx context.Context, f molecule.Finish) (molecule.Run, error)
	// Spent leaves the runs of but out.
	Spent(ctx context.Context, scheduleID, agentID string, since time.Time, but []string) (molecule.Spent, error)
}

// Courier delivers to one kind of agent. The context ends at the run's
// deadline, or is canceled when the daemon stops or, with ErrRunCanceled in its
// cause, when the run is; a courier returns soon after each. It reports facts
// and judges nothing.
type Courier interface {
	Deliver(ctx context.Context, d molecule.Delivery) molecule.Reply
}

// Prober is a Courier that can tell whether an agent is there without asking
// anything of it.
type Prober interface {
	Reachable(ctx context.Context, a molecule.Agent) bool
}

// Options are what a Dispatcher needs.
type Options struct {
	Store    Store
	Couriers map[molecule.AgentKind]Courier
	Rules    Rules
	Budget   molecule.Budget // of all runs together
	// Drain is how long runs on their way may go on when the daemon stops.
	Drain time.Duration
	// Stale says why a run that an earlier process claimed and never sent is no
	// longer worth sending; empty means send it. nil sends all. now is when it was
	// found: that it waits for its turn since then makes no run stale.
	Stale func(ctx context.Context, r molecule.Run, now time.Time) string
	// Finished is told of each run that has ended; nil is nobody.
	Finished func(molecule.Run)
	// Incidents is told of deliveries that do not come back; nil is nobody.
	Incidents Incidents
	// Alarm wakes runs at their instant; nil leaves that to the timers of the
	// runtime, which are later, and which alone know virtual time.
	Alarm *Alarm
	Log   *slog.Logger
}

// Dispatcher delivers runs; its Run is the subsystem dispatcher.
type Dispatcher struct {
	Options
	queues   *queues
	spending *spending
	arming   arming
	door     door
	away     away
	kick     chan struct{} // buffered 1: one signal is enough; never closed
}

// New returns a Dispatcher.
func New(o Options) *Dispatcher {
	return &Dispatcher{Options: o, queues: newQueues(), spending: newSpending(), door: newDoor(), kick: make(chan struct{}, 1)}
}

// Enqueue takes runs over. It never waits; a run that is held already is left.
func (d *Dispatcher) Enqueue(runs []molecule.Run) {
	if d.queues.add(runs, time.Time{}) {
		d.wake()
	}
}

func (d *Dispatcher) wake() {
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

// Cancel tells whoever works on a run to stop and reports whether the run is
// held here. It ends as canceled once they have.
func (d *Dispatcher) Cancel(id, why string) bool {
	held := d.queues.cancel(id, why)
	if held {
		d.wake()
	}
	return held
}

// Load returns how many runs wait for a place and how many are on their way.
func (d *Dispatcher) Load() (queued, active int) { return d.queues.load() }

// Run starts deliveries until ctx ends, then lets those on their way go on for
// Drain. A tick reads the open runs from the store, so that whatever an earlier
// process, or a hand-over that was cut short, left behind is taken over.
func (d *Dispatcher) Run(ctx context.Context, beat *supervised.Beat) error {
	// Deliveries outlive ctx by Drain, and storing their ends by a little more.
	base := context.WithoutCancel(ctx)
	deliveries, cut := context.WithCancelCause(base)
	storing, giveUp := context.WithCancel(base)
	defer giveUp()
	var under sync.WaitGroup
	defer d.drain(&under, cut, giveUp)

	reminder := beat.C()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		reconcile := false
		select {
		case <-ctx.Done():
			return nil
		case <-d.kick:
		case <-timer.C:
		case <-reminder:
			reconcile = true
		}
		err := beat.Tick(ctx, func(tick context.Context) error {
			if reconcile {
				if err := d.adopt(tick); err != nil {
					return err
				}
				d.reclaim(time.Now(), func(r molecule.Run) { under.Go(func() { d.giveUp(storing, r) }) })
			}
			taken, next := d.queues.take(time.Now())
			for some := range slices.Chunk(taken, readTogether) {
				agents := d.recipients(tick, some)
				for _, r := range some {
					under.Go(func() { d.carry(deliveries, storing, r, agents[r.AgentID]) })
				}
			}
			if !next.IsZero() {
				timer.Reset(time.Until(next))
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			d.Log.ErrorContext(ctx, "take over open runs", "err", err)
		}
	}
}

// recipients reads the agents of runs at once, by id. What it does not find, or
// cannot read, each run looks for by itself.
func (d *Dispatcher) recipients(ctx context.Context, runs []molecule.Run) map[string]*molecule.Agent {
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = r.AgentID
	}
	found, err := d.Store.Recipients(ctx, ids)
	if err != nil {
		d.Log.WarnContext(ctx, "read the agents of runs", "runs", len(runs), "err", err)
		return nil
	}
	agents := make(map[string]*molecule.Agent, len(found))
	for i := range found {
		agents[found[i].ID] = &found[i]
	}
	return agents
}

// adopt takes over the open runs that nobody here holds.
func (d *Dispatcher) adopt(ctx context.Context) error {
	open, err := d.Store.OpenRuns(ctx, reconcileLimit)
	if err != nil {
		return fmt.Errorf("read open runs: %w", err)
	}
	d.queues.add(open, molecule.Now())
	d.queues.relist()
	return nil
}

// drain waits for the deliveries on their way, first as they like and then
// told to stop.
func (d *Dispatcher) drain(under *sync.WaitGroup, cut context.CancelCauseFunc, giveUp context.CancelFunc) {
	patience := time.AfterFunc(d.Drain, func() { cut(errStopping) })
	defer patience.Stop()
	last := time.AfterFunc(d.Drain+hardStop, giveUp)
	defer last.Stop()
	under.Wait()
	cut(errStopping)
}

// giveUp ends a run whose delivery does not come back, and then frees its place.
func (d *Dispatcher) giveUp(storing context.Context, r molecule.Run) {
	j := &journey{Dispatcher: d, run: r, deliveries: storing, storing: storing}
	j.finish(Verdict{Outcome: molecule.OutcomeTimeout, Reason: "the delivery went on behind the deadline and was given up"})
	d.queues.expire(r.ID)
	d.wake()
}

// errStopping is the cause a delivery is given when the daemon stops.
var errStopping = molecule.Errorf(molecule.Unavailable, "the daemon is stopping")

// carry brings one run to its end. agent is nil when it was not read. Whatever
// goes wrong, a panic too, ends this run and nothing else.
func (d *Dispatcher) carry(deliveries, storing context.Context, r molecule.Run, agent *molecule.Agent) {
	defer d.wake()
	defer d.queues.release(r)
	labels := pprof.Labels("run", r.ID, "agent", r.Agent)
	pprof.Do(deliveries, labels, func(deliveries context.Context) {
		deliveries, cancel := context.WithCancelCause(deliveries)
		defer cancel(nil)
		adopted := d.queues.attach(r.ID, cancel)
		j := &journey{Dispatcher: d, run: r, known: agent, adopted: adopted, deliveries: deliveries, storing: storing}
		err := supervised.Guard(j.travel)
		d.spending.end(r.ID)
		if err == nil {
			return
		}
		d.Log.ErrorContext(storing, "deliver run", "run", r.ID, "agent", r.Agent, "err", err)
		j.broken = true
		j.finish(Verdict{Outcome: molecule.OutcomeUnknown, Reason: "the delivery broke: " + err.Error()})
	})
}
