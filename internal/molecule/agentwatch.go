package molecule

import (
	"encoding/json"
	"math"
	"time"
)

// Vitals is what an agent last said of itself.
type Vitals struct {
	ErrorRate     float64   `json:"error_rate"` // 0 to 1, of what it does
	SampleError   string    `json:"sample_error,omitempty"`
	ActiveTasks   int       `json:"active_tasks"`
	UptimeSeconds int64     `json:"uptime_seconds"`
	CurrentTask   string    `json:"current_task,omitempty"`
	RuntimeState  string    `json:"runtime_state,omitempty"`
	BusyUntil     time.Time `json:"busy_until,omitzero"` // it may be silent until then
}

// RuntimeWedged is the runtime state of an agent that knows that it hangs.
// Empty and "ok" are good; any other word says nothing.
const RuntimeWedged = "wedged"

// MaxBusy is how far ahead an agent may announce that it will be silent.
const MaxBusy = 30 * time.Minute

// Bounds of what is kept of Vitals.
const (
	maxSampleRunes  = 300
	maxTaskRunes    = 200
	maxRuntimeRunes = 40
)

// Bounded returns v without what cannot be meant or is too much to keep: rates
// outside 0 to 1, numbers below zero, long texts, and a silence of more than
// MaxBusy behind now.
func (v Vitals) Bounded(now time.Time) Vitals {
	if math.IsNaN(v.ErrorRate) {
		v.ErrorRate = 0
	}
	v.ErrorRate = min(max(v.ErrorRate, 0), 1)
	v.ActiveTasks, v.UptimeSeconds = max(v.ActiveTasks, 0), max(v.UptimeSeconds, 0)
	v.SampleError = Excerpt(v.SampleError, maxSampleRunes)
	v.CurrentTask = Excerpt(v.CurrentTask, maxTaskRunes)
	v.RuntimeState = Excerpt(v.RuntimeState, maxRuntimeRunes)
	switch latest := now.Add(MaxBusy); {
	case !v.BusyUntil.After(now):
		v.BusyUntil = time.Time{}
	case v.BusyUntil.After(latest):
		v.BusyUntil = latest
	}
	v.BusyUntil = v.BusyUntil.UTC().Truncate(time.Millisecond)
	return v
}

// AgentTransition is one step of an agent from one state to another.
type AgentTransition struct {
	At     time.Time  `json:"at"`
	From   AgentState `json:"from"`
	To     AgentState `json:"to"`
	Reason string     `json:"reason"`
}

// MaxTransitions is how many of its last transitions are kept of each agent.
const MaxTransitions = 100

// Arrival is one request of an agent, as it came in.
type Arrival struct {
	At   time.Time `json:"at"`
	What Request   `json:"what"`
}

// Request says what kind of request an agent sent.
type Request string

// The kinds of requests that are told apart.
const (
	RequestHeartbeat Request = "heartbeat"
	RequestRegister  Request = "register"
	RequestPoll      Request = "poll"
	RequestReply     Request = "reply"
	RequestOther     Request = "other"
)

// AgentHistory is what is known of how an agent came to be what it is.
type AgentHistory struct {
	Card        json.RawMessage   `json:"card,omitempty"` // its agent card, as it was last seen
	Transitions []AgentTransition `json:"transitions"`    // newest first, at most MaxTransitions
	Arrivals    []Arrival         `json:"arrivals"`       // its last requests, newest first
}

// AgentChange asks for one transition.
type AgentChange struct {
	ID     string
	From   AgentState // what the row has to say; else nothing is changed
	To     AgentState
	Reason string
	Heard  bool // it has sent a request of its own
}

// AgentRow is what the row of an agent says that a watcher has to know.
type AgentRow struct {
	ID           string
	Name         string
	Kind         AgentKind
	State        AgentState
	URL          string
	Heard        bool // it has ever sent a request of its own
	SilentStreak int
}

// AgentWatch takes signs of life. It answers from memory and never waits for the
// store. at is when a request was accepted, with its monotonic reading.
type AgentWatch interface {
	// Heard notes a request of an agent that says nothing of how it is.
	Heard(at time.Time, agentID string, what Request)
	// Heartbeat takes what an agent says of itself, and returns in how many seconds
	// it is to say so again.
	Heartbeat(at time.Time, agentID string, v Vitals) (nextSeconds int)
}
