package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// tellAfter is how long an agent is offline before a person is told.
const tellAfter = 10 * time.Second

// moved notes that another state is believed of an agent, whoever decided it,
// and tells a person what they should know. Call it with judging held.
func (m *Monitor) moved(w *ward, from molecule.AgentState, now int64) {
	m.count(w, from, -1)
	m.count(w, w.state, 1)
	at := m.swept
	if w.state != molecule.AgentUnknown && w.state != molecule.AgentOffline && w.state != molecule.AgentSuspect {
		m.uncover(w, at)
	}
	if from == molecule.AgentOffline && w.state.Fine() && m.Returned != nil {
		m.Returned(w.id)
	}
	if counts(from, w.state) {
		w.flaps.add(now)
		m.flapped(w, at)
	}
	m.tell(w, at)
}

// count keeps the number of agents in each state, without commands: those
// cannot fall silent.
func (m *Monitor) count(w *ward, s molecule.AgentState, by int) {
	if w.kind != molecule.AgentExec && s != "" {
		m.tally[s] += by
	}
}

// counts reports whether a step is one of an agent that comes and goes. A
// suspicion that passes is none, nor is what an operator did, nor a hold.
func counts(from, to molecule.AgentState) bool {
	steady := func(s molecule.AgentState) bool { return s.Fine() || s == molecule.AgentOffline }
	return steady(to) && (steady(from) || from == molecule.AgentSuspect && to == molecule.AgentOffline)
}

// tell has the incident of an agent that is offline opened, and closes it when it
// is not. One that flaps, or that is told of with others, has none of its own.
func (m *Monitor) tell(w *ward, at time.Time) {
	_, covered := m.mass.covered[w]
	worth := w.state == molecule.AgentOffline && !covered && !w.flaps.open
	switch _, waits := m.untold[w]; {
	case worth && !w.alarmed && !waits:
		m.untold[w] = at
	case !worth && waits:
		delete(m.untold, w)
	case !worth && w.alarmed:
		m.Incidents.Close(molecule.IncidentAgentOffline, subject(w), at)
		w.alarmed = false
	}
}

// settleUntold opens the incidents that are due. They wait a little: when many
// more follow, one incident tells of all.
func (m *Monitor) settleUntold(at time.Time) {
	var due []*ward
	for w, since := range m.untold {
		if at.Sub(since) >= tellAfter {
			due = append(due, w)
		}
	}
	slices.SortFunc(due, func(a, b *ward) int { return strings.Compare(a.name, b.name) })
	for _, w := range due {
		delete(m.untold, w)
		w.alarmed = true
		in := offlineIncident(w)
		in.LastSeen, in.Evidence.Error = at, w.reason
		m.Incidents.Open(in)
	}
}

func subject(w *ward) string { return "agent/" + w.name }

func offlineIncident(w *ward) molecule.Incident {
	return molecule.Incident{
		Kind: molecule.IncidentAgentOffline, Subject: subject(w), Severity: molecule.SeverityWarning,
		Title: fmt.Sprintf("agent %s is offline", w.name),
	}
}

func flappingIncident(w *ward) molecule.Incident {
	return molecule.Incident{
		Kind: molecule.IncidentAgentFlapping, Subject: subject(w), Severity: molecule.SeverityWarning,
		Title: fmt.Sprintf("agent %s comes and goes", w.name),
	}
}

// flapped opens the one incident of an agent that comes and goes.
func (m *Monitor) flapped(w *ward, at time.Time) {
	if w.flaps.open || w.flaps.score <= flapTell {
		return
	}
	w.flaps.open = true
	m.flapping[w] = struct{}{}
	in := flappingIncident(w)
	in.LastSeen = at
	m.Incidents.Open(in)
}

// settleFlaps ends the incidents of agents that have settled.
func (m *Monitor) settleFlaps(now int64, at time.Time) {
	for w := range m.flapping {
		if w.flaps.now(now) >= flapSettle {
			continue
		}
		m.calmed(w, at)
		m.tell(w, at)
	}
}

// calmed ends the incident of an agent that does not flap any more.
func (m *Monitor) calmed(w *ward, at time.Time) {
	if !w.flaps.open {
		return
	}
	w.flaps.open = false
	delete(m.flapping, w)
	m.Incidents.Close(molecule.IncidentAgentFlapping, subject(w), at)
}
