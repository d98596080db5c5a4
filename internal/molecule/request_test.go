package molecule

import (
	"strings"
	"testing"
	"time"
)

func TestValidate_namesTheFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	agent := func(change func(*Agent)) error {
		a := Agent{Name: "echo", Kind: AgentExec, Exec: &Exec{Command: "cat"}, MaxConcurrent: 1}
		change(&a)
		return a.Validate()
	}
	schedule := func(change func(*Schedule)) error {
		s := Schedule{Name: "eco", Cron: "* * * * *", Prompt: "hello", Timeout: Duration(DefaultTimeout)}
		change(&s)
		return s.Validate()
	}
	tests := map[string]struct {
		err  error
		want string // empty: it is valid
	}{
		"an exec agent":              {agent(func(*Agent) {}), ""},
		"a push agent":               {agent(func(a *Agent) { a.Kind, a.URL, a.Exec = AgentPush, "https://a", nil }), ""},
		"no name":                    {agent(func(a *Agent) { a.Name = "" }), "agent name"},
		"a name like an id":          {agent(func(a *Agent) { a.Name = "0198c0de-0000-7000-8000-000000000000" }), "looks like an id"},
		"no runs at all":             {agent(func(a *Agent) { a.MaxConcurrent = 0 }), "max_concurrent_tasks is 0"},
		"too many runs":              {agent(func(a *Agent) { a.MaxConcurrent = 1001 }), "max_concurrent_tasks is 1001"},
		"a kind nobody knows":        {agent(func(a *Agent) { a.Kind = "pull" }), `kind "pull"`},
		"a poll agent":               {agent(func(a *Agent) { a.Kind, a.Exec = AgentPoll, nil }), ""},
		"poll with a command":        {agent(func(a *Agent) { a.Kind = AgentPoll }), "neither a URL nor a command"},
		"poll with a URL":            {agent(func(a *Agent) { a.Kind, a.Exec, a.URL = AgentPoll, nil, "https://a" }), "neither a URL nor a command"},
		"a role of two lines":        {agent(func(a *Agent) { a.Role = "a\nb" }), "role"},
		"a role in any language":     {agent(func(a *Agent) { a.Role = "Schriftführer" }), ""},
		"a runtime with a blank":     {agent(func(a *Agent) { a.Runtime = "lang graph" }), "runtime"},
		"a tier too high":            {agent(func(a *Agent) { a.Tier = 10 }), "tier is 10"},
		"an enrolment for a name":    {Enrolment{Name: "a"}.Validate(), ""},
		"an enrolment for a role":    {Enrolment{Role: "writer", ExpiresIn: Duration(MaxEnrolment)}.Validate(), ""},
		"an enrolment for nobody":    {Enrolment{}.Validate(), "for a name or for a role"},
		"an enrolment for both":      {Enrolment{Name: "a", Role: "b"}.Validate(), "not for both"},
		"an enrolment for too long":  {Enrolment{Name: "a", ExpiresIn: Duration(MaxEnrolment + 1)}.Validate(), "up to 1h"},
		"an enrolment in the past":   {Enrolment{Name: "a", ExpiresIn: -1}.Validate(), "up to 1h"},
		"an enrolment for no name":   {Enrolment{Name: "a b"}.Validate(), "agent name"},
		"no command":                 {agent(func(a *Agent) { a.Exec = nil }), "needs a command"},
		"a command and a URL":        {agent(func(a *Agent) { a.URL = "https://a" }), "has no URL"},
		"push without a URL":         {agent(func(a *Agent) { a.Kind = AgentPush }), "needs a URL"},
		"push with a command":        {agent(func(a *Agent) { a.Kind, a.URL = AgentPush, "https://a" }), "has no command"},
		"a schedule":                 {schedule(func(*Schedule) {}), ""},
		"no expression":              {schedule(func(s *Schedule) { s.Cron = "" }), "needs a cron expression"},
		"a timeout under one second": {schedule(func(s *Schedule) { s.Timeout = Duration(MinTimeout - 1) }), "timeout is"},
		"a timeout over one day":     {schedule(func(s *Schedule) { s.Timeout = Duration(MaxTimeout + 1) }), "timeout is"},
		"the longest timeout":        {schedule(func(s *Schedule) { s.Timeout = Duration(MaxTimeout) }), ""},
		"a blank prompt":             {schedule(func(s *Schedule) { s.Prompt = " \n\t" }), "prompt is empty"},
		"the longest prompt":         {schedule(func(s *Schedule) { s.Prompt = strings.Repeat("x", MaxPromptBytes) }), ""},
		"a prompt one byte longer":   {schedule(func(s *Schedule) { s.Prompt = strings.Repeat("x", MaxPromptBytes+1) }), "262145 bytes"},
		"a prompt cut in a rune":     {schedule(func(s *Schedule) { s.Prompt = "caf\xc3" }), "not valid UTF-8 (byte 3)"},
		"a prompt with U+FFFD in it": {schedule(func(s *Schedule) { s.Prompt = "\uFFFD" }), ""},
		"a filter of nothing":        {AgentFilter{}.Validate(), ""},
		"a misspelt state":           {AgentFilter{State: "onlin"}.Validate(), `no state is called "onlin"`},
		"a misspelt kind":            {AgentFilter{Kind: "pus"}.Validate(), `no kind is called "pus"`},
		"a state of another noun":    {ScheduleFilter{State: "online"}.Validate(), `no state is called "online"`},
		"an outcome nobody has":      {RunFilter{Outcome: "great"}.Validate(), `no outcome is called "great"`},
		"every outcome":              {RunFilter{Outcome: OutcomeSkippedOverlap}.Validate(), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			switch {
			case tt.want == "" && tt.err != nil:
				t.Errorf("refused: %v", tt.err)
			case tt.want != "" && (tt.err == nil || !strings.Contains(tt.err.Error(), tt.want)):
				t.Errorf("error %v, want one that says %q", tt.err, tt.want)
			}
		})
	}
}

func TestEventFilter_Matches(t *testing.T) {
	t.Parallel()
	e := Event{ID: 7, At: time.Unix(0, 0), Type: EventRunFinished, Subject: "schedule/eco"}
	tests := map[string]struct {
		filter EventFilter
		want   bool
	}{
		"all":                         {EventFilter{}, true},
		"its type":                    {EventFilter{Types: []string{"agent.online", "run.finished"}}, true},
		"its family":                  {EventFilter{Types: []string{"run."}}, true},
		"another family":              {EventFilter{Types: []string{"schedule."}}, false},
		"a family without its dot":    {EventFilter{Types: []string{"run"}}, false},
		"its subject":                 {EventFilter{Subject: "schedule/eco"}, true},
		"its noun":                    {EventFilter{Subject: "schedule/"}, true},
		"a subject that begins so":    {EventFilter{Subject: "schedule/e"}, false},
		"its type, another subject":   {EventFilter{Types: []string{"run."}, Subject: "agent/"}, false},
		"the id is somebody else's":   {EventFilter{After: 100}, true},
		"a pattern longer than it is": {EventFilter{Types: []string{"run.finished.twice."}}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.filter.Matches(e); got != tt.want {
				t.Errorf("matches %t, want %t", got, tt.want)
			}
		})
	}
}

func TestPrincipal_mayWhatItsScopesSay(t *testing.T) {
	t.Parallel()
	operator := Principal{Name: "uid:1000", Scopes: OperateScopes(), Local: true}
	remote := Principal{Name: "token:ab", Scopes: []Scope{ScopeAdmin}}
	tests := map[string]struct {
		who        Principal
		writes     bool
		localAdmin bool
	}{
		"nobody":            {PrincipalFrom(t.Context()), false, false},
		"an operator":       {operator, true, false},
		"an admin far away": {remote, true, false},
		"the daemon":        {Daemon(), true, true},
		"a carried one":     {PrincipalFrom(WithPrincipal(t.Context(), operator)), true, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.who.May(ScopeSchedulesWrite); got != tt.writes {
				t.Errorf("may write schedules: %t, want %t", got, tt.writes)
			}
			if got := tt.who.LocalAdmin(); got != tt.localAdmin {
				t.Errorf("is local admin: %t, want %t", got, tt.localAdmin)
			}
		})
	}
}

func TestClampLimit(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{-1: DefaultLimit, 0: DefaultLimit, 1: 1, MaxLimit: MaxLimit, MaxLimit + 1: MaxLimit} {
		if got := ClampLimit(n); got != want {
			t.Errorf("%d rows asked give %d, want %d", n, got, want)
		}
	}
}
