package molecule

import "errors"

// Bounds of one import.
const (
	// MaxImport is how many schedules one import may name. They are stored in one
	// transaction, and what else is to be written waits for its end.
	MaxImport = 100_000
	MaxFaults = 10_000 // that are told one by one
)

// ScheduleSpec is what a person decides about a schedule, without what the
// daemon makes of it. A field that is left out is the default.
type ScheduleSpec struct {
	Name    string   `json:"name"`
	Agent   string   `json:"agent"` // a ref
	Cron    string   `json:"cron"`
	TZ      string   `json:"tz,omitempty"`
	DST     string   `json:"dst,omitempty"`
	Seconds bool     `json:"seconds,omitempty"`
	Phase   Duration `json:"phase,omitempty"`
	Prompt  string   `json:"prompt"`
	Timeout Duration `json:"timeout,omitempty"`
	// Paused left out is active for a new schedule, and leaves one that is there
	// as it is: whoever paused it by hand is not overruled by a file.
	Paused *bool `json:"paused,omitempty"`

	Policy
}

// Spec returns what was decided about s, without what is the default.
func (s Schedule) Spec() ScheduleSpec {
	spec := ScheduleSpec{
		Name: s.Name, Agent: s.Agent, Cron: s.Cron, TZ: s.TZ, DST: CanonicalDST(s.DST), Seconds: s.Seconds, Phase: s.Phase,
		Prompt: s.Prompt, Timeout: s.Timeout, Policy: s.Canonical(),
	}
	if spec.Timeout == Duration(DefaultTimeout) {
		spec.Timeout = 0
	}
	if s.State == SchedulePaused {
		paused := true
		spec.Paused = &paused
	}
	return spec
}

// CanonicalDST returns the policy for changes of the clock as it is stored: ""
// for the default.
func CanonicalDST(dst string) string { return unless(dst, "vixie") }

// Schedule returns the schedule that s describes, before anything was made of
// its expression.
func (s ScheduleSpec) Schedule() Schedule {
	made := Schedule{
		Name: s.Name, Agent: s.Agent, Cron: s.Cron, TZ: s.TZ, DST: CanonicalDST(s.DST), Seconds: s.Seconds, Phase: s.Phase,
		Prompt: s.Prompt, Timeout: s.Timeout, Policy: s.Canonical(), State: ScheduleActive,
	}
	if made.Timeout == 0 {
		made.Timeout = Duration(DefaultTimeout)
	}
	if s.Paused != nil && *s.Paused {
		made.State = SchedulePaused
	}
	return made
}

// ScheduleDocument is a list of schedules in a file or a request.
type ScheduleDocument struct {
	Schedules []ScheduleSpec `json:"schedules"`
}

// ScheduleImport asks for many schedules at once: all of them, or none.
type ScheduleImport struct {
	Schedules []ScheduleSpec
	// Update changes the schedules whose names are in use. Without it a name in
	// use is a fault.
	Update bool
	// SkipInvalid leaves out what is wrong and does the rest. Without it one fault
	// refuses the whole.
	SkipInvalid bool
	// DryRun tells what would be done, and does nothing.
	DryRun bool
}

// ImportResult is what became of an import, in the order it was given.
type ImportResult struct {
	Created   []string         `json:"created"` // names
	Updated   []ScheduleChange `json:"updated"`
	Unchanged int              `json:"unchanged"` // were as they should be, and were not touched
	Skipped   int              `json:"skipped"`   // were wrong
	Faults    []Fault          `json:"faults,omitempty"`
}

// ScheduleChange is one schedule that was changed.
type ScheduleChange struct {
	Name   string   `json:"name"`
	Fields []string `json:"fields"` // in the names of the wire
}

// Fault is what is wrong with one schedule of an import.
type Fault struct {
	Index   int    `json:"index"` // from 0
	Name    string `json:"name"`
	Field   string `json:"field,omitempty"` // that is wrong, when it is one; in the names of the wire
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// FaultOf makes a fault of an error, of which only the safe part is told.
func FaultOf(index int, name, field string, err error) Fault {
	f := Fault{Index: index, Name: Excerpt(name, 80), Field: field, Code: CodeOf(err), Message: "internal error", Hint: HintOf(err)}
	if e, ok := errors.AsType[*Error](err); ok {
		f.Message = e.Message
	}
	return f
}

// FaultyImport is the error of an import that was refused as a whole.
type FaultyImport struct {
	Err    *Error  // says it in one sentence
	Faults []Fault // not all of them when there are very many
	Total  int     // how many there are
}

// RefuseImport returns the error for an import of n schedules. Its code is
// that of the faults when they have one in common, else Invalid.
func RefuseImport(faults []Fault, n int) *FaultyImport {
	code := faults[0].Code
	for _, f := range faults {
		if f.Code != code {
			code = Invalid
		}
	}
	err := Errorf(code, "nothing was imported: %d of %d schedules cannot be, the first (%s) because %s",
		len(faults), n, faults[0].Name, faults[0].Message)
	return &FaultyImport{Err: err.WithHint("%s", faults[0].Hint), Faults: faults[:min(len(faults), MaxFaults)], Total: len(faults)}
}

// Error returns the sentence.
func (e *FaultyImport) Error() string { return e.Err.Error() }

// Unwrap returns the coded error.
func (e *FaultyImport) Unwrap() error { return e.Err }
