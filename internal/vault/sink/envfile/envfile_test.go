package envfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/sinktest"
)

func open(t testing.TB, path, key string) sink.Sink {
	t.Helper()
	k, err := Open(sink.Spec{Secret: "TOKEN", SinkSpec: molecule.SinkSpec{Kind: "envfile", Target: map[string]string{"path": path, "key": key}}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sourced returns what a shell has in TOKEN when it has read the file, and "" when
// there is none.
func sourced(t testing.TB, path string) string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", `set -eu; unset TOKEN; . "$1"; printf %s. "${TOKEN-}"`, "sh", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(out), ".")
}

func TestEnvfile_passesTheSuite(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t testing.TB) sinktest.Rig {
		path := filepath.Join(t.TempDir(), "sub", "env")
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, "# first\nOTHER=1\n")
		return sinktest.Rig{
			Sink:    open(t, path, ""),
			Accepts: func(value molecule.Secret) bool { return sourced(t, path) == value.Reveal() },
			Tamper:  func(value string) { write(t, path, "OTHER=1\nTOKEN="+value+"\n") },
			Cut: func() {
				if err := os.Rename(filepath.Dir(path), filepath.Dir(path)+"-away"); err != nil {
					t.Fatal(err)
				}
			},
			Holds:   []string{"plain", " blanks at both ends ", "a'b", `a"b\c`, "$HOME `id` $(id)", `'"\$`, "#x", "~", "a=b", "é", `\`},
			Rejects: []string{"two\nlines", "carriage\rreturn", "zero\x00byte", "ends with one\n"},
		}
	})
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEnvfile_leavesEveryOtherByteAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, before, from, after string }{
		{"in the middle", "A=1\nTOKEN=old\nB=2\n", "old", "A=1\nTOKEN=new\nB=2\n"},
		{"the last line without a break", "A=1\nTOKEN=old", "old", "A=1\nTOKEN=new"},
		{"lines of another system", "A=1\r\nTOKEN=old\r\nB=2\r\n", "old", "A=1\r\nTOKEN=new\r\nB=2\r\n"},
		{"exported and indented", "  export  TOKEN='old'\n", "old", "  export  TOKEN=new\n"},
		{"a comment that looks like it", "#TOKEN=x\nTOKEN=old\n", "old", "#TOKEN=x\nTOKEN=new\n"},
		{"a longer name that ends alike", "MY_TOKEN=x\nTOKEN=old\nTOKEN_2=y\n", "old", "MY_TOKEN=x\nTOKEN=new\nTOKEN_2=y\n"},
		{"bytes that are no text", "A=\xff\xfe\nTOKEN=old\n", "old", "A=\xff\xfe\nTOKEN=new\n"},
		{"not there yet", "A=1\n", "", "A=1\nTOKEN=new\n"},
		{"not there, and no break at the end", "A=1", "", "A=1\nTOKEN=new"},
		{"not there, and lines of another system", "A=1\r\n", "", "A=1\r\nTOKEN=new\r\n"},
		{"a place that was left for it", "TOKEN=\nA=1\n", "", "TOKEN=new\nA=1\n"},
		{"an empty file", "", "", "TOKEN=new\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "env")
			write(t, path, tt.before)
			c := sink.Change{Old: molecule.NewSecret(tt.from), New: molecule.NewSecret("new")}
			if _, err := open(t, path, "").Apply(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			held, err := os.ReadFile(path)
			if diff := cmp.Diff(string(held), tt.after); diff != "" || err != nil {
				t.Errorf("%v (-got +want):\n%s", err, diff)
			}
		})
	}
}

func TestEnvfile_undoOfTheFirstValueLeavesTheFileAsItWas(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"A=1\n", "A=1", "A=1\n\n", "A=1\r\n"} {
		path := filepath.Join(t.TempDir(), "env")
		write(t, path, before)
		c := sink.Change{New: molecule.NewSecret("new")}
		k := open(t, path, "")
		if _, err := k.Apply(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Undo(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		held, err := os.ReadFile(path)
		if diff := cmp.Diff(string(held), before); diff != "" || err != nil {
			t.Errorf("%v (-got +want):\n%s", err, diff)
		}
	}
}

func TestEnvfile_twoLinesOrTwoValuesAreNotGuessedAt(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"TOKEN=a\nTOKEN=b\n", "TOKEN='a\n", "TOKEN='a'b\n", `TOKEN="a\"` + "\n", `TOKEN="a"b"` + "\n", `TOKEN=a\ b` + "\n"} {
		path := filepath.Join(t.TempDir(), "env")
		write(t, path, text)
		k := open(t, path, "")
		_, err := k.Probe(t.Context(), sink.Change{})
		if sink.TroubleOf(err) != sink.Refused || molecule.HintOf(err) == "" {
			t.Errorf("%q: probe got %v", text, err)
		}
		_, err = k.Apply(t.Context(), sink.Change{Old: molecule.NewSecret("a"), New: molecule.NewSecret("new")})
		if held, _ := os.ReadFile(path); err == nil || string(held) != text {
			t.Errorf("%q: apply got %v and left %q", text, err, held)
		}
	}
}

func TestEnvfile_nameThatNoEnvironmentHasIsRefused(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"a-b", "1A", "A B", "A=B", "A.B"} {
		_, err := Open(sink.Spec{Secret: "S", SinkSpec: molecule.SinkSpec{Kind: "envfile", Target: map[string]string{"path": "/etc/env", "key": key}}})
		if molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("%q: got %v, want Invalid", key, err)
		}
	}
}

func TestQuote_isReadBackAsTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[^\n\r\x00]{0,40}`).Draw(t, "value")
		quoted, err := quote(value)
		if err != nil {
			t.Fatal(err)
		}
		at, err := find("A=1\nK="+quoted+"\nB=2\n", "K")
		if err != nil || at.value != value {
			t.Fatalf("%q came back as %q, %v", value, at.value, err)
		}
	})
}
