package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// made is an agent as it comes back when it was just added.
func made(change func(*molecule.Agent)) molecule.Agent {
	a := molecule.Agent{
		ID: "e5f6", Name: "helper", Kind: molecule.AgentPoll, State: molecule.AgentPending, MaxConcurrent: 1,
		Token: molecule.Show(molecule.NewSecret("mol_agent_x")),
	}
	if change != nil {
		change(&a)
	}
	return a
}

func TestAgentAdd_tellsATokenOnceAndTheIDItIsFor(t *testing.T) {
	t.Parallel()
	awaited := func(a *molecule.Agent) { a.Token, a.AwaitUntil = molecule.Shown{}, noon().Add(10*time.Minute) }
	push := func(a *molecule.Agent) { a.Kind, a.URL = molecule.AgentPush, "https://agents.example/far" }
	tests := []struct {
		name   string
		args   string
		answer molecule.Agent
		body   string // what the daemon is asked for
		want   result
	}{
		{"one that asks", "--poll", made(nil), `"kind":"poll"`, result{0, "agent helper added: poll\nmol_agent_x\n",
			"this is the only time its token is shown:\nits id is e5f6: with its token it asks GET /workspaces/e5f6/activity\ntry: molecli agent watch helper --until online\n"}},
		{"one that is called", "--url https://agents.example/far", made(push), `"kind":"push"`, result{0, "agent helper added: push https://agents.example/far\nmol_agent_x\n",
			"this is the only time its token is shown:\nits id is e5f6: that and its token go with what it sends itself, such as heartbeats\ntry: molecli agent run helper --prompt 'say hello'\n"}},
		{"one that is awaited", "--poll --await 10m", made(awaited), `"await":"10m"`, result{0, "agent helper added: poll\n",
			"it is given its token when it registers as e5f6 before 2026-04-14T12:10:00Z\ntry: molecli agent watch helper --until online\n"}},
		{"its place", "--poll --role scribe --tier 3 --parent boss --runtime cli", made(nil), `"role":"scribe","tier":3,"parent":"boss","runtime":"cli"`, result{0, "agent helper added: poll\nmol_agent_x\n",
			"this is the only time its token is shown:\nits id is e5f6: with its token it asks GET /workspaces/e5f6/activity\ntry: molecli agent watch helper --until online\n"}},
		{"by its name", "--poll -o name", made(nil), `"kind":"poll"`, result{0, "helper\n", ""}},
	}
	for _, tt := range tests {
		d := newDaemon(t, map[string][]reply{"POST /v1/agents": {{201, tt.answer}}})
		got := newHand(t, d).run(append([]string{"agent", "add", "helper"}, strings.Fields(tt.args)...)...)
		if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s (-got +want):\n%s", tt.name, diff)
		}
		if asked := d.questions(); len(asked) != 1 || !strings.Contains(asked[0], tt.body) {
			t.Errorf("%s: it asked %q, want %s", tt.name, asked, tt.body)
		}
	}
}

func TestAgentAdd_keepsATokenInAFile(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"POST /v1/agents": {{201, made(nil)}}})
	path := filepath.Join(t.TempDir(), "helper.token")
	got := newHand(t, d).run("agent", "add", "helper", "--poll", "--token-out", path, "-o", "json")
	kept, err := os.ReadFile(path)
	if err != nil || string(kept) != "mol_agent_x\n" {
		t.Errorf("the file holds %q, %v", kept, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	if strings.Contains(got.out+got.err, "mol_agent_x") || got.status != 0 || !strings.Contains(got.err, path) {
		t.Errorf("got %+v", got)
	}
	again := newHand(t, d).run("agent", "add", "other", "--poll", "--token-out", path)
	if again.status != 5 || len(d.questions()) != 1 {
		t.Errorf("a file that is there: got %+v after %q", again, d.questions())
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v, %v", left, err)
	}
}

func TestAgentForm_refusesWhatDoesNotGoTogether(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"add x":                                 "what is agent x? Say --exec COMMAND, --url URL or --poll",
		"add x --poll --exec cat":               "an agent is one of --exec and --poll, not both",
		"add x --poll --url https://a.example":  "an agent is one of --url and --poll, not both",
		"add x --poll --shell":                  "--shell belongs to --exec, not to --poll",
		"add x --exec cat --await 1m":           "--await is for agents that come by themselves, not for --exec",
		"add x --exec cat --token-out f":        "--token-out is for agents that come by themselves, not for --exec",
		"add x --poll --await 1m --token-out f": "there is none for --token-out",
		"add x --poll --await 0s":               "--await is 0s, it must be above 0 and 1h at most",
		"add x --poll --tier 10":                "tier is 10, it must be between 1 and 9",
		"enrol":                                 "an enrolment is for a name or for a role",
		"enrol --name a --role b":               "not for both",
		"enrol --name a --expires-in 61m":       "an enrolment is good for up to 1h, not for 1h1m",
		"enrol --name a --expires-in -1m":       "an enrolment is good for up to 1h, not for -1m",
		"enrol --name a --expires-in 0s":        "--expires-in is 0s, it must be above 0",
		"run a --prompt x --run-timeout 0s":     "--run-timeout is 0s, it must be above 0",
		"update x":                              "nothing to change",
	} {
		got := newHand(t, nil).run(append([]string{"agent"}, strings.Fields(args)...)...)
		if got.status != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%s: got %+v, want %q", args, got, want)
		}
	}
}

func TestAgentUpdate_sendsThePlaceThatWasTyped(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"PATCH /v1/agents/helper": {{0, made(nil)}}})
	got := newHand(t, d).run("agent", "update", "helper", "--parent", "", "--role", "reader")
	if asked := d.questions(); got.status != 0 || len(asked) != 1 || asked[0] != `PATCH /v1/agents/helper {"role":"reader","parent":""}` {
		t.Errorf("got %+v after %q", got, asked)
	}
}

func TestAgentEnrol_tellsATokenOnce(t *testing.T) {
	t.Parallel()
	leave := molecule.Enrolment{ID: "abcd", Name: "helper", ExpiresAt: noon().Add(time.Hour), Token: molecule.Show(molecule.NewSecret("mol_enrol_x"))}
	d := newDaemon(t, map[string][]reply{"POST /v1/enrolments": {{201, leave}}})
	tests := []struct {
		args []string
		want result
	}{
		{nil, result{0, "mol_enrol_x\n", "✓ one agent may register until 2026-04-14T13:00:00Z\nthis is the only time its token is shown:\n"}},
		{[]string{"-o", "name"}, result{0, "abcd\n", "✓ one agent may register until 2026-04-14T13:00:00Z\n"}},
	}
	for _, tt := range tests {
		got := newHand(t, d).run(append([]string{"agent", "enrol", "--name", "helper", "--expires-in", "1h"}, tt.args...)...)
		if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%q (-got +want):\n%s", tt.args, diff)
		}
	}
	if asked := d.questions(); !strings.Contains(asked[0], `"name":"helper","expires_in":"1h"`) {
		t.Errorf("it asked %q", asked)
	}
}
