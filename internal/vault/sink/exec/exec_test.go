package exec

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/sinktest"
)

// line reads the pipe on which a program shows that something of it lives.
const line = `line=$(sed -n 's/.*"config":"\([^"]*\)".*/\1/p'); `

// scripts are programs that do not do what they should.
var scripts = map[string]string{ // never written
	"hangs":         line + `exec 9>"$line"; echo started >&9; sleep 1000 & wait`,
	"floods":        `while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done`,
	"fails":         `exit 3`,
	"says-nothing":  `exit 0`,
	"babbles":       `echo hello`,
	"always-new":    `case $(cat) in *'"new":'*) echo '{"holds":"new"}' ;; *) echo '{"holds":"other"}' ;; esac`,
	"always-old":    `echo '{"holds":"old"}'`,
	"says-both":     `echo '{"holds":"both"}'`,
	"does-nothing":  `echo '{"holds":"nothing"}'`,
	"refuses":       `new=$(sed -n 's/.*"new":"\([^"]*\)".*/\1/p'); printf '{"error":"refused","message":"not %s and not %s\\u001b[31m"}' "$new" "$(printf %s "$new" | base64 -d)"`,
	"shows":         `cat >/dev/null; env | sort | tr '\n' ' ' >"$0.env"; tr '\0' ' ' <"/proc/$$/cmdline" >"$0.argv"; pwd >"$0.dir"; echo '{"holds":"nothing"}'`,
	"leaves-behind": line + `exec 9>"$line"; echo started >&9; sleep 1000 >/dev/null 2>&1 & echo '{"holds":"nothing"}'`,
	"keeps-open":    `sleep 1000 & echo '{"holds":"nothing"}'`,
}

// bin is where the programs are. They are written before any test starts one: a
// file that is open for writing, even in a process just forked, cannot be run.
var bin string // set by TestMain

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "sinks"); err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(bin) }() // of the machine's temporary directory
	for name, body := range scripts {
		put(filepath.Join(bin, name), "#!/bin/sh\n"+body+"\n", 0o700)
	}
	for _, name := range []string{"honest", "masked"} {
		body, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			panic(err)
		}
		put(filepath.Join(bin, name), string(body), 0o700)
	}
	put(filepath.Join(bin, "anybodys"), "#!/bin/sh\n", 0o777)
	put(filepath.Join(bin, "no-program"), "", 0o600)
	return m.Run()
}

func put(path, text string, mode os.FileMode) {
	err := os.WriteFile(path, []byte(text), mode)
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		panic(err)
	}
}

func open(t testing.TB, program, config string) sink.Sink {
	t.Helper()
	k, err := Open(sink.Spec{Secret: "TOKEN", SinkSpec: molecule.SinkSpec{
		Kind: "exec", Target: map[string]string{"command": filepath.Join(bin, program), "config": config},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rig is a program that keeps its value in a file.
func rig(t testing.TB, program string) sinktest.Rig {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "value")
	return sinktest.Rig{
		Sink: open(t, program, file),
		Accepts: func(value molecule.Secret) bool {
			held, err := os.ReadFile(file)
			if value.IsZero() {
				return os.IsNotExist(err)
			}
			return err == nil && strings.TrimSpace(string(held)) == base64.StdEncoding.EncodeToString([]byte(value.Reveal()))
		},
		Tamper: func(value string) {
			put(file, base64.StdEncoding.EncodeToString([]byte(value)), 0o600)
			put(file+".log", "x\nx\nx\nx\nx\n", 0o600)
		},
		Cut: func() {
			if err := os.Rename(dir, dir+"-away"); err != nil {
				t.Fatal(err)
			}
		},
		Holds: []string{"line\nbreaks\n", "\x00\xff", `"quotes"`, strings.Repeat("x", 100_000)},
	}
}

func TestExec_honestProgramPassesTheSuite(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t testing.TB) sinktest.Rig {
		r := rig(t, "honest")
		r.Rejects = []string{"reject me"}
		return r
	})
}

func TestExec_programThatShowsNothingPassesTheSuite(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t testing.TB) sinktest.Rig {
		r := rig(t, "masked")
		r.Masked = true
		return r
	})
}

var change = sink.Change{Old: molecule.NewSecret("old-value-1"), New: molecule.NewSecret("new-value-2")} // never written

func TestExec_programThatMisbehavesIsRefused(t *testing.T) {
	t.Parallel()
	for program, why := range map[string]string{
		"floods":       "it said more than 65536 bytes and was killed",
		"fails":        "it ended with exit status 3",
		"says-nothing": "it did not answer with one JSON object",
		"babbles":      "it did not answer with one JSON object",
		"says-both":    "no answer to what it was asked",
		"keeps-open":   "left something running",
		"anybodys":     "others than root and the daemon could have written the program",
		"no-program":   "it is no program",
		"not-there":    "cannot be started",
		"refuses":      "it refuses: not [sealed] and not [sealed] [31m",
	} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, program, "").Probe(t.Context(), change)
			if sink.TroubleOf(err) != sink.Refused || !strings.Contains(err.Error(), why) || molecule.HintOf(err) == "" {
				t.Errorf("got %v with the hint %q, want one that says %q", err, molecule.HintOf(err), why)
			}
		})
	}
}

func TestExec_programThatLiesIsNotBelieved(t *testing.T) {
	t.Parallel()
	verdict, err := open(t, "always-new", "").Verify(t.Context(), change)
	if err != nil || verdict != sink.Invalid {
		t.Errorf("one that finds any value: got %s, %v, want %s", verdict, err, sink.Invalid)
	}
	if _, err := open(t, "always-old", "").Verify(t.Context(), change); sink.TroubleOf(err) != sink.Refused {
		t.Errorf("one that finds a value it was not given: got %v", err)
	}
	for _, program := range []string{"does-nothing", "always-old"} {
		if _, err := open(t, program, "").Apply(t.Context(), change); sink.TroubleOf(err) != sink.Transient || !strings.Contains(err.Error(), "the value before it") {
			t.Errorf("%s: apply got %v, want that the value is not there", program, err)
		}
	}
}

func TestExec_programThatDoesNotAnswerInTimeIsKilled(t *testing.T) {
	t.Parallel()
	c := cell{place: "exec:hangs", command: filepath.Join(bin, "hangs"), config: pipe(t), limit: 20 * time.Millisecond}
	_, err := c.Look(t.Context(), change)
	if sink.TroubleOf(err) != sink.Transient || molecule.CodeOf(err) != molecule.Timeout {
		t.Errorf("got %v, want a Timeout that is worth another try", err)
	}
}

func TestExec_nothingThatAProgramStartedIsLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		program string
		want    sink.Trouble
	}{
		{"hangs", sink.Transient}, // until nobody waits any more
		{"leaves-behind", ""},     // beside its answer
	} {
		t.Run(tt.program, func(t *testing.T) {
			t.Parallel()
			path := pipe(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var watch sync.WaitGroup
			watch.Go(func() {
				r, err := os.Open(path) // when the program opens its end
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Close()
				lines := bufio.NewReader(r)
				if _, err := lines.ReadString('\n'); err != nil {
					t.Error(err)
				}
				if tt.program == "hangs" {
					cancel()
				}
				_, _ = io.Copy(io.Discard, lines) // until the last that holds it is dead
			})
			_, err := open(t, tt.program, path).Probe(ctx, change)
			if sink.TroubleOf(err) != tt.want {
				t.Errorf("got %v, want the trouble %q", err, tt.want)
			}
			watch.Wait()
		})
	}
}

// pipe makes a named pipe.
func pipe(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "line")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExec_nothingOfAValueIsOnTheCommandLineOrInTheEnvironment(t *testing.T) {
	t.Parallel()
	if _, err := open(t, "shows", "some config").Probe(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, what := range []string{"argv", "dir", "env"} {
		text, err := os.ReadFile(filepath.Join(bin, "shows."+what))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(string(text)))
	}
	want := []string{"/bin/sh " + filepath.Join(bin, "shows"), "/", "LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PWD=/"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}
