package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

const (
	// maxAnswer bounds what a program says.
	maxAnswer = 64 << 10
	// drainTime is how long the end of an answer is awaited behind the end of the
	// program: something it started may still hold the pipe.
	drainTime = time.Second
)

var (
	errFlood = errors.New("it said more than 64 KiB")
	errSlow  = errors.New("it did not answer in time")
)

// environment is all that a program finds in its own.
func environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
}

// run starts a program in a group of its own, and leaves nothing of it behind.
func run(ctx context.Context, command string, input []byte, limit time.Duration) ([]byte, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errSlow)
	defer cancel()
	said := &capped{full: func() { stop(errFlood) }}
	cmd := exec.CommandContext(ctx, command)
	cmd.Dir, cmd.Env = "/", environment()
	cmd.Stdin, cmd.Stdout = bytes.NewReader(input), said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	killGroup := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = killGroup, drainTime
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	err := cmd.Wait()
	// While anything it started is left, the number of the group is no other's.
	_ = killGroup() // nothing left is what we want
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return said.kept.Bytes(), err
}

// capped keeps what is written, and calls full when it is too much.
type capped struct {
	kept bytes.Buffer
	full func()
}

// Write keeps b, or as much of it as may be said.
func (c *capped) Write(b []byte) (int, error) {
	if room := maxAnswer - c.kept.Len(); len(b) > room {
		c.full()
		return 0, errFlood
	}
	return c.kept.Write(b)
}

// failed is the error for a program that did not come to an answer.
func (e cell) failed(ctx context.Context, err error) error {
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", e.place, context.Cause(ctx))
	case errors.Is(err, errSlow):
		return molecule.Errorf(molecule.Timeout, "%s did not answer within %s and was killed", e.place, e.limit).
			WithHint("see what it waits for")
	case errors.Is(err, errFlood):
		return e.wrong("it said more than %d bytes and was killed", maxAnswer)
	case errors.Is(err, exec.ErrWaitDelay):
		return e.wrong("it ended and left something running that holds its output")
	case exited:
		return e.wrong("it ended with %s", exit.ProcessState)
	}
	return sink.Unreachable(e.place, err)
}
