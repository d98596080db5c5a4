package execagent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// gate waits for a line on descriptor 3 and then becomes the command. Its
// process is known before the command begins; when the daemon dies first, the
// pipe closes and the command never runs.
const gate = `read -r _ <&3 || exit 125; exec 3<&-; exec "$@"`

// Options are what a Runner needs.
type Options struct {
	Log         *slog.Logger
	MaxChildren int           // commands running at once; zero is 64
	StopGrace   time.Duration // from TERM to KILL; zero is 5 s
}

// Runner starts commands. It may be used by several goroutines.
type Runner struct {
	log    *slog.Logger
	grace  time.Duration
	places chan struct{} // one for each command running
}

// New returns a Runner.
func New(o Options) *Runner {
	if o.MaxChildren == 0 {
		o.MaxChildren = 64
	}
	if o.StopGrace == 0 {
		o.StopGrace = 5 * time.Second
	}
	return &Runner{log: o.Log, grace: o.StopGrace, places: make(chan struct{}, o.MaxChildren)}
}

// Deliver runs the command of an agent with the prompt on its standard input
// and returns when nothing of it is left. A delivery with a handle is one that
// an earlier process began: what is left of it is killed, and it is lost.
func (r *Runner) Deliver(ctx context.Context, d molecule.Delivery) molecule.Reply {
	if d.Run.Handle != "" {
		return r.bury(d)
	}
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-ctx.Done():
		return ended(ctx)
	}
	c := &child{log: r.log, grace: r.grace, delivery: d}
	return c.run(ctx)
}

// bury kills what an earlier process left behind.
func (r *Runner) bury(d molecule.Delivery) molecule.Reply {
	lost := molecule.Reply{Failure: molecule.FailLost, Answered: true}
	g, err := parseGroup(d.Run.Handle)
	if err != nil {
		lost.Detail = err.Error()
		return lost
	}
	if !g.leads() {
		return lost // the number may be somebody else's by now
	}
	if err := g.signal(syscall.SIGKILL); err != nil {
		lost.Detail = err.Error()
		return lost
	}
	lost.Detail = fmt.Sprintf("its process group %d was still running and was killed", g.pgid)
	return lost
}

// ended says why ctx is over.
func ended(ctx context.Context) molecule.Reply {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return molecule.Reply{Failure: molecule.FailDeadline, Answered: true}
	}
	return molecule.Reply{Failure: molecule.FailShutdown}
}

// child is one command on its way.
type child struct {
	log      *slog.Logger
	grace    time.Duration
	delivery molecule.Delivery
	cmd      *exec.Cmd
	group    group
	killer   *time.Timer // KILL behind TERM; set by kill, which Wait waits for
	stdout   capped
	stderr   tail
}

// run starts the command, waits for it and clears up.
func (c *child) run(ctx context.Context) molecule.Reply {
	// Ends early when the command says more than is read.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.stdout.limit, c.stdout.full = maxStdout, stop
	open, err := c.start(ctx)
	if err != nil {
		return molecule.Reply{Failure: molecule.FailUnreachable, Detail: err.Error()}
	}
	if failed := c.begin(open); failed != nil {
		return *failed
	}
	werr := c.cmd.Wait() // kills the group when ctx ends
	if c.killer != nil {
		c.killer.Stop()
	}
	if err := c.group.signal(syscall.SIGKILL); err != nil {
		c.log.ErrorContext(ctx, "clear up after a command", "run", c.delivery.Run.ID, "err", err)
	}
	return c.reply(ctx, werr)
}

// start starts the gate. The command begins when a line is written to open.
func (c *child) start(ctx context.Context) (open io.WriteCloser, err error) {
	e := c.delivery.Agent.Exec
	if e == nil || len(e.Argv) == 0 {
		return nil, errors.New("the agent has no command")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	c.cmd = exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", gate, "sh"}, e.Argv...)...)
	c.cmd.Dir = e.Dir
	c.cmd.Env = environment(c.delivery, e.PassEnv)
	c.cmd.Stdin = strings.NewReader(c.delivery.Text)
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, &c.stderr
	c.cmd.ExtraFiles = []*os.File{r}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Cancel = c.kill
	c.cmd.WaitDelay = c.grace + time.Second // for grandchildren that keep our pipes
	err = c.cmd.Start()
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start: %w", err), w.Close())
	}
	return w, nil
}

// begin notes the process group and then lets the command run. The reply is
// why it did not.
func (c *child) begin(open io.WriteCloser) *molecule.Reply {
	g, err := groupOf(c.cmd.Process.Pid)
	if err == nil {
		c.group = g
		err = c.delivery.Note(g.String())
	}
	if err == nil {
		_, err = io.WriteString(open, "go\n")
	}
	if cerr := open.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		return nil
	}
	// The gate saw the pipe close, or is killed with its group: nothing ran.
	kerr := group{pgid: c.cmd.Process.Pid}.signal(syscall.SIGKILL)
	_ = c.cmd.Wait() // its end is ours
	return &molecule.Reply{
		Failure: molecule.FailUnreachable,
		Detail:  "it was not started: " + errors.Join(err, kerr).Error(),
	}
}

// kill ends the group: TERM, and KILL for what is left after the grace. It is
// called as soon as the gate runs, so it knows the group by its leader only.
func (c *child) kill() error {
	g := group{pgid: c.cmd.Process.Pid}
	if err := g.signal(syscall.SIGTERM); err != nil {
		return err
	}
	c.killer = time.AfterFunc(c.grace, func() {
		_ = g.signal(syscall.SIGKILL) // gone is what is wanted
	})
	return nil
}

// reply returns the facts of a command that has ended.
func (c *child) reply(ctx context.Context, werr error) molecule.Reply {
	said, over := c.stdout.result()
	switch {
	case over:
		return molecule.Reply{Failure: molecule.FailTooLarge, Answered: true, Detail: fmt.Sprintf("more than %d bytes", maxStdout)}
	case ctx.Err() != nil:
		return ended(ctx)
	}
	state := c.cmd.ProcessState
	if state == nil {
		return molecule.Reply{Failure: molecule.FailBroken, Answered: true, Detail: fmt.Sprint(werr)}
	}
	if !utf8.ValidString(said) {
		return molecule.Reply{Failure: molecule.FailNotUTF8, Answered: true}
	}
	r := molecule.Reply{Answered: true, Exit: &molecule.Exit{Code: state.ExitCode(), Stderr: c.stderr.lastLines()}}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		r.Exit.Signal = ws.Signal().String()
	}
	if said != "" {
		r.Parts = []molecule.Part{{Text: said}}
	}
	return r
}

// passed are the variables every command may see.
var passed = []string{ // never written
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR",
}

// environment returns what a command sees: a short list of the daemon's own
// variables, those its agent names, and what the run is about.
func environment(d molecule.Delivery, more []string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "LC_") {
			env = append(env, kv)
		}
	}
	for _, name := range append(append([]string{}, passed...), more...) {
		if v, ok := os.LookupEnv(name); ok && name != "NOTIFY_SOCKET" {
			env = append(env, name+"="+v)
		}
	}
	return append(env,
		"MOLECULE_RUN_ID="+d.Run.ID,
		"MOLECULE_SCHEDULE="+d.Run.Schedule,
		"MOLECULE_SLOT="+d.Run.Slot.UTC().Format(time.RFC3339),
		fmt.Sprintf("MOLECULE_ATTEMPT=%d", d.Attempt),
		"MOLECULE_DEADLINE="+d.Run.Deadline.UTC().Format(time.RFC3339),
	)
}
