package execagent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// gate waits for a line on descriptor 3 and then becomes the command. Its
// process is known before the command begins; when the daemon dies first, the
// pipe closes and the command never runs.
const gate = `read -r _ <&3 || exit 125; exec 3<&-; exec "$@"`

// drainTime is how long output is awaited behind the end of a group: only a
// process that left the group can still hold our pipes.
const drainTime = time.Second

// ending says what ended a command.
type ending int

const (
	byItself ending = iota
	byContext
	byOutput // it said more than is read
)

// child is one command on its way.
type child struct {
	delivery molecule.Delivery
	grace    time.Duration
	cmd      *exec.Cmd
	group    group

	// Our ends of its pipes.
	gate   *os.File
	stdin  *os.File
	stdout *os.File
	stderr *os.File

	said     capped
	lastSaid tail
	tooMuch  chan struct{} // closed by said
	exited   chan struct{} // closed when the leader is a zombie
}

func newChild(r *Runner, d molecule.Delivery) *child {
	c := &child{delivery: d, grace: r.grace, tooMuch: make(chan struct{}), exited: make(chan struct{})}
	c.said.limit, c.said.full = maxStdout, func() { close(c.tooMuch) }
	return c
}

// start brings the command up to the point where it runs. With an error
// nothing of it ran.
func (c *child) start(ctx context.Context) error {
	e := c.delivery.Agent.Exec
	if e == nil || len(e.Argv) == 0 {
		return errors.New("the agent has no command")
	}
	// Both were there when the agent was made. The gate would only say 127, and
	// the kernel not which file it misses.
	if err := checkDir(e.Dir); err != nil {
		return err
	}
	if _, err := exec.LookPath(e.Argv[0]); err != nil {
		return fmt.Errorf("look for the program: %w", err)
	}
	if err := c.startGate(ctx, e); err != nil {
		return err
	}
	if err := c.open(); err != nil {
		return errors.Join(err, c.abandon())
	}
	return nil
}

// startGate starts the gate in a group of its own.
func (c *child) startGate(ctx context.Context, e *molecule.Exec) error {
	c.cmd = exec.Command("/bin/sh", append([]string{"-c", gate, "sh"}, e.Argv...)...)
	c.cmd.Dir = e.Dir
	deadline, _ := ctx.Deadline() // zero when there is none
	c.cmd.Env = environment(os.Environ(), c.delivery, deadline)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	theirs, err := c.pipes()
	if err == nil {
		c.cmd.Stdin, c.cmd.ExtraFiles = theirs[0], theirs[1:2]
		c.cmd.Stdout, c.cmd.Stderr = theirs[2], theirs[3]
		err = c.cmd.Start()
	}
	closeAll(theirs...)
	if err != nil {
		closeAll(c.stdin, c.gate, c.stdout, c.stderr)
		return fmt.Errorf("start the shell that waits: %w", err)
	}
	return nil
}

// pipes makes the four pipes and returns the ends of the command: standard
// input, gate, standard output, standard error.
func (c *child) pipes() (theirs []*os.File, err error) {
	for _, ours := range []**os.File{&c.stdin, &c.gate, &c.stdout, &c.stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return theirs, err
		}
		if len(theirs) < 2 {
			*ours, theirs = w, append(theirs, r)
		} else {
			*ours, theirs = r, append(theirs, w)
		}
	}
	return theirs, nil
}

// open notes the process group and lets the command run.
func (c *child) open() error {
	g, err := groupOf(c.cmd.Process.Pid)
	if err != nil {
		return err
	}
	c.group = g
	if err := c.delivery.Note(g.String()); err != nil {
		return fmt.Errorf("note the process group: %w", err)
	}
	if _, err := io.WriteString(c.gate, "go\n"); err != nil {
		return fmt.Errorf("tell the shell to go on: %w", err)
	}
	closeAll(c.gate)
	return nil
}

// abandon ends a gate that was not opened.
func (c *child) abandon() error {
	closeAll(c.gate, c.stdin, c.stdout, c.stderr)
	err := group{pgid: c.cmd.Process.Pid}.signal(syscall.SIGKILL)
	_ = c.cmd.Wait() // how it ended is our doing
	return err
}

// attend feeds the command and listens to it until it is over, and leaves
// nothing of its group behind.
func (c *child) attend(ctx context.Context) ending {
	var waits, reads sync.WaitGroup
	waits.Go(func() { // a command need not read its input: then this is EPIPE, or ends with Close
		_, _ = io.WriteString(c.stdin, c.delivery.Text)
		closeAll(c.stdin)
	})
	waits.Go(c.awaitExit)
	// What cannot be read was not said: a reader ends with the pipe.
	reads.Go(func() { _, _ = io.Copy(&c.said, c.stdout) })
	reads.Go(func() { _, _ = io.Copy(&c.lastSaid, c.stderr) })
	drained := make(chan struct{})
	waits.Go(func() { reads.Wait(); close(drained) })

	end := c.watch(ctx)
	// The leader is dead but not reaped: its number cannot be another's yet.
	_ = c.group.signal(syscall.SIGKILL) // what cannot be killed is found by gone
	closeAll(c.stdin)
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
	}
	closeAll(c.stdout, c.stderr)
	waits.Wait()
	_ = c.cmd.Wait() // the state says it all
	return end
}

// awaitExit closes exited when the leader has ended, and leaves it unreaped.
func (c *child) awaitExit() {
	defer close(c.exited)
	for {
		err := unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// watch returns when the leader has ended, by itself or because it had to.
func (c *child) watch(ctx context.Context) ending {
	select {
	case <-c.exited:
		return byItself
	case <-c.tooMuch:
		_ = c.group.signal(syscall.SIGKILL) // see attend
		<-c.exited
		return byOutput
	case <-ctx.Done():
	}
	select {
	case <-c.exited: // at the same moment: it was in time
		return byItself
	default:
	}
	_ = c.group.signal(syscall.SIGTERM) // KILL follows
	timer := time.NewTimer(c.grace)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		_ = c.group.signal(syscall.SIGKILL) // see attend
		<-c.exited
	}
	return byContext
}

// reply returns the facts of a command that has ended.
func (c *child) reply(ctx context.Context, end ending) molecule.Reply {
	r := molecule.Reply{Answered: true}
	said, over := c.said.result()
	exit := c.exit()
	valid := utf8.ValidString(said)
	switch {
	case end == byContext:
		r = ended(ctx)
	case end == byOutput || over:
		r.Failure, r.Detail = molecule.FailTooLarge, fmt.Sprintf("it wrote more than %d bytes to standard output", maxStdout)
	case !valid && exit.Code == 0:
		r.Failure, r.Detail = molecule.FailNotUTF8, "standard output"
	case said != "":
		r.Parts = []molecule.Part{{Text: strings.ToValidUTF8(said, "\uFFFD")}}
	}
	r.Exit = &exit
	return r
}

// exit says how the leader ended.
func (c *child) exit() molecule.Exit {
	x := molecule.Exit{Code: c.cmd.ProcessState.ExitCode(), Stderr: c.lastSaid.lastLines()}
	if ws, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		x.Signal = ws.Signal().String()
	}
	return x
}

// closeAll closes pipes; that one is closed already, or was never made, is
// fine.
func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
