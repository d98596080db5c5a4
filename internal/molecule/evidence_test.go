package molecule

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// verdict is what one outcome means to those who count.
type verdict struct{ Good, Failure, Silent, Answered bool }

// verdicts says it for every outcome, once more than the code does.
func verdicts() map[Outcome]verdict {
	var (
		good     = verdict{Good: true, Answered: true}
		answered = verdict{Failure: true, Answered: true}
		silent   = verdict{Failure: true, Silent: true}
		neither  = verdict{Failure: true}
		ours     = verdict{}
	)
	return map[Outcome]verdict{
		OutcomeOK: good, OutcomeQuiet: good,
		OutcomeEmpty:           {Answered: true},
		OutcomeDeclaredFailure: answered, OutcomeFailed: answered, OutcomeRejected: answered, OutcomeTimeout: answered,
		OutcomeHTTPError: answered, OutcomeRPCError: answered, OutcomeProtocolError: answered, OutcomeAuthRefused: answered,
		OutcomeHung: silent, OutcomeUnreachable: silent,
		OutcomeCanceled: neither, OutcomeUnknown: neither,
		OutcomeBlocked: ours, OutcomeSkippedOverlap: ours, OutcomeMissed: ours,
		"": ours, // not ended
	}
}

func TestOutcome_meansTheSameToWhoeverCounts(t *testing.T) {
	t.Parallel()
	want := verdicts()
	for o, w := range want {
		got := verdict{o.Good(), o.Failure(), o.Silent(), o.Answered()}
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", o, diff)
		}
	}
	for _, o := range Outcomes() {
		if _, ok := want[o]; !ok {
			t.Errorf("%s is an outcome and not in this table", o)
		}
	}
	if got := len(Outcomes()); got != len(want)-1 {
		t.Errorf("%d outcomes are listed, the table has %d", got, len(want)-1)
	}
}

func TestOutcome_isNullUntilThereIsOne(t *testing.T) {
	t.Parallel()
	for o, want := range map[Outcome]string{"": "null", OutcomeOK: `"ok"`} {
		got, err := o.MarshalJSON()
		if err != nil || string(got) != want {
			t.Errorf("%q is written %s (%v), want %s", o, got, err, want)
		}
	}
}

func TestAgent_Observe(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kind     AgentKind
		outcomes []Outcome
		want     AgentState
		streak   int
	}{
		"an answer is proof of life":              {AgentPush, []Outcome{OutcomeOK}, AgentOnline, 0},
		"a failure is one as well":                {AgentPush, []Outcome{OutcomeFailed}, AgentOnline, 0},
		"a skipped slot proves nothing":           {AgentPush, []Outcome{OutcomeSkippedOverlap, OutcomeMissed}, AgentPending, 0},
		"one that hangs is looked for":            {AgentPush, []Outcome{OutcomeHung}, AgentSuspect, 1},
		"one that is not there is only counted":   {AgentPush, []Outcome{OutcomeOK, OutcomeUnreachable, OutcomeUnreachable, OutcomeUnreachable}, AgentOnline, 3},
		"an answer between starts the count anew": {AgentPush, []Outcome{OutcomeUnreachable, OutcomeUnreachable, OutcomeEmpty, OutcomeUnreachable}, AgentOnline, 1},
		"what proves nothing leaves the count":    {AgentPush, []Outcome{OutcomeUnreachable, OutcomeUnknown, OutcomeUnreachable}, AgentPending, 2},
		"one answer brings it back":               {AgentPush, []Outcome{OutcomeHung, OutcomeHung, OutcomeHung, OutcomeQuiet}, AgentOnline, 0},
		"a command does not go anywhere":          {AgentExec, []Outcome{OutcomeHung, OutcomeUnreachable, OutcomeUnreachable}, AgentPending, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := Agent{Kind: tt.kind, State: AgentPending}
			for _, o := range tt.outcomes {
				a.Observe(o)
			}
			if a.State != tt.want || a.SilentStreak != tt.streak {
				t.Errorf("%s after %d silences, want %s after %d", a.State, a.SilentStreak, tt.want, tt.streak)
			}
		})
	}
}

func TestSchedule_Observe(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		outcomes      []Outcome
		failed, empty int
	}{
		"failures add up":                 {[]Outcome{OutcomeFailed, OutcomeTimeout, OutcomeUnknown}, 3, 0},
		"a blank reply is no failure":     {[]Outcome{OutcomeEmpty, OutcomeEmpty}, 0, 2},
		"success ends both streaks":       {[]Outcome{OutcomeFailed, OutcomeEmpty, OutcomeOK}, 0, 0},
		"nothing to say is success":       {[]Outcome{OutcomeFailed, OutcomeQuiet}, 0, 0},
		"what never ran leaves them":      {[]Outcome{OutcomeFailed, OutcomeEmpty, OutcomeMissed, OutcomeBlocked, OutcomeSkippedOverlap}, 1, 1},
		"a blank reply ends no failures":  {[]Outcome{OutcomeFailed, OutcomeEmpty}, 1, 1},
		"a failure ends no blank replies": {[]Outcome{OutcomeEmpty, OutcomeFailed}, 1, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s Schedule
			for _, o := range tt.outcomes {
				s.Observe(o)
			}
			if s.FailureStreak != tt.failed || s.EmptyStreak != tt.empty {
				t.Errorf("streaks of %d failures and %d blanks, want %d and %d", s.FailureStreak, s.EmptyStreak, tt.failed, tt.empty)
			}
			if last := tt.outcomes[len(tt.outcomes)-1]; s.LastOutcome != last {
				t.Errorf("the last outcome is %q, want %q", s.LastOutcome, last)
			}
		})
	}
}

func TestTaskState_isTerminalOrInterruptedOrGoesOn(t *testing.T) {
	t.Parallel()
	terminal := []TaskState{TaskCompleted, TaskFailed, TaskRejected, TaskCanceled}
	interrupted := []TaskState{TaskInputRequired, TaskAuthRequired}
	goesOn := []TaskState{TaskSubmitted, TaskWorking}
	for _, s := range slices.Concat(terminal, interrupted, goesOn) {
		if !s.Known() || s.Terminal() != slices.Contains(terminal, s) || s.Interrupted() != slices.Contains(interrupted, s) {
			t.Errorf("%s: known %t, terminal %t, interrupted %t", s, s.Known(), s.Terminal(), s.Interrupted())
		}
	}
	for _, s := range []TaskState{"", "TASK_STATE_COMPLETED", "done"} {
		if s.Known() {
			t.Errorf("%q is taken for a state", s)
		}
	}
}
