package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// leaves returns every command that does something.
func leaves(cmd *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, sub := range cmd.Commands() {
		if !sub.HasSubCommands() || sub.Name() == "liveness" {
			out = append(out, sub)
		}
		out = append(out, leaves(sub)...)
	}
	return out
}

func tree() *cobra.Command {
	return newRoot(&app{env: Env{Lookup: func(string) (string, bool) { return "", false }, Now: noon}})
}

func TestTree_everyLeafHasALineAParagraphAndTwoExamples(t *testing.T) {
	t.Parallel()
	all := leaves(tree())
	if len(all) < 30 {
		t.Fatalf("found only %d commands", len(all))
	}
	for _, cmd := range all {
		switch lines := strings.Split(cmd.Example, "\n"); {
		case cmd.Short == "" || strings.Contains(cmd.Short, "\n") || strings.HasSuffix(cmd.Short, "."):
			t.Errorf("%s: short help %q is not one line", cmd.CommandPath(), cmd.Short)
		case len(cmd.Long) <= len(cmd.Short) || !strings.ContainsAny(cmd.Long[len(cmd.Long)-1:], ".:"):
			t.Errorf("%s: long help %q is no paragraph", cmd.CommandPath(), cmd.Long)
		case len(lines) != 2:
			t.Errorf("%s: %d examples, want 2", cmd.CommandPath(), len(lines))
		}
	}
}

// TestTree_everyExampleIsACommandThatExists lets a shell read each example with
// a molecli that only prints its words, and finds every call in the tree.
func TestTree_everyExampleIsACommandThatExists(t *testing.T) {
	t.Parallel()
	// Each call into a file of its own: in a pipeline others write meanwhile.
	const printer = `molecli() { printf '%s\n' "$@" >"$(mktemp "$CALLS/XXXXXX")"; }; ls() { :; }; cat() { :; }; `
	for _, cmd := range leaves(tree()) {
		for _, example := range strings.Split(cmd.Example, "\n") {
			shell := exec.CommandContext(t.Context(), "bash", "-c", printer+example)
			var said strings.Builder
			shell.Stderr, shell.Dir = &said, t.TempDir()
			called := t.TempDir()
			shell.Env = append(os.Environ(), "HOME="+shell.Dir, "CALLS="+called)
			// The status is of no interest: an example may write where nothing is.
			_ = shell.Run()
			calls, err := filepath.Glob(filepath.Join(called, "*"))
			if err != nil {
				t.Fatal(err)
			}
			if len(calls) == 0 && !strings.Contains(example, "fish") {
				t.Errorf("%s: %q calls no molecli: %s", cmd.CommandPath(), example, said.String())
			}
			for _, call := range calls {
				text, err := os.ReadFile(call)
				if err != nil {
					t.Fatal(err)
				}
				words := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
				found, rest, err := tree().Find(words)
				if err != nil {
					t.Errorf("%q: %v", example, err)
					continue
				}
				if found.HasSubCommands() && found.Name() != "liveness" {
					t.Errorf("%q: there is no such command", example)
				}
				if err := found.ParseFlags(rest); err != nil {
					t.Errorf("%q: %v", example, err)
				}
			}
		}
	}
}

func TestTree_nounsAndVerbsHaveTheirOtherNames(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"agents ls": "molecli agent list", "agent rm": "molecli agent remove", "agents delete": "molecli agent remove",
		"schedules get": "molecli schedule show", "runs ls": "molecli run list", "events ls": "molecli event list",
		"incidents get": "molecli incident show", "schedule delete": "molecli schedule remove", "run get": "molecli run show",
	}
	for typed, want := range tests {
		found, _, err := tree().Find(strings.Fields(typed))
		if err != nil || found.CommandPath() != want {
			t.Errorf("%q: got %q, %v, want %q", typed, found.CommandPath(), err, want)
		}
	}
}

func TestHelp_hidesOtherNamesAndShowsTheRest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args     string
		has, not string
	}{
		{"", "Commands:\n  agent ", "Aliases"},
		{"--help", "Topics (molecli help TOPIC): contexts, cron", ""},
		{"schedule", "  describe  Explain a cron expression\n", "Aliases"},
		{"agent list --help", "Examples:\n  molecli agent list\n", "ls"},
		{"help agent add", "--pass-env", "Commands:"},
		{"liveness --help", "  dump  Print the stacks of one subsystem\n", ""},
		{"help cron", "MON-FRI", ""},
		{"help environment", "MOLECULE_TOKEN_FILE", ""},
		{"help formatting", "jsonl", ""},
		{"help security", "--token-file", ""},
		{"help contexts", "MOLECULE_CONTEXT", ""},
	}
	for _, tt := range tests {
		got := newHand(t, nil).run(strings.Fields(tt.args)...)
		if got.status != 0 || got.err != "" || !strings.Contains(got.out, tt.has) || (tt.not != "" && strings.Contains(got.out, tt.not)) {
			t.Errorf("%q: got %+v, want %q and not %q", tt.args, got, tt.has, tt.not)
		}
	}
}

func TestCompletion_offersNamesOfTheDaemon(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{
		"GET /v1/agents":    {{0, `{"items":[{"name":"echo"},{"name":"far"},{"name":"eve"}]}`}},
		"GET /v1/schedules": {{0, `{"items":[{"name":"hello"}]}`}},
		"GET /v1/runs":      {{0, `{"items":[{"id":"r1"}]}`}},
		"GET /v1/incidents": {{0, `{"items":[{"id":"i1","title":"it is stuck"}]}`}},
		"GET /v1/secrets":   {{0, `{"items":[{"name":"API_TOKEN"}]}`}},
		"GET /v1/tokens":    {{0, molecule.Page[molecule.Token]{Items: []molecule.Token{{ID: "3f9a0001", ExpiresAt: noon().Add(time.Hour)}}}}},
		"GET /v1/liveness":  {{0, `{"subsystems":{"scheduler":{},"dispatcher":{}}}`}},
	})
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"agent", "show", ""}, "echo\nfar\neve\n:4\n"},
		{[]string{"agents", "rm", "e"}, "echo\neve\n:4\n"},
		{[]string{"agent", "show", "echo", ""}, ":4\n"},
		{[]string{"schedule", "run", ""}, "hello\n:4\n"},
		{[]string{"schedule", "add", "x", "--agent", "f"}, "far\n:4\n"},
		{[]string{"run", "show", ""}, "r1\n:4\n"},
		{[]string{"incident", "ack", ""}, "i1\tit is stuck\n:4\n"},
		{[]string{"incident", "list", "--kind", "m"}, strings.Join(molecule.IncidentKinds(), "\n") + "\n:4\n"},
		{[]string{"liveness", "s"}, "scheduler\n:4\n"},
		{[]string{"liveness", "dump", "d"}, "dispatcher\n:4\n"},
		{[]string{"agent", "list", "-o", ""}, "table\nwide\njson\njsonl\nyaml\nname\n:4\n"},
		{[]string{"schedule", "list", "--agent", "f"}, "far\n:4\n"},
		{[]string{"schedule", "list", "--state", "p"}, "active\npaused\nerror\nfinished\n:4\n"},
		{[]string{"agent", "list", "--kind", ""}, "exec\npush\npoll\n:4\n"},
		{[]string{"agent", "update", "echo", "--parent", "ev"}, "eve\n:4\n"},
		{[]string{"run", "list", "--outcome", ""}, strings.Join(namesOf(molecule.Outcomes(), func(o molecule.Outcome) string { return string(o) }), "\n") + "\n:4\n"},
		{[]string{"secrets", "show", ""}, "API_TOKEN\n:4\n"},
		{[]string{"token", "revoke", ""}, "3f9a0001\n:4\n"},
		{[]string{"help", "con"}, "config\tSettings of molecli, and where each came from\ncontext\tSeveral daemons, each under a name\ncontexts\n:4\n"},
		{[]string{"help", "schedule", "hi"}, "history\tSum up a schedule's runs by hours or days\n:4\n"},
		{[]string{"config", "get", ""}, "endpoint\ncontext\norg\ntoken_file\noutput\nlimit\ntime\ntz\ncolor\nno_input\nquiet\nverbose\ndebug\ntimeout\n:4\n"},
	}
	for _, tt := range tests {
		got := newHand(t, d).run(append([]string{"__complete"}, tt.args...)...)
		if got.out != tt.want {
			t.Errorf("%q: got %q, want %q", tt.args, got.out, tt.want)
		}
	}
}

func TestCompletion_offersZonesAContinentAtATime(t *testing.T) {
	t.Parallel()
	zones := t.TempDir()
	for _, name := range []string{"Europe", "Etc", "right"} {
		if err := os.Mkdir(filepath.Join(zones, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"UTC", "Europe/Berlin", "tzdata.zi"} {
		if err := os.WriteFile(filepath.Join(zones, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]string{"Eur": "Europe/\n:6\n", "Europe/Berl": "Europe/Berlin\n:4\n", "UT": "UTC\n:4\n", "../": ":4\n", "Mars/": ":4\n", "r": ":4\n", "t": ":4\n"}
	for typed, want := range tests {
		for _, args := range [][]string{{"agent", "list", "--tz"}, {"schedule", "add", "x", "--tz"}} {
			h := newHand(t, nil)
			h.env["ZONEINFO"] = zones
			got := h.run(append(append([]string{"__complete"}, args...), typed)...)
			if got.out != want {
				t.Errorf("%q %q: got %q, want %q", args, typed, got.out, want)
			}
		}
	}
}

func TestCompletion_offersNothingWithoutADaemon(t *testing.T) {
	t.Parallel()
	h := newHand(t, nil)
	h.env["MOLECULE_ENDPOINT"] = "unix:///run/no/such.sock"
	if got := h.run("__complete", "agent", "show", ""); got.out != ":4\n" {
		t.Errorf("got %q, want nothing", got.out)
	}
}

func TestCompletion_printsAScriptForEachShell(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		got := newHand(t, nil).run("completion", shell)
		if got.status != 0 || !strings.Contains(got.out, "__complete") {
			t.Errorf("%s: got status %d and %d bytes", shell, got.status, len(got.out))
		}
	}
}

func TestHelp_cronShowsOnlyWhatIsAccepted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr string
		ok   bool
	}{
		{"* * * * *", true}, {"5 * * * *", true}, {"1,15 * * * *", true}, {"1-5 * * * *", true}, {"*/10 * * * *", true},
		{"0 8 * * MON-FRI", true}, {"0 8 * * FRI-SAT,SUN-MON", true}, {"@hourly", true}, {"@annually", true},
		{"0 8 * * FRI-MON", true}, {"0 0 8 * * *", false}, {"0 0 31 2 *", false},
	}
	for _, tt := range tests {
		got := newHand(t, nil).run("schedule", "describe", tt.expr)
		if (got.status == 0) != tt.ok {
			t.Errorf("%q: got %+v, want accepted %t", tt.expr, got, tt.ok)
		}
	}
}
