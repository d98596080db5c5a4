package registry

import (
	"hash/fnv"
	"slices"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	massFewest  = 3  // agents that are lost together, at least
	massPercent = 15 // of all, and more
	massWindow  = 90 * time.Second
	holdFor     = 10 * time.Minute // then those that are still silent are let go
	letGoIn     = 10 * time.Minute // one after the other
	controls    = 5                // agents that are there whose cards are asked for, to know that we can
	controlFor  = time.Minute      // how long an answer proves that we can
	retell      = time.Minute      // between two tellings of the same
	massSubject = "agents/silent"
)

// mass is what is known of agents that fall silent together. While it is held
// nobody is called offline for silence alone: it may be our own fault.
type mass struct {
	held    bool
	recent  []int64 // when agents were lost one by one, within massWindow
	began   int64
	covered map[*ward]struct{} // those the one incident is about: held, or offline since
	minded  int64              // when it was last looked at
	asked   int64              // when controls were last asked
	control int64              // when a card of an agent that is not held last answered
	able    int64              // since when it is proven that we can ask; 0: it is not
	told    time.Time
	toldOf  int
}

// lapse is an agent that is about to be called offline.
type lapse struct {
	w      *ward
	f      facts
	reason string
}

// lapse puts an agent on the list of those of this sweep that are lost.
func (m *Monitor) lapse(w *ward, f facts, reason string) {
	m.lapsed = append(m.lapsed, lapse{w, f, reason})
	w.setWait(f.silence() + int64(sweepEvery)) // when it is not settled with the others
}

// overdue counts the agents that are silent for half as long again as they are
// used to, and all of those that send requests. A few always are, because
// requests get lost; when many are at once, it is not each one's own fault.
func (m *Monitor) overdue(now int64) (overdue, of int) {
	m.pulses.each(func(w *ward) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.heard || w.state == molecule.AgentOffline || w.state == molecule.AgentPaused {
			return
		}
		of++
		if last := max(w.since(), w.busy); now-last > int64(3*w.habit()/2) {
			overdue++
		}
	})
	return overdue, of
}

// settleLapsed calls those that are lost offline, or holds them when they are
// too many.
func (m *Monitor) settleLapsed(now int64, at time.Time) {
	lapsed := m.lapsed
	m.lapsed = m.lapsed[:0]
	if len(lapsed) == 0 {
		return
	}
	silent, all := m.massOf(now)
	for _, l := range lapsed {
		if l.f.state.Fine() { // it never sent a request, and so was not suspect before
			silent++
		}
	}
	if late, of := m.overdue(now); late*all > silent*of { // compared as parts of all
		silent, all = late, of
	}
	if !m.mass.held && tooMany(silent, all) {
		m.mass.held, m.mass.began, m.mass.control, m.mass.able = true, now, 0, 0
		m.coverUntold()
		m.Log.Warn("too many agents fell silent at once: they are held", "silent", silent, "of", all)
	}
	for _, l := range lapsed {
		pending := l.f.state == molecule.AgentPending // it was never there, and did not fall silent
		switch {
		case m.mass.held && !pending:
			m.hold(l)
		case m.believe(l.w, l.f, l.reason, molecule.SignLost):
			if len(m.mass.covered) > 0 && l.f.since <= m.mass.began && !pending {
				m.mass.covered[l.w] = struct{}{} // it fell silent with them, and took longer to be missed
				m.tell(l.w, at)
			}
			m.ask(l.w, l.f, askOffline)
			if !pending {
				m.mass.recent = append(m.mass.recent, now)
			}
		}
	}
	if m.mass.held {
		m.tellMass(at)
	}
}

// massOf returns how many agents are silent, or were called offline for it a
// moment ago, and how many that is of.
func (m *Monitor) massOf(now int64) (silent, all int) {
	m.mass.recent = slices.DeleteFunc(m.mass.recent, func(t int64) bool { return now-t > int64(massWindow) })
	silent = m.tally[molecule.AgentSuspect] + m.tally[molecule.AgentUnknown] + len(m.mass.recent)
	return silent, silent + m.tally[molecule.AgentOnline] + m.tally[molecule.AgentDegraded]
}

func tooMany(silent, all int) bool { return silent >= massFewest && silent*100 > all*massPercent }

// hold keeps an agent from being called offline.
func (m *Monitor) hold(l lapse) {
	if m.believe(l.w, l.f, l.reason+"; held, because too many others are as well", molecule.SignHeld) {
		l.w.held = l.f.now
		m.mass.covered[l.w] = struct{}{}
		l.w.setWait(0)
	}
}

// judgeHeld looks for an agent that is held, and lets it go when it is proven to
// be gone, or when it was held for long enough.
func (m *Monitor) judgeHeld(w *ward, f facts) {
	switch {
	case m.mass.able > 0 && w.unanswered(m.mass.able+int64(askHeld)): // and once before, or it would be back
		m.believe(w, f, "silent, and its card does not answer while those of others do", molecule.SignLost)
		m.ask(w, f, askOffline)
	case f.now-w.held >= int64(holdFor+w.turn()):
		m.believe(w, f, "silent for long after too many fell silent at once", molecule.SignLost)
		m.ask(w, f, askOffline)
	case w.card != 0:
		m.ask(w, f, askHeld)
	default:
		w.setWait(w.held + int64(holdFor+w.turn()) - f.since)
	}
}

// turn is when an agent is let go, behind holdFor: each has a turn of its own.
func (w *ward) turn() time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(w.id)) // never fails
	return time.Duration(h.Sum32()%1000) * letGoIn / 1000
}

// canAsk reports whether a card that does not answer is the agent's fault: the
// card of another answered lately, or most agents are heard as ever.
func (m *Monitor) canAsk(now int64) bool {
	if m.mass.control > 0 && now-m.mass.control <= int64(controlFor) {
		return true
	}
	late, of := m.overdue(now)
	return 2*late < of
}

// settleMass keeps track of the hold: whether the cards of those that are held
// can be asked for, and whether there is anybody left to hold.
func (m *Monitor) settleMass(now int64, at time.Time) {
	if m.mass.held {
		m.mindHold(now)
	}
	if n := len(m.mass.covered); n > 0 && n != m.mass.toldOf && at.Sub(m.mass.told) >= retell {
		m.tellMass(at)
	}
}

func (m *Monitor) mindHold(now int64) {
	if now-m.mass.minded < int64(time.Second) {
		return
	}
	m.mass.minded = now
	switch able := m.canAsk(now); {
	case !able:
		m.mass.able = 0
	case m.mass.able == 0:
		m.mass.able = now
	}
	if now-m.mass.asked >= int64(askHeld) {
		m.mass.asked = now
		m.askControls()
	}
	if silent, all := m.massOf(now); m.tally[molecule.AgentUnknown] == 0 && !tooMany(silent, all) {
		m.mass.held = false
		m.Log.Info("no agent is held any more")
	}
}

// askControls asks for the cards of a few agents that are there.
func (m *Monitor) askControls() {
	left := controls
	m.list.RLock()
	defer m.list.RUnlock()
	for _, w := range m.wards {
		if left == 0 {
			return
		}
		if w.state.Fine() && w.card != 0 && !w.asking {
			w.asking = true
			m.queue.put(w)
			left--
		}
	}
}

// tellMass tells of all that are held, or were and are offline since, in one
// incident.
func (m *Monitor) tellMass(at time.Time) {
	m.mass.told, m.mass.toldOf = at, len(m.mass.covered)
	names := make([]string, 0, len(m.mass.covered))
	for w := range m.mass.covered {
		names = append(names, w.name)
	}
	slices.Sort(names)
	m.Incidents.Report(molecule.IncidentAgentsSilent, at, molecule.Incident{
		Kind: molecule.IncidentAgentsSilent, Subject: massSubject, Severity: molecule.SeverityCritical,
		Title:    "too many agents fell silent at once: the fault may be here",
		LastSeen: at, Count: len(names), Evidence: molecule.Evidence{Names: names, Total: len(names)},
	})
}

// coverUntold takes those that were called offline a moment ago, one by one and
// not yet told, for the first of many.
func (m *Monitor) coverUntold() {
	for w := range m.untold {
		m.mass.covered[w] = struct{}{}
		delete(m.untold, w)
	}
}

// uncover takes an agent out of the one incident, which ends with the last.
func (m *Monitor) uncover(w *ward, at time.Time) {
	w.held = 0
	if _, covered := m.mass.covered[w]; !covered {
		return
	}
	delete(m.mass.covered, w)
	if len(m.mass.covered) == 0 {
		m.Incidents.Report(molecule.IncidentAgentsSilent, at)
	}
}
