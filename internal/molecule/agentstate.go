package molecule

// AgentState is what we believe of an agent, from evidence only.
type AgentState string

// The states of an agent.
const (
	AgentPending  AgentState = "pending"
	AgentOnline   AgentState = "online"
	AgentDegraded AgentState = "degraded"
	AgentSuspect  AgentState = "suspect"
	AgentOffline  AgentState = "offline"
	AgentPaused   AgentState = "paused"
	AgentRemoved  AgentState = "removed"
	AgentUnknown  AgentState = "unknown"
)

// AgentSign is something that happened to an agent and may change what we
// believe of it.
type AgentSign string

// The signs.
const (
	SignHeard     AgentSign = "heard"
	SignAnswered  AgentSign = "answered"
	SignSilent    AgentSign = "silent"
	SignHung      AgentSign = "hung"
	SignLost      AgentSign = "lost"
	SignHeld      AgentSign = "held"
	SignImpaired  AgentSign = "impaired"
	SignMended    AgentSign = "mended"
	SignConfirmed AgentSign = "confirmed"
	SignPaused    AgentSign = "paused"
	SignResumed   AgentSign = "resumed"
	SignMoved     AgentSign = "moved"
	SignRemoved   AgentSign = "removed"
)

// Handling says what becomes of the runs of an agent in some state.
type Handling string

// The handlings.
const (
	HandlingSend  Handling = "sent"
	HandlingWait  Handling = "kept waiting"
	HandlingBlock Handling = "blocked"
)

// AgentStateRow is one state in the table of agents: what it means, what
// becomes of runs, and the signs that lead out of it. A sign that is not in To
// changes nothing.
type AgentStateRow struct {
	State AgentState
	Means string
	Runs  Handling
	To    map[AgentSign]AgentState
}

// AgentSignRow is one sign and what it stands for.
type AgentSignRow struct {
	Sign  AgentSign
	Means string
}

// agentStates is the state machine. The constraint of the schema and
// docs/agent-states.md are made of it.
var agentStates = []AgentStateRow{ // never written
	{AgentPending, "nothing proves yet that it is there", HandlingSend, map[AgentSign]AgentState{
		SignHeard: AgentOnline, SignAnswered: AgentOnline,
		SignSilent: AgentSuspect, SignHung: AgentSuspect, SignLost: AgentOffline, SignHeld: AgentUnknown,
		SignPaused: AgentPaused, SignRemoved: AgentRemoved,
	}},
	{AgentOnline, "it sent a request, or answered, when it was last expected to", HandlingSend, map[AgentSign]AgentState{
		SignImpaired: AgentDegraded,
		SignSilent:   AgentSuspect, SignHung: AgentSuspect, SignLost: AgentOffline, SignHeld: AgentUnknown,
		SignPaused: AgentPaused, SignMoved: AgentPending, SignRemoved: AgentRemoved,
	}},
	{AgentDegraded, "it is there, and says itself that it does badly", HandlingSend, map[AgentSign]AgentState{
		SignMended: AgentOnline,
		SignSilent: AgentSuspect, SignHung: AgentSuspect, SignLost: AgentOffline, SignHeld: AgentUnknown,
		SignPaused: AgentPaused, SignMoved: AgentPending, SignRemoved: AgentRemoved,
	}},
	{AgentSuspect, "it is silent for longer than it should be, and is being looked for", HandlingSend, map[AgentSign]AgentState{
		SignHeard: AgentOnline, SignAnswered: AgentOnline,
		SignLost: AgentOffline, SignConfirmed: AgentOffline, SignHeld: AgentUnknown,
		SignPaused: AgentPaused, SignMoved: AgentPending, SignRemoved: AgentRemoved,
	}},
	{AgentOffline, "it is not there", HandlingWait, map[AgentSign]AgentState{
		SignHeard: AgentOnline, SignAnswered: AgentOnline,
		SignPaused: AgentPaused, SignMoved: AgentPending, SignRemoved: AgentRemoved,
	}},
	{AgentPaused, "somebody put it aside", HandlingBlock, map[AgentSign]AgentState{
		SignResumed: AgentPending, SignRemoved: AgentRemoved,
	}},
	{AgentRemoved, "somebody removed it; only its history is kept", HandlingBlock, nil},
	{AgentUnknown, "so many fell silent at once that the fault may be on our side", HandlingSend, map[AgentSign]AgentState{
		SignHeard: AgentOnline, SignAnswered: AgentOnline,
		SignLost: AgentOffline, SignConfirmed: AgentOffline,
		SignPaused: AgentPaused, SignMoved: AgentPending, SignRemoved: AgentRemoved,
	}},
}

// agentSigns are all signs, in the order of their table.
var agentSigns = []AgentSignRow{ // never written
	{SignHeard, "a request of the agent itself came in"},
	{SignAnswered, "it answered a run, or the question for its card"},
	{SignSilent, "no request for twice the gap that is expected of it"},
	{SignHung, "a run reached its deadline, and neither the run nor the question for its card was answered"},
	{SignLost, "silent beyond its limit and not to be reached, or not to be reached three times in a row"},
	{SignHeld, "it was about to be called offline together with too many others"},
	{SignImpaired, "it says that half or more of what it does fails, or that it is wedged"},
	{SignMended, "it says that less than a tenth fails, and that it is not wedged"},
	{SignConfirmed, "an operator says that it is gone"},
	{SignPaused, "an operator puts it aside"},
	{SignResumed, "an operator takes it up again"},
	{SignMoved, "it has a new address, of which nothing is known"},
	{SignRemoved, "an operator removes it"},
}

// AgentStates returns the table of states.
func AgentStates() []AgentStateRow { return agentStates }

// AgentSigns returns the signs there are.
func AgentSigns() []AgentSignRow { return agentSigns }

// After returns what is believed of an agent in state s after signs, one after
// the other. A state or a sign nobody knows changes nothing.
func (s AgentState) After(signs ...AgentSign) AgentState {
	for _, sign := range signs {
		if to, leads := s.row().To[sign]; leads {
			s = to
		}
	}
	return s
}

// Means says what an agent in state s is believed to be.
func (s AgentState) Means() string { return s.row().Means }

// Runs says what becomes of the runs of an agent in state s.
func (s AgentState) Runs() Handling { return s.row().Runs }

// Fine reports whether an agent in state s is there, for all we know.
func (s AgentState) Fine() bool { return s == AgentOnline || s == AgentDegraded }

func (s AgentState) row() AgentStateRow {
	for _, row := range agentStates {
		if row.State == s {
			return row
		}
	}
	return AgentStateRow{State: s, Runs: HandlingSend}
}

// AgentStateEvent returns the type of the event that tells of a transition.
func AgentStateEvent(from, to AgentState) string {
	if from == AgentPaused && to != AgentRemoved {
		return EventAgentResumed
	}
	return "agent." + string(to)
}
