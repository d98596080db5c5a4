package execagent

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func newRunner(grace time.Duration) *Runner {
	return New(Options{Log: slog.New(slog.DiscardHandler), StopGrace: grace})
}

// notes keeps the handle of a delivery.
type notes struct{ handle string }

func (n *notes) keep(handle string) error {
	n.handle = handle
	return nil
}

// group returns the group that was noted.
func (n *notes) group(t *testing.T) group {
	t.Helper()
	g, err := parseGroup(n.handle)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// delivery is one of prompt to a shell that runs script.
func delivery(script, prompt string) (molecule.Delivery, *notes) {
	n := &notes{}
	return molecule.Delivery{
		Agent:   molecule.Agent{Name: "a", Kind: molecule.AgentExec, Exec: &molecule.Exec{Argv: []string{"/bin/sh", "-c", script}}},
		Run:     molecule.Run{ID: "run-1", Schedule: "hello", Slot: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)},
		Text:    prompt,
		Attempt: 2,
		Note:    n.keep,
	}, n
}

// line is a named pipe on which a command shows that it lives: the reading end
// ends when the last process that holds the writing end is dead.
type line struct {
	path string
	r    *bufio.Reader
}

func newLine(t *testing.T) *line {
	t.Helper()
	l := &line{path: filepath.Join(t.TempDir(), "line")}
	if err := syscall.Mkfifo(l.path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Read and write, so that opening waits for nobody.
	f, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	l.r = bufio.NewReader(f)
	return l
}

// awaitReady waits until the command has written a line.
func (l *line) awaitReady(t *testing.T) {
	t.Helper()
	if _, err := l.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
}

// requireDead fails while a process holds the pipe for writing.
func (l *line) requireDead(t *testing.T) {
	t.Helper()
	holders, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range holders {
		target, err := os.Readlink(fd)
		if err == nil && target == l.path && !strings.HasPrefix(fd, "/proc/"+self(t)+"/") {
			t.Errorf("%s still holds %s", fd, l.path)
		}
	}
}

func self(t *testing.T) string {
	t.Helper()
	pid, err := os.Readlink("/proc/self")
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// expiring is a context whose deadline passes when the test says so.
type expiring struct {
	context.Context
	passed chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.passed }

func (e expiring) Err() error {
	select {
	case <-e.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestDeliver_returnsTheFacts(t *testing.T) {
	t.Parallel()
	say := func(text string) []molecule.Part { return []molecule.Part{{Text: text}} }
	tests := []struct {
		name   string
		script string
		prompt string
		want   molecule.Reply
	}{
		{name: "reply", script: "tr a-z A-Z", prompt: "say hello",
			want: molecule.Reply{Parts: say("SAY HELLO"), Exit: &molecule.Exit{}}},
		{name: "nothing said", script: "exit 0",
			want: molecule.Reply{Exit: &molecule.Exit{}}},
		{name: "exit status and what it said", script: "echo one; echo two >&2; echo three >&2; exit 3",
			want: molecule.Reply{Parts: say("one\n"), Exit: &molecule.Exit{Code: 3, Stderr: "two\nthree"}}},
		{name: "exit status that looks like a signal", script: "exit 137",
			want: molecule.Reply{Exit: &molecule.Exit{Code: 137}}},
		{name: "ended by a signal", script: "kill -KILL $$",
			want: molecule.Reply{Exit: &molecule.Exit{Code: -1, Signal: "killed"}}},
		{name: "never reads a long prompt", script: "exec <&-; echo done", prompt: strings.Repeat("x", 256<<10),
			want: molecule.Reply{Parts: say("done\n"), Exit: &molecule.Exit{}}},
		{name: "leaves a long prompt unread", script: "echo done", prompt: strings.Repeat("x", 256<<10),
			want: molecule.Reply{Parts: say("done\n"), Exit: &molecule.Exit{}}},
		{name: "reads a long prompt late", script: "echo begin; wc -c | tr -d ' '", prompt: strings.Repeat("x", 256<<10),
			want: molecule.Reply{Parts: say("begin\n262144\n"), Exit: &molecule.Exit{}}},
		{name: "not UTF-8", script: `printf 'a\377'`,
			want: molecule.Reply{Failure: molecule.FailNotUTF8, Detail: "standard output", Exit: &molecule.Exit{}}},
		{name: "not UTF-8 and failed", script: `printf 'a\377'; exit 1`,
			want: molecule.Reply{Parts: say("a\uFFFD"), Exit: &molecule.Exit{Code: 1}}},
		{name: "just not too much", script: "head -c 1048576 /dev/zero | tr '\\0' x",
			want: molecule.Reply{Parts: say(strings.Repeat("x", 1<<20)), Exit: &molecule.Exit{}}},
		{name: "too much", script: "head -c 1048577 /dev/zero",
			want: molecule.Reply{Failure: molecule.FailTooLarge, Detail: "it wrote more than 1048576 bytes to standard output"}},
		{name: "too much without end", script: "cat /dev/zero",
			want: molecule.Reply{Failure: molecule.FailTooLarge, Detail: "it wrote more than 1048576 bytes to standard output"}},
		{name: "last lines of a long complaint", script: "head -c 300000 /dev/zero >&2; seq 1 12 >&2; exit 1",
			want: molecule.Reply{Exit: &molecule.Exit{Code: 1, Stderr: "3\n4\n5\n6\n7\n8\n9\n10\n11\n12"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, n := delivery(tt.script, tt.prompt)
			got := newRunner(time.Minute).Deliver(t.Context(), d)
			tt.want.Answered = true
			if tt.want.Failure == molecule.FailTooLarge {
				got.Exit = nil // how it dies depends on where it is
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("reply (-got +want):\n%s", diff)
			}
			if g := n.group(t); g.lives() {
				t.Errorf("group %d is still there", g.pgid)
			}
		})
	}
}

func TestDeliver_tellsTheCommandAboutItsRun(t *testing.T) {
	t.Parallel()
	d, _ := delivery(`echo "$MOLECULE_RUN_ID $MOLECULE_SCHEDULE $MOLECULE_SLOT $MOLECULE_ATTEMPT $MOLECULE_DEADLINE"; pwd`, "")
	d.Agent.Exec.Dir = "/"
	deadline := time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	got := newRunner(0).Deliver(ctx, d)
	want := []molecule.Part{{Text: "run-1 hello 2026-11-23T08:00:00Z 2 2100-01-02T03:04:05Z\n/\n"}}
	if diff := cmp.Diff(got.Parts, want); diff != "" {
		t.Errorf("what it saw (-got +want):\n%s", diff)
	}
}

// family is a command with a child and a grandchild, all holding the pipe $0
// and none ending on TERM.
const family = `trap '' TERM; exec 9>"$0"; (sh -c "echo ready >&9; sleep 60" & sleep 60) & sleep 60`

// patient ends on TERM and says so.
const patient = `exec 9>"$0"; trap 'echo stopped >&2; exit 0' TERM; echo partly; echo ready >&9; sleep 60 & wait`

func TestDeliver_endsTheWholeGroup(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		script string
		grace  time.Duration
		cancel bool // else the deadline passes
		want   molecule.Reply
	}{
		{name: "deadline, TERM ignored", script: family, grace: time.Millisecond,
			want: molecule.Reply{Failure: molecule.FailDeadline, Exit: &molecule.Exit{Code: -1, Signal: "killed"}}},
		{name: "deadline, TERM obeyed", script: patient, grace: time.Hour,
			want: molecule.Reply{Failure: molecule.FailDeadline, Exit: &molecule.Exit{Stderr: "stopped"}}},
		{name: "shutdown, TERM ignored", script: family, grace: time.Millisecond, cancel: true,
			want: molecule.Reply{Failure: molecule.FailShutdown, Exit: &molecule.Exit{Code: -1, Signal: "killed"}}},
		{name: "shutdown, TERM obeyed", script: patient, grace: time.Hour, cancel: true,
			want: molecule.Reply{Failure: molecule.FailShutdown, Exit: &molecule.Exit{Stderr: "stopped"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			alive := newLine(t)
			d, n := delivery(tt.script, "prompt")
			d.Agent.Exec.Argv = append(d.Agent.Exec.Argv, alive.path)
			canceled, cancel := context.WithCancel(t.Context())
			defer cancel()
			ctx, stop := canceled, cancel
			if !tt.cancel {
				passed := make(chan struct{})
				ctx, stop = expiring{Context: t.Context(), passed: passed}, func() { close(passed) }
			}
			var got molecule.Reply
			var wg sync.WaitGroup
			wg.Go(func() { got = newRunner(tt.grace).Deliver(ctx, d) })
			alive.awaitReady(t)
			stop()
			wg.Wait()
			tt.want.Answered = true
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("reply (-got +want):\n%s", diff)
			}
			alive.requireDead(t)
			if g := n.group(t); g.lives() {
				t.Errorf("group %d is still there", g.pgid)
			}
		})
	}
}

func TestDeliver_endsWithItsLeader(t *testing.T) {
	t.Parallel()
	alive := newLine(t)
	// The child keeps standard output and would for a minute.
	d, _ := delivery(`exec 9>"$0"; sh -c 'echo ready >&9; sleep 60' & read -r go; echo done`, "go\n")
	d.Agent.Exec.Argv = append(d.Agent.Exec.Argv, alive.path)
	got := newRunner(time.Hour).Deliver(t.Context(), d)
	want := molecule.Reply{Answered: true, Parts: []molecule.Part{{Text: "done\n"}}, Exit: &molecule.Exit{}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("reply (-got +want):\n%s", diff)
	}
	alive.requireDead(t)
}

func TestDeliver_isNotHeldUpByWhatLeftTheGroup(t *testing.T) {
	t.Parallel()
	d, _ := delivery(`setsid sh -c 'echo out >&9; exec sleep 60' 9>"$0" & read -r out <"$0"; echo $!`, "")
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	d.Agent.Exec.Argv = append(d.Agent.Exec.Argv, fifo)
	got := newRunner(time.Hour).Deliver(t.Context(), d)
	if got.Failure != "" || len(got.Parts) != 1 {
		t.Fatalf("reply %+v, want one with the number of a process", got)
	}
	pid, ok := strings.CutSuffix(got.Parts[0].Text, "\n")
	if err := exec.Command("/bin/kill", "-KILL", pid).Run(); !ok || err != nil {
		t.Errorf("kill %q: %v; it should have lived on, out of our group", pid, err)
	}
}

func TestDeliver_doesNotRunWhatCannotBeNoted(t *testing.T) {
	t.Parallel()
	touched := filepath.Join(t.TempDir(), "touched")
	d, _ := delivery(`touch "$0"`, "")
	d.Agent.Exec.Argv = append(d.Agent.Exec.Argv, touched)
	var g group
	d.Note = func(handle string) error {
		var err error
		if g, err = parseGroup(handle); err != nil {
			t.Error(err)
		}
		if !g.leads() {
			t.Errorf("%s is not there while it is noted", handle)
		}
		return errors.New("disk full")
	}
	got := newRunner(0).Deliver(t.Context(), d)
	want := molecule.Reply{Failure: molecule.FailUnreachable, Detail: "the command was not started: note the process group: disk full"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("reply (-got +want):\n%s", diff)
	}
	if _, err := os.Stat(touched); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the command ran: %v", err)
	}
	if !errors.Is(syscall.Kill(g.pgid, 0), syscall.ESRCH) {
		t.Errorf("the shell %d that waited is still there", g.pgid)
	}
}

func TestDeliver_saysWhyNothingStarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := []struct {
		name string
		exec *molecule.Exec
		want string // within the detail
	}{
		{name: "no command", want: "the agent has no command"},
		{name: "program vanished", exec: &molecule.Exec{Argv: []string{filepath.Join(dir, "gone")}}, want: filepath.Join(dir, "gone")},
		{name: "program not executable", exec: &molecule.Exec{Argv: []string{"/etc/passwd"}}, want: "permission denied"},
		{name: "directory vanished", exec: &molecule.Exec{Argv: []string{"/bin/sh"}, Dir: filepath.Join(dir, "gone")}, want: filepath.Join(dir, "gone")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, n := delivery("", "")
			d.Agent.Exec = tt.exec
			got := newRunner(0).Deliver(t.Context(), d)
			if got.Failure != molecule.FailUnreachable || got.Answered || !strings.Contains(got.Detail, tt.want) {
				t.Errorf("reply %+v, want unreachable with %q", got, tt.want)
			}
			if n.handle != "" {
				t.Errorf("noted %q, though nothing started", n.handle)
			}
		})
	}
}

func TestDeliver_waitsForAPlace(t *testing.T) {
	t.Parallel()
	r := New(Options{Log: slog.New(slog.DiscardHandler), MaxChildren: 1})
	r.places <- struct{}{} // somebody else's
	d, n := delivery("echo ran", "")
	passed := make(chan struct{})
	ctx := expiring{Context: t.Context(), passed: passed}
	var got molecule.Reply
	var wg sync.WaitGroup
	wg.Go(func() { got = r.Deliver(ctx, d) })
	close(passed)
	wg.Wait()
	if diff := cmp.Diff(got, molecule.Reply{Failure: molecule.FailDeadline, Answered: true}); diff != "" || n.handle != "" {
		t.Errorf("without a place, noted %q (-got +want):\n%s", n.handle, diff)
	}
	<-r.places
	for range 2 { // the first gives its place back
		if got := r.Deliver(t.Context(), d); got.Failure != "" {
			t.Errorf("with a place: %+v", got)
		}
	}
}

// leftover starts a group as an earlier daemon would have left it.
func leftover(t *testing.T) (*exec.Cmd, group, *line) {
	t.Helper()
	alive := newLine(t)
	cmd := exec.Command("/bin/sh", "-c", `exec 9>"$0"; sh -c 'echo ready >&9; sleep 60' & wait`, alive.path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = cmd.Wait() }) // killed, whoever does it
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	alive.awaitReady(t)
	g, err := groupOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, g, alive
}

func TestDeliver_killsWhatAnEarlierProcessLeft(t *testing.T) {
	t.Parallel()
	_, g, alive := leftover(t)
	d, n := delivery("echo again", "")
	d.Run.Handle = g.String()
	got := newRunner(0).Deliver(t.Context(), d)
	if got.Failure != molecule.FailLost || !strings.HasSuffix(got.Detail, "was still running and was killed") {
		t.Errorf("reply %+v, want lost and killed", got)
	}
	alive.requireDead(t)
	if n.handle != "" {
		t.Errorf("the command ran again as %s", n.handle)
	}
}

func TestDeliver_sparesWhoeverHasTheNumberNow(t *testing.T) {
	t.Parallel()
	_, g, _ := leftover(t)
	tests := []struct {
		name   string
		handle string
	}{
		{name: "another start", handle: group{boot: g.boot, pgid: g.pgid, start: g.start + "0"}.String()},
		{name: "another boot", handle: group{boot: "0", pgid: g.pgid, start: g.start}.String()},
		{name: "ourselves", handle: "exec:" + g.boot + ":0:" + g.start},
		{name: "everybody", handle: "exec:" + g.boot + ":-1:" + g.start},
		{name: "init", handle: "exec:" + g.boot + ":1:" + g.start},
		{name: "a task of an agent", handle: "task:" + g.boot},
		{name: "not a number", handle: "exec:" + g.boot + ":x:" + g.start},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, _ := delivery("echo again", "")
			d.Run.Handle = tt.handle
			got := newRunner(0).Deliver(t.Context(), d)
			if got.Failure != molecule.FailLost || got.Detail == "" || strings.Contains(got.Detail, "was killed") {
				t.Errorf("reply %+v, want lost and nothing killed", got)
			}
			if !g.leads() {
				t.Error("it was killed")
			}
		})
	}
}
