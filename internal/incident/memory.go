package incident

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// mostKept bounds what is kept in memory.
const mostKept = 4096

// key is what at most one open incident has.
type key struct{ kind, subject string }

// entry is one incident that is open, or that ended and is not stored so.
type entry struct {
	molecule.Incident
	revision int       // grows with every change
	stored   int       // the revision the store has; 0: it has never heard of it
	urgent   bool      // what the store lacks is more than a count
	savedAt  time.Time // when it was last given to the store
}

// touch notes a change.
func (e *entry) touch(urgent bool) {
	e.revision++
	e.urgent = e.urgent || urgent
}

// shown is e as it is listed.
func (e *entry) shown() molecule.Incident {
	out := e.Incident
	out.Unsaved = e.urgent
	return out
}

// memory is what is known of incidents. An incident that has ended stays ended:
// what comes back is another one. Its methods must not be called at the same
// time.
type memory struct {
	open  map[key]*entry
	ended []*entry // until the store knows; oldest first
}

func newMemory() memory { return memory{open: make(map[key]*entry)} }

// learn takes over what is open in the store. One that was opened a second time
// in ignorance of it goes on, and the older one ends with its beginning.
func (m *memory) learn(rows []molecule.Incident) {
	for _, row := range rows {
		k := key{row.Kind, row.Subject}
		known := &entry{Incident: row, revision: 1, stored: 1}
		switch e := m.open[k]; {
		case slices.ContainsFunc(m.ended, func(e *entry) bool { return e.ID == row.ID }):
		case e == nil:
			m.open[k] = known
		case e.ID != row.ID:
			m.end(known, e.FirstSeen)
		}
	}
}

// add opens an incident, or counts it when it is open.
func (m *memory) add(in molecule.Incident) error {
	e := m.open[key{in.Kind, in.Subject}]
	if e == nil {
		return m.begin(in)
	}
	in.Count = e.Count + 1
	m.merge(e, in)
	return nil
}

// begin opens one that was not there.
func (m *memory) begin(in molecule.Incident) error {
	if !m.makeRoom() {
		return molecule.Errorf(molecule.Unavailable, "%d incidents are open: %s %s is not kept", mostKept, in.Kind, in.Subject)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	e := &entry{Incident: molecule.Incident{
		ID: id.String(), Kind: in.Kind, Subject: in.Subject, Severity: in.Severity, Title: in.Title,
		FirstSeen: in.LastSeen, LastSeen: in.LastSeen, Count: max(in.Count, 1), Evidence: in.Evidence,
	}}
	e.touch(true)
	m.open[key{in.Kind, in.Subject}] = e
	return nil
}

// makeRoom forgets, when memory is full, the oldest incident that came and went
// while the store was away. It reports whether there is room.
func (m *memory) makeRoom() bool {
	if len(m.open)+len(m.ended) < mostKept {
		return true
	}
	i := slices.IndexFunc(m.ended, func(e *entry) bool { return e.stored == 0 })
	if i < 0 {
		return false
	}
	m.ended = slices.Delete(m.ended, i, i+1)
	return true
}

// merge takes what was seen now into e: count and severity only rise, and
// evidence that is not spoken of stays.
func (m *memory) merge(e *entry, in molecule.Incident) {
	was := e.Incident
	worse := in.Severity.Worse(e.Severity)
	if worse || in.Severity == e.Severity {
		e.Severity, e.Title = in.Severity, in.Title
	}
	e.Count = max(e.Count, in.Count)
	e.Evidence = in.Evidence.Over(e.Evidence)
	if in.LastSeen.After(e.LastSeen) {
		e.LastSeen = in.LastSeen
	}
	// That it was seen once more is not worth a write.
	if worse || e.Count != was.Count || e.Title != was.Title || !e.Evidence.Equal(was.Evidence) {
		e.touch(worse)
	}
}

// report takes all that is wrong of a kind at one time.
func (m *memory) report(kind string, found []molecule.Incident, at time.Time) error {
	seen := make(map[string]bool, len(found))
	var failed error
	for _, in := range found {
		seen[in.Subject] = true
		if e := m.open[key{kind, in.Subject}]; e != nil {
			m.merge(e, in)
		} else if err := m.begin(in); err != nil {
			failed = err
		}
	}
	for k := range m.open {
		if k.kind == kind && !seen[k.subject] {
			m.close(k, at)
		}
	}
	return failed
}

// close ends the incident of k, if one is open.
func (m *memory) close(k key, at time.Time) {
	if e := m.open[k]; e != nil {
		delete(m.open, k)
		m.end(e, at)
	}
}

// end closes e, not before it was last seen.
func (m *memory) end(e *entry, at time.Time) {
	e.ClosedAt = at.UTC().Truncate(time.Millisecond)
	if e.ClosedAt.Before(e.LastSeen) {
		e.ClosedAt = e.LastSeen
	}
	e.touch(true)
	m.ended = append(m.ended, e)
}

// urgent reports whether something should be written now.
func (m *memory) urgent() bool {
	if len(m.ended) > 0 {
		return true
	}
	for _, e := range m.open {
		if e.urgent {
			return true
		}
	}
	return false
}

// saving is an incident as it is given to the store.
type saving struct {
	entry    *entry
	incident molecule.Incident
	revision int
}

// pending returns up to limit incidents to write: those that are over first, as
// one that came back behind them needs their place, then the open ones in the
// order of their opening.
func (m *memory) pending(now time.Time, limit int) []saving {
	var batch []saving
	for _, e := range m.open {
		if e.urgent || e.revision > e.stored && now.Sub(e.savedAt) >= repeatEvery {
			batch = append(batch, saving{e, e.Incident, e.revision})
		}
	}
	slices.SortFunc(batch, func(a, b saving) int { return newest(b.incident, a.incident) })
	over := make([]saving, len(m.ended), len(m.ended)+len(batch))
	for i, e := range m.ended {
		over[i] = saving{e, e.Incident, e.revision}
	}
	batch = append(over, batch...)
	return batch[:min(len(batch), limit)]
}

// saved notes that a batch is stored.
func (m *memory) saved(batch []saving, now time.Time) {
	over := make(map[*entry]bool)
	for _, s := range batch {
		s.entry.stored, s.entry.savedAt = s.revision, now
		if s.entry.revision == s.revision {
			s.entry.urgent = false
			over[s.entry] = !s.entry.Open()
		}
	}
	m.ended = slices.DeleteFunc(m.ended, func(e *entry) bool { return over[e] })
}

// list returns what is known and passes the filter, newest first.
func (m *memory) list(f molecule.IncidentFilter) []molecule.Incident {
	var found []molecule.Incident
	for _, e := range m.open {
		if f.Matches(e.Incident) {
			found = append(found, e.shown())
		}
	}
	for _, e := range m.ended {
		if f.Matches(e.Incident) {
			found = append(found, e.shown())
		}
	}
	slices.SortFunc(found, newest)
	return found
}

// newest orders incidents by when they were opened.
func newest(a, b molecule.Incident) int { return -cmp.Compare(a.ID, b.ID) }

// begins returns what is known of which the id begins with prefix.
func (m *memory) begins(prefix string) []molecule.Incident {
	return slices.DeleteFunc(m.list(molecule.IncidentFilter{All: true}), func(i molecule.Incident) bool {
		return !strings.HasPrefix(i.ID, prefix)
	})
}

// acked notes that somebody knows of an incident.
func (m *memory) acked(in molecule.Incident) {
	for _, e := range m.open {
		if e.ID == in.ID {
			e.AckedAt, e.AckedBy = in.AckedAt, in.AckedBy
		}
	}
}
