package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	keepEvery  = 5 * time.Second // between two checkpoints
	storeBatch = 200             // transitions in one transaction
	storePause = time.Second     // after one that failed
	lastWords  = 2 * time.Second // to keep what is known when ctx has ended
)

// store puts an agent on the list of those whose row is to be changed. Call it
// with judging held.
func (m *Monitor) store(w *ward) {
	if !w.queued {
		w.queued = true
		m.dirty = append(m.dirty, w)
	}
	select {
	case m.kick <- struct{}{}:
	default: // a signal is waiting already
	}
}

// scribe stores transitions and checkpoints until ctx ends, and one more
// checkpoint then. The sweep does not wait for it, and judges by how long it takes
// whether the store hangs.
func (m *Monitor) scribe(ctx context.Context) {
	timer := time.NewTimer(keepEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			defer cancel()
			m.write(func() error { return m.storeAll(ctx) })
			m.write(func() error { return m.keep(ctx) })
			return
		case <-m.kick:
			if !m.write(func() error { return m.storeAll(ctx) }) && molecule.Sleep(ctx, storePause) == nil {
				m.again()
			}
		case <-timer.C:
			m.write(func() error { return m.keep(ctx) })
			timer.Reset(keepEvery)
		}
	}
}

// write calls the store, remembers for how long and how it ended, and reports
// whether it worked.
func (m *Monitor) write(do func() error) bool {
	now := time.Now()
	m.writing.Store(&now)
	err := do()
	m.writing.Store(nil)
	if err != nil {
		m.lag.Store(&err)
		return false
	}
	m.lag.Store(nil)
	return true
}

// again makes the scribe look at its list once more.
func (m *Monitor) again() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// trouble says why what was decided is not stored; nil when nothing is wrong.
func (m *Monitor) trouble(at time.Time) error {
	if since := m.writing.Load(); since != nil && at.Sub(*since) > stuckStore {
		return fmt.Errorf("transitions have waited for the store for %s", at.Sub(*since).Round(time.Second))
	}
	if err := m.lag.Load(); err != nil {
		return fmt.Errorf("store transitions: %w", *err)
	}
	return nil
}

// storeAll stores every transition on the list.
func (m *Monitor) storeAll(ctx context.Context) error {
	for {
		batch, changes := m.nextBatch()
		if len(changes) == 0 {
			return nil
		}
		rows, err := m.Store.ChangeAgents(ctx, changes)
		m.stored(batch, rows, err)
		if err != nil {
			return err
		}
	}
}

// nextBatch takes agents off the list whose row says something else than is
// believed.
func (m *Monitor) nextBatch() (batch []*ward, changes []molecule.AgentChange) {
	m.judging.Lock()
	defer m.judging.Unlock()
	n := 0
	for ; n < len(m.dirty) && len(changes) < storeBatch; n++ {
		w := m.dirty[n]
		w.queued = false
		w.mu.Lock()
		heard := w.heard
		w.mu.Unlock()
		if w.row == w.state && (w.noted || !heard) || w.state == molecule.AgentRemoved {
			continue // it is back to what is stored, or gone
		}
		w.sent = w.state
		batch = append(batch, w)
		changes = append(changes, molecule.AgentChange{ID: w.id, From: w.row, To: w.state, Reason: w.reason, Heard: heard})
	}
	m.dirty = append(m.dirty[:0], m.dirty[n:]...)
	return batch, changes
}

// stored takes over what became of a batch. One whose row was changed by
// somebody else meanwhile was left as it was.
func (m *Monitor) stored(batch []*ward, rows []molecule.AgentRow, err error) {
	m.judging.Lock()
	defer m.judging.Unlock()
	if err != nil {
		for _, w := range batch {
			w.sent = ""
			m.store(w)
		}
		return
	}
	now := m.clock.at(time.Now())
	for _, row := range rows {
		m.learn(row, now)
	}
}
