package molecule

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// ActivityType says what a row of an agent's activity tells.
type ActivityType string

// The types of activity.
const (
	ActivitySend      ActivityType = "a2a_send"
	ActivityReceive   ActivityType = "a2a_receive" // it was sent something
	ActivityTask      ActivityType = "task_update"
	ActivityLog       ActivityType = "agent_log"
	ActivityPromotion ActivityType = "skill_promotion"
	ActivityError     ActivityType = "error"
)

// Known reports whether t is one of the types above.
func (t ActivityType) Known() bool {
	switch t {
	case ActivitySend, ActivityReceive, ActivityTask, ActivityLog, ActivityPromotion, ActivityError:
		return true
	}
	return false
}

// Bounds of an agent's inbox.
const (
	MaxActivities   = 500              // rows in one answer
	MaxInbox        = 1000             // rows that wait for one agent
	MaxInboxBytes   = 64 << 20         // in them
	MaxHandOutBytes = 8 << 20          // in one answer, but for its first row
	MaxHandOuts     = 5                // of one message
	ActivityLease   = 5 * time.Minute  // how long what was handed out is believed to be in work
	MaxActivityWait = 50 * time.Second // how long a question may wait for something new
)

// Activity is one row of what an agent was sent or tells.
type Activity struct {
	ID        string
	AgentID   string // whose row it is
	Type      ActivityType
	SourceID  string // who sent it: an agent or the reply address; empty: nobody to answer
	TargetID  string
	Method    string
	Summary   string
	Status    string
	MessageID string
	Text      string          // of a run: the prompt
	Message   json.RawMessage // what was sent, as A2A 0.3 writes a message; of a run: nil
	RunID     string
	Once      bool // hand it out once: doing it twice would be worse than not at all
	Attempt   int
	CreatedAt time.Time
}

// Answer is what an agent replies to a run.
type Answer struct {
	Parts []Part `json:"parts"`
	Usage *Usage `json:"usage,omitempty"`
}

// ActivityFilter asks for rows of one agent, oldest first.
type ActivityFilter struct {
	AgentID string
	Type    ActivityType // empty: all
	After   string       // id of a row: only newer ones; empty: those not handed out yet
	Limit   int
	// HandOut says that the agent itself asks: what is returned is in its hands, and
	// what it had in hand up to After is done.
	HandOut bool
}

// Fate is what became of the row of a run.
type Fate struct {
	Answer    *Answer // what the agent replied; nil: nothing yet
	HandedOut bool    // the agent has it, or had it
}

// ErrOverBudget is in the cause of a Forbidden because a budget leaves nothing.
var ErrOverBudget = errors.New("the budget leaves nothing")

// Inbox keeps what agents are sent until they ask for it, and takes what they
// reply.
type Inbox interface {
	// ReplyAddress is the reserved id that stands for the schedules and the people
	// of the organisation.
	ReplyAddress() string
	// Post puts a message into the inbox of an agent that asks for its work and
	// fills in what the inbox decides. Unavailable says that it is full.
	Post(ctx context.Context, a *Activity) error
	// Log keeps a row that nobody has to ask for.
	Log(ctx context.Context, a *Activity) error
	// Activities returns rows of an agent. A filter whose After is not kept any
	// more is Gone.
	Activities(ctx context.Context, f ActivityFilter) ([]Activity, error)
	// Arrivals returns a channel that is closed when something new arrives for an
	// agent.
	Arrivals(agentID string) <-chan struct{}
	// Answer takes what an agent replies. It closes the run that names, each of
	// which may be the id of a run, of its row or of its message, point to; without
	// one, the oldest run that the agent has in hand. It returns the id of that
	// run; "" when there is none, and then the reply is only told.
	Answer(ctx context.Context, agentID string, names []string, a Answer) (runID string, err error)
}
