package execagent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestSplit_followsTheQuotingOfTheShell(t *testing.T) {
	t.Parallel()
	tests := []struct {
		command string
		want    []string
	}{
		{command: "tr a-z A-Z", want: []string{"tr", "a-z", "A-Z"}},
		{command: "  a \t b  ", want: []string{"a", "b"}},
		{command: `a 'b c' "d e" f\ g`, want: []string{"a", "b c", "d e", "f g"}},
		{command: `a '' ""`, want: []string{"a", "", ""}},
		{command: `a'b'"c"d`, want: []string{"abcd"}},
		{command: `'$x *|;' "a'b" 'a"b'`, want: []string{"$x *|;", "a'b", `a"b`}},
		{command: `"\$x \" \\ \n"`, want: []string{`$x " \ \n`}},
		{command: `'\'`, want: []string{`\`}},
		{command: `\| \\ \' a~b a#b x=y {a,b}`, want: []string{"|", `\`, "'", "a~b", "a#b", "x=y", "{a,b}"}},
		{command: "a \\\n b", want: []string{"a", "b"}},
		{command: "a\\\nb", want: []string{"ab"}},
		{command: "'a\nb'", want: []string{"a\nb"}},
		{command: "", want: nil},
	}
	for _, tt := range tests {
		t.Run(tt.command, func(t *testing.T) {
			t.Parallel()
			got, err := split(tt.command)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("words (-got +want):\n%s", diff)
			}
		})
	}
}

// TestSplit_agreesWithTheShell asks /bin/sh for the words of what is accepted.
func TestSplit_agreesWithTheShell(t *testing.T) {
	t.Parallel()
	pieces := []string{"a", "B", " ", "\t", "\n", `\`, `'`, `"`, "$", "`", "~", "#", "=", "{", "}", "!", "-", "ü", "|", "*", "x y"}
	rapid.Check(t, func(t *rapid.T) {
		command := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 12).Draw(t, "pieces"), "")
		got, err := split(command)
		if err != nil || len(got) == 0 {
			return
		}
		// As arguments of f, nothing is an assignment or a word of the language.
		out, err := exec.Command("/bin/sh", "-c", `f() { for w; do printf '%s\0' "$w"; done; }; f `+command).Output()
		if err != nil {
			t.Fatalf("sh: %v", err)
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if diff := cmp.Diff(got, want); diff != "" {
			t.Fatalf("words of %q (-got +want):\n%s", command, diff)
		}
	})
}

func TestSplit_pointsAtWhatAShellWouldActOn(t *testing.T) {
	t.Parallel()
	const act = " is for a shell, and no shell runs this"
	tests := []struct {
		command string
		why     string
		caret   int // blanks before it
	}{
		{command: "a | b", why: "'|'" + act, caret: 2},
		{command: "a >b", why: "'>'" + act, caret: 2},
		{command: "a <b", why: "'<'" + act, caret: 2},
		{command: "a; b", why: "';'" + act, caret: 1},
		{command: "a &", why: "'&'" + act, caret: 2},
		{command: "a $b", why: "'$'" + act, caret: 2},
		{command: `a "x $b"`, why: "'$'" + act, caret: 5},
		{command: "a `b`", why: "'`'" + act, caret: 2},
		{command: "a *.go", why: "'*'" + act, caret: 2},
		{command: "a b?", why: "'?'" + act, caret: 3},
		{command: "a [b]", why: "'['" + act, caret: 2},
		{command: "(a)", why: "'('" + act, caret: 0},
		{command: "a ~/b", why: "'~'" + act, caret: 2},
		{command: "a #b", why: "'#'" + act, caret: 2},
		{command: "a\nb", why: `'\n'` + act, caret: 1},
		{command: "ü | b", why: "'|'" + act, caret: 2},
		{command: "a 'b", why: "this quote is never closed", caret: 2},
		{command: `a "b`, why: "this quote is never closed", caret: 2},
		{command: `a b\`, why: "a backslash at the end quotes nothing", caret: 3},
		{command: strings.Repeat("x", 200) + " | b", why: "'|'" + act, caret: 60},
	}
	for _, tt := range tests {
		t.Run(tt.command, func(t *testing.T) {
			t.Parallel()
			_, err := split(tt.command)
			if molecule.CodeOf(err) != molecule.Invalid {
				t.Fatalf("error %v, want Invalid", err)
			}
			lines := strings.Split(err.Error(), "\n")
			got := []string{lines[0], lines[len(lines)-1]}
			want := []string{"command is not valid: " + tt.why, strings.Repeat(" ", tt.caret) + "^"}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("message and caret (-got +want):\n%s", diff)
			}
			if !strings.Contains(molecule.HintOf(err), "--shell") {
				t.Errorf("hint %q does not speak of --shell", molecule.HintOf(err))
			}
		})
	}
}

// bin makes a directory with a program and a file that is none.
func bin(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"prog": 0o700, "text": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestResolve_fillsInWhatIsStarted(t *testing.T) {
	t.Parallel()
	dir := bin(t)
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		exec molecule.Exec
		want []string
	}{
		{name: "through PATH", exec: molecule.Exec{Command: "sh -c 'echo  $x'"}, want: []string{sh, "-c", "echo  $x"}},
		{name: "whole path", exec: molecule.Exec{Command: dir + "/prog a"}, want: []string{dir + "/prog", "a"}},
		{name: "relative to the directory", exec: molecule.Exec{Command: "./prog a", Dir: dir}, want: []string{dir + "/prog", "a"}},
		{name: "shell", exec: molecule.Exec{Command: "a | b > c", Shell: true}, want: []string{"/bin/sh", "-c", "a | b > c"}},
		{name: "stale words", exec: molecule.Exec{Command: dir + "/prog", Argv: []string{"/bin/rm", "-rf"}}, want: []string{dir + "/prog"}},
		{name: "variables", exec: molecule.Exec{Command: dir + "/prog", PassEnv: []string{"API_KEY", "_x1"}}, want: []string{dir + "/prog"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := Resolve(&tt.exec); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.exec.Argv, tt.want); diff != "" {
				t.Errorf("words (-got +want):\n%s", diff)
			}
		})
	}
}

func TestResolve_refusesWhatCouldNotStart(t *testing.T) {
	t.Parallel()
	dir := bin(t)
	tests := []struct {
		name string
		exec molecule.Exec
		want string // within the message
	}{
		{name: "empty", exec: molecule.Exec{Command: "  "}, want: "empty"},
		{name: "empty word", exec: molecule.Exec{Command: "'' a"}, want: "empty"},
		{name: "empty for a shell", exec: molecule.Exec{Command: " ", Shell: true}, want: "empty"},
		{name: "NUL", exec: molecule.Exec{Command: "a\x00b", Shell: true}, want: "NUL"},
		{name: "pipe", exec: molecule.Exec{Command: "a | b"}, want: "'|'"},
		{name: "not in PATH", exec: molecule.Exec{Command: "no-such-program-here"}, want: `no program "no-such-program-here" that can be executed in PATH (`},
		{name: "not at the path", exec: molecule.Exec{Command: dir + "/gone"}, want: dir + "/gone"},
		{name: "not executable", exec: molecule.Exec{Command: dir + "/text"}, want: dir + "/text"},
		{name: "a directory", exec: molecule.Exec{Command: dir}, want: dir},
		{name: "relative to nothing", exec: molecule.Exec{Command: "./prog"}, want: `"./prog" is relative to nothing`},
		{name: "directory not absolute", exec: molecule.Exec{Command: "sh", Dir: "x"}, want: `"x" is not absolute`},
		{name: "directory not there", exec: molecule.Exec{Command: "sh", Dir: dir + "/gone"}, want: dir + "/gone"},
		{name: "directory a file", exec: molecule.Exec{Command: "sh", Dir: dir + "/text"}, want: dir + "/text"},
		{name: "variable with a value", exec: molecule.Exec{Command: "sh", PassEnv: []string{"A=b"}}, want: `"A=b" is not the name of a variable`},
		{name: "variable without a name", exec: molecule.Exec{Command: "sh", PassEnv: []string{""}}, want: "is not the name of a variable"},
		{name: "socket of the service manager", exec: molecule.Exec{Command: "sh", PassEnv: []string{"NOTIFY_SOCKET"}}, want: "NOTIFY_SOCKET belongs to the daemon"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Resolve(&tt.exec)
			if molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want Invalid with %q", err, tt.want)
			}
			if tt.exec.Argv != nil {
				t.Errorf("words %q of what was refused", tt.exec.Argv)
			}
		})
	}
}

func TestEnvironment_isAListOfWhatMayBeSeen(t *testing.T) {
	t.Parallel()
	own := []string{
		"PATH=/bin", "HOME=/root", "LC_ALL=C", "TZ=UTC", "API_KEY=a=b", "OTHER_SECRET=s", "NOTIFY_SOCKET=/run/n", "LISTEN_FDS=1",
		"MOLECULE_RUN_ID=forged", "MOLECULE_TOKEN=t",
	}
	d, _ := delivery("", "")
	d.Agent.Exec.PassEnv = []string{"API_KEY", "NOTIFY_SOCKET", "ABSENT"}
	tests := []struct {
		name     string
		deadline time.Time
		more     []string
	}{
		{name: "with a deadline", deadline: d.Run.Slot.Add(time.Hour), more: []string{"MOLECULE_DEADLINE=2026-11-23T09:00:00Z"}},
		{name: "without"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := append([]string{
				"PATH=/bin", "HOME=/root", "LC_ALL=C", "TZ=UTC", "API_KEY=a=b",
				"MOLECULE_RUN_ID=run-1", "MOLECULE_SCHEDULE=hello", "MOLECULE_SLOT=2026-11-23T08:00:00Z", "MOLECULE_ATTEMPT=2",
			}, tt.more...)
			if diff := cmp.Diff(environment(own, d, tt.deadline), want); diff != "" {
				t.Errorf("variables (-got +want):\n%s", diff)
			}
		})
	}
}
