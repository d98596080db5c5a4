package registry_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/incident"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/registry"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// cards stand for the agents' servers: each answers for its card, or does not.
type cards struct {
	mu    sync.Mutex
	down  map[string]bool // by name of the agent
	all   bool            // nobody is reached, because our own network is down
	asked map[string]int
	took  time.Duration // until one that is down is given up
	lose  func() bool   // a question gets lost; nil: none does
}

// Reachable implements registry.Prober.
func (c *cards) Reachable(ctx context.Context, a molecule.Agent) bool {
	c.mu.Lock()
	c.asked[a.Name]++
	down, took := c.down[a.Name] || c.all || c.lose != nil && c.lose(), 50*time.Millisecond
	if down {
		took = c.took
	}
	c.mu.Unlock()
	return molecule.Sleep(ctx, took) == nil && !down
}

// set brings the servers of agents down, or up again.
func (c *cards) set(down bool, names ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range names {
		c.down[n] = down
	}
}

// cut cuts our own network, or mends it.
func (c *cards) cut(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = cut
}

func (c *cards) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[name]
}

// stalling is a store that can be made to hang.
type stalling struct {
	*sqlite.DB
	reads  gate // closed: the sweep hangs, as if the process were stopped
	writes gate // closed: what is stored hangs
	told   told // of what was stored; nil is nobody
	swept  atomic.Int64
}

// gate holds up whoever passes while it is closed. A mutex would hold up virtual
// time as well.
type gate struct{ c chan struct{} }

func newGate() gate { return gate{make(chan struct{}, 1)} }

func (g gate) close() { g.c <- struct{}{} }

func (g gate) open() { <-g.c }

func (g gate) pass() {
	g.c <- struct{}{}
	<-g.c
}

// AgentChanges implements registry.WatchStore.
func (s *stalling) AgentChanges() []molecule.AgentRow {
	s.swept.Add(1)
	s.reads.pass()
	return s.DB.AgentChanges()
}

// SaveCheckpoint implements registry.WatchStore.
func (s *stalling) SaveCheckpoint(ctx context.Context, at time.Time, body []byte) error {
	s.writes.pass()
	return s.DB.SaveCheckpoint(ctx, at, body)
}

// rig is a monitor over a real store, with a real keeper of incidents.
type rig struct {
	t        *testing.T
	db       *stalling
	keeper   *incident.Keeper
	m        *registry.Monitor
	cards    *cards
	returned atomic.Int64
	deaf     atomic.Bool // no request comes in
	stop     func()
}

// watch starts a monitor on the store of dir. Call it inside a bubble, and close
// before it ends.
func watch(t *testing.T, dir string) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sqlitetest.Seed(t, dir)
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, db: &stalling{DB: db, reads: newGate(), writes: newGate()}, cards: &cards{down: make(map[string]bool), asked: make(map[string]int), took: 5 * time.Second}}
	r.keeper = incident.New(incident.Options{Store: db, Log: log})
	if err := r.keeper.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.m = registry.NewMonitor(registry.MonitorOptions{
		Store: r.db, Prober: r.cards, Incidents: r.keeper, Returned: func(string) { r.returned.Add(1) }, Log: log,
	})
	s := supervised.New(supervised.Options{Log: log})
	if err := errors.Join(
		s.Add(supervised.Spec{Name: "store-writer", Run: db.RunWriter, Every: 30 * time.Second}),
		s.Add(supervised.Spec{Name: "incident-keeper", Run: r.keeper.Run, Every: 30 * time.Second}),
		s.Add(supervised.Spec{Name: "agent-monitor", Run: r.m.Run, Every: 5 * time.Second, TickLimit: time.Hour}),
		s.Add(supervised.Spec{Name: "agent-prober", Run: r.m.RunProber, Every: 30 * time.Second}),
	); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("supervisor: %v", err)
		}
	})
	r.stop = func() {
		cancel()
		parts.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	return r
}

// push stores an agent with an address; poll one without.
func (r *rig) push(name string) molecule.Agent { return r.agent(name, "https://agents.example/"+name) }

func (r *rig) poll(name string) molecule.Agent { return r.agent(name, "") }

func (r *rig) agent(name, url string) molecule.Agent {
	r.t.Helper()
	a := molecule.Agent{Name: name, Kind: molecule.AgentPush, State: molecule.AgentPending, URL: url, MaxConcurrent: 1}
	if err := r.db.CreateAgent(r.t.Context(), &a); err != nil {
		r.t.Fatal(err)
	}
	return a
}

// beat lets an agent send a heartbeat, unless none gets through.
func (r *rig) beat(a molecule.Agent, v molecule.Vitals) int {
	if r.deaf.Load() {
		return 0
	}
	return r.m.Heartbeat(time.Now(), a.ID, v)
}

// beats lets agents send heartbeats, every so often for so long.
func (r *rig) beats(every, within time.Duration, agents ...molecule.Agent) {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(every) {
		for _, a := range agents {
			r.beat(a, molecule.Vitals{})
		}
	}
}

// state returns what is stored of an agent.
func (r *rig) state(name string) molecule.AgentState {
	r.t.Helper()
	a, err := r.db.Agent(context.WithoutCancel(r.t.Context()), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.State
}

func (r *rig) want(when, name string, want molecule.AgentState) {
	r.t.Helper()
	if got := r.state(name); got != want {
		r.t.Errorf("%s: agent %s is %s, want %s", when, name, got, want)
	}
}

// steps returns what became of an agent, oldest first.
func (r *rig) steps(a molecule.Agent) []molecule.AgentState {
	r.t.Helper()
	all, err := r.db.Transitions(r.t.Context(), a.ID, molecule.MaxTransitions)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []molecule.AgentState
	for i := range all {
		out = append(out, all[len(all)-1-i].To)
	}
	return out
}

// incidents returns those of all time as kind, subject and whether they are
// open, oldest first.
func (r *rig) incidents() []string {
	r.t.Helper()
	if err := r.keeper.Flush(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Fatal(err)
	}
	page, err := r.keeper.Incidents(r.t.Context(), molecule.IncidentFilter{All: true, Limit: molecule.MaxLimit})
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for i := range page.Items {
		in := page.Items[len(page.Items)-1-i]
		text := in.Kind + " " + in.Subject
		if in.Open() {
			text += " open"
		}
		out = append(out, text)
	}
	return out
}
