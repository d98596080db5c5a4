package molecule

// Outcome says how a run ended, from a fixed list. The zero Outcome is a run
// that has not ended; on the wire it is null.
type Outcome string

// The outcomes. HTTP 200 is not one of them.
const (
	OutcomeOK              Outcome = "ok"
	OutcomeQuiet           Outcome = "quiet"            // the agent had nothing to say and said so
	OutcomeEmpty           Outcome = "empty"            // completed, but blank
	OutcomeDeclaredFailure Outcome = "declared_failure" // the agent says it failed
	OutcomeFailed          Outcome = "failed"
	OutcomeRejected        Outcome = "rejected"
	OutcomeCanceled        Outcome = "canceled"
	OutcomeTimeout         Outcome = "timeout"         // the deadline passed while it worked
	OutcomeHung            Outcome = "hung"            // the deadline passed and nobody was there
	OutcomeUnreachable     Outcome = "unreachable"     // no byte could be sent
	OutcomeUnknown         Outcome = "unknown"         // sent, and nobody can say what became of it
	OutcomeHTTPError       Outcome = "http_error"      // another 4xx or 5xx
	OutcomeRPCError        Outcome = "rpc_error"       // a JSON-RPC error
	OutcomeProtocolError   Outcome = "protocol_error"  // not an answer at all
	OutcomeAuthRefused     Outcome = "auth_refused"    // 401 or 403
	OutcomeBlocked         Outcome = "blocked"         // a rule of ours; Reason says which
	OutcomeSkippedOverlap  Outcome = "skipped_overlap" // the run before it was still open
	OutcomeMissed          Outcome = "missed"          // the slot passed while nobody could fire it
)

// Outcomes lists every outcome a run may end with.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeOK, OutcomeQuiet, OutcomeEmpty, OutcomeDeclaredFailure, OutcomeFailed, OutcomeRejected,
		OutcomeCanceled, OutcomeTimeout, OutcomeHung, OutcomeUnreachable, OutcomeUnknown, OutcomeHTTPError,
		OutcomeRPCError, OutcomeProtocolError, OutcomeAuthRefused, OutcomeBlocked, OutcomeSkippedOverlap, OutcomeMissed,
	}
}

// Good reports whether the agent did what it was asked.
func (o Outcome) Good() bool { return o == OutcomeOK || o == OutcomeQuiet }

// Failure reports whether o counts against a schedule. Empty has a streak of
// its own; blocked, skipped and missed slots never reached the agent.
func (o Outcome) Failure() bool {
	switch o {
	case "", OutcomeOK, OutcomeQuiet, OutcomeEmpty, OutcomeBlocked, OutcomeSkippedOverlap, OutcomeMissed:
		return false
	}
	return true
}

// Ordinary reports whether o leaves nothing to look into later: it went well, or
// the run before it was still at work.
func (o Outcome) Ordinary() bool { return o.Good() || o == OutcomeSkippedOverlap }

// Silent reports whether o says that nobody was there to answer.
func (o Outcome) Silent() bool { return o == OutcomeUnreachable || o == OutcomeHung }

// Answered reports whether o proves that the agent was there.
func (o Outcome) Answered() bool {
	switch o {
	case OutcomeOK, OutcomeQuiet, OutcomeEmpty, OutcomeDeclaredFailure, OutcomeFailed, OutcomeRejected,
		OutcomeHTTPError, OutcomeRPCError, OutcomeProtocolError, OutcomeAuthRefused, OutcomeTimeout:
		return true
	}
	return false
}

// MarshalJSON writes null for a run that has not ended.
func (o Outcome) MarshalJSON() ([]byte, error) {
	if o == "" {
		return []byte("null"), nil
	}
	return []byte(`"` + string(o) + `"`), nil
}
