package molecule

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAgentState_After(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		from  AgentState
		signs []AgentSign
		want  AgentState
	}{
		"the first request":                           {AgentPending, []AgentSign{SignHeard}, AgentOnline},
		"the first answer":                            {AgentPending, []AgentSign{SignAnswered}, AgentOnline},
		"silence makes suspect, not offline":          {AgentOnline, []AgentSign{SignSilent, SignSilent}, AgentSuspect},
		"a suspect that is heard":                     {AgentSuspect, []AgentSign{SignHeard}, AgentOnline},
		"a suspect that is lost":                      {AgentSuspect, []AgentSign{SignLost}, AgentOffline},
		"a run that hung":                             {AgentOnline, []AgentSign{SignHung}, AgentSuspect},
		"a bad rate":                                  {AgentOnline, []AgentSign{SignImpaired}, AgentDegraded},
		"an answer does not mend":                     {AgentDegraded, []AgentSign{SignAnswered, SignHeard}, AgentDegraded},
		"a good rate":                                 {AgentDegraded, []AgentSign{SignMended}, AgentOnline},
		"back from silence, and still bad":            {AgentSuspect, []AgentSign{SignHeard, SignImpaired}, AgentDegraded},
		"a bad rate says nothing of one that is gone": {AgentOffline, []AgentSign{SignImpaired}, AgentOffline},
		"held with the others":                        {AgentSuspect, []AgentSign{SignHeld}, AgentUnknown},
		"held, then heard":                            {AgentUnknown, []AgentSign{SignHeard}, AgentOnline},
		"held, then silent":                           {AgentUnknown, []AgentSign{SignSilent}, AgentUnknown},
		"held, and an operator knows":                 {AgentUnknown, []AgentSign{SignConfirmed}, AgentOffline},
		"nobody's word kills what is there":           {AgentOnline, []AgentSign{SignConfirmed}, AgentOnline},
		"a paused agent is not watched":               {AgentPaused, []AgentSign{SignHeard, SignSilent, SignLost, SignHung, SignMoved}, AgentPaused},
		"resumed, nothing is known":                   {AgentPaused, []AgentSign{SignResumed}, AgentPending},
		"a new address":                               {AgentOffline, []AgentSign{SignMoved}, AgentPending},
		"offline, then one answer":                    {AgentOffline, []AgentSign{SignAnswered}, AgentOnline},
		"removed is for good":                         {AgentRemoved, []AgentSign{SignHeard, SignResumed, SignMoved}, AgentRemoved},
		"a sign nobody knows":                         {AgentOnline, []AgentSign{"smelt"}, AgentOnline},
		"a state nobody knows":                        {"asleep", []AgentSign{SignHeard}, "asleep"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.from.After(tt.signs...); got != tt.want {
				t.Errorf("%s after %v is %s, want %s", tt.from, tt.signs, got, tt.want)
			}
		})
	}
}

// TestAgentState_everySignHasAnAnswerInEveryState holds what is true of any
// sign in any state.
func TestAgentState_everySignHasAnAnswerInEveryState(t *testing.T) {
	t.Parallel()
	known := map[AgentState]bool{}
	for _, row := range AgentStates() {
		if known[row.State] || row.Means == "" || row.Runs == "" {
			t.Errorf("%s: its row is there twice, or incomplete", row.State)
		}
		known[row.State] = true
	}
	signs := map[AgentSign]bool{}
	for _, s := range AgentSigns() {
		signs[s.Sign] = true
	}
	for _, row := range AgentStates() {
		for sign, to := range row.To {
			if !signs[sign] || !known[to] || to == row.State {
				t.Errorf("%s: %s leads to %s, which is no step", row.State, sign, to)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.SampledFrom(AgentStates()).Draw(t, "state")
		s := rapid.SampledFrom(AgentSigns()).Draw(t, "sign").Sign
		to := row.State.After(s)
		switch {
		case !known[to]:
			t.Fatalf("%s after %s is %q, which is no state", row.State, s, to)
		case to.After(s) != to:
			t.Fatalf("%s after %s is %s, and once more %s: a sign that repeats says nothing new", row.State, s, to, to.After(s))
		case row.State == AgentRemoved && to != AgentRemoved:
			t.Fatalf("a removed agent is %s after %s", to, s)
		case row.State == AgentPaused && s != SignResumed && s != SignRemoved && to != AgentPaused:
			t.Fatalf("a paused agent is %s after %s", to, s)
		case to == AgentOffline && row.State != AgentOffline && s != SignLost && s != SignConfirmed:
			t.Fatalf("%s is enough to call one that is %s offline", s, row.State)
		case to == AgentPaused && row.State != AgentPaused && s != SignPaused:
			t.Fatalf("%s pauses", s)
		case (s == SignHeard || s == SignAnswered) && row.State != AgentPaused && row.State != AgentRemoved && !to.Fine():
			t.Fatalf("one that is there is %s after %s", to, s)
		}
	})
}

func TestAgentState_fromAnyLiveStateItComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []AgentSign
		for _, s := range AgentSigns() {
			if s.Sign != SignRemoved {
				all = append(all, s.Sign)
			}
		}
		story := rapid.SliceOf(rapid.SampledFrom(all)).Draw(t, "story")
		end := AgentPending.After(story...)
		if back := end.After(SignResumed, SignHeard, SignMended); back != AgentOnline {
			t.Fatalf("after %v it is %s, and resumed, heard and mended %s", story, end, back)
		}
	})
}

// TestAgentStates_areWrittenDown compares docs/agent-states.md with the table.
// UPDATE_DOCS=1 writes it anew, to be reviewed.
func TestAgentStates_areWrittenDown(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "agent-states.md")
	got := agentStatesText()
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if diff := cmp.Diff(got, string(want)); err != nil || diff != "" {
		t.Errorf("docs/agent-states.md is not what the table says (-got +want), %v:\n%s", err, diff)
	}
}

// agentStatesText writes the table for a reader.
func agentStatesText() string {
	var b strings.Builder
	b.WriteString("# What is believed of an agent\n\n" +
		"Made from the table in `internal/molecule/agentstate.go`, as is the constraint of the schema. Do not edit.\n\n" +
		"| state | means | its runs are |\n| --- | --- | --- |\n")
	for _, row := range AgentStates() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", row.State, row.Means, row.Runs)
	}
	b.WriteString("\n| sign | means |\n| --- | --- |\n")
	for _, s := range AgentSigns() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", s.Sign, s.Means)
	}
	b.WriteString("\nWhat a state becomes after a sign. A dot is no change.\n\n| |")
	for _, row := range AgentStates() {
		fmt.Fprintf(&b, " %s |", row.State)
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(AgentStates())+1) + "\n")
	for _, s := range AgentSigns() {
		fmt.Fprintf(&b, "| `%s` |", s.Sign)
		for _, row := range AgentStates() {
			to := string(row.State.After(s.Sign))
			if to == string(row.State) {
				to = "·"
			}
			b.WriteString(" " + to + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}
