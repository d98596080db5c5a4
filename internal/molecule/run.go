package molecule

import (
	"context"
	"time"
)

// Trigger says why a run exists.
type Trigger string

// The triggers. Runs of TriggerCron and TriggerCatchUp are unique by schedule
// and slot; the others by id.
const (
	TriggerCron    Trigger = "cron"
	TriggerCatchUp Trigger = "catch_up"
	TriggerManual  Trigger = "manual"
	TriggerRetry   Trigger = "retry" // a person had a run repeated
)

// RunState says where a run is on its way.
type RunState string

// The states of a run.
const (
	RunClaimed  RunState = "claimed"           // recorded, not yet sent
	RunStarted  RunState = "started"           // being sent, or sent and not answered
	RunWaiting  RunState = "waiting"           // the agent asks for input nobody here can give
	RunAway     RunState = "waiting_for_agent" // the agent is offline; it is asked again until the deadline
	RunFinished RunState = "finished"          // has an outcome
)

// Bounds of what is kept of a reply.
const (
	MaxReplyRunes  = 4000
	MaxReasonRunes = 500
)

// Run is what became of a slot, or of one manual trigger. A row of outcome
// missed covers all slots from Slot to SlotTo.
type Run struct {
	ID         string    `json:"id"`
	ScheduleID string    `json:"schedule_id,omitempty"`
	Schedule   string    `json:"schedule,omitempty"`
	AgentID    string    `json:"agent_id"`
	Agent      string    `json:"agent"`
	Trigger    Trigger   `json:"trigger"`
	Slot       time.Time `json:"slot"`
	SlotTo     time.Time `json:"slot_to,omitzero"`
	Slots      int       `json:"slots"`
	State      RunState  `json:"state"`
	Outcome    Outcome   `json:"outcome"`
	Reason     string    `json:"reason,omitempty"`
	Reply      string    `json:"reply,omitempty"`
	Attempt    int       `json:"attempt"`
	MessageID  string    `json:"message_id,omitempty"`
	RetryOf    string    `json:"retry_of,omitempty"` // the run this one repeats
	Timeout    Duration  `json:"timeout"`
	Usage      *Usage    `json:"usage,omitempty"`
	DueAt      time.Time `json:"due_at"`
	ClaimedAt  time.Time `json:"claimed_at,omitzero"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	Deadline   time.Time `json:"deadline,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
	Prompt     string    `json:"prompt,omitempty"`   // left out of lists
	Attempts   []Attempt `json:"attempts,omitempty"` // left out of lists

	// Handle lets the next process find what this one started: a task id or a
	// process group. Only the courier that wrote it can read it.
	Handle string `json:"-"`
	// Policy is that of its schedule, for whoever delivers it.
	Policy Policy `json:"-"`
}

// Attempt is one try to deliver a run.
type Attempt struct {
	Number    int       `json:"attempt"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Outcome   Outcome   `json:"outcome"`
	Reason    string    `json:"reason,omitempty"`
}

// Usage is what an agent reports to have spent. A nil field was not reported.
type Usage struct {
	InputTokens  *int64   `json:"input_tokens"`
	OutputTokens *int64   `json:"output_tokens"`
	CostUSD      *float64 `json:"cost_usd"`
}

// Meant returns what of a usage can be meant: a number below zero was not spent
// and is unknown. It is nil when nothing is left.
func (u *Usage) Meant() *Usage {
	if u == nil {
		return nil
	}
	m := *u
	if m.InputTokens != nil && *m.InputTokens < 0 {
		m.InputTokens = nil
	}
	if m.OutputTokens != nil && *m.OutputTokens < 0 {
		m.OutputTokens = nil
	}
	if m.CostUSD != nil && *m.CostUSD < 0 {
		m.CostUSD = nil
	}
	if m == (Usage{}) {
		return nil
	}
	return &m
}

// NewRun asks for one manual run of a prompt.
type NewRun struct {
	Agent   string   `json:"agent"` // a ref
	Prompt  string   `json:"prompt"`
	Timeout Duration `json:"timeout,omitempty"` // zero: DefaultTimeout
}

// RunFilter narrows a list of runs, newest first. The zero value lists all.
type RunFilter struct {
	Schedule string // a ref
	Agent    string // a ref
	Outcome  Outcome
	Open     bool // only runs that have not ended
	Limit    int
	Cursor   string
}

// Finish is how a run ended.
type Finish struct {
	RunID   string
	Run     *Run // what is known of it; nil: it is read
	Outcome Outcome
	Reason  string
	Reply   string
	Usage   *Usage
	EndedAt time.Time
	Broken  bool // the delivery itself broke; three in a row put the schedule aside
}

// RunService tells what became of slots and prompts.
type RunService interface {
	// StartRun sends one prompt to one agent and returns the run as claimed.
	StartRun(ctx context.Context, in NewRun) (Run, error)
	// Run returns one run by id or unique id prefix, with prompt and attempts.
	Run(ctx context.Context, ref string) (Run, error)
	Runs(ctx context.Context, f RunFilter) (Page[Run], error)
	// CancelRun tells whoever works on a run to stop. The run ends as canceled
	// once it has; one that has ended is a Conflict.
	CancelRun(ctx context.Context, ref string) (Run, error)
	// RetryRun repeats a run that has ended, with the prompt it had, as a run of
	// its own. One that has not ended is a Conflict.
	RetryRun(ctx context.Context, ref string) (Run, error)
	// WaitRun returns the run once it has ended. When ctx ends first the error
	// is Timeout.
	WaitRun(ctx context.Context, ref string) (Run, error)
}
