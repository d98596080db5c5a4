package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

func TestExit_eachCodeHasItsStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code molecule.Code
		want int
	}{
		{molecule.Internal, 1},
		{molecule.Invalid, 2},
		{molecule.UnsafeURL, 2},
		{molecule.TooLarge, 2},
		{molecule.Unauthenticated, 4},
		{molecule.Forbidden, 4},
		{molecule.NotFound, 3},
		{molecule.Conflict, 5},
		{molecule.RateLimited, 1},
		{molecule.Unavailable, 1},
		{molecule.Timeout, 7},
	}
	for _, tt := range tests {
		t.Run(tt.code.String(), func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, map[string][]reply{"GET /v1/agents/echo": {refusal(tt.code, "what happened", "do this")}})
			got := newHand(t, d).run("agent", "show", "echo")
			want := result{tt.want, "", "✗ what happened\ntry: do this\n"}
			if diff := cmp.Diff(got, want, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestExit_nobodyThereIsNotBusy(t *testing.T) {
	t.Parallel()
	got := newHand(t, nil).run("status", "--endpoint", "unix:///run/no/such.sock")
	want := "✗ daemon not reachable at unix:///run/no/such.sock"
	if got.status != wire.ExitUnreachable || !strings.HasPrefix(got.err, want) {
		t.Errorf("got %+v, want status 6 and %q", got, want)
	}
}

func TestExit_interruptedIs130(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	d := newDaemon(t, nil)
	cancel()
	got := newHand(t, d).runUntil(ctx, "agent", "list")
	if diff := cmp.Diff(got, result{130, "", "! interrupted\n"}, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestExit_outcomesHaveTheirs(t *testing.T) {
	t.Parallel()
	want := map[molecule.Outcome]int{
		molecule.OutcomeOK: 0, molecule.OutcomeQuiet: 0, molecule.OutcomeTimeout: 7, molecule.OutcomeBlocked: 4,
	}
	for _, o := range molecule.Outcomes() {
		t.Run(string(o), func(t *testing.T) {
			t.Parallel()
			run := endedRun(o, "said")
			d := newDaemon(t, map[string][]reply{
				"POST /v1/schedules/hello/runs": {{http.StatusCreated, molecule.Run{ID: run.ID, State: molecule.RunClaimed}}},
				"GET /v1/runs/" + run.ID:        {{0, run}},
			})
			status, ok := want[o]
			if !ok {
				status = 1
			}
			got := newHand(t, d).run("schedule", "run", "hello")
			if got.status != status {
				t.Errorf("got %+v, want status %d", got, status)
			}
			if reply := got.out == "said\n"; reply != o.Good() {
				t.Errorf("standard output is %q", got.out)
			}
		})
	}
}

func TestExit_theTableIsWhatHelpShows(t *testing.T) {
	t.Parallel()
	got := newHand(t, nil).run("help", "exit-codes")
	var statuses []int
	for _, e := range wire.Exits() {
		statuses = append(statuses, e.Status)
		if line := fmt.Sprintf("%5d  %s\n", e.Status, e.Meaning); !strings.Contains(got.out, line) {
			t.Errorf("help does not show %q", line)
		}
	}
	if diff := cmp.Diff(statuses, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 130}); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestExit_ofAnErrorWithoutACodeIsFailure(t *testing.T) {
	t.Parallel()
	if got := exitOf(t.Context(), errors.New("a disk broke")); got != wire.ExitFailure {
		t.Errorf("got %d, want 1", got)
	}
}

func TestUsage_isExit2AndSaysWhatWasMeant(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args string
		want []string
	}{
		{"shedule list", []string{`unknown command "shedule" for "molecli"`, "try: molecli schedule"}},
		{"schedule lsit", []string{`unknown command "lsit" for "molecli schedule"`, "try: molecli schedule list"}},
		{"agents shw echo", []string{`unknown command "shw"`, "try: molecli agent show"}},
		{"config xyzzyx", []string{`unknown command "xyzzyx"`, "try: molecli config --help"}},
		{"agent list --limt 3", []string{"unknown flag --limt", "did you mean --limit?"}},
		{"agent list -Z", []string{"unknown flag -Z"}},
		{"agent list --limit", []string{"--limit needs a value"}},
		{"agent list --limit x", []string{`"x" is not a value for --limit`, "whole number"}},
		{"agent list --limit -1", []string{"limit is -1"}},
		{"agent list --timeout 5", []string{`"5" is not a value for --timeout`, "duration"}},
		{"agent list --timeout 0s", []string{"timeout is 0s"}},
		{"agent list -o xml", []string{`output is "xml" (flag --output)`, "json"}},
		{"agent list --sort age", []string{`cannot be sorted by "age"`, "name"}},
		{"agent list --filter colour=red", []string{`filter "colour=red"`, "kind, state"}},
		{"agent list --time local --tz Mars/Base", []string{`no time zone "Mars/Base"`}},
		{"agent list extra", []string{`does not take "extra"`}},
		{"agent show", []string{"molecli agent show needs NAME"}},
		{"agent show a b", []string{`does not take "b"`}},
		{"agent add echo", []string{"what is agent echo?", "--exec"}},
		{"agent add echo --exec cat --url http://x", []string{"not both"}},
		{"agent add far --url http://x --dir /tmp", []string{"--dir belongs to --exec"}},
		{"agent add echo --exec cat --max-concurrent 0", []string{"--max-concurrent is 0"}},
		{"agent add -bad- --exec cat", []string{"unknown flag"}},
		{"agent add b@d --exec cat", []string{`agent name "b@d" is not valid`}},
		{"agent update echo", []string{"nothing to change"}},
		{"agent run echo", []string{"prompt is empty"}},
		{"schedule add x --cron @daily --prompt hi", []string{"who receives the prompt?"}},
		{"schedule add x --agent echo --prompt hi", []string{"when? Say --cron CRON or --at TIME"}},
		{"schedule update x", []string{"nothing to change"}},
		{"schedule update x --budget-cost NaN", []string{`"NaN" is not a value for --budget-cost`, "try: write it as 0.5"}},
		{"schedule add x --agent a --cron @daily --prompt p --budget-cost Inf", []string{`"Inf" is not a value for --budget-cost`, "try: write it as 0.5"}},
		{"agent add x --exec cat --budget-cost 1e400", []string{`"1e400" is not a value for --budget-cost`, "try: write it as 0.5"}},
		{"schedule update x --cron nonsense", []string{"cron"}},
		{"schedule update x --tz Mars/Base", []string{"Mars/Base"}},
		{"schedule next x -n 0", []string{"-n is 0"}},
		{"schedule describe @daily --from yesterday", []string{`--from "yesterday" is no instant`}},
		{"completion tcsh", []string{`no completion for "tcsh"`}},
		{"help nonsense", []string{`no help for "nonsense"`}},
		{"help agent shw", []string{"try: molecli help agent show"}},
		{"help exit-code", []string{"try: molecli help exit-codes"}},
		{"config set output xml", []string{`"xml" is not a value for output`}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			got := newHand(t, newDaemon(t, nil)).run(strings.Fields(tt.args)...)
			if got.status != wire.ExitUsage || got.out != "" || !strings.HasPrefix(got.err, "✗ ") {
				t.Errorf("got %+v, want status 2 and an error", got)
			}
			for _, w := range tt.want {
				if !strings.Contains(got.err, w) {
					t.Errorf("%q does not say %q", got.err, w)
				}
			}
		})
	}
}

func TestUsage_aBadExpressionIsShownWithACaret(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, nil)
	got := newHand(t, d).run("schedule", "add", "x", "--agent", "echo", "--prompt", "hi", "--cron", "0 8 * * FRY")
	if got.status != wire.ExitUsage || !strings.Contains(got.err, "0 8 * * FRY\n        ^") || !strings.Contains(got.err, "did you mean FRI?") {
		t.Errorf("got %+v, want the place and the nearest day", got)
	}
	if asked := d.questions(); len(asked) != 0 {
		t.Errorf("the daemon was asked: %q", asked)
	}
}

func TestNotFound_saysThatAWrongOrgLooksTheSame(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, nil)
	for _, args := range [][]string{{"agent", "show", "nobody"}, {"agent", "show", "nobody", "--org", "acme"}} {
		got := newHand(t, d).run(args...)
		if got.status != wire.ExitNotFound || !strings.Contains(got.err, "a wrong one looks the same") {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}

func TestDebug_showsTheChain(t *testing.T) {
	t.Parallel()
	got := newHand(t, nil).run("status", "--debug", "--endpoint", "unix:///run/no/such.sock")
	if !strings.Contains(got.err, "\ndebug: daemon not reachable") {
		t.Errorf("got %q", got.err)
	}
}

// TestExit_everyStatusIsReached has one situation for each row of the table.
func TestExit_everyStatusIsReached(t *testing.T) {
	t.Parallel()
	stale := alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemStale)})
	dead := alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemFailed)})
	stale.Healthy, dead.Healthy = false, false
	ok := func(v any) map[string][]reply {
		return map[string][]reply{"GET /v1/agents/echo": {{0, v}}, "GET /v1/agents/a1b2/history": {{0, molecule.AgentHistory{}}}, "GET /v1/liveness": {{0, v}}, "POST /v1/schedules/import": {{0, v}}}
	}
	refused := func(code molecule.Code) map[string][]reply {
		return map[string][]reply{"GET /v1/agents/echo": {refusal(code, "no", "")}}
	}
	const show, load = "agent show echo", "schedule import - --format crontab --agent echo"
	tests := []struct {
		status  int
		args    string
		answers map[string][]reply
	}{
		{wire.ExitOK, show, ok(echoAgent())},
		{wire.ExitFailure, show, refused(molecule.Internal)},
		{wire.ExitUsage, show + " twice", nil},
		{wire.ExitNotFound, show, nil},
		{wire.ExitForbidden, show, refused(molecule.Forbidden)},
		{wire.ExitConflict, show, refused(molecule.Conflict)},
		{wire.ExitUnreachable, show + " --endpoint unix:///run/no/such.sock", nil},
		{wire.ExitTimeout, show, refused(molecule.Timeout)},
		{wire.ExitPartial, load + " --skip-invalid", ok(molecule.ImportResult{Created: []string{"a"}, Skipped: 1, Faults: []molecule.Fault{{Name: "b", Message: "no"}}})},
		{wire.ExitStale, "liveness", ok(stale)},
		{wire.ExitDead, "liveness", ok(dead)},
		{wire.ExitSecret, "secrets drift", map[string][]reply{"GET /v1/vault/copies": {{0, molecule.Page[molecule.SecretCopy]{
			Items: []molecule.SecretCopy{{Secret: "API_TOKEN", Place: "fly web", Holds: "other"}},
		}}}}},
		{wire.ExitDiff, load + " --diff", ok(molecule.ImportResult{Created: []string{"a"}})},
	}
	reached := map[int]bool{
		wire.ExitInterrupted: true, // see above: it needs somebody who interrupts
	}
	for _, tt := range tests {
		h := newHand(t, newDaemon(t, tt.answers))
		h.in = "0 8 * * * a\n0 9 * * * b\n"
		if got := h.run(strings.Fields(tt.args)...); got.status != tt.status {
			t.Errorf("%s: got %+v, want status %d", tt.args, got, tt.status)
		}
		reached[tt.status] = true
	}
	for _, e := range wire.Exits() {
		if !reached[e.Status] {
			t.Errorf("nothing ends with %d: %s", e.Status, e.Meaning)
		}
	}
}
