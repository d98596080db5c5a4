package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/term"
)

// watchPause is how long --watch waits between two looks.
const watchPause = 2 * time.Second

// eraseScreen moves to the upper left corner and erases what is there.
const eraseScreen = "\x1b[H\x1b[2J"

// watchable gives a command that shows how something is the flag --watch: it
// looks again and again until it is interrupted, also while the daemon is away.
func (a *app) watchable(cmd *cobra.Command) *cobra.Command {
	var watch bool
	cmd.Flags().BoolVar(&watch, "watch", false, "look again until interrupted")
	once := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !watch {
			return once(cmd, args)
		}
		return a.again(cmd.Context(), func() error { return once(cmd, args) })
	}
	return cmd
}

// again looks until ctx ends.
func (a *app) again(ctx context.Context, look func() error) error {
	a.frames = true
	pause := time.NewTicker(watchPause)
	defer pause.Stop()
	for {
		if err := a.frame(ctx, look); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// frame is one look of many. It is shown when it is whole, over the last one on a
// terminal, so that nothing flickers. What the status of a single look would be
// is of no interest, nor is a daemon that is away for a while.
func (a *app) frame(ctx context.Context, look func() error) error {
	streams := a.env.Streams
	defer func() { a.env.Streams = streams }()
	var out, messages bytes.Buffer
	a.env.Streams.Out, a.env.Streams.Err = &out, &messages
	err := look()
	_, isVerdict := errors.AsType[verdict](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case isVerdict, err == nil:
	case worthWaiting(err):
		p, failed := a.printer()
		if failed != nil {
			return failed
		}
		writeLine(&messages, p.paint.Mark(term.Bad)+" "+message(err))
		_, err = io.Copy(streams.Err, &messages)
		return err
	default:
		return err
	}
	if streams.OutTTY {
		if _, err := io.WriteString(streams.Out, eraseScreen); err != nil {
			return err
		}
	}
	if _, err := io.Copy(streams.Out, &out); err != nil {
		return err
	}
	_, err = io.Copy(streams.Err, &messages)
	return err
}
