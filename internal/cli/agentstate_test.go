package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

func TestAgentVerbs_changeAndSaySo(t *testing.T) {
	t.Parallel()
	changed := farAgent()
	changed.State = molecule.AgentPaused
	d := newDaemon(t, map[string][]reply{
		"POST /v1/agents/far/pause":            {{0, changed}},
		"POST /v1/agents/far/resume":           {{0, changed}},
		"POST /v1/agents/far/confirm-offline":  {{0, changed}},
		"POST /v1/agents/echo/confirm-offline": {{409, wire.EncodeError(molecule.Errorf(molecule.Conflict, "it is online"))}},
	})
	tests := []struct {
		args []string
		want result
	}{
		{[]string{"agent", "pause", "far"}, result{0, "", "✓ agent far paused\n"}},
		{[]string{"agent", "resume", "far", "-q"}, result{0, "", ""}},
		{[]string{"agent", "resume", "far", "-o", "name"}, result{0, "far\n", "✓ agent far resumed\n"}},
		{[]string{"agent", "confirm-offline", "far"}, result{0, "", "✓ agent far is offline\n"}},
		{[]string{"agent", "confirm-offline", "echo"}, result{5, "", "✗ it is online\n"}},
		{[]string{"agent", "pause"}, result{2, "", "✗ molecli agent pause needs NAME\ntry: molecli agent pause --help\n"}},
	}
	for _, tt := range tests {
		got := newHand(t, d).run(tt.args...)
		if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%q: got, want:\n%s", tt.args, diff)
		}
	}
}

func TestAgentShow_tellsHowItCameToBe(t *testing.T) {
	t.Parallel()
	far := farAgent()
	far.StateSince, far.StateReason = noon().Add(-2*time.Hour), "silent for 95s, and its card does not answer"
	far.Vitals = &molecule.Vitals{
		ErrorRate: 0.25, SampleError: "no model", ActiveTasks: 2, UptimeSeconds: 7200, CurrentTask: "weekly report", RuntimeState: "ok",
	}
	history := molecule.AgentHistory{
		Card: []byte(`{"name":"far"}`),
		Transitions: []molecule.AgentTransition{
			{At: far.StateSince, From: "suspect", To: "offline", Reason: far.StateReason},
			{At: far.StateSince.Add(-time.Minute), From: "online", To: "suspect", Reason: ""},
		},
		Arrivals: []molecule.Arrival{{At: noon().Add(-3 * time.Hour), What: molecule.RequestHeartbeat}},
	}
	d := newDaemon(t, map[string][]reply{
		"GET /v1/agents/far":          {{0, far}},
		"GET /v1/agents/c3d4/history": {{0, history}},
	})
	got := newHand(t, d).plain(100).run("agent", "show", "far")
	want := `name     far
id       c3d4
kind     push
state    ✗ offline
since    2h ago
because  silent for 95s, and its card does not answer
seen     3h ago
runs     2 of 4
last     2h ago ✗ unreachable
tasks    2
does     weekly report
errors   25 %, such as: no model
runtime  ok
up for   2h
url      https://agents.example/far
card     {"name":"far"}
became   2h ago ✗ offline (was suspect): silent for 95s, and its card does not answer
became   2h ago ! suspect (was online)
sent     3h ago heartbeat
`
	if diff := cmp.Diff(got, result{0, want, ""}, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	if got := newHand(t, d).run("agent", "show", "far", "-o", "json"); !strings.Contains(got.out, `"history": {`) || !strings.Contains(got.out, `"what": "heartbeat"`) {
		t.Errorf("a program is told %+v", got)
	}
}

func TestAgentRuns_areThoseOfTheAgent(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"GET /v1/runs": {{0, molecule.Page[molecule.Run]{}}}})
	newHand(t, d).run("agent", "runs", "far", "--open")
	if diff := cmp.Diff(d.questions(), []string{"GET /v1/runs?agent=far&limit=100&open=true"}); diff != "" {
		t.Errorf("asked, want:\n%s", diff)
	}
}

// agentStream is the body of a stream of transitions of an agent.
func agentStream(states ...string) reply {
	var b strings.Builder
	b.WriteString(": hello\n\n")
	for i, s := range states {
		fmt.Fprintf(&b, "id: %d\ndata: {\"id\":%d,\"at\":\"2026-04-14T12:00:00Z\",\"type\":\"agent.%s\",\"subject\":\"agent/far\",\"data\":{\"to\":%q}}\n\n", i+11, i+11, s, s)
	}
	return reply{0, b.String()}
}

func TestAgentWatch_endsInTheStateThatIsWaitedFor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want result
	}{
		{"what comes", []string{"far", "--until", "online"}, result{0, "11\n12\n", ""}},
		{"what is", []string{"far", "--until", "offline"}, result{0, "far\n", ""}},
		{"all, so many", []string{"--count", "1"}, result{0, "11\n", ""}},
		{"nobody's state", []string{"--until", "online"}, result{2, "", "✗ --until needs the agent it is about\ntry: molecli agent watch NAME --until online\n"}},
		{"no state", []string{"far", "--until", "onlin"}, result{2, "", "✗ no state is called \"onlin\"\ntry: did you mean online?\n"}},
		{"nobody", []string{"nobody", "--until", "online"}, result{3, "", "✗ not found\ntry: check the name, and whether the daemon needs --org: a wrong one looks the same\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, map[string][]reply{
				"GET /v1/events/last": {{0, `{"id":10}`}}, "GET /v1/agents/far": {{0, farAgent()}},
				"GET /v1/events": {agentStream("suspect", "online", "degraded")},
			})
			got := newHand(t, d).run(append([]string{"agent", "watch", "-o", "name"}, tt.args...)...)
			if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}
