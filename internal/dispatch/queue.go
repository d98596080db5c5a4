package dispatch

import (
	"sync"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// queues holds the runs this process has taken over: those that wait, by agent
// and in order, and those on their way.
type queues struct {
	mu     sync.Mutex
	held   map[string]struct{} // ids of all of them
	agents map[string]*agentQueue
	ready  []*agentQueue // those with a run that waits and a place for it, in turn
	active int
}

// agentQueue is what one agent has to do. limit is what is known of how much
// it may do at once.
type agentQueue struct {
	waiting []molecule.Run
	active  int
	limit   int
	listed  bool // in ready
}

func newQueues() *queues {
	return &queues{held: make(map[string]struct{}), agents: make(map[string]*agentQueue)}
}

// add appends the runs that are not held yet and reports whether there were any.
func (q *queues) add(runs []molecule.Run) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	added := false
	for _, r := range runs {
		if _, held := q.held[r.ID]; held {
			continue
		}
		q.held[r.ID] = struct{}{}
		a := q.agents[r.AgentID]
		if a == nil {
			a = &agentQueue{limit: 1} // until its row was read
			q.agents[r.AgentID] = a
		}
		a.waiting = append(a.waiting, r)
		q.list(a)
		added = true
	}
	return added
}

// take returns every run whose agent has a place for it, and counts it active.
// Each agent has its own places: none waits for another.
func (q *queues) take() []molecule.Run {
	q.mu.Lock()
	defer q.mu.Unlock()
	var taken []molecule.Run
	for _, a := range q.ready {
		a.listed = false
		for a.active < a.limit && len(a.waiting) > 0 {
			taken = append(taken, a.waiting[0])
			a.waiting = a.waiting[1:]
			a.active++
			q.active++
		}
	}
	clear(q.ready)
	q.ready = q.ready[:0]
	return taken
}

// list puts an agent whose next run has a place behind those that are ready.
func (q *queues) list(a *agentQueue) {
	if !a.listed && a.active < a.limit && len(a.waiting) > 0 {
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
	delete(q.held, r.ID)
	q.active--
	a := q.agents[r.AgentID]
	a.active--
	if a.active == 0 && len(a.waiting) == 0 {
		delete(q.agents, r.AgentID)
	}
	q.list(a)
}

// load returns how many runs wait and how many are on their way.
func (q *queues) load() (queued, active int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.held) - q.active, q.active
}
