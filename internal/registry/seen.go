package registry

import (
	"slices"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Seen fills in what the row of an agent does not say: when it was last heard,
// and what it said.
func (m *Monitor) Seen(a *molecule.Agent) {
	w := m.known(a.ID)
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen > 0 {
		a.LastSeen = time.UnixMilli(w.seen).UTC()
	}
	a.Vitals = w.said()
}

// Arrivals returns the last requests of an agent since this process started,
// newest first.
func (m *Monitor) Arrivals(agentID string) []molecule.Arrival {
	w := m.known(agentID)
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []molecule.Arrival
	for i := range w.arrivals {
		if a := w.arrivals[(int(w.arrived)+i)%keptGaps]; a != 0 {
			all = append(all, molecule.Arrival{At: a.time(), What: a.what()})
		}
	}
	slices.Reverse(all)
	return all
}

// known returns what is known of an agent; nil when nothing is.
func (m *Monitor) known(id string) *ward {
	m.list.RLock()
	defer m.list.RUnlock()
	return m.wards[id]
}
