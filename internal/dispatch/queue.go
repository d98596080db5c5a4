package dispatch

import (
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	// lead is how long before it is due a run may take its place, so that all
	// that is slow has been done when its instant comes.
	lead = 400 * time.Millisecond
	// maxCatchUp is how many late runs one agent gets at once, however many
	// places it has: it was not asked to make up for our pause in one breath.
	maxCatchUp = 2
)

// queues holds the runs this process has taken over: those that are not due
// yet, those that wait for a place, by agent and in order, and those on their
// way.
type queues struct {
	mu        sync.Mutex
	held      map[string]*held // by id
	later     byDue
	agents    map[string]*agentQueue
	schedules map[string]int // runs under way of each schedule
	ready     []*agentQueue  // those with a run that waits and a place for it, in turn
	active    int
	lost      int // runs that are held and whose place was given back
}

// held is one run this process has taken over.
type held struct {
	run      molecule.Run
	adopted  time.Time // when it was found in the store; zero: whoever claimed it handed it over
	come     bool      // its time has come
	active   bool
	canceled string                  // why; set once
	cancel   context.CancelCauseFunc // of its delivery, once it is under way
	lease    time.Time               // until when it may hold its place; zero: its deadline is not known yet
	expired  bool                    // its lease is over, and somebody sees to it
	freed    bool                    // its place was given back
}

// ofSlot reports whether it is the run of a slot, and not of a person.
func (h *held) ofSlot() bool {
	return h.run.ScheduleID != "" && (h.run.Trigger == molecule.TriggerCron || h.late())
}

// alone reports whether it waits until no run of its schedule is under way.
func (h *held) alone() bool { return h.ofSlot() && h.run.Policy.Overlap != molecule.OverlapAllow }

func (h *held) late() bool { return h.run.Trigger == molecule.TriggerCatchUp }

// agentQueue is what one agent has to do. limit is what is known of how much
// it may do at once.
type agentQueue struct {
	waiting []*held
	active  int
	late    int // of those active, how many catch up
	limit   int
	listed  bool // in ready
}

// byDue is a heap of runs that are not due yet.
type byDue []*held

func (b byDue) Len() int { return len(b) }
func (b byDue) Less(i, j int) bool {
	if d := b[i].run.DueAt.Compare(b[j].run.DueAt); d != 0 {
		return d < 0
	}
	return b[i].run.ID < b[j].run.ID // in the order they were recorded
}
func (b byDue) Swap(i, j int) { b[i], b[j] = b[j], b[i] }

// Push implements heap.Interface.
func (b *byDue) Push(x any) { *b = append(*b, x.(*held)) } //nolint:errcheck // nothing else is ever pushed

// Pop implements heap.Interface.
func (b *byDue) Pop() any {
	last := len(*b) - 1
	h := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return h
}

func newQueues() *queues {
	return &queues{held: make(map[string]*held), agents: make(map[string]*agentQueue), schedules: make(map[string]int)}
}

// add takes over the runs that are not held yet and reports whether there were
// any. adopted is when they were found in the store; zero when whoever claimed
// them hands them over.
func (q *queues) add(runs []molecule.Run, adopted time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	added := false
	for _, r := range runs {
		if h := q.held[r.ID]; h != nil {
			if adopted.IsZero() {
				h.adopted = adopted // it was found before it was handed over
			}
			continue
		}
		h := &held{run: r, adopted: adopted}
		q.held[r.ID] = h
		heap.Push(&q.later, h)
		added = true
	}
	return added
}

// replace cancels what must not go on now that the time of h has come: the runs
// of earlier slots, or h itself, when the time of a later one came first. A
// person's run is left to its end.
func (q *queues) replace(h *held) {
	if h.run.Policy.Overlap != molecule.OverlapReplace || !h.ofSlot() {
		return
	}
	const by = "replaced by the run of "
	for _, o := range q.held {
		switch {
		case o.run.ScheduleID != h.run.ScheduleID || !o.ofSlot():
		case o.run.Slot.Before(h.run.Slot):
			q.stop(o, by+h.run.Slot.Format(time.RFC3339))
		case o.run.Slot.After(h.run.Slot) && o.come:
			q.stop(h, by+o.run.Slot.Format(time.RFC3339))
		}
	}
}

// cancel stops a run and reports whether it is held here.
func (q *queues) cancel(id, why string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.held[id]
	if h == nil {
		return false
	}
	q.stop(h, why)
	return true
}

func (q *queues) stop(h *held, why string) {
	if h.canceled != "" {
		return
	}
	h.canceled = why
	if h.cancel != nil {
		h.cancel(canceled{why})
	}
	if h.active {
		return
	}
	// It needs no place to end: it goes next.
	if i := slices.Index(q.later, h); i >= 0 {
		heap.Remove(&q.later, i)
	}
	a := q.of(h.run.AgentID)
	a.waiting = slices.DeleteFunc(a.waiting, func(w *held) bool { return w == h })
	a.waiting = slices.Insert(a.waiting, 0, h)
	q.list(a)
}

// canceled is the cause of a delivery's context when its run is canceled.
type canceled struct{ why string }

func (c canceled) Error() string { return c.why }
func (c canceled) Unwrap() error { return molecule.ErrRunCanceled }

// attach gives a run under way what cancels it. It returns when the run was
// found in the store; zero when it was handed over.
func (q *queues) attach(id string, cancel context.CancelCauseFunc) (adopted time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.held[id]
	h.cancel = cancel
	if h.canceled != "" {
		cancel(canceled{h.canceled})
	}
	return h.adopted
}

func (q *queues) of(agentID string) *agentQueue {
	a := q.agents[agentID]
	if a == nil {
		a = &agentQueue{limit: 1} // until its row was read
		q.agents[agentID] = a
	}
	return a
}

// take returns every run that is due soon and whose agent has a place for it,
// and counts it active. Each agent has its own places: none waits for another.
// next is when there may be more by time alone, zero when never.
func (q *queues) take(now time.Time) (taken []molecule.Run, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.later) > 0 {
		h := q.later[0]
		if ripe := h.run.DueAt.Add(-lead); ripe.After(now) {
			next = ripe
			break
		}
		heap.Pop(&q.later)
		h.come = true
		a := q.of(h.run.AgentID)
		a.waiting = append(a.waiting, h)
		q.list(a)
		q.replace(h)
	}
	for _, a := range q.ready {
		a.listed = false
		for i := 0; i < len(a.waiting); {
			h := a.waiting[i]
			if !q.mayGo(a, h) {
				i++
				continue
			}
			if i == 0 { // nearly always: the rest need not move
				a.waiting = a.waiting[1:]
			} else {
				a.waiting = slices.Delete(a.waiting, i, i+1)
			}
			q.begin(a, h)
			taken = append(taken, h.run)
			if a.active >= a.limit {
				break
			}
		}
	}
	clear(q.ready)
	q.ready = q.ready[:0]
	return taken, next
}

// mayGo reports whether there is a place for a run that waits.
func (q *queues) mayGo(a *agentQueue, h *held) bool {
	switch {
	case h.canceled != "":
		return true
	case a.active >= a.limit, h.late() && a.late >= maxCatchUp:
		return false
	}
	return !h.alone() || q.schedules[h.run.ScheduleID] == 0
}

func (q *queues) begin(a *agentQueue, h *held) {
	h.active = true
	a.active++
	q.active++
	if h.late() {
		a.late++
	}
	if id := h.run.ScheduleID; id != "" {
		q.schedules[id]++
	}
}

// list puts an agent that may have a place for a run that waits behind those
// that are ready.
func (q *queues) list(a *agentQueue) {
	if a.listed || len(a.waiting) == 0 {
		return
	}
	if a.active < a.limit || a.waiting[0].canceled != "" {
		a.listed = true
		q.ready = append(q.ready, a)
	}
}

// setLimit notes how many runs an agent may have at once.
func (q *queues) setLimit(agentID string, limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if a := q.agents[agentID]; a != nil {
		a.limit = max(limit, 1)
		q.list(a)
	}
}

// release forgets a run that is over and gives its place back.
func (q *queues) release(r molecule.Run) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.held[r.ID]
	delete(q.held, r.ID)
	if h.freed {
		q.lost--
		return
	}
	q.leave(h)
}

// leave gives the place of a run under way back.
func (q *queues) leave(h *held) {
	q.active--
	a := q.agents[h.run.AgentID]
	a.active--
	if h.late() {
		a.late--
	}
	if id := h.run.ScheduleID; id != "" {
		if q.schedules[id]--; q.schedules[id] == 0 {
			delete(q.schedules, id)
		}
	}
	if a.active == 0 && len(a.waiting) == 0 {
		delete(q.agents, h.run.AgentID)
	}
	q.list(a)
}

// relist looks at every agent again: one may wait for the run of a schedule
// that was given to it while that run was under way elsewhere.
func (q *queues) relist() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range q.agents {
		q.list(a)
	}
}

// load returns how many runs wait and how many are on their way.
func (q *queues) load() (queued, active int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.held) - q.active - q.lost, q.active
}
