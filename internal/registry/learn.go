package registry

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// load reads every agent and what an earlier process knew of them.
func (m *Monitor) load(ctx context.Context) error {
	rows, err := m.Store.AgentRows(ctx)
	if err != nil {
		return err
	}
	at, body, err := m.Store.Checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	m.judging.Lock()
	defer m.judging.Unlock()
	if m.loaded {
		return nil // a restart of the subsystem: nothing was forgotten
	}
	for _, row := range rows {
		m.learn(row, 0)
	}
	m.recall(at, body)
	m.resume()
	m.loaded = true
	return nil
}

// resume sets since when the agents that were just loaded count as silent, and
// tells what is no trouble any more. Call it with judging held.
func (m *Monitor) resume() {
	var offline, flapping []molecule.Incident
	m.list.RLock()
	defer m.list.RUnlock()
	for _, w := range m.wards {
		w.mu.Lock()
		fresh := w.heardAt > 0 // it was quicker than we
		gap := w.gap()
		if !fresh {
			w.setSince(resumeAt(w.state, w.since(), gap))
		}
		w.mu.Unlock()
		w.setWait(0)
		if w.state == molecule.AgentUnknown { // held by an earlier process
			w.held = max(w.since(), 1)
			m.mass.held, m.mass.covered[w] = true, struct{}{}
		}
		if w.state == molecule.AgentOffline {
			_, w.alarmed = m.mass.covered[w]
			if w.alarmed = !w.alarmed && !w.flaps.open; w.alarmed {
				offline = append(offline, offlineIncident(w))
			}
		}
		if w.flaps.open {
			m.flapping[w] = struct{}{}
			flapping = append(flapping, flappingIncident(w))
		}
	}
	m.Incidents.Report(molecule.IncidentAgentOffline, m.clock.start, offline...)
	m.Incidents.Report(molecule.IncidentAgentFlapping, m.clock.start, flapping...)
	if len(m.mass.covered) > 0 {
		m.tellMass(m.clock.start)
	} else {
		m.Incidents.Report(molecule.IncidentAgentsSilent, m.clock.start)
	}
}

// resumeAt returns since when an agent counts as silent that had been silent
// since then when the last process ended. It keeps what it had left, and has a
// minute at least. Of one that was not there nothing new has to be known first.
func resumeAt(s molecule.AgentState, since int64, gap time.Duration) int64 {
	if s.Fine() || s == molecule.AgentPending {
		return max(since, int64(grace)-limit(gap))
	}
	return since - limit(gap)
}

// learn takes over the row of an agent as the store has it. Call it with judging
// held.
func (m *Monitor) learn(row molecule.AgentRow, now int64) {
	w := m.ward(row.ID)
	if row.State == molecule.AgentRemoved {
		m.forget(w)
		return
	}
	m.rename(w, row.Name)
	w.card = 0
	if row.Kind == molecule.AgentPush {
		w.card = cardOf(row.URL)
	}
	w.streak = uint8(min(row.SilentStreak, math.MaxUint8))
	w.kind = row.Kind
	w.mu.Lock()
	w.heard = w.heard || row.Heard
	w.noted = w.noted || row.Heard
	w.mu.Unlock()
	switch {
	case row.State == w.sent: // our own doing
		w.row, w.sent = row.State, ""
		if w.state != w.row {
			m.store(w)
		}
	case row.State != w.row: // that of an operator, or of a run that ended
		w.row = row.State
		m.adopt(w, row.State, now)
	case w.streak >= molecule.SilentLimit:
		w.setWait(0)
	}
}

// adopt believes what the store says.
func (m *Monitor) adopt(w *ward, s molecule.AgentState, now int64) {
	from := w.state
	if from == s {
		return
	}
	w.mu.Lock()
	w.state = s
	w.mu.Unlock()
	switch {
	case s == molecule.AgentSuspect:
		w.doubted = now
	case s == molecule.AgentPending:
		w.asks, w.failed, w.vouched = 0, 0, false
	case s.Fine():
		w.asks = 0
	}
	if from == "" {
		m.count(w, s, 1)
	} else {
		m.moved(w, from, now)
	}
	w.setWait(0)
}

// rename takes another name of an agent over.
func (m *Monitor) rename(w *ward, name string) {
	if w.name == name {
		return
	}
	alarmed, flaps := w.alarmed, w.flaps.open
	if alarmed {
		m.Incidents.Close(molecule.IncidentAgentOffline, subject(w), m.swept)
	}
	m.calmed(w, m.swept)
	w.name = name
	if flaps {
		m.flapped(w, m.swept)
	}
	if alarmed {
		m.Incidents.Open(offlineIncident(w))
	}
}

// forget stops to watch an agent that was removed.
func (m *Monitor) forget(w *ward) {
	m.count(w, w.state, -1)
	w.mu.Lock()
	w.state = molecule.AgentRemoved
	w.mu.Unlock()
	m.uncover(w, m.swept)
	m.calmed(w, m.swept)
	m.tell(w, m.swept)
	delete(m.untold, w)
	m.drop(w)
}
