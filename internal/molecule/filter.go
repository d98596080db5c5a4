package molecule

import "strings"

// Validate refuses a kind or a state that no agent has: a filter that is
// misspelt must not look like an empty list.
func (f AgentFilter) Validate() error {
	if err := choice("kind", f.Kind, AgentExec, AgentPush, AgentPoll); err != nil {
		return err
	}
	var states []AgentState
	for _, row := range agentStates {
		if row.State != AgentRemoved { // those are in no list
			states = append(states, row.State)
		}
	}
	return choice("state", f.State, states...)
}

// Validate refuses a state that no schedule has.
func (f ScheduleFilter) Validate() error {
	return choice("state", f.State, ScheduleActive, SchedulePaused, ScheduleError, ScheduleFinished)
}

// Validate refuses an outcome that no run has.
func (f RunFilter) Validate() error { return choice("outcome", f.Outcome, Outcomes()...) }

// Validate refuses a span that no period has.
func (f HistoryFilter) Validate() error { return choice("span", f.By, SpanHour, SpanDay) }

// Validate refuses a kind that no incident has, and what is no subject.
func (f IncidentFilter) Validate() error {
	if f.Subject != "" && !strings.Contains(f.Subject, "/") {
		return Errorf(Invalid, "no incident is of %q", clip(f.Subject, 80)).
			WithHint("a subject is a noun and a name, such as schedule/hello; schedule/ is all schedules")
	}
	return choice("kind of incident", f.Kind, IncidentKinds()...)
}

// choice refuses a value that is neither empty nor one of all.
func choice[T ~string](what string, value T, all ...T) error {
	names := make([]string, len(all))
	for i, v := range all {
		if names[i] = string(v); v == value {
			return nil
		}
	}
	if value == "" {
		return nil
	}
	err := Errorf(Invalid, "no %s is called %q", what, clip(string(value), 80))
	if near := Nearest(string(value), names); near != "" {
		return err.WithHint("did you mean %s?", near)
	}
	return err.WithHint("it is one of %s", strings.Join(names, ", "))
}
