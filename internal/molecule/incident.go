package molecule

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// Severity says how soon a person is needed.
type Severity string

// The severities.
const (
	SeverityWarning  Severity = "warning"  // it may heal; look when it stays
	SeverityCritical Severity = "critical" // something is not done until somebody acts
)

// Worse reports whether s needs a person sooner than other.
func (s Severity) Worse(other Severity) bool {
	return s == SeverityCritical && other != SeverityCritical
}

// The kinds of incidents.
const (
	IncidentSubsystem     = "subsystem"      // a part of the daemon does not work
	IncidentMissedRuns    = "missed_runs"    // slots have no run although their time is over
	IncidentScheduleError = "schedule_error" // a schedule was put aside: it fires no more
	IncidentScheduleStale = "schedule_stale" // a schedule gets blank replies again and again
	IncidentRunWaiting    = "run_waiting"    // an agent asks for input
	IncidentRunOverdue    = "run_overdue"    // a delivery does not come back
	IncidentAgentOffline  = "agent_offline"  // an agent is not there
	IncidentAgentFlapping = "agent_flapping" // an agent comes and goes
	IncidentAgentsSilent  = "agents_silent"  // too many agents fell silent at once
	IncidentRotation      = "rotation"       // a rotation of a secret waits for a person
)

// IncidentKinds lists every kind.
func IncidentKinds() []string {
	return []string{
		IncidentSubsystem, IncidentMissedRuns, IncidentScheduleError, IncidentScheduleStale, IncidentRunWaiting, IncidentRunOverdue,
		IncidentAgentOffline, IncidentAgentFlapping, IncidentAgentsSilent, IncidentRotation,
	}
}

// Bounds of what is kept of an incident.
const (
	MaxTitleRunes    = 200
	maxEvidenceRunes = 1000
	maxEvidenceStack = 8 << 10
	maxEvidenceNames = 20
	maxEvidenceFacts = 20
)

// Incident is something a person should know: one row from its opening to its
// close. At most one of each kind and subject is open.
type Incident struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Subject   string    `json:"subject"` // noun/name, such as subsystem/scheduler
	Severity  Severity  `json:"severity"`
	Title     string    `json:"title"` // in plain words
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	ClosedAt  time.Time `json:"closed_at,omitzero"`
	Count     int       `json:"count"` // how often it was seen, or how many it spoke of at most
	Evidence  Evidence  `json:"evidence,omitzero"`
	AckedAt   time.Time `json:"acked_at,omitzero"`
	AckedBy   string    `json:"acked_by,omitempty"` // the principal
	// Unsaved is whether what is shown has yet to reach the store.
	Unsaved bool `json:"unsaved,omitempty"`
}

// Open reports whether the incident is not over.
func (i Incident) Open() bool { return i.ClosedAt.IsZero() }

// Validate refuses an incident that could not be found again.
func (i Incident) Validate() error {
	if err := ValidateName("incident kind", i.Kind); err != nil {
		return err
	}
	if i.Subject == "" || len(i.Subject) > 256 {
		return Errorf(Invalid, "an incident of kind %s needs a subject such as schedule/hello", i.Kind)
	}
	return choice("severity", i.Severity, SeverityWarning, SeverityCritical)
}

// Evidence is what speaks for an incident. All of it is optional.
type Evidence struct {
	Error     string            `json:"error,omitempty"`
	BlockedIn string            `json:"blocked_in,omitempty"` // a function
	Stack     string            `json:"stack,omitempty"`
	Names     []string          `json:"names,omitempty"` // of what is concerned, the first ones
	Total     int               `json:"total,omitempty"` // how many Names there would be
	Facts     map[string]string `json:"facts,omitempty"`
}

// IsZero reports whether there is none.
func (e Evidence) IsZero() bool {
	return e.Error == "" && e.BlockedIn == "" && e.Stack == "" && len(e.Names) == 0 && e.Total == 0 && len(e.Facts) == 0
}

// Equal reports whether e and other say the same.
func (e Evidence) Equal(other Evidence) bool {
	return e.Error == other.Error && e.BlockedIn == other.BlockedIn && e.Stack == other.Stack && e.Total == other.Total &&
		slices.Equal(e.Names, other.Names) && maps.Equal(e.Facts, other.Facts)
}

// Bounded returns e without what is too much to keep, and what it shares with
// nobody.
func (e Evidence) Bounded() Evidence {
	e.Error, e.BlockedIn = Excerpt(e.Error, maxEvidenceRunes), Excerpt(e.BlockedIn, maxEvidenceRunes)
	if len(e.Stack) > maxEvidenceStack {
		cut := e.Stack[:maxEvidenceStack]
		e.Stack = cut[:strings.LastIndexByte(cut, '\n')+1] + "…"
	}
	e.Stack = strings.ToValidUTF8(e.Stack, "\uFFFD")
	e.Total = max(e.Total, len(e.Names))
	e.Names = slices.Clone(e.Names[:min(len(e.Names), maxEvidenceNames)])
	var facts map[string]string
	for _, k := range slices.Sorted(maps.Keys(e.Facts)) {
		if len(facts) == maxEvidenceFacts {
			break
		}
		if facts == nil {
			facts = make(map[string]string)
		}
		facts[Excerpt(k, 80)] = Excerpt(e.Facts[k], maxEvidenceRunes)
	}
	e.Facts = facts
	return e
}

// Over returns what is known when e came later than old: a part that e does not
// speak of stays as it was.
func (e Evidence) Over(old Evidence) Evidence {
	e.Error = cmp.Or(e.Error, old.Error)
	if e.BlockedIn == "" && e.Stack == "" {
		e.BlockedIn, e.Stack = old.BlockedIn, old.Stack
	}
	if len(e.Names) == 0 {
		e.Names, e.Total = old.Names, cmp.Or(e.Total, old.Total)
	}
	if len(e.Facts) == 0 {
		e.Facts = old.Facts
	}
	return e
}

// IncidentFilter narrows a list of incidents. The zero value lists those that
// are open.
type IncidentFilter struct {
	All     bool // those that are over as well
	Kind    string
	Subject string // exact, or a prefix that ends in a slash
	Limit   int
	Cursor  string
}

// Matches reports whether i passes the filter.
func (f IncidentFilter) Matches(i Incident) bool {
	return (f.All || i.Open()) && (f.Kind == "" || f.Kind == i.Kind) && (f.Subject == "" || matches(f.Subject, '/', i.Subject))
}

// IncidentService tells what a person should know. A ref is an id or a unique
// prefix of one.
type IncidentService interface {
	// Incidents returns one page, newest first. Lists leave out stacks. Those
	// that are open are answered from memory, also while the store does not.
	Incidents(ctx context.Context, f IncidentFilter) (Page[Incident], error)
	Incident(ctx context.Context, ref string) (Incident, error)
	// AckIncident notes that the caller knows. Somebody who was faster makes it a
	// Conflict that names them.
	AckIncident(ctx context.Context, ref string) (Incident, error)
}
