package execagent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

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
// and returns when nothing of its process group is left. A delivery with a
// handle is one that an earlier process began: what is left of it is killed,
// and it is lost.
func (r *Runner) Deliver(ctx context.Context, d molecule.Delivery) molecule.Reply {
	if d.Run.Handle != "" {
		return r.bury(ctx, d)
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-ctx.Done():
		return ended(ctx)
	}
	c := newChild(r, d)
	if err := c.start(ctx); err != nil {
		return molecule.Reply{Failure: molecule.FailUnreachable, Detail: "the command was not started: " + err.Error()}
	}
	end := c.attend(ctx)
	if !c.group.gone(ctx) {
		r.log.WarnContext(ctx, "processes of a command do not end", "run", d.Run.ID, "group", c.group.pgid)
	}
	return c.reply(ctx, end)
}

// bury kills what an earlier process left behind.
func (r *Runner) bury(ctx context.Context, d molecule.Delivery) molecule.Reply {
	lost := molecule.Reply{Failure: molecule.FailLost, Answered: true}
	g, err := parseGroup(d.Run.Handle)
	if err != nil {
		lost.Detail = err.Error()
		return lost
	}
	if !g.leads() {
		// The number may be somebody else's by now.
		lost.Detail = fmt.Sprintf("its process group %d is not there any more", g.pgid)
		return lost
	}
	if err := g.signal(syscall.SIGKILL); err != nil {
		lost.Detail = err.Error()
		return lost
	}
	lost.Detail = fmt.Sprintf("its process group %d was still running and was killed", g.pgid)
	if !g.gone(ctx) {
		r.log.WarnContext(ctx, "processes of an earlier run do not end", "run", d.Run.ID, "group", g.pgid)
	}
	return lost
}

// ended says why ctx is over. That a command works too long, or waits for a
// place, does not mean that nobody is there: the agent is this machine.
func ended(ctx context.Context) molecule.Reply {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return molecule.Reply{Failure: molecule.FailDeadline, Answered: true}
	}
	return molecule.Reply{Failure: molecule.FailShutdown, Answered: true}
}
