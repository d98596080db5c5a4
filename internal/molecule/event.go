package molecule

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// Event is a committed fact. Ids are monotonic and have no meaning else.
type Event struct {
	ID      int64           `json:"id"`
	At      time.Time       `json:"at"`
	Type    string          `json:"type"`
	Subject string          `json:"subject"` // noun/name, such as schedule/hello
	Data    json.RawMessage `json:"data,omitempty"`
}

// The types of events.
const (
	EventAgentCreated     = "agent.created"
	EventAgentUpdated     = "agent.updated"
	EventAgentRemoved     = "agent.removed"
	EventEnrolmentCreated = "enrolment.created"
	EventAgentSaid        = "agent.said" // to nobody in particular
	EventAgentOnline      = "agent.online"
	EventAgentOffline     = "agent.offline"
	EventAgentDegraded    = "agent.degraded"
	EventAgentSuspect     = "agent.suspect"
	EventAgentUnknown     = "agent.unknown"
	EventAgentPending     = "agent.pending"
	EventAgentPaused      = "agent.paused"
	EventAgentResumed     = "agent.resumed"
	EventScheduleCreated  = "schedule.created"
	EventScheduleUpdated  = "schedule.updated"
	EventSchedulePaused   = "schedule.paused"
	EventScheduleResumed  = "schedule.resumed"
	EventScheduleRemoved  = "schedule.removed"
	EventScheduleError    = "schedule.error"
	EventScheduleFinished = "schedule.finished"
	EventRunStarted       = "run.started"
	EventRunWaiting       = "run.waiting"
	EventRunFinished      = "run.finished"
	EventSchedulesImport  = "schedules.imported" // one for each import, however many it made and changed
	EventSchedulesMissed  = "schedules.missed"   // a digest of what passed while nobody could fire
	EventClockJumped      = "clock.jumped"
	EventSecretCreated    = "secret.created"
	EventSecretSet        = "secret.set"
	EventSecretRemoved    = "secret.removed"
	EventSecretRevealed   = "secret.revealed"
	EventSecretsRewrapped = "secrets.rewrapped"
	EventSecretRotation   = "secret.rotation" // a rotation came to another state
	EventSecretMapApplied = "secrets.mapped"
	EventTokenCreated     = "token.created"
	EventTokenRevoked     = "token.revoked"
	EventCalendarStored   = "calendar.stored"
	EventCalendarRemoved  = "calendar.removed"
	EventSubsystem        = "subsystem.changed"
	EventIncidentOpened   = "incident.opened"
	EventIncidentAcked    = "incident.acked"
	EventIncidentClosed   = "incident.closed"
)

// EventFilter narrows a stream of events. The zero value takes all from the
// first one kept.
type EventFilter struct {
	After   int64    // only ids above it
	Types   []string // exact, or a prefix that ends in a dot
	Subject string   // exact, or a prefix that ends in a slash
	Limit   int
}

// Matches reports whether e passes the filter, its id aside.
func (f EventFilter) Matches(e Event) bool {
	if f.Subject != "" && !matches(f.Subject, '/', e.Subject) {
		return false
	}
	if len(f.Types) == 0 {
		return true
	}
	for _, t := range f.Types {
		if matches(t, '.', e.Type) {
			return true
		}
	}
	return false
}

// matches reports whether s is pattern, or begins with it when it ends in sep.
func matches(pattern string, sep byte, s string) bool {
	if n := len(pattern); n > 0 && pattern[n-1] == sep {
		return len(s) >= n && s[:n] == pattern
	}
	return s == pattern
}

// EventService reads committed facts. What lies behind f.After is answered
// without a gap: when some of it is no longer kept, the error is Gone. From the
// very beginning, f.After 0, means from the first one kept.
type EventService interface {
	Events(ctx context.Context, f EventFilter) (Page[Event], error)
	// WatchEvents yields what is kept behind f.After and then what comes, until
	// ctx ends. A reader that is too slow is told so by an Unavailable error and
	// resumes from the last id it saw.
	WatchEvents(ctx context.Context, f EventFilter) iter.Seq2[Event, error]
	// LastEventID returns the id of the newest event, 0 when there is none.
	LastEventID(ctx context.Context) (int64, error)
}
