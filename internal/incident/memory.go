package incident

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxOpen bounds what is kept in memory.
const maxOpen = 4096

// key is what at most one open incident has.
type key struct{ kind, subject string }

// entry is one incident that is open, or whose end is not stored.
type entry struct {
	molecule.Incident
	dirty    bool // the row, if any, says something else
	urgent   bool // and that is more than a count
	savedAt  time.Time
	revision int // grows with every change
}

func (e *entry) key() key { return key{e.Kind, e.Subject} }

// touch notes a change.
func (e *entry) touch(urgent bool) {
	e.dirty = true
	e.urgent = e.urgent || urgent
	e.revision++
}

// shown is e as it is listed.
func (e *entry) shown() molecule.Incident {
	out := e.Incident
	out.Unsaved = e.dirty && e.urgent
	return out
}

// memory is what is known of incidents; its zero value is not usable. Its methods
// must not be called at the same time.
type memory struct {
	current map[key]*entry
	ended   []*entry // being stored as closed: they cannot be opened any more

	loaded bool
	// What to close once it is known what was open before.
	closes map[key]time.Time
	others map[string]others
}

// others is what a CloseOthers said.
type others struct {
	subjects []string
	at       time.Time
}

func newMemory() memory {
	return memory{current: make(map[key]*entry), closes: make(map[key]time.Time), others: make(map[string]others)}
}

// open opens an incident or counts it.
func (m *memory) open(in molecule.Incident) error {
	k := key{in.Kind, in.Subject}
	e := m.current[k]
	if e == nil {
		return m.begin(in)
	}
	again := !e.Open() // it came back before its end was stored
	worse := in.Severity.Worse(e.Severity)
	if worse || in.Severity == e.Severity {
		e.Severity, e.Title = in.Severity, in.Title
	}
	e.ClosedAt = time.Time{}
	e.Count++
	if in.LastSeen.After(e.LastSeen) {
		e.LastSeen = in.LastSeen
	}
	e.Evidence = in.Evidence.Over(e.Evidence)
	e.touch(worse || again)
	return nil
}

// begin opens one that was not there.
func (m *memory) begin(in molecule.Incident) error {
	k := key{in.Kind, in.Subject}
	if len(m.current)+len(m.ended) >= maxOpen {
		return molecule.Errorf(molecule.Unavailable, "%d incidents are open: %s %s is not kept", maxOpen, in.Kind, in.Subject)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	e := &entry{Incident: molecule.Incident{
		ID: id.String(), Kind: in.Kind, Subject: in.Subject, Severity: in.Severity, Title: in.Title,
		FirstSeen: in.LastSeen, LastSeen: in.LastSeen, Count: 1, Evidence: in.Evidence,
	}}
	e.touch(true)
	delete(m.closes, k) // said of an earlier one, which this one goes on with
	m.current[k] = e
	return nil
}

// close ends the incident of k, if it is open.
func (m *memory) close(k key, at time.Time) {
	e := m.current[k]
	switch {
	case e != nil && e.Open():
		e.end(at)
	case e == nil && !m.loaded && len(m.closes) < maxOpen:
		m.closes[k] = at
	}
}

// end closes e, not before it was last seen.
func (e *entry) end(at time.Time) {
	e.ClosedAt = at.UTC().Truncate(time.Millisecond)
	if e.ClosedAt.Before(e.LastSeen) {
		e.ClosedAt = e.LastSeen
	}
	e.touch(true)
}

// closeOthers ends what is open of a kind and not of the subjects.
func (m *memory) closeOthers(kind string, subjects []string, at time.Time) {
	for k := range m.current {
		if k.kind == kind && !slices.Contains(subjects, k.subject) {
			m.close(k, at)
		}
	}
	if !m.loaded {
		m.others[kind] = others{slices.Clone(subjects), at}
	}
}

// learn takes over what is open in the store.
func (m *memory) learn(rows []molecule.Incident) {
	for _, row := range rows {
		k := key{row.Kind, row.Subject}
		e := m.current[k]
		switch {
		case slices.ContainsFunc(m.ended, func(e *entry) bool { return e.ID == row.ID }):
			continue
		case e == nil:
			e = &entry{Incident: row}
			m.current[k] = e
		case e.ID != row.ID:
			e.goOn(row)
			continue
		default:
			continue
		}
		if at, over := m.closes[k]; over {
			e.end(at)
		} else if o, said := m.others[k.kind]; said && !slices.Contains(o.subjects, k.subject) {
			e.end(o.at)
		}
	}
	m.loaded = true
	clear(m.closes)
	clear(m.others)
}

// goOn makes e the continuation of a row: it was opened in ignorance of it.
func (e *entry) goOn(row molecule.Incident) {
	e.ID, e.FirstSeen = row.ID, row.FirstSeen
	e.AckedAt, e.AckedBy = row.AckedAt, row.AckedBy
	e.Count += row.Count
	e.Evidence = e.Evidence.Over(row.Evidence)
	if row.Severity.Worse(e.Severity) {
		e.Severity, e.Title = row.Severity, row.Title
	}
	e.touch(false)
}

// urgent reports whether something should be written now.
func (m *memory) urgent() bool {
	for _, e := range m.current {
		if e.urgent {
			return true
		}
	}
	return len(m.ended) > 0
}

// saving is an incident as it is given to the store.
type saving struct {
	entry    *entry
	incident molecule.Incident
	revision int
}

// take returns up to limit incidents to write, those that are over first: what
// was opened behind them needs their place. From here on they cannot be opened
// again.
func (m *memory) take(now time.Time, limit int) []saving {
	for k, e := range m.current {
		if !e.Open() {
			delete(m.current, k)
			m.ended = append(m.ended, e)
		}
	}
	var batch []saving
	for _, e := range m.ended {
		batch = append(batch, saving{e, e.Incident, e.revision})
	}
	for _, e := range m.current {
		if e.urgent || e.dirty && now.Sub(e.savedAt) >= repeatEvery {
			batch = append(batch, saving{e, e.Incident, e.revision})
		}
	}
	return batch[:min(len(batch), limit)]
}

// saved notes that a batch is stored.
func (m *memory) saved(batch []saving, now time.Time) {
	for _, s := range batch {
		if !s.incident.Open() {
			m.ended = slices.DeleteFunc(m.ended, func(e *entry) bool { return e == s.entry })
			continue
		}
		s.entry.savedAt = now
		if s.entry.revision == s.revision {
			s.entry.dirty, s.entry.urgent = false, false
		}
	}
}

// giveBack notes that a batch is not stored: what was over may be opened again,
// and when it has been, the two are one.
func (m *memory) giveBack(batch []saving) {
	for _, s := range batch {
		i := slices.Index(m.ended, s.entry)
		if i < 0 {
			continue
		}
		m.ended = slices.Delete(m.ended, i, i+1)
		if e := m.current[s.entry.key()]; e != nil {
			e.goOn(s.entry.Incident)
			continue
		}
		m.current[s.entry.key()] = s.entry
	}
}

// list returns what is known and passes the filter, newest first.
func (m *memory) list(f molecule.IncidentFilter) []molecule.Incident {
	var found []molecule.Incident
	add := func(e *entry) {
		if f.Matches(e.Incident) {
			found = append(found, e.shown())
		}
	}
	for _, e := range m.current {
		add(e)
	}
	for _, e := range m.ended {
		add(e)
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
	for _, e := range m.current {
		if e.ID == in.ID {
			e.AckedAt, e.AckedBy = in.AckedAt, in.AckedBy
		}
	}
}
