package registry

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	sweepEvery = 100 * time.Millisecond
	quietSweep = time.Second            // between two sweeps while there is nothing to be judged
	lateSweep  = 400 * time.Millisecond // behind its time: the rest of it was nobody's silence
	longStall  = 5 * time.Second        // from here on it is a resume, and there is grace
	grace      = time.Minute            // from the start, and from a resume
	slowStore  = 2 * time.Second        // a write that takes longer is a stall
	stuckStore = 10 * time.Second       // and then the sweep says that it does not work
)

// WatchStore is what a Monitor needs of the store.
type WatchStore interface {
	AgentRows(ctx context.Context) ([]molecule.AgentRow, error)
	// AgentChanges returns what changed since it was last called.
	AgentChanges() []molecule.AgentRow
	// AgentsChanged receives when there are such.
	AgentsChanged() <-chan struct{}
	ChangeAgents(ctx context.Context, changes []molecule.AgentChange) ([]molecule.AgentRow, error)
	Recipient(ctx context.Context, agentID string) (molecule.Agent, error)
	Checkpoint(ctx context.Context) (time.Time, []byte, error)
	SaveCheckpoint(ctx context.Context, at time.Time, body []byte) error
}

// Prober can tell whether an agent is there without asking anything of it.
type Prober interface {
	Reachable(ctx context.Context, a molecule.Agent) bool
}

// Incidents is who is told what a person should know. None of it waits.
type Incidents interface {
	Open(in molecule.Incident)
	Close(kind, subject string, at time.Time)
	// Report tells all that is wrong of a kind: whatever else of it is open is over.
	Report(kind string, at time.Time, found ...molecule.Incident)
}

// MonitorOptions are what a Monitor needs.
type MonitorOptions struct {
	Store     WatchStore
	Prober    Prober
	Incidents Incidents
	// Returned is told of each agent that was offline and is not any more; nil
	// is nobody.
	Returned func(agentID string)
	Log      *slog.Logger
}

// Monitor knows when each agent was last heard, and judges its silence. Run is
// the subsystem agent-monitor, RunProber the subsystem agent-prober; the other
// methods may be called at any time and wait for nobody.
type Monitor struct {
	MonitorOptions
	clock   *watchClock
	pulses  pulses
	watched atomic.Int64 // agents, for the pace they are asked for

	list  sync.RWMutex // guards what follows, and the slots of pulses
	wards map[string]*ward

	wake  sync.Mutex // guards woken
	woken []*ward

	judging  sync.Mutex // held by whoever decides about agents; guards what follows
	loaded   bool
	swept    time.Time
	rest     time.Duration // from there to the next sweep, as it was planned
	calm     int64         // on the watch clock: before it nobody is called silent
	dirty    []*ward
	lapsed   []lapse // of this sweep: those to be called offline
	flapping map[*ward]struct{}
	untold   map[*ward]time.Time // offline since, and nobody was told
	tally    map[molecule.AgentState]int
	mass     mass

	packed  int // bytes of the last checkpoint; the scribe's own
	queue   queue
	kick    chan struct{}             // buffered 1: there is something to store
	writing atomic.Pointer[time.Time] // since when the store is written to; nil: it is not
	lag     atomic.Pointer[error]     // why it was not
}

// NewMonitor returns a Monitor that knows of no agent yet.
func NewMonitor(o MonitorOptions) *Monitor {
	now := time.Now()
	m := &Monitor{
		MonitorOptions: o, clock: newWatchClock(now.Add(-time.Nanosecond)), // no reading is zero: that means never
		wards: make(map[string]*ward), flapping: make(map[*ward]struct{}), untold: make(map[*ward]time.Time), tally: make(map[molecule.AgentState]int),
		kick: make(chan struct{}, 1), queue: newQueue(),
	}
	m.pulses.stir = make(chan struct{}, 1)
	m.calm = int64(grace)
	m.mass.covered = make(map[*ward]struct{})
	return m
}

// Heard takes a request of an agent as a sign of life. at is when it was
// accepted, with its monotonic reading.
func (m *Monitor) Heard(at time.Time, agentID string, what molecule.Request) {
	m.touch(at, agentID, what, func(*ward, int64) {})
}

// Heartbeat takes what an agent says of itself, and returns in how many seconds
// it is to say so again.
func (m *Monitor) Heartbeat(at time.Time, agentID string, v molecule.Vitals) (nextSeconds int) {
	next := pace(m.watched.Load(), rand.Float64())
	m.touch(at, agentID, molecule.RequestHeartbeat, func(w *ward, now int64) {
		w.say(v, now, at)
		w.asked = uint8(next)
	})
	return next
}

// touch notes a request, and what more there is to note of it.
func (m *Monitor) touch(at time.Time, agentID string, what molecule.Request, more func(w *ward, now int64)) {
	w := m.ward(agentID)
	now, stalled := m.clock.at(at), m.clock.stalled()
	w.mu.Lock()
	w.touch(now, at, what, stalled)
	more(w, now)
	wake := w.unsettled() && !w.woken && !w.gone
	if wake {
		w.woken = true
	} else if !w.woken {
		w.setWait(w.rests())
	}
	w.mu.Unlock()
	if wake {
		m.wake.Lock()
		m.woken = append(m.woken, w)
		m.wake.Unlock()
		m.pulses.wake()
	}
}

// pace returns how many seconds an agent is asked to wait for its next
// heartbeat, so that all of them together are no burden: rnd in [0, 1) moves it
// by up to a tenth.
func pace(agents int64, rnd float64) int {
	const fewest, most = 10, 120
	seconds := min(max(agents/50, fewest), most)
	return int(min(max(float64(seconds)*(0.9+rnd/5), fewest), most))
}

// ward returns what is known of an agent; one that nothing is known of yet is
// made, and filled in when its row is read.
func (m *Monitor) ward(id string) *ward {
	m.list.RLock()
	w := m.wards[id]
	m.list.RUnlock()
	if w != nil {
		return w
	}
	m.list.Lock()
	defer m.list.Unlock()
	if w = m.wards[id]; w == nil {
		w = &ward{id: id}
		m.pulses.take(w)
		m.wards[id] = w
		m.watched.Store(int64(len(m.wards)))
	}
	return w
}

// drop forgets an agent.
func (m *Monitor) drop(w *ward) {
	w.mu.Lock()
	w.gone = true
	w.mu.Unlock()
	m.list.Lock()
	defer m.list.Unlock()
	delete(m.wards, w.id)
	m.pulses.give(w)
	m.watched.Store(int64(len(m.wards)))
}

// Run judges the agents' silence until ctx ends, ten times a second while there
// is something to judge, stores what comes of it behind its back, and keeps what
// it knows for the next start.
func (m *Monitor) Run(ctx context.Context, beat *supervised.Beat) error {
	if err := beat.Tick(ctx, m.load); err != nil {
		return fmt.Errorf("load the agents: %w", err)
	}
	var scribe sync.WaitGroup
	defer scribe.Wait()
	scribe.Go(func() { m.scribe(ctx) })
	timer := time.NewTimer(sweepEvery)
	defer timer.Stop()
	for m.await(ctx, timer.C) {
		rest := sweepEvery
		err := beat.Tick(ctx, func(context.Context) error {
			var err error
			rest, err = m.sweep(time.Now())
			return err
		})
		if err != nil && ctx.Err() == nil {
			m.Log.ErrorContext(ctx, "watch agents", "err", err)
		}
		timer.Reset(rest)
	}
	return nil
}

// sweep looks at each agent that is due or was heard from, and returns how long
// there is nothing to look at.
func (m *Monitor) sweep(at time.Time) (time.Duration, error) {
	changed := m.Store.AgentChanges()
	m.judging.Lock()
	defer m.judging.Unlock()
	m.mindStalls(at)
	now := m.clock.at(at)
	for _, row := range changed {
		m.learn(row, now)
	}
	for _, w := range m.takeWoken() {
		m.judge(w, now)
	}
	m.pulses.due(now, func(w *ward) { m.judge(w, now) })
	m.settleLapsed(now, at)
	m.settleMass(now, at)
	m.settleUntold(at)
	m.settleFlaps(now, at)
	m.rest = m.quiet(now)
	return m.rest, m.trouble(at)
}

// takeWoken returns the agents that were heard from and whose state does not go
// with it.
func (m *Monitor) takeWoken() []*ward {
	m.wake.Lock()
	woken := m.woken
	m.woken = nil
	m.wake.Unlock()
	for _, w := range woken {
		w.mu.Lock()
		w.woken = false
		w.mu.Unlock()
	}
	return woken
}

// mindStalls leaves out of every silence the time in which we did not listen: a
// sweep that comes late, a process that was stopped, a store that hangs.
func (m *Monitor) mindStalls(at time.Time) {
	last, rest := m.swept, max(m.rest, sweepEvery)
	m.swept = at
	if last.IsZero() {
		return
	}
	if since := m.writing.Load(); since != nil && at.Sub(*since) > slowStore {
		m.clock.skip(later(last, *since), at)
		return
	}
	if gap := at.Sub(last); gap > rest+lateSweep {
		m.clock.skip(last.Add(rest), at)
		if gap >= longStall {
			m.Log.Warn("was stopped for a while: no agent is called silent for a minute", "stopped", gap)
			m.calm = m.clock.at(at) + int64(grace)
		}
	}
}

// later returns the later of two instants.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
