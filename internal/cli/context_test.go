package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

const twoContexts = `# mine
output: table # for scripts
context: prod
contexts:
  # the one that matters
  prod:
    endpoint: http://127.0.0.1:1
    org: acme
    timeout: 30s
  here:
    endpoint: unix:///run/moleculed/moleculed.sock

time: iso
`

// read returns a file as text.
func read(tb testing.TB, path string) string {
	tb.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

func TestContext_standsBetweenVariablesAndTheFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  map[string]string
		args []string
		want string // of endpoint, org and timeout
	}{
		{"the one in use", nil, nil, "endpoint\thttp://127.0.0.1:1\tcontext prod\norg\tacme\tcontext prod\ntimeout\t30s\tcontext prod\n"},
		{"a variable is stronger", map[string]string{"MOLECULE_ORG": "env"}, nil,
			"endpoint\thttp://127.0.0.1:1\tcontext prod\norg\tenv\tMOLECULE_ORG\ntimeout\t30s\tcontext prod\n"},
		{"a flag names another", nil, []string{"--context", "here", "--timeout", "5s"},
			"endpoint\tunix:///run/moleculed/moleculed.sock\tcontext here\norg\t\tdefault\ntimeout\t5s\tflag --timeout\n"},
		{"so does a variable", map[string]string{"MOLECULE_CONTEXT": "here"}, nil,
			"endpoint\tunix:///run/moleculed/moleculed.sock\tcontext here\norg\t\tdefault\ntimeout\t10s\tdefault\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHand(t, nil)
			h.keep(twoContexts, 0o600)
			for k, v := range tt.env {
				h.env[k] = v
			}
			got := h.run(append([]string{"config", "list"}, tt.args...)...)
			var lines strings.Builder
			for line := range strings.Lines(got.out) {
				switch key, _, _ := strings.Cut(line, "\t"); key {
				case "endpoint", "org", "timeout":
					lines.WriteString(line)
				}
			}
			if diff := cmp.Diff(lines.String(), tt.want); diff != "" {
				t.Errorf("got, want:\n%s\n%+v", diff, got)
			}
		})
	}
}

func TestContext_isMadeUsedAndForgotten(t *testing.T) {
	t.Parallel()
	h := newHand(t, nil)
	path := h.keep(twoContexts, 0o600)
	steps := []struct {
		args []string
		err  string
	}{
		{[]string{"context", "add", "edge", "--endpoint", "https://edge.example", "--org", "a-b"}, "✓ context edge is kept in " + path + "\n"},
		{[]string{"context", "use", "edge"}, "✓ context edge is in use\n"},
		{[]string{"context", "rm", "prod", "--yes"}, "✓ context prod is forgotten\n"},
	}
	for _, s := range steps {
		if got := h.run(s.args...); got.status != 0 || got.err != s.err {
			t.Fatalf("%q: got %+v, want %q", s.args, got, s.err)
		}
	}
	want := `# mine
output: table # for scripts
context: edge
contexts:
  # the one that matters
  here:
    endpoint: unix:///run/moleculed/moleculed.sock
  edge:
    endpoint: https://edge.example
    org: a-b

time: iso
`
	if diff := cmp.Diff(read(t, path), want); diff != "" {
		t.Errorf("the file, want:\n%s", diff)
	}
	list := h.run("context", "list")
	if list.out != "edge\tyes\thttps://edge.example\ta-b\t\nhere\t\tunix:///run/moleculed/moleculed.sock\t\t\n" {
		t.Errorf("list: got %+v", list)
	}
	if got := h.run("context", "show", "-o", "jsonl"); got.out != `{"name":"edge","current":true,"endpoint":"https://edge.example","org":"a-b"}`+"\n" {
		t.Errorf("show: got %+v", got)
	}
	if got := h.run("context", "rm", "edge", "--yes"); got.status != 0 || !strings.Contains(read(t, path), "\ncontext: \"\"\n") {
		t.Errorf("forgetting the one in use: got %+v\n%s", got, read(t, path))
	}
}

func TestContext_ofAFileThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	h := newHand(t, nil)
	got := h.run("context", "add", "here", "--endpoint", "unix:///s", "--use", "-o", "jsonl")
	if got.status != 0 || got.out != `{"name":"here","current":true,"endpoint":"unix:///s"}`+"\n" {
		t.Errorf("got %+v", got)
	}
	path := strings.TrimSpace(h.run("config", "path").out)
	if diff := cmp.Diff(read(t, path), "contexts:\n  here:\n    endpoint: unix:///s\ncontext: here\n"); diff != "" {
		t.Errorf("the file, want:\n%s", diff)
	}
}

func TestContext_whatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		args       []string
		status     int
		want       []string
	}{
		{"none of that name", twoContexts, []string{"status", "--context", "prud"}, wire.ExitNotFound, []string{`no context "prud"`, "did you mean prod?"}},
		{"the file names none", "context: gone\n", []string{"status"}, wire.ExitNotFound, []string{`no context "gone"`, "molecli context list"}},
		{"used by nobody", twoContexts, []string{"context", "use", "far"}, wire.ExitNotFound, []string{`no context "far"`}},
		{"set to none of them", twoContexts, []string{"config", "set", "context", "her"}, wire.ExitNotFound, []string{"did you mean here?"}},
		{"there is one already", twoContexts, []string{"context", "add", "prod", "--endpoint", "unix:///s"}, wire.ExitConflict, []string{"context prod already"}},
		{"no endpoint", "", []string{"context", "add", "x"}, wire.ExitUsage, []string{"where is the daemon of x?"}},
		{"no such endpoint", "", []string{"context", "add", "x", "--endpoint", "ftp://x"}, wire.ExitUsage, []string{"http://127.0.0.1:7420"}},
		{"no name", "", []string{"context", "add", "../x", "--endpoint", "unix:///s"}, wire.ExitUsage, []string{`context name "../x" is not valid`}},
		{"a token that is not there", "", []string{"context", "add", "x", "--endpoint", "http://h:1", "--token-file", "/no/such"}, wire.ExitUsage, []string{"/no/such does not exist"}},
		{"nobody said yes", twoContexts, []string{"context", "remove", "prod"}, wire.ExitUsage, []string{"add --yes"}},
		{"an unknown setting", "contexts:\n  a:\n    endpont: x\n", []string{"status"}, wire.ExitUsage, []string{`context a has no setting "endpont"`, "did you mean endpoint?"}},
		{"a setting that is not of a context", "contexts:\n  a:\n    output: json\n", []string{"status"}, wire.ExitUsage, []string{"it may say: endpoint, org, token_file, timeout"}},
		{"no duration", "contexts:\n  a:\n    timeout: soon\n", []string{"status"}, wire.ExitUsage, []string{"context a: timeout is soon", "duration"}},
		{"a list", "contexts: [a]\n", []string{"status"}, wire.ExitUsage, []string{"contexts is no mapping"}},
		{"a text", "contexts:\n  a: x\n", []string{"status"}, wire.ExitUsage, []string{"context a is no mapping"}},
		{"written on one line", "contexts: {a: {endpoint: 'unix:///s'}}\n", []string{"context", "rm", "a", "--yes"}, wire.ExitUsage, []string{"cannot be changed from here"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHand(t, nil)
			path := h.keep(tt.file, 0o600)
			got := h.run(tt.args...)
			if got.status != tt.status || read(t, path) != tt.file {
				t.Errorf("got %+v, want status %d and the file as it was", got, tt.status)
			}
			for _, w := range tt.want {
				if !strings.Contains(got.err, w) {
					t.Errorf("%q does not say %q", got.err, w)
				}
			}
		})
	}
}

func TestContext_ofNoNameInUseCanBeMended(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"context", "use", "here"}, {"config", "set", "context", ""}, {"context", "list"}, {"context", "remove", "here", "-y"}} {
		h := newHand(t, nil)
		h.keep("context: gone\ncontexts:\n  here:\n    endpoint: unix:///s\n", 0o600)
		if got := h.run(args...); got.status != 0 {
			t.Errorf("%q: got %+v", args, got)
		}
	}
}

func TestLogin_bringsATokenToTheContext(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"GET /v1/whoami": {{0, molecule.Identity{Name: "token:laptop"}}}})
	h := newHand(t, nil)
	h.in = "mol_op_12345678_secret\n"
	got := h.run("login", "--context", "prod", "--endpoint", d.url, "--org", "acme")
	path := filepath.Join(h.env["HOME"], ".config", "molecule")
	token := filepath.Join(path, "tokens", "prod")
	if got.status != 0 || read(t, token) != h.in {
		t.Fatalf("got %+v", got)
	}
	want := "contexts:\n  prod:\n    endpoint: " + d.url + "\n    org: acme\n    token_file: " + token + "\n"
	if diff := cmp.Diff(read(t, filepath.Join(path, "molecli.yaml")), want); diff != "" {
		t.Errorf("the file, want:\n%s", diff)
	}
	if got := h.run("whoami", "--context", "prod", "-o", "name"); got.status != 0 || got.out != "token:laptop\n" {
		t.Errorf("with the context: got %+v", got)
	}
	if got := h.run("logout", "--context", "prod"); got.status != 0 {
		t.Errorf("logout: got %+v", got)
	}
	want = "contexts:\n  prod:\n    endpoint: " + d.url + "\n    org: acme\n"
	if diff := cmp.Diff(read(t, filepath.Join(path, "molecli.yaml")), want); diff != "" {
		t.Errorf("the file after logout, want:\n%s", diff)
	}
	if _, err := os.Stat(token); !os.IsNotExist(err) {
		t.Errorf("the token is still there: %v", err)
	}
}

func TestConfirm_namesTheContext(t *testing.T) {
	t.Parallel()
	h := newHand(t, nil).plain(80)
	h.keep("context: here\ncontexts:\n  here:\n    endpoint: unix:///s\n", 0o600)
	h.in = "no\n"
	got := h.run("agent", "remove", "echo")
	if got.status != wire.ExitUsage || !strings.HasPrefix(got.err, "Remove agent echo at unix:///s (context here)? [y/N] ") {
		t.Errorf("got %+v", got)
	}
}

func TestCompletion_offersContextsWithoutADaemon(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"context", "use", ""}, {"context", "show", ""}, {"context", "rm", ""}, {"status", "--context", ""}} {
		h := newHand(t, nil)
		h.keep(twoContexts, 0o600)
		if got := h.run(append([]string{"__complete"}, args...)...); got.out != "here\nprod\n:4\n" {
			t.Errorf("%q: got %q", args, got.out)
		}
	}
}
