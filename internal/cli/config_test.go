package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/wire"
)

// keep writes the settings file of h and returns its path.
func (h hand) keep(text string, mode os.FileMode) string {
	h.tb.Helper()
	path := filepath.Join(h.env["HOME"], ".config", "molecule", "molecli.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		h.tb.Fatal(err)
	}
	return path
}

func TestConfig_flagIsStrongerThanVariableThanFileThanDefault(t *testing.T) {
	t.Parallel()
	const file = "org: from-file\ntimeout: 3s\nlimit: 7\nquiet: true\n"
	tests := []struct {
		name string
		file string
		env  map[string]string
		args []string
		want string // the lines of org, limit, timeout and quiet; FILE is its path
	}{
		{"defaults", "", nil, nil, "org\t\tdefault\nlimit\t100\tdefault\nquiet\tfalse\tdefault\ntimeout\t10s\tdefault\n"},
		{"file", file, nil, nil, "org\tfrom-file\tFILE\nlimit\t7\tFILE\nquiet\ttrue\tFILE\ntimeout\t3s\tFILE\n"},
		{"variable", file, map[string]string{"MOLECULE_ORG": "from-env", "MOLECULE_LIMIT": "8", "MOLECULE_QUIET": "false", "MOLECULE_TIMEOUT": "4s"}, nil,
			"org\tfrom-env\tMOLECULE_ORG\nlimit\t8\tMOLECULE_LIMIT\nquiet\tfalse\tMOLECULE_QUIET\ntimeout\t4s\tMOLECULE_TIMEOUT\n"},
		{"an empty variable is not set", file, map[string]string{"MOLECULE_ORG": ""}, nil,
			"org\tfrom-file\tFILE\nlimit\t7\tFILE\nquiet\ttrue\tFILE\ntimeout\t3s\tFILE\n"},
		{"flag", file, map[string]string{"MOLECULE_ORG": "from-env", "MOLECULE_TIMEOUT": "4s"},
			[]string{"--org", "typed", "--limit", "9", "--timeout", "5s", "--quiet=false"},
			"org\ttyped\tflag --org\nlimit\t9\tflag --limit\nquiet\tfalse\tflag --quiet\ntimeout\t5s\tflag --timeout\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, path := newHand(t, nil), "none"
			if tt.file != "" {
				path = h.keep(tt.file, 0o600)
			}
			for k, v := range tt.env {
				h.env[k] = v
			}
			got := h.run(append([]string{"config", "list"}, tt.args...)...)
			var lines strings.Builder
			for line := range strings.Lines(got.out) {
				switch key, _, _ := strings.Cut(line, "\t"); key {
				case "org", "limit", "timeout", "quiet":
					lines.WriteString(line)
				}
			}
			if diff := cmp.Diff(lines.String(), strings.ReplaceAll(tt.want, "FILE", path)); diff != "" {
				t.Errorf("got, want:\n%s\n%+v", diff, got)
			}
		})
	}
}

func TestConfig_orgGoesOutWithEveryRequest(t *testing.T) {
	t.Parallel()
	h := newHand(t, nil)
	h.keep("org: \"a b\"\n", 0o600)
	got := h.run("status", "--endpoint", "unix:///run/no/such.sock")
	if got.status != wire.ExitUsage || !strings.Contains(got.err, `organisation id "a b" is not valid`) {
		t.Errorf("got %+v, want the org of the file to be judged", got)
	}
}

func TestConfig_aBadFileIsRefusedWithTheCure(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		mode       os.FileMode
		want       []string
	}{
		{"others may read it", "org: x\n", 0o644, []string{"has mode 0644", "try: chmod 600"}},
		{"unknown key", "orgg: x\n", 0o600, []string{`no setting "orgg"`, "did you mean org?"}},
		{"a key of one command line", "yes: true\n", 0o600, []string{`no setting "yes"`}},
		{"no YAML", "org: [\n", 0o600, []string{"is not valid YAML"}},
		{"no duration", "timeout: soon\n", 0o600, []string{"timeout is soon", "duration"}},
		{"no such output", "output: xml\n", 0o600, []string{"output is xml", "use one of: table"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHand(t, nil)
			h.keep(tt.text, tt.mode)
			got := h.run("config", "list")
			if got.status != wire.ExitUsage {
				t.Errorf("got %+v, want status 2", got)
			}
			for _, w := range tt.want {
				if !strings.Contains(got.err, w) {
					t.Errorf("%q does not say %q", got.err, w)
				}
			}
		})
	}
}

func TestConfig_aBadVariableIsNamed(t *testing.T) {
	t.Parallel()
	tests := map[string]string{"MOLECULE_TIMEOUT": "soon", "MOLECULE_LIMIT": "many", "MOLECULE_OUTPUT": "xml", "MOLECULE_QUIET": "perhaps"}
	for name, value := range tests {
		h := newHand(t, nil)
		h.env[name] = value
		got := h.run("config", "list")
		if got.status != wire.ExitUsage || !strings.Contains(got.err, name) || !strings.Contains(got.err, value) {
			t.Errorf("%s=%s: got %+v", name, value, got)
		}
	}
}

func TestConfigSet_keepsTheRestOfTheFile(t *testing.T) {
	t.Parallel()
	h := newHand(t, nil)
	path := h.keep("# mine\norg: old # why\nlimit: 5\n", 0o600)
	for _, args := range [][]string{{"org", "new"}, {"timeout", "30s"}, {"token_file", "/a: b"}} {
		if got := h.run("config", "set", args[0], args[1]); got.status != 0 || !strings.Contains(got.err, args[0]+" set in "+path) {
			t.Fatalf("%q: got %+v", args, got)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(raw), "# mine\norg: new\nlimit: 5\ntimeout: 30s\ntoken_file: \"/a: b\"\n"); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	if got := h.run("config", "get", "token_file"); got.out != "/a: b\n" {
		t.Errorf("read back: got %+v", got)
	}
}

func TestConfigSet_makesAFileOfOnesOwn(t *testing.T) {
	t.Parallel()
	h := newHand(t, nil)
	if got := h.run("config", "set", "limit", "5"); got.status != 0 {
		t.Fatalf("got %+v", got)
	}
	path := strings.TrimSpace(h.run("config", "path").out)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode is %04o, want 0600", got)
	}
	if got := h.run("config", "get", "limit", "-o", "jsonl"); got.out != `{"key":"limit","value":5,"source":"`+path+`"}`+"\n" {
		t.Errorf("read back: got %+v", got)
	}
	if got := h.run("config", "get", "limt"); got.status != wire.ExitNotFound || !strings.Contains(got.err, "did you mean limit?") {
		t.Errorf("unknown key: got %+v", got)
	}
}
