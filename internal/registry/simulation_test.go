package registry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// What the simulated world does to agents and to the daemon, on average.
const (
	simTick      = 100 * time.Millisecond
	simLoss      = 0.05            // of requests, and of questions for cards
	simStall     = 2 * time.Minute // an agent, the daemon or its store hangs for so long
	simStallEach = 24 * time.Hour  // between two of one agent
	simDeathEach = 4 * 24 * time.Hour
	simDeadFor   = 3 * time.Hour
	simWheel     = 4096 // ticks ahead that can be planned
)

// being is one agent of the simulated world.
type being struct {
	molecule.Agent
	polls   bool
	pace    time.Duration // 0: what it is asked for
	awake   time.Time     // it hangs until then; its card answers all the same
	dead    time.Time     // since when; zero: it lives
	rises   time.Time     // a dead one comes back then
	due     time.Time     // by when it has to be found
	excused bool          // the daemon itself hung meanwhile
	found   bool
}

// world is a thousand agents and a monitor that watches them.
type world struct {
	t     *testing.T
	r     *rig
	dir   string
	rnd   *rand.Rand
	all   []*being
	byID  map[string]*being
	wheel [simWheel][]*being
	tick  int
	hangs bool // the daemon does
	kind  bool // nobody dies by chance

	mu     sync.Mutex // guards what the store is told, from another goroutine
	lies   []string   // agents that live and were called offline
	late   []time.Duration
	deaths int
}

// judge holds what is stored against what is true.
func (w *world) judge(changes []molecule.AgentChange, rows []molecule.AgentRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range changes {
		b := w.byID[c.ID]
		if c.To != molecule.AgentOffline || b == nil || !slices.ContainsFunc(rows, func(r molecule.AgentRow) bool { return r.ID == c.ID && r.State == c.To }) {
			continue
		}
		if b.dead.IsZero() {
			w.lies = append(w.lies, fmt.Sprintf("%s %s at %s: %s", b.Kind, b.Name, time.Now().Format(time.DateTime), c.Reason))
			continue
		}
		if !b.found && !b.excused {
			w.late = append(w.late, time.Since(b.due))
		}
		b.found = true
	}
}

// newWorld makes n agents: seven of ten have a card and send heartbeats, two ask
// for their work, one is a command.
func newWorld(t *testing.T, dir string, n int) *world {
	w := &world{t: t, dir: dir, rnd: rand.New(rand.NewPCG(1, 2)), byID: make(map[string]*being)}
	w.start()
	for i := range n {
		b := &being{}
		name := fmt.Sprintf("agent-%04d", i)
		switch {
		case i%10 == 9:
			b.Agent = molecule.Agent{Name: name, Kind: molecule.AgentExec, State: molecule.AgentOnline, MaxConcurrent: 1, Exec: &molecule.Exec{Command: "cat", Argv: []string{"/bin/cat"}}}
		case i%10 >= 7:
			b.Agent = molecule.Agent{Name: name, Kind: molecule.AgentPoll, State: molecule.AgentPending, MaxConcurrent: 1}
			b.polls, b.pace = true, 5*time.Second
		default:
			b.Agent = molecule.Agent{Name: name, Kind: molecule.AgentPush, State: molecule.AgentPending, MaxConcurrent: 1, URL: "https://agents.example/" + name}
			b.pace = []time.Duration{0, 0, 0, 30 * time.Second, 45 * time.Second}[i%5]
		}
		if err := w.r.db.CreateAgent(t.Context(), &b.Agent); err != nil {
			t.Fatal(err)
		}
		w.byID[b.ID] = b
		w.all = append(w.all, b)
		if b.Kind != molecule.AgentExec {
			w.plan(b, time.Duration(w.rnd.Int64N(int64(20*time.Second))))
		}
	}
	return w
}

// start starts the monitor.
func (w *world) start() {
	w.r = watch(w.t, w.dir)
	w.r.db.told = w.judge
	w.r.cards.lose = func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.rnd.Float64() < simLoss
	}
	w.r.cards.took = 3 * time.Second
	for _, b := range w.all {
		w.r.cards.set(!b.dead.IsZero(), b.Name)
	}
}

// plan has b act in d.
func (w *world) plan(b *being, d time.Duration) {
	ticks := min(max(int(d/simTick), 1), simWheel-1)
	at := (w.tick + ticks) % simWheel
	w.wheel[at] = append(w.wheel[at], b)
}

// run lets d pass; deaf says that the daemon hears nothing.
func (w *world) run(d time.Duration, deaf bool) {
	for range int(d / simTick) {
		time.Sleep(simTick)
		w.tick++
		slot := w.tick % simWheel
		acts := w.wheel[slot]
		w.wheel[slot] = nil
		now := time.Now()
		for _, b := range acts {
			w.act(b, now, deaf)
		}
		w.wheel[slot] = append(w.wheel[slot], acts[:0]...)
	}
}

// act lets one agent do what it does, and plans what it does next.
func (w *world) act(b *being, now time.Time, deaf bool) {
	w.mu.Lock()
	lost := w.rnd.Float64() < simLoss
	fate, hang := w.rnd.Float64(), w.rnd.Float64()
	w.mu.Unlock()
	pace := b.pace
	if !b.dead.IsZero() {
		if now.Before(b.rises) {
			w.plan(b, time.Minute)
			return
		}
		w.raise(b)
	}
	if now.Before(b.awake) {
		w.plan(b, b.awake.Sub(now))
		return
	}
	if !lost && !deaf {
		pace = w.send(b, now, pace)
	}
	if pace == 0 {
		pace = 20 * time.Second // its last answer was lost
	}
	switch each := float64(pace); {
	case fate < each/float64(simDeathEach) && !w.kind:
		w.kill(b, now)
	case hang < each/float64(simStallEach) && !b.polls:
		b.awake = now.Add(simStall)
	case hang < each/float64(simStallEach) && !deaf:
		// It has no card to answer for it, and so says before that it will be busy.
		w.r.m.Heartbeat(now, b.ID, molecule.Vitals{BusyUntil: now.Add(simStall)})
		b.awake = now.Add(simStall)
	}
	w.plan(b, pace)
}

// send makes one request and returns when the next comes.
func (w *world) send(b *being, now time.Time, pace time.Duration) time.Duration {
	if b.polls {
		w.r.m.Heard(now, b.ID, molecule.RequestPoll)
		return pace
	}
	asked := w.r.m.Heartbeat(now, b.ID, molecule.Vitals{UptimeSeconds: int64(w.tick / 10), RuntimeState: "ok"})
	if pace == 0 {
		return time.Duration(asked) * time.Second
	}
	return pace
}

func (w *world) kill(b *being, now time.Time) {
	limit, since := w.r.m.LimitOf(b.ID)
	w.r.cards.set(true, b.Name)
	w.mu.Lock()
	defer w.mu.Unlock()
	b.dead, b.rises, b.due, b.found, b.excused = now, now.Add(simDeadFor), since.Add(limit), false, w.hangs || b.awake.After(now)
	w.deaths++
}

func (w *world) raise(b *being) {
	w.r.cards.set(false, b.Name)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !b.found && !b.excused {
		w.late = append(w.late, time.Since(b.due))
	}
	b.dead = time.Time{}
}

// suffer begins, or ends, a time in which nobody is found, because the daemon
// itself hangs.
func (w *world) suffer(hangs bool) {
	w.hangs = hangs
	if hangs {
		w.excuse()
	}
}

// excuse notes that nobody is found in time while the daemon itself hangs.
func (w *world) excuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.all {
		b.excused = true
	}
}

// hang lets the daemon hang by a gate, and what it is deaf to pass.
func (w *world) hang(g gate, d time.Duration) {
	w.suffer(true)
	g.close()
	w.run(d, true)
	g.open()
	w.suffer(false)
}

// restart stops the daemon for a while and starts it again.
func (w *world) restart(d time.Duration) {
	w.suffer(true)
	w.r.stop()
	w.run(d, true)
	w.start()
	w.suffer(false)
}

// day lets a day pass, or a part of one, with all that befalls a daemon.
func (w *world) day(length time.Duration) {
	rest := length / 5
	w.run(rest, false)
	w.hang(w.r.db.reads, simStall)
	w.run(rest, false)
	w.hang(w.r.db.writes, simStall)
	w.run(rest, false)
	w.hang(w.r.db.reads, min(time.Hour, length/4)) // suspended
	w.run(rest, false)
	w.restart(time.Minute)
	w.run(rest, false)
}

// progress says how far it came, for whoever watches a month pass.
func (w *world) progress() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t.Logf("%s: %d called offline that lived, %d deaths", time.Duration(w.tick)*simTick, len(w.lies), w.deaths)
}

// verdict says what was found, and fails on what must not be.
func (w *world) verdict(span time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.late)
	for _, lie := range w.lies[:min(len(w.lies), 20)] {
		w.t.Errorf("called offline, and it lived: %s", lie)
	}
	worst := time.Duration(0)
	if n := len(w.late); n > 0 {
		worst = w.late[n-1]
	}
	if worst > time.Minute {
		w.t.Errorf("a death was found %s behind the limit", worst)
	}
	w.t.Logf("%d agents, %s: %d called offline that lived, %d deaths, of which %d while the daemon did not hang itself, found %s behind the limit at most",
		len(w.all), span, len(w.lies), w.deaths, len(w.late), worst)
}

// span is how long the simulation lasts and of how many agents it is: a slice of
// it, or a month of a thousand when MOLECULE_SIMULATE is all, or as much of the
// month as it names, such as 72h.
func span(t *testing.T) (time.Duration, int) {
	t.Helper()
	switch wanted := os.Getenv("MOLECULE_SIMULATE"); wanted {
	case "":
		return 2 * time.Hour, 200
	case "all":
		return 30 * 24 * time.Hour, 1000
	default:
		part, err := time.ParseDuration(wanted)
		if err != nil {
			t.Fatalf("MOLECULE_SIMULATE is all, or a duration such as 72h: %v", err)
		}
		return part, 1000
	}
}

// TestSimulation_callsNobodyOfflineWhoLives lets agents lose requests and hang,
// and the daemon hang, be suspended and be restarted.
func TestSimulation_callsNobodyOfflineWhoLives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole, n := span(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir, n)
		for left := whole; left > 0; left -= 24 * time.Hour {
			w.day(min(left, 24*time.Hour))
			w.progress()
		}
		w.verdict(whole)
		w.r.stop()
	})
}

// TestSimulation_tellsOneIncidentWhenAllAreSilent cuts all agents off for ten
// minutes, and then lets three of ten die.
func TestSimulation_tellsOneIncidentWhenAllAreSilent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, n := span(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir, n)
		w.kind = true
		w.run(5*time.Minute, false)
		w.r.cards.cut(true)
		w.run(10*time.Minute, true)
		same(t, "states in the silence", w.r.tally(), molecule.AgentCounts{Online: n / 10, Unknown: n - n/10})
		same(t, "incidents in the silence", w.r.incidents(), []string{"agents_silent agents/silent open"})
		w.r.cards.cut(false)
		w.run(3*time.Minute, false)
		same(t, "incidents behind it", w.r.incidents(), []string{"agents_silent agents/silent"})
		w.killMany(3 * n / 10)
		w.run(10*time.Minute, false)
		same(t, "incidents of the dead", w.r.incidents(), []string{"agents_silent agents/silent", "agents_silent agents/silent open"})
		w.foundAll(3 * n / 10)
		w.r.stop()
	})
}

// killMany lets n of those with a card die at one moment.
func (w *world) killMany(n int) {
	now := time.Now()
	for _, b := range w.all {
		if b.Kind == molecule.AgentPush && n > 0 {
			w.kill(b, now)
			n--
		}
	}
}

// foundAll wants n deaths to have been found within two minutes behind their
// limits, and nobody else.
func (w *world) foundAll(n int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.late)
	if len(w.late) != n || w.late[n-1] > 2*time.Minute {
		w.t.Fatalf("%d of %d dead are found, behind their limits by %v", len(w.late), n, w.late)
	}
	w.t.Logf("%d dead found, the last one %s behind its limit", n, w.late[n-1])
	for _, lie := range w.lies {
		w.t.Errorf("called offline, and it lived: %s", lie)
	}
}

// told is how a test hears of what is stored.
type told func(changes []molecule.AgentChange, rows []molecule.AgentRow)

// ChangeAgents implements registry.WatchStore.
func (s *stalling) ChangeAgents(ctx context.Context, changes []molecule.AgentChange) ([]molecule.AgentRow, error) {
	s.writes.pass()
	rows, err := s.DB.ChangeAgents(ctx, changes)
	if s.told != nil && err == nil {
		s.told(changes, rows)
	}
	return rows, err
}
