package registry

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	asksAtOnce = 48              // cards asked for at the same time; the guard has 64 places
	askTwice   = 2 * time.Second // one question that got lost proves nothing
)

// queue holds the agents whose cards are to be asked for, in turn.
type queue struct {
	mu     *sync.Mutex
	waits  *[]*ward
	signal chan struct{} // buffered 1: there is somebody in it
}

func newQueue() queue {
	return queue{mu: new(sync.Mutex), waits: new([]*ward), signal: make(chan struct{}, 1)}
}

// put appends w.
func (q queue) put(w *ward) {
	q.mu.Lock()
	*q.waits = append(*q.waits, w)
	q.mu.Unlock()
	q.look()
}

// look makes the prober look at the queue.
func (q queue) look() {
	select {
	case q.signal <- struct{}{}:
	default: // a signal is waiting already
	}
}

// take returns up to n of those that wait.
func (q queue) take(n int) []*ward {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(*q.waits))
	taken := (*q.waits)[:n:n]
	*q.waits = (*q.waits)[n:]
	return taken
}

// RunProber asks for the cards of agents until ctx ends. A tick hands out; each
// question has a deadline of its own.
func (m *Monitor) RunProber(ctx context.Context, beat *supervised.Beat) error {
	places := make(chan struct{}, asksAtOnce) // one for each question under way
	var under sync.WaitGroup
	defer under.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.queue.signal:
		case <-beat.C():
		}
		err := beat.Tick(ctx, func(tick context.Context) error {
			for _, w := range m.queue.take(cap(places) - len(places)) {
				places <- struct{}{}
				under.Go(func() {
					defer m.queue.look()
					defer func() { <-places }()
					m.askFor(ctx, w)
				})
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("ask for cards: %w", err)
		}
	}
}

// askFor asks for the card of one agent, twice when it has to, and takes the
// answer into account. When the store does not say where to ask, there is none.
func (m *Monitor) askFor(ctx context.Context, w *ward) {
	began := m.clock.at(time.Now())
	var there bool
	var asked molecule.Agent
	err := supervised.Guard(func() (err error) {
		if asked, err = m.Store.Recipient(ctx, w.id); err != nil {
			return err
		}
		there = m.Prober.Reachable(ctx, asked)
		if !there && molecule.Sleep(ctx, askTwice) == nil {
			there = m.Prober.Reachable(ctx, asked)
		}
		return ctx.Err()
	})
	m.judging.Lock()
	defer m.judging.Unlock()
	w.asking = false
	switch {
	case err != nil:
		if ctx.Err() == nil && molecule.CodeOf(err) != molecule.NotFound {
			m.Log.WarnContext(ctx, "ask for a card", "agent", w.name, "err", err)
		}
	case asked.Kind != molecule.AgentPush || w.card != cardOf(asked.URL): // it has moved meanwhile
		w.setWait(0)
	case there:
		m.there(w, began)
	default:
		w.failed, w.vouched = began, false
		w.asks = uint8(min(int(w.asks)+1, math.MaxUint8))
		w.setWait(0)
	}
}

// there takes the answer of a card as a sign of life of the agent. Call it with
// judging held.
func (m *Monitor) there(w *ward, began int64) {
	now := m.clock.at(time.Now())
	w.asks, w.streak = 0, 0
	w.mu.Lock()
	w.answered = max(w.answered, began)
	since := max(w.since(), began)
	w.setSince(since)
	w.vouched = w.heard
	f := facts{now: now, since: since}
	w.mu.Unlock()
	if w.state.Fine() {
		m.mass.control = now
	}
	m.believe(w, f, "its card answers", molecule.SignAnswered)
	w.setWait(0)
}

// cardOf is how the address of a card is remembered; 0 is none.
func cardOf(url string) uint64 {
	if url == "" {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(url)) // never fails
	return h.Sum64() | 1
}
