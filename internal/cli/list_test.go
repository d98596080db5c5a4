package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// agentsDaemon answers the list of two agents.
func agentsDaemon(tb testing.TB) *daemon {
	return newDaemon(tb, map[string][]reply{
		"GET /v1/agents": {{0, molecule.Page[molecule.Agent]{Items: []molecule.Agent{echoAgent(), farAgent()}}}},
	})
}

func TestScheduleList_wideNamesEachPolicyThatIsNotTheDefault(t *testing.T) {
	t.Parallel()
	all := helloSchedule()
	two := 2
	all.Policy = molecule.Policy{
		CatchUp: molecule.CatchUpNone, Overlap: molecule.OverlapQueue, Jitter: molecule.Duration(time.Minute), Budget: &molecule.Budget{Runs: 5},
		Retries: &two, Resend: molecule.ResendSafe, Exclusions: []string{"holidays"}, MaxRuns: 7, Until: noon(),
	}
	few, late := helloSchedule(), helloSchedule()
	few.Policy = molecule.Policy{CatchUp: molecule.CatchUpAll, CatchUpMax: 3, CatchUpWindow: molecule.Duration(6 * time.Hour)}
	late.Policy = molecule.Policy{CatchUpWindow: molecule.Duration(time.Hour)}
	d := newDaemon(t, map[string][]reply{
		"GET /v1/schedules": {{0, molecule.Page[molecule.Schedule]{Items: []molecule.Schedule{helloSchedule(), all, few, late}}}},
	})
	got := newHand(t, d).run("schedule", "list", "-o", "wide")
	var cells []string
	for line := range strings.Lines(got.out) {
		cells = append(cells, strings.Split(line, "\t")[7])
	}
	want := []string{
		"", "none, queue, offset 1m, 5 runs in 24h, retries 2, resend safe, not holidays, at most 7 runs, until 2026-04-14T12:00:00Z",
		"all at most 3 within 6h", "latest within 1h",
	}
	if diff := cmp.Diff(cells, want); diff != "" {
		t.Errorf("-got +want:\n%s\nof %+v", diff, got)
	}
}

func TestAgentList_hasSixFaces(t *testing.T) {
	t.Parallel()
	tests := []struct {
		face string
		want string
	}{
		{"table", "echo\texec\tonline\t\t\t0/1\t2026-04-14T11:59:00Z ok\t2026-04-15T08:00:00Z\ttr a-z A-Z\n" +
			"far\tpush\toffline\t2026-04-14T09:00:00Z\t2\t2/4\t2026-04-14T10:00:00Z unreachable\t\thttps://agents.example/far\n"},
		{"wide", "echo\texec\tonline\t\t\t0/1\t2026-04-14T11:59:00Z ok\t2026-04-15T08:00:00Z\ttr a-z A-Z\ta1b2\n" +
			"far\tpush\toffline\t2026-04-14T09:00:00Z\t2\t2/4\t2026-04-14T10:00:00Z unreachable\t\thttps://agents.example/far\tc3d4\n"},
		{"name", "echo\nfar\n"},
		{"jsonl", `{"id":"a1b2","name":"echo","kind":"exec","state":"online","exec":{"command":"tr a-z A-Z","argv":["/usr/bin/tr","a-z","A-Z"]},` +
			`"max_concurrent_tasks":1,"active_runs":0,"last_outcome":"ok","last_run_at":"2026-04-14T11:59:00Z","next_slot_at":"2026-04-15T08:00:00Z",` +
			`"silent_streak":0,"created_at":"0001-01-01T00:00:00Z","updated_at":"0001-01-01T00:00:00Z"}` + "\n" +
			`{"id":"c3d4","name":"far","kind":"push","state":"offline","url":"https://agents.example/far","max_concurrent_tasks":4,"active_runs":2,` +
			`"last_outcome":"unreachable","last_run_at":"2026-04-14T10:00:00Z","silent_streak":0,"last_seen_at":"2026-04-14T09:00:00Z",` +
			`"vitals":{"error_rate":0,"active_tasks":2,"uptime_seconds":0},` +
			`"created_at":"0001-01-01T00:00:00Z","updated_at":"0001-01-01T00:00:00Z"}` + "\n"},
		{"yaml", "items:\n- id: a1b2\n  name: echo\n  kind: exec\n  state: online\n  exec:\n    command: tr a-z A-Z\n    argv:\n    - /usr/bin/tr\n    - a-z\n    - A-Z\n" +
			"  max_concurrent_tasks: 1\n  active_runs: 0\n  last_outcome: ok\n  last_run_at: \"2026-04-14T11:59:00Z\"\n  next_slot_at: \"2026-04-15T08:00:00Z\"\n" +
			"  silent_streak: 0\n  created_at: \"0001-01-01T00:00:00Z\"\n  updated_at: \"0001-01-01T00:00:00Z\"\n" +
			"- id: c3d4\n  name: far\n  kind: push\n  state: offline\n  url: https://agents.example/far\n  max_concurrent_tasks: 4\n  active_runs: 2\n" +
			"  last_outcome: unreachable\n  last_run_at: \"2026-04-14T10:00:00Z\"\n  silent_streak: 0\n" +
			"  last_seen_at: \"2026-04-14T09:00:00Z\"\n  vitals:\n    error_rate: 0\n    active_tasks: 2\n    uptime_seconds: 0\n" +
			"  created_at: \"0001-01-01T00:00:00Z\"\n  updated_at: \"0001-01-01T00:00:00Z\"\n"},
		{"json", `{
  "items": [
    {
      "id": "a1b2",
      "name": "echo",
      "kind": "exec",
      "state": "online",
      "exec": {
        "command": "tr a-z A-Z",
        "argv": [
          "/usr/bin/tr",
          "a-z",
          "A-Z"
        ]
      },
      "max_concurrent_tasks": 1,
      "active_runs": 0,
      "last_outcome": "ok",
      "last_run_at": "2026-04-14T11:59:00Z",
      "next_slot_at": "2026-04-15T08:00:00Z",
      "silent_streak": 0,
      "created_at": "0001-01-01T00:00:00Z",
      "updated_at": "0001-01-01T00:00:00Z"
    },
    {
      "id": "c3d4",
      "name": "far",
      "kind": "push",
      "state": "offline",
      "url": "https://agents.example/far",
      "max_concurrent_tasks": 4,
      "active_runs": 2,
      "last_outcome": "unreachable",
      "last_run_at": "2026-04-14T10:00:00Z",
      "silent_streak": 0,
      "last_seen_at": "2026-04-14T09:00:00Z",
      "vitals": {
        "error_rate": 0,
        "active_tasks": 2,
        "uptime_seconds": 0
      },
      "created_at": "0001-01-01T00:00:00Z",
      "updated_at": "0001-01-01T00:00:00Z"
    }
  ]
}
`},
	}
	for _, tt := range tests {
		t.Run(tt.face, func(t *testing.T) {
			t.Parallel()
			got := newHand(t, agentsDaemon(t)).run("agent", "list", "-o", tt.face)
			if diff := cmp.Diff(got, result{0, tt.want, ""}, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestAgentList_fitsTheTerminal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		width int
		want  string
	}{
		{"39", 39, "" +
			"NAME   echo\nKIND   exec\nSTATE  ✓ online\nRUNS   0/1\nLAST   1m ago ✓ ok\nNEXT   in 20h\nWHERE  tr a-z A-Z\n\n" +
			"NAME   far\nKIND   push\nSTATE  ✗ offline\nSEEN   3h ago\nTASKS  2\nRUNS   2/4\nLAST   2h ago ✗ unreachable\nWHERE  https://agents.example/far\n"},
		{"40", 40, "" +
			"NAME  STATE      LAST\n" +
			"echo  ✓ online   1m ago ✓ ok\n" +
			"far   ✗ offline  2h ago ✗ unreachable\n"},
		{"60", 60, "" +
			"NAME  KIND  STATE      RUNS  LAST                  NEXT\n" +
			"echo  exec  ✓ online   0/1   1m ago ✓ ok           in 20h\n" +
			"far   push  ✗ offline  2/4   2h ago ✗ unreachable\n"},
		{"80", 80, "" +
			"NAME  KIND  STATE      SEEN    RUNS  LAST                  NEXT    WHERE\n" +
			"echo  exec  ✓ online           0/1   1m ago ✓ ok           in 20h  tr a-z A-Z\n" +
			"far   push  ✗ offline  3h ago  2/4   2h ago ✗ unreachable          https://agen…\n"},
		{"120", 120, "" +
			"NAME  KIND  STATE      SEEN    TASKS  RUNS  LAST                  NEXT    WHERE\n" +
			"echo  exec  ✓ online                  0/1   1m ago ✓ ok           in 20h  tr a-z A-Z\n" +
			"far   push  ✗ offline  3h ago  2      2/4   2h ago ✗ unreachable          https://agents.example/far\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := newHand(t, agentsDaemon(t)).plain(tt.width).run("agent", "list")
			if diff := cmp.Diff(got.out, tt.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestLists_paintOnATerminalAndNeverInAPipe(t *testing.T) {
	t.Parallel()
	h := newHand(t, agentsDaemon(t))
	tests := []struct {
		name    string
		tty     bool
		args    []string
		painted bool
	}{
		{"terminal", true, nil, true},
		{"terminal, never", true, []string{"--color", "never"}, false},
		{"pipe", false, nil, false},
		{"json on a terminal", true, []string{"-o", "json"}, false},
	}
	for _, tt := range tests {
		h := h
		h.tty, h.width = tt.tty, 80
		got := h.run(append([]string{"agent", "list"}, tt.args...)...)
		if painted := strings.Contains(got.out, "\x1b"); painted != tt.painted {
			t.Errorf("%s: escapes %t, want %t: %q", tt.name, painted, tt.painted, got.out)
		}
	}
}

func TestLists_sortFilterAndLimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		out  string
		ask  string
	}{
		{"by name from the end", []string{"--sort", "-name"}, "far\necho\n", "GET /v1/agents?limit=100"},
		{"by instant", []string{"--sort", "last"}, "far\necho\n", "GET /v1/agents?limit=100"},
		{"filter", []string{"--filter", "kind=exec", "--filter", "state=online"}, "echo\nfar\n", "GET /v1/agents?kind=exec&limit=100&state=online"},
		{"a flag for the filter", []string{"--kind", "exec"}, "echo\nfar\n", "GET /v1/agents?kind=exec&limit=100"},
		{"limit", []string{"--limit", "7"}, "echo\nfar\n", "GET /v1/agents?limit=7"},
		{"no limit", []string{"--limit", "0"}, "echo\nfar\n", "GET /v1/agents?limit=1000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := agentsDaemon(t)
			got := newHand(t, d).run(append([]string{"agents", "ls", "-o", "name"}, tt.args...)...)
			if got.out != tt.out || got.status != 0 {
				t.Errorf("got %+v, want %q", got, tt.out)
			}
			if diff := cmp.Diff(d.questions(), []string{tt.ask}); diff != "" {
				t.Errorf("asked, want:\n%s", diff)
			}
		})
	}
}

func TestLists_followPagesUpToTheLimit(t *testing.T) {
	t.Parallel()
	page := func(next string, names ...string) reply {
		var p molecule.Page[molecule.Agent]
		for _, n := range names {
			p.Items = append(p.Items, molecule.Agent{Name: n})
		}
		p.Next = next
		return reply{0, p}
	}
	d := newDaemon(t, map[string][]reply{"GET /v1/agents": {page("n1", "a", "b"), page("n2", "c", "d")}})
	got := newHand(t, d).run("agent", "list", "-o", "name", "--limit", "4")
	want := result{0, "a\nb\nc\nd\n", "there are more than 4: see --limit\n"}
	if diff := cmp.Diff(got, want, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	if diff := cmp.Diff(d.questions(), []string{"GET /v1/agents?limit=4", "GET /v1/agents?cursor=n1&limit=2"}); diff != "" {
		t.Errorf("asked, want:\n%s", diff)
	}
}

func TestLists_ofNothing(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"GET /v1/schedules": {{0, `{"items":null}`}}})
	tests := []struct {
		name string
		hand hand
		args []string
		want result
	}{
		{"terminal", newHand(t, d).plain(80), nil,
			result{0, "", "no schedules\ntry: molecli schedule add NAME --agent AGENT --cron '0 8 * * *' --prompt TEXT\n"}},
		{"pipe", newHand(t, d), nil, result{0, "", ""}},
		{"json", newHand(t, d), []string{"-o", "json"}, result{0, "{\n  \"items\": []\n}\n", ""}},
	}
	for _, tt := range tests {
		got := tt.hand.run(append([]string{"schedule", "list"}, tt.args...)...)
		if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s: got, want:\n%s", tt.name, diff)
		}
	}
}

func TestScheduleList_showsNextLastAndRecent(t *testing.T) {
	t.Parallel()
	failing := helloSchedule()
	failing.Name, failing.FailureStreak = "bad", 3
	failing.Recent = []molecule.Outcome{molecule.OutcomeTimeout, molecule.OutcomeTimeout, molecule.OutcomeTimeout}
	d := newDaemon(t, map[string][]reply{
		"GET /v1/schedules": {{0, molecule.Page[molecule.Schedule]{Items: []molecule.Schedule{helloSchedule(), failing}}}},
	})
	got := newHand(t, d).plain(120).run("schedule", "list")
	want := "" +
		"NAME   AGENT  CRON       NEXT    LAST              RECENT  STATE\n" +
		"hello  echo   0 8 * * *  in 18h  6h ago ✓ ok       ✓✗-·✓   ✓ active\n" +
		"bad    echo   0 8 * * *  in 18h  6h ago ✗ timeout  ✗✗✗     ! active, failed 3x\n"
	if diff := cmp.Diff(got.out, want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestRunList_shortensIDsToWhatTellsThemApart(t *testing.T) {
	t.Parallel()
	one, two := endedRun(molecule.OutcomeOK, "SAY\nHELLO"), endedRun(molecule.OutcomeTimeout, "deadline passed")
	two.ID = "0190a1b2-c3d4-7fff-8000-00000000000b"
	open := endedRun("", "")
	open.ID, open.State, open.EndedAt = "0190a1b2-ffff-7fff-8000-00000000000c", molecule.RunStarted, time.Time{}
	d := newDaemon(t, map[string][]reply{
		"GET /v1/runs": {{0, molecule.Page[molecule.Run]{Items: []molecule.Run{one, two, open}}}},
	})
	got := newHand(t, d).plain(100).run("run", "list", "--schedule", "hello", "--open")
	want := "" +
		"ID                SCHEDULE  AGENT  SLOT  OUTCOME    TOOK  REPLY\n" +
		"0190a1b2-c3d4-7e  hello     echo   now   ✓ ok       3s    SAY HELLO\n" +
		"0190a1b2-c3d4-7f  hello     echo   now   ✗ timeout  3s    deadline passed\n" +
		"0190a1b2-ffff-7f  hello     echo   now   … started\n"
	if diff := cmp.Diff(got.out, want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	if diff := cmp.Diff(d.questions(), []string{"GET /v1/runs?limit=100&open=true&schedule=hello"}); diff != "" {
		t.Errorf("asked, want:\n%s", diff)
	}
}

func TestShow_writesEveryFace(t *testing.T) {
	t.Parallel()
	in, out, cost := int64(12), int64(0), 0.0125
	run := endedRun(molecule.OutcomeOK, "HI")
	run.Usage = &molecule.Usage{InputTokens: &in, OutputTokens: &out, CostUSD: &cost}
	d := newDaemon(t, map[string][]reply{
		"GET /v1/schedules/hello":     {{0, helloSchedule()}},
		"GET /v1/agents/echo":         {{0, echoAgent()}},
		"GET /v1/agents/a1b2/history": {{0, molecule.AgentHistory{}}},
		"GET /v1/runs/0190":           {{0, run}},
	})
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"schedule", "show", "hello", "-o", "name"}, "hello\n"},
		{[]string{"schedules", "get", "hello"}, "when\tat 08:00, every day, Europe/Berlin\n"},
		{[]string{"schedule", "show", "hello", "-o", "yaml"}, "cron: 0 8 * * *\n"},
		{[]string{"agent", "show", "echo"}, "starts\t[\"/usr/bin/tr\" \"a-z\" \"A-Z\"]\n"},
		{[]string{"agent", "show", "echo", "-o", "json"}, `"name": "echo"`},
		{[]string{"run", "show", "0190"}, "took\t3s\n"},
		{[]string{"run", "show", "0190"}, "spent\t12 tokens in, 0 tokens out, $0.0125\n"},
		{[]string{"run", "show", "0190", "-o", "jsonl"}, `"outcome":"ok"`},
	}
	for _, tt := range tests {
		got := newHand(t, d).run(tt.args...)
		if got.status != 0 || !strings.Contains(got.out, tt.want) {
			t.Errorf("%q: got %+v, want %q in it", tt.args, got, tt.want)
		}
	}
}
