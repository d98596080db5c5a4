package molecule

import (
	"context"
	"time"
)

// ScheduleState says whether a schedule has slots.
type ScheduleState string

// The states of a schedule.
const (
	ScheduleActive   ScheduleState = "active"
	SchedulePaused   ScheduleState = "paused"   // by choice: it has no slots
	ScheduleError    ScheduleState = "error"    // its row cannot be fired; Reason says why
	ScheduleFinished ScheduleState = "finished" // no slot is left
)

// Bounds of a run's time limit.
const (
	DefaultTimeout = 20 * time.Minute
	MinTimeout     = time.Second
	MaxTimeout     = 24 * time.Hour
)

// Schedule says when to send which prompt to which agent.
type Schedule struct {
	ID            string        `json:"id"`
	Name          string        `json:"name"`
	AgentID       string        `json:"agent_id"`
	Agent         string        `json:"agent"`
	Cron          string        `json:"cron"`              // canonical
	TZ            string        `json:"tz"`                // IANA name
	DST           string        `json:"dst,omitempty"`     // vixie when empty, skip or both
	Seconds       bool          `json:"seconds,omitempty"` // Cron begins with a field for seconds
	Phase         Duration      `json:"phase,omitempty"`   // of @every: slots are Phase behind whole intervals since 1970
	Description   string        `json:"description"`       // Cron in plain words
	Prompt        string        `json:"prompt"`
	State         ScheduleState `json:"state"`
	Reason        string        `json:"reason,omitempty"`
	Timeout       Duration      `json:"timeout"`
	NextSlot      time.Time     `json:"next_slot_at,omitzero"`
	DueAt         time.Time     `json:"due_at,omitzero"`             // NextSlot and its jitter: when it fires
	LastSlot      time.Time     `json:"last_slot_at,omitzero"`       // the newest that has a row
	LastEndedSlot time.Time     `json:"last_ended_slot_at,omitzero"` // that of the newest of Recent
	ActiveSince   time.Time     `json:"active_since"`                // its slots are those of Cron behind it
	LastOutcome   Outcome       `json:"last_outcome"`
	Recent        []Outcome     `json:"recent"` // the last 14 outcomes, oldest first
	FailureStreak int           `json:"failure_streak"`
	EmptyStreak   int           `json:"empty_streak"`
	Fired         int           `json:"fired"` // slots that fired since it was made
	CreatedAt     time.Time     `json:"created_at"`
	UpdatedAt     time.Time     `json:"updated_at"`

	Policy // on the wire its fields stand beside the others

	// GivenUp are rows of slots that came and that a change of the schedule
	// leaves to nobody. The store records them with the change.
	GivenUp []Run `json:"-"`
}

// Validate checks what needs no clock and no agent. The expression is
// compiled by the scheduler.
func (s *Schedule) Validate() error {
	if err := ValidateName("schedule", s.Name); err != nil {
		return err
	}
	if s.Cron == "" {
		return Errorf(Invalid, "a schedule needs a cron expression").WithHint("for example --cron '0 8 * * *'; see molecli help cron")
	}
	if t := time.Duration(s.Timeout); t < MinTimeout || t > MaxTimeout {
		return Errorf(Invalid, "timeout is %s, it must be between %s and %s",
			s.Timeout, Duration(MinTimeout), Duration(MaxTimeout))
	}
	if err := s.Policy.Validate(); err != nil {
		return err
	}
	return ValidatePrompt(s.Prompt)
}

// RecentOutcomes is how many outcomes Schedule.Recent keeps.
const RecentOutcomes = 14

// Observe takes the outcome of one of its runs into the streaks.
func (s *Schedule) Observe(o Outcome) {
	switch {
	case o.Failure():
		s.FailureStreak++
	case o == OutcomeEmpty:
		s.EmptyStreak++
	case o.Good():
		s.FailureStreak, s.EmptyStreak = 0, 0
	}
	s.LastOutcome = o
}

// ScheduleFilter narrows a list of schedules. The zero value lists all.
type ScheduleFilter struct {
	Agent  string // a ref
	State  ScheduleState
	Limit  int
	Cursor string
}

// ScheduleUpdate changes the fields that are not nil.
type ScheduleUpdate struct {
	Name    *string   `json:"name,omitempty"`
	Agent   *string   `json:"agent,omitempty"`
	Cron    *string   `json:"cron,omitempty"`
	TZ      *string   `json:"tz,omitempty"`
	DST     *string   `json:"dst,omitempty"`
	Seconds *bool     `json:"seconds,omitempty"`
	Phase   *Duration `json:"phase,omitempty"`
	Prompt  *string   `json:"prompt,omitempty"`
	Timeout *Duration `json:"timeout,omitempty"`

	CatchUp       *CatchUp    `json:"catch_up,omitempty"`
	CatchUpWindow *Duration   `json:"catch_up_window,omitempty"`
	CatchUpMax    *int        `json:"catch_up_max,omitempty"`
	Overlap       *Overlap    `json:"overlap,omitempty"`
	Jitter        *Duration   `json:"jitter,omitempty"`
	JitterMode    *JitterMode `json:"jitter_mode,omitempty"`
	Retries       *int        `json:"retries,omitempty"` // -1: as many as the outcome is worth
	Resend        *Resend     `json:"resend,omitempty"`
	Budget        *Budget     `json:"budget,omitempty"` // of no bounds: none
	Exclusions    *[]string   `json:"exclusions,omitempty"`
	MaxRuns       *int        `json:"max_runs,omitempty"`
	Until         *time.Time  `json:"until,omitempty"` // the zero time: no end
}

// ScheduleService keeps the schedules of the organisation. Refs and errors are
// as in [AgentService]; an expression that does not parse, or that never
// fires, is Invalid.
type ScheduleService interface {
	// CreateSchedule stores in and fills in what the daemon decides. in.Agent
	// is a ref; an unknown one is NotFound.
	CreateSchedule(ctx context.Context, in *Schedule) error
	// ImportSchedules makes and changes many schedules in one transaction. A
	// change keeps to the rules of UpdateSchedule; a schedule that is as it should
	// be is not touched. The error is a [FaultyImport] when some of it is wrong.
	ImportSchedules(ctx context.Context, in ScheduleImport) (ImportResult, error)
	Schedule(ctx context.Context, ref string) (Schedule, error)
	Schedules(ctx context.Context, f ScheduleFilter) (Page[Schedule], error)
	// UpdateSchedule keeps the next slot unless cron or tz change.
	UpdateSchedule(ctx context.Context, ref string, up ScheduleUpdate) (Schedule, error)
	PauseSchedule(ctx context.Context, ref string) (Schedule, error)
	// ResumeSchedule computes a new next slot: slots that passed while paused
	// never were.
	ResumeSchedule(ctx context.Context, ref string) (Schedule, error)
	// RemoveSchedule keeps the history of its runs.
	RemoveSchedule(ctx context.Context, ref string) error
	// TriggerSchedule starts one manual run now and returns it as claimed.
	TriggerSchedule(ctx context.Context, ref string) (Run, error)
	// NextSlots returns the next n slots behind now that no calendar excludes;
	// none unless active.
	NextSlots(ctx context.Context, ref string, n int) ([]time.Time, error)
	// ExplainSlot tells why a slot ran, waited, was skipped or missed. The zero
	// slot is the newest that has a row, or else the one that comes next.
	ExplainSlot(ctx context.Context, ref string, slot time.Time) (Explanation, error)
	// ScheduleHistory sums up the runs of a schedule by hours or days, the newest
	// first: those that are kept and those that were pruned alike. A period of no
	// run is left out.
	ScheduleHistory(ctx context.Context, ref string, f HistoryFilter) (Page[Period], error)
}

// Explanation tells why a slot is what it is.
type Explanation struct {
	Schedule string    `json:"schedule"`
	Slot     time.Time `json:"slot,omitzero"`
	Why      string    `json:"why"`   // one sentence
	Story    []string  `json:"story"` // what happened, in order
	Run      *Run      `json:"run"`   // the row that covers the slot; null when none does
}

// Due is a schedule whose next slot has come.
type Due struct {
	Schedule  Schedule
	OpenRuns  int        // runs of it that have not ended
	Missed    Missed     // since the last slot that was sent; read for a prompt that asks for it only
	Calendars []Calendar // those its exclusions name
}

// Claim is what was decided for one due schedule. It is stored in one
// transaction: either the schedule moved on and the rows are there, or neither.
// Without rows it may leave the slot where it is and be asked again at DueAt.
type Claim struct {
	Runs     []Run         // rows to insert, open or already ended
	NextSlot time.Time     // zero when no slot is left
	DueAt    time.Time     // NextSlot and its jitter
	State    ScheduleState // the state from now on
	Reason   string        // why, when State is error
}

// LateSlot is a slot that has no row although the time for it is over.
type LateSlot struct {
	Schedule   string
	Slot       time.Time
	Due        time.Time // Slot and its jitter
	AlertAfter time.Time
}
