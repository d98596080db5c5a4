package molecule

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Delivery is one attempt to bring a prompt to an agent. The context it
// travels with ends at the run's deadline.
type Delivery struct {
	Agent   Agent
	Run     Run // Handle is set when an earlier process already started it
	Text    string
	Attempt int

	// Note is called as soon as something exists that must be found again
	// after a crash. An error means it could not be stored: stop and undo.
	Note func(handle string) error
	// Waiting is called when the agent asks for input nobody here can give.
	Waiting func(reason string)
}

// ErrRunCanceled is in the cause of a delivery's context that ended because the
// run is canceled: what the agent was asked to do shall not go on.
var ErrRunCanceled = errors.New("the run is canceled")

// Failure says why there is no complete reply. The zero Failure is none.
type Failure string

// The failures of transport and of form, in the order they are tested.
const (
	FailUnsafe      Failure = "unsafe"      // an address rule refused it; nothing was dialled
	FailUnreachable Failure = "unreachable" // DNS, refused, TLS: before any byte was sent
	FailBroken      Failure = "broken"      // the connection broke after bytes were sent
	FailDeadline    Failure = "deadline"    // the run's deadline passed
	FailShutdown    Failure = "shutdown"    // this daemon is stopping
	FailCanceled    Failure = "canceled"    // somebody had the run canceled
	FailTooLarge    Failure = "too_large"   // the reply is over the limit
	FailNotUTF8     Failure = "not_utf8"
	FailNotJSON     Failure = "not_json"
	FailShape       Failure = "shape" // JSON, but not an answer: wrong id, unknown state
	FailLost        Failure = "lost"  // started by an earlier process and nowhere to be found
)

// TaskState is the state of an A2A task, in the spelling of A2A 0.3.
type TaskState string

// The task states an agent may report.
const (
	TaskSubmitted     TaskState = "submitted"
	TaskWorking       TaskState = "working"
	TaskInputRequired TaskState = "input-required"
	TaskAuthRequired  TaskState = "auth-required"
	TaskCompleted     TaskState = "completed"
	TaskFailed        TaskState = "failed"
	TaskRejected      TaskState = "rejected"
	TaskCanceled      TaskState = "canceled"
)

// Known reports whether s is one of the states above.
func (s TaskState) Known() bool {
	return s.Terminal() || s.Interrupted() || s == TaskSubmitted || s == TaskWorking
}

// Terminal reports whether a task in state s will not change any more.
func (s TaskState) Terminal() bool {
	switch s {
	case TaskCompleted, TaskFailed, TaskRejected, TaskCanceled:
		return true
	}
	return false
}

// Interrupted reports whether a task in state s waits for somebody else.
func (s TaskState) Interrupted() bool { return s == TaskInputRequired || s == TaskAuthRequired }

// RPCError is a JSON-RPC error object.
type RPCError struct {
	Code    int
	Message string
}

// Part is one piece of what an agent said. Exactly one field is set.
type Part struct {
	Text string
	Data map[string]any
	File string // name or URL of a file
}

// Exit is how a local command ended.
type Exit struct {
	Code   int    // -1 when a signal ended it
	Signal string // such as "killed"; empty when it exited
	Stderr string // its last lines
}

// TextOf joins the text of parts, one a line.
func TextOf(parts []Part) string {
	var said []string
	for _, p := range parts {
		if p.Text != "" {
			said = append(said, p.Text)
		}
	}
	return strings.Join(said, "\n")
}

// Reply is everything known about an agent's answer to one delivery. It holds
// facts; the outcome table judges them.
type Reply struct {
	Failure    Failure
	Detail     string // says more about Failure; safe to show
	HTTPStatus int    // 0 when there was none
	RetryAfter time.Duration
	RPCError   *RPCError
	Task       TaskState // empty when the answer was a plain message
	StatusText string    // what the task's status message says
	Parts      []Part    // what the agent said: artifacts, status message, message parts; never history
	Exit       *Exit     // exec agents only
	Usage      *Usage

	Answered       bool  // some reply to the send arrived
	CardAnswered   bool  // after the deadline: a probe of the agent card was answered
	CancelAccepted *bool // after the deadline: what CancelTask said; nil when it was not asked
}

// Forwarded is what became of a request that was passed on to an agent as it is.
type Forwarded struct {
	Answer  json.RawMessage // the agent's JSON-RPC answer; nil when there is none, and then
	Failure Failure         // why, or empty when it answered with
	Status  int             // this HTTP status
	Detail  string          // safe to show
}
