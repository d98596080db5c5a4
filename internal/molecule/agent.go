package molecule

import (
	"context"
	"encoding/json"
	"time"
)

// AgentKind says how an agent gets its prompts.
type AgentKind string

// The kinds of agents.
const (
	AgentPush AgentKind = "push" // has an A2A URL that we call
	AgentPoll AgentKind = "poll" // asks for its work and brings the reply
	AgentExec AgentKind = "exec" // is a local command that we start
)

// URLOwner says who wrote an agent's URL, and so what it may point at.
type URLOwner string

// The owners of a URL.
const (
	URLOwnerAgent       URLOwner = "agent"       // held to the address table
	URLOwnerOperator    URLOwner = "operator"    // exactly the stored host and port
	URLOwnerProvisioner URLOwner = "provisioner" // the same, written by what started the agent
)

// Agent is who receives prompts.
type Agent struct {
	ID            string     `json:"id"`
	Name          string     `json:"name"`
	Kind          AgentKind  `json:"kind"`
	State         AgentState `json:"state"`
	URL           string     `json:"url,omitempty"`
	URLOwner      URLOwner   `json:"url_owner,omitempty"`
	ReportedURL   string     `json:"reported_url,omitempty"` // what it says its URL is, while that is not its to say
	Exec          *Exec      `json:"exec,omitempty"`
	MaxConcurrent int        `json:"max_concurrent_tasks"`
	Budget        Budget     `json:"budget,omitzero"` // of its runs, whatever schedule they are of
	ActiveRuns    int        `json:"active_runs"`
	LastOutcome   Outcome    `json:"last_outcome"`
	LastRunAt     time.Time  `json:"last_run_at,omitzero"`
	NextSlot      time.Time  `json:"next_slot_at,omitzero"`
	SilentStreak  int        `json:"silent_streak"`          // asks in a row that reached nobody
	StateSince    time.Time  `json:"state_since,omitzero"`   // zero: since it was made
	StateReason   string     `json:"state_reason,omitempty"` // what led there
	LastSeen      time.Time  `json:"last_seen_at,omitzero"`  // its last request, if it ever sent one
	Vitals        *Vitals    `json:"vitals,omitempty"`       // what it last said of itself
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	RemovedAt     time.Time  `json:"removed_at,omitzero"`

	// Its place in the organisation. Parent is a name, and a ref when it is
	// given; ParentID follows from it.
	Role     string `json:"role,omitempty"`
	Tier     int    `json:"tier,omitempty"`
	Parent   string `json:"parent,omitempty"`
	ParentID string `json:"parent_id,omitempty"`
	Runtime  string `json:"runtime,omitempty"`

	Card json.RawMessage `json:"-"` // as it registered it; see AgentHistory

	// Await, given at creation, opens a window instead of making a token: the
	// first registration of the agent's id before AwaitUntil is given its token.
	Await      Duration  `json:"await,omitempty"`
	AwaitUntil time.Time `json:"await_until,omitzero"`
	// Token is the agent's own, in the answer to its creation and nowhere else.
	Token Shown `json:"token,omitzero"`
}

// MaxAwait is the longest that a window for a first registration may be open.
const MaxAwait = time.Hour

// Exec is the local command of an exec agent. The prompt goes to its standard
// input, its standard output is the reply, its exit status decides.
type Exec struct {
	Command string   `json:"command"`            // as the operator typed it
	Shell   bool     `json:"shell,omitempty"`    // Command is run by /bin/sh -c
	Argv    []string `json:"argv"`               // what is started; Argv[0] is absolute
	Dir     string   `json:"dir,omitempty"`      // working directory, absolute
	PassEnv []string `json:"pass_env,omitempty"` // variables of the daemon it may see beside the usual ones
}

// Validate checks what can be checked without asking anybody: names and which
// fields belong to which kind. Addresses and programs are checked by the
// registry.
func (a *Agent) Validate() error {
	if err := ValidateName("agent", a.Name); err != nil {
		return err
	}
	if a.MaxConcurrent < 1 || a.MaxConcurrent > 1000 {
		return Errorf(Invalid, "max_concurrent_tasks is %d, it must be between 1 and 1000", a.MaxConcurrent)
	}
	if err := a.Budget.Validate(); err != nil {
		return err
	}
	if err := a.validatePlace(); err != nil {
		return err
	}
	switch a.Kind {
	case AgentPush:
		if a.URL == "" {
			return Errorf(Invalid, "a push agent needs a URL").WithHint("molecli agent add NAME --url https://host/path")
		}
		if a.Exec != nil {
			return Errorf(Invalid, "a push agent has no command")
		}
	case AgentPoll:
		if a.URL != "" || a.Exec != nil {
			return Errorf(Invalid, "a poll agent has neither a URL nor a command")
		}
	case AgentExec:
		if a.Exec == nil || a.Exec.Command == "" {
			return Errorf(Invalid, "an exec agent needs a command").WithHint("molecli agent add NAME --exec 'COMMAND ARG …'")
		}
		if a.URL != "" {
			return Errorf(Invalid, "an exec agent has no URL")
		}
	default:
		return Errorf(Invalid, "agent kind %q is not known", clip(string(a.Kind), 40)).WithHint("use push, poll or exec")
	}
	return nil
}

// validatePlace checks what an agent is in its organisation.
func (a *Agent) validatePlace() error {
	if a.Role != "" {
		if err := ValidateRole(a.Role); err != nil {
			return err
		}
	}
	if a.Runtime != "" {
		if err := ValidateName("runtime", a.Runtime); err != nil {
			return err
		}
	}
	if a.Tier < 0 || a.Tier > 9 {
		return Errorf(Invalid, "tier is %d, it must be between 1 and 9", a.Tier)
	}
	return nil
}

// SilentLimit is how many asks in a row may reach nobody before an agent that
// never sent a request of its own is lost.
const SilentLimit = 3

// Observe takes the outcome of a run as evidence. That an agent is lost is not
// for one agent's runs to say: see package registry.
func (a *Agent) Observe(o Outcome) {
	switch {
	case o.Answered():
		a.State, a.SilentStreak = a.State.After(SignAnswered), 0
	case o.Silent():
		a.SilentStreak++
		if o == OutcomeHung && a.Kind != AgentExec {
			a.State = a.State.After(SignHung)
		}
	}
}

// AgentFilter narrows a list of agents. The zero value lists all.
type AgentFilter struct {
	Kind   AgentKind
	State  AgentState
	Limit  int
	Cursor string
}

// AgentUpdate changes the fields that are not nil.
type AgentUpdate struct {
	Name          *string `json:"name,omitempty"`
	URL           *string `json:"url,omitempty"`
	Exec          *Exec   `json:"exec,omitempty"`
	MaxConcurrent *int    `json:"max_concurrent_tasks,omitempty"`
	Budget        *Budget `json:"budget,omitempty"` // of no bounds: none
	Role          *string `json:"role,omitempty"`
	Tier          *int    `json:"tier,omitempty"`
	Parent        *string `json:"parent,omitempty"` // a ref; empty: none
	Runtime       *string `json:"runtime,omitempty"`
}

// AgentService keeps the agents of the organisation.
//
// A ref is a name, or a prefix of an id that fits one agent only. Errors:
// NotFound for an unknown ref, Invalid for an ambiguous one, Conflict for a
// name in use, UnsafeURL for an address the rules refuse, Forbidden where the
// principal may not.
type AgentService interface {
	// CreateAgent stores in and fills in what the daemon decides.
	CreateAgent(ctx context.Context, in *Agent) error
	Agent(ctx context.Context, ref string) (Agent, error)
	Agents(ctx context.Context, f AgentFilter) (Page[Agent], error)
	UpdateAgent(ctx context.Context, ref string, up AgentUpdate) (Agent, error)
	// RemoveAgent refuses with Conflict while schedules name the agent or it is
	// the parent of others. Its tokens are good for nothing from then on.
	RemoveAgent(ctx context.Context, ref string) error
	// PauseAgent puts an agent aside: runs that fall due end as blocked.
	PauseAgent(ctx context.Context, ref string) (Agent, error)
	ResumeAgent(ctx context.Context, ref string) (Agent, error)
	// ConfirmOffline takes the caller's word that an agent which is suspect or
	// unknown is gone. For one that is believed to be there it is a Conflict.
	ConfirmOffline(ctx context.Context, ref string) (Agent, error)
	AgentHistory(ctx context.Context, ref string) (AgentHistory, error)
}
