package registry

import "time"

// LimitOf returns how long an agent may be silent by now before it is lost, and
// since when it is.
func (m *Monitor) LimitOf(agentID string) (limitOf time.Duration, since time.Time) {
	w := m.known(agentID)
	w.mu.Lock()
	defer w.mu.Unlock()
	last := m.clock.last.Load()
	return time.Duration(limit(w.gap())), m.clock.start.Add(time.Duration(w.since() + last.total))
}
