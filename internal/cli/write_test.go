package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

func TestAgentAdd_sendsWhatWasTyped(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		ask  string
	}{
		{"exec", []string{"--exec", "tr a-z A-Z"}, `"kind":"exec","state":"","exec":{"command":"tr a-z A-Z","argv":null},"max_concurrent_tasks":1`},
		{"shell", []string{"--exec", "echo $X | cat", "--shell", "--dir", "/tmp", "--pass-env", "X", "--pass-env", "Y", "--max-concurrent", "3"},
			`"exec":{"command":"echo $X | cat","shell":true,"argv":null,"dir":"/tmp","pass_env":["X","Y"]},"max_concurrent_tasks":3`},
		{"push", []string{"--url", "http://127.0.0.1:9000/"}, `"kind":"push","state":"","url":"http://127.0.0.1:9000/","max_concurrent_tasks":1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, map[string][]reply{"POST /v1/agents": {{http.StatusCreated, echoAgent()}}})
			got := newHand(t, d).run(append([]string{"agent", "add", "echo"}, tt.args...)...)
			want := result{0, "agent echo added: exec tr a-z A-Z\n", "try: molecli agent run echo --prompt 'say hello'\n"}
			if diff := cmp.Diff(got, want, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
			if asked := d.questions(); len(asked) != 1 || !strings.Contains(asked[0], tt.ask) {
				t.Errorf("asked %q, want %s in it", asked, tt.ask)
			}
		})
	}
}

func TestCreating_printsTheObjectItselfToAProgram(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{
		"POST /v1/agents":    {{http.StatusCreated, echoAgent()}},
		"POST /v1/schedules": {{http.StatusCreated, helloSchedule()}},
	})
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"agent", "add", "echo", "--exec", "cat", "-o", "json"}, "{\n  \"id\": \"a1b2\",\n  \"name\": \"echo\",\n"},
		{[]string{"agent", "add", "echo", "--exec", "cat", "-o", "name"}, "echo\n"},
		{[]string{"schedule", "add", "hello", "--agent", "echo", "--cron", "0 8 * * *", "--prompt", "x", "-o", "json"}, "{\n  \"id\": \"s1\",\n  \"name\": \"hello\",\n"},
	}
	for _, tt := range tests {
		if got := newHand(t, d).run(tt.args...); got.status != 0 || !strings.HasPrefix(got.out, tt.want) || got.err != "" {
			t.Errorf("%q: got %+v, want %q", tt.args, got, tt.want)
		}
	}
}

func TestScheduleAdd_saysWhatWasUnderstood(t *testing.T) {
	t.Parallel()
	slots := molecule.Page[time.Time]{}
	for day := range 3 {
		slots.Items = append(slots.Items, time.Date(2026, 4, 15+day, 6, 0, 0, 0, time.UTC))
	}
	d := newDaemon(t, map[string][]reply{
		"POST /v1/schedules":           {{http.StatusCreated, helloSchedule()}},
		"GET /v1/schedules/hello/next": {{http.StatusOK, slots}},
	})
	got := newHand(t, d).plain(80).run("schedule", "add", "hello", "--agent", "echo", "--cron", "0 8 * * *",
		"--tz", "Europe/Berlin", "--prompt", "say hello")
	for _, want := range []string{
		"schedule hello added: at 08:00",
		"Wed 2026-04-15 08:00 CEST", "2026-04-15T06:00:00Z",
		"Thu 2026-04-16 08:00 CEST", "2026-04-17T06:00:00Z",
		"misses:", "overlap:", "timeout:  20m", "molecli schedule run hello\n",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is not in:\n%s", want, got.out)
		}
	}
	asked := d.questions()
	if len(asked) != 2 || !strings.Contains(asked[0], `"agent":"echo","cron":"0 8 * * *","tz":"Europe/Berlin"`) {
		t.Errorf("asked %q", asked)
	}
}

func TestScheduleAdd_saysWhatBecomesOfMisses(t *testing.T) {
	t.Parallel()
	once := helloSchedule()
	once.Cron = "@at 2030-12-01T08:00:00Z"
	late := helloSchedule()
	late.CatchUp, late.CatchUpMax, late.CatchUpWindow = molecule.CatchUpAll, 3, molecule.Duration(time.Hour)
	tests := map[string]struct {
		made molecule.Schedule
		args []string
		want string
	}{
		"the only slot": {once, []string{"--at", "2030-12-01T08:00"},
			"misses:   a slot that passes while the daemon is down fires late, or is recorded as missed when it is more than a day old\ntimeout: "},
		"all in a window": {late, []string{"--cron", "0 8 * * *", "--catch-up", "all", "--catch-up-max", "3", "--catch-up-window", "1h"},
			"misses:   after a pause of the daemon the latest 3 slots fire late if they are at most 1h old; others are recorded as missed\noverlap: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, map[string][]reply{
				"POST /v1/schedules":           {{http.StatusCreated, tt.made}},
				"GET /v1/schedules/hello/next": {{http.StatusOK, molecule.Page[time.Time]{}}},
			})
			got := newHand(t, d).plain(80).run(append([]string{"schedule", "add", "hello", "--agent", "echo", "--prompt", "say hello"}, tt.args...)...)
			if got.status != 0 || !strings.Contains(got.out, tt.want) {
				t.Errorf("%q is not in %+v", tt.want, got)
			}
		})
	}
}

func TestUpdates_sendOnlyWhatWasNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		want []string
	}{
		{[]string{"agent", "update", "echo", "--max-concurrent", "4", "--name", "loud"},
			[]string{`PATCH /v1/agents/echo {"name":"loud","max_concurrent_tasks":4}`}},
		{[]string{"agent", "update", "echo", "--url", "http://127.0.0.1:1/"},
			[]string{`PATCH /v1/agents/echo {"url":"http://127.0.0.1:1/"}`}},
		{[]string{"agent", "update", "echo", "--dir", "/srv"},
			[]string{`GET /v1/agents/echo`, `PATCH /v1/agents/echo {"exec":{"command":"tr a-z A-Z","argv":["/usr/bin/tr","a-z","A-Z"],"dir":"/srv"}}`}},
		{[]string{"agent", "update", "echo", "--exec", "cat", "--pass-env", "X"},
			[]string{`GET /v1/agents/echo`, `PATCH /v1/agents/echo {"exec":{"command":"cat","argv":null,"pass_env":["X"]}}`}},
		{[]string{"schedule", "update", "hello", "--cron", "@daily", "--run-timeout", "5m"},
			[]string{`PATCH /v1/schedules/hello {"cron":"0 0 * * *","seconds":false,"timeout":"5m"}`}},
		{[]string{"schedule", "update", "hello", "--tz", "Europe/Berlin", "--prompt", "hi"},
			[]string{`PATCH /v1/schedules/hello {"tz":"Europe/Berlin","prompt":"hi"}`}},
		{[]string{"schedule", "update", "hello", "--agent", "far", "--name", "hi"},
			[]string{`PATCH /v1/schedules/hello {"name":"hi","agent":"far"}`}},
		{[]string{"schedule", "pause", "hello"}, []string{`POST /v1/schedules/hello/pause`}},
		{[]string{"schedule", "resume", "hello"}, []string{`POST /v1/schedules/hello/resume`}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, map[string][]reply{
				"GET /v1/agents/echo": {{0, echoAgent()}}, "PATCH /v1/agents/echo": {{0, echoAgent()}},
				"PATCH /v1/schedules/hello":       {{0, helloSchedule()}},
				"POST /v1/schedules/hello/pause":  {{0, helloSchedule()}},
				"POST /v1/schedules/hello/resume": {{0, helloSchedule()}},
			})
			got := newHand(t, d).run(tt.args...)
			if got.status != 0 || !strings.HasPrefix(got.err, "✓ ") {
				t.Errorf("got %+v", got)
			}
			if diff := cmp.Diff(d.questions(), tt.want); diff != "" {
				t.Errorf("asked, want:\n%s", diff)
			}
		})
	}
}

func TestPrompt_comesFromThreePlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "@" + path
	}
	large := strings.Repeat("x", molecule.MaxPromptBytes+1)
	tests := []struct {
		name, flag, in string
		sent           string
		refusal        string
	}{
		{"argument", "say hello", "", `"prompt":"say hello"`, ""},
		{"file", file("good", "from a file\n"), "", `"prompt":"from a file\n"`, ""},
		{"standard input", "-", "from a pipe", `"prompt":"from a pipe"`, ""},
		{"the largest", "-", large[1:], `"prompt":"xxx`, ""},
		{"too large a file", file("large", large), "", "", "prompt is over 262144 bytes"},
		{"too large a pipe", "-", large, "", "prompt is over 262144 bytes"},
		{"not UTF-8", file("latin1", "caf\xe9"), "", "", "not valid UTF-8 (byte 3)"},
		{"no such file", "@" + dir + "/none", "", "", "cannot be read: no such file"},
		{"a directory", "@" + dir, "", "", "cannot be read: is a directory"},
		{"empty pipe", "-", "", "", "prompt is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			run := endedRun(molecule.OutcomeOK, "HI")
			d := newDaemon(t, map[string][]reply{
				"POST /v1/runs": {{http.StatusCreated, run}}, "GET /v1/runs/" + run.ID: {{0, run}},
			})
			h := newHand(t, d)
			h.in = tt.in
			got := h.run("agent", "run", "echo", "--prompt", tt.flag)
			asked := d.questions()
			if tt.refusal != "" {
				if got.status != wire.ExitUsage || !strings.Contains(got.err, tt.refusal) || len(asked) != 0 {
					t.Errorf("got %+v after %q, want it refused: %s", got, asked, tt.refusal)
				}
				return
			}
			if got.status != 0 || got.out != "HI\n" || len(asked) != 2 || !strings.Contains(asked[0], tt.sent) {
				t.Errorf("got %+v, want %s to be sent", got, tt.sent)
			}
		})
	}
}

func TestRun_detachedReturnsAtOnce(t *testing.T) {
	t.Parallel()
	run := molecule.Run{ID: "r1", Agent: "echo", State: molecule.RunClaimed}
	tests := []struct {
		args []string
		want result
	}{
		{[]string{"schedule", "run", "hello", "--detach"}, result{0, "r1\n", "try: molecli run watch r1\n"}},
		{[]string{"schedule", "run", "hello", "--detach", "-q"}, result{0, "r1\n", ""}},
		{[]string{"agent", "run", "echo", "--prompt", "hi", "--detach", "-o", "name"}, result{0, "r1\n", ""}},
	}
	for _, tt := range tests {
		d := newDaemon(t, map[string][]reply{
			"POST /v1/schedules/hello/runs": {{http.StatusCreated, run}}, "POST /v1/runs": {{http.StatusCreated, run}},
		})
		if diff := cmp.Diff(newHand(t, d).run(tt.args...), tt.want, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%q: got, want:\n%s", tt.args, diff)
		}
	}
}

func TestRun_theReplyIsCleanedForATerminalAndNotForAPipe(t *testing.T) {
	t.Parallel()
	run := endedRun(molecule.OutcomeOK, "one\n\x1b]0;owned\x07two")
	d := newDaemon(t, map[string][]reply{"GET /v1/runs/r1": {{0, run}}})
	if got := newHand(t, d).run("run", "watch", "r1"); got.out != "one\n\x1b]0;owned\x07two\n" {
		t.Errorf("pipe: got %q, want what the agent said", got.out)
	}
	if got := newHand(t, d).plain(80).run("run", "watch", "r1"); got.out != "one\n]0;ownedtwo\n" {
		t.Errorf("terminal: got %q, want it disarmed", got.out)
	}
}

func TestRun_failureIsExplainedOnStandardError(t *testing.T) {
	t.Parallel()
	run := endedRun(molecule.OutcomeTimeout, "no reply within 20m")
	d := newDaemon(t, map[string][]reply{"GET /v1/runs/r1": {{0, run}}})
	got := newHand(t, d).run("run", "watch", "r1")
	want := result{7, "", "✗ timeout: no reply within 20m\ntry: molecli run show " + run.ID + "\n"}
	if diff := cmp.Diff(got, want, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestRemove_asksOnATerminalAndNeedsYesElsewhere(t *testing.T) {
	t.Parallel()
	const gone = "DELETE /v1/schedules/hello"
	tests := []struct {
		name    string
		tty     bool
		in      string
		args    []string
		status  int
		removed bool
	}{
		{"yes", true, "y\n", nil, 0, true},
		{"no", true, "n\n", nil, 2, false},
		{"just return", true, "\n", nil, 2, false},
		{"end of input", true, "", nil, 2, false},
		{"told not to ask", true, "y\n", []string{"--no-input"}, 2, false},
		{"script", false, "y\n", nil, 2, false},
		{"script with yes", false, "", []string{"-y"}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, map[string][]reply{gone: {{http.StatusNoContent, nil}}})
			h := newHand(t, d)
			h.tty, h.in = tt.tty, tt.in
			got := h.run(append([]string{"schedule", "rm", "hello", "--color", "never"}, tt.args...)...)
			if removed := len(d.questions()) == 1; got.status != tt.status || removed != tt.removed {
				t.Errorf("got %+v, removed %t, want status %d, removed %t", got, removed, tt.status, tt.removed)
			}
			if tt.tty && len(tt.args) == 0 && !strings.Contains(got.err, "Remove schedule hello at "+d.url+"? [y/N] ") {
				t.Errorf("the question does not say what and where: %q", got.err)
			}
			if open := strings.Contains(got.err, "[y/N] \n"); open != (tt.name == "end of input") {
				t.Errorf("what follows the question does not begin a line of its own: %q", got.err)
			}
		})
	}
}

func TestScheduleNext_showsZoneAndUTC(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{
		"GET /v1/schedules/hello/next": {{0, `{"items":["2026-04-15T06:00:00Z","2026-04-16T06:00:00Z"]}`}},
		"GET /v1/schedules/hello":      {{0, helloSchedule()}},
	})
	got := newHand(t, d).run("schedule", "next", "hello", "-n", "2")
	want := "next\t2026-04-15T08:00:00+02:00\t2026-04-15T06:00:00Z\nnext\t2026-04-16T08:00:00+02:00\t2026-04-16T06:00:00Z\n"
	if diff := cmp.Diff(got.out, want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	if asked := d.questions()[0]; asked != "GET /v1/schedules/hello/next?n=2" {
		t.Errorf("asked %q", asked)
	}
}

func TestScheduleDescribe_needsNoDaemon(t *testing.T) {
	t.Parallel()
	got := newHand(t, nil).run("schedule", "describe", "30 2 * * *", "--tz", "Europe/Berlin", "--from", "2026-03-28T12:00:00Z", "-n", "2", "-o", "json")
	want := `{
  "canonical": "30 2 * * *",
  "description": "at 02:30, every day, Europe/Berlin",
  "tz": "Europe/Berlin",
  "dst": "vixie",
  "next": [
    "2026-03-29T01:00:00Z",
    "2026-03-30T00:30:00Z"
  ]
}
`
	if diff := cmp.Diff(got, result{0, want, ""}, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestScheduleDescribe_readsSecondsByConsent(t *testing.T) {
	t.Parallel()
	const question = "Read the first field as seconds: at 08:00:30, every day, UTC? [y/N] "
	tests := []struct {
		name   string
		answer string
		args   []string
		piped  bool
		status int
		asked  bool
	}{
		{name: "yes", answer: "y\n", asked: true},
		{name: "no", answer: "n\n", status: 2, asked: true},
		{name: "the end of the input", status: 2, asked: true},
		{name: "asked not to ask", answer: "y\n", args: []string{"--no-input"}, status: 2},
		{name: "nobody at the terminal", answer: "y\n", piped: true, status: 2},
		{name: "said before", args: []string{"--seconds"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHand(t, nil)
			if !tt.piped {
				h = h.plain(80)
			}
			h.in = tt.answer
			got := h.run(append([]string{"schedule", "describe", "30 0 8 * * *"}, tt.args...)...)
			if got.status != tt.status || strings.Contains(got.err, question) != tt.asked {
				t.Errorf("got %+v, want status %d and asked %t", got, tt.status, tt.asked)
			}
			if shown := strings.HasPrefix(got.out, "30 0 8 * * *: at 08:00:30, every day, UTC\n"); shown != (tt.status == 0) {
				t.Errorf("output %q", got.out)
			}
		})
	}
}
