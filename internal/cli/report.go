package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// verdict ends a command with a status that its output has explained.
type verdict int

// Error returns the status in words, for a caller that prints it after all.
func (v verdict) Error() string { return fmt.Sprintf("exit status %d", int(v)) }

// judged returns nil for status 0, and the status as an error otherwise.
func judged(status int) error {
	if status == wire.ExitOK {
		return nil
	}
	return verdict(status)
}

// exitOf returns the exit status for what a command returned.
func exitOf(ctx context.Context, err error) int {
	if err == nil {
		return wire.ExitOK
	}
	if v, ok := errors.AsType[verdict](err); ok {
		return int(v)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return wire.ExitInterrupted
	}
	if _, ok := errors.AsType[*client.Unreachable](err); ok {
		return wire.ExitUnreachable
	}
	return wire.ExitOf(molecule.CodeOf(err))
}

// report writes an error to standard error and returns the exit status.
func (a *app) report(ctx context.Context, err error) int {
	status := exitOf(ctx, err)
	_, explained := errors.AsType[verdict](err)
	if err == nil || explained {
		return status
	}
	mode, debug, org := term.ColorAuto, false, ""
	if a.values != nil {
		mode, debug, org = a.values.config.Color, a.values.config.Debug, a.values.config.Org
	}
	w, paint := a.env.Streams.Err, term.NewPalette(mode, a.env.Streams.ErrTTY, a.env.Lookup)
	if status == wire.ExitInterrupted {
		writeLine(w, paint.Mark(term.Warn)+" interrupted")
		return status
	}
	writeLine(w, paint.Mark(term.Bad)+" "+message(err))
	if hint := hintOf(err, org); hint != "" {
		writeLine(w, "try: "+term.CleanText(hint))
	}
	if debug {
		writeLine(w, "debug: "+term.CleanText(err.Error()))
	}
	return status
}

// message returns what to say of err: the safe text of a coded error with the
// plain cause of one that was made here, or the whole chain.
func message(err error) string {
	if e, ok := errors.AsType[*molecule.Error](err); ok && e.Code != molecule.Internal {
		return term.CleanText(e.Error())
	}
	return term.CleanText(err.Error())
}

// hintOf returns what to do next. The daemon answers a wrong organisation like
// an unknown name, so the hint says that it may be one.
func hintOf(err error, org string) string {
	hint := molecule.HintOf(err)
	if hint == "" && molecule.CodeOf(err) == molecule.NotFound {
		if org != "" {
			return fmt.Sprintf("check the name, and the organisation: a wrong one looks the same (org is %s)", org)
		}
		return "check the name, and whether the daemon needs --org: a wrong one looks the same"
	}
	return hint
}

// writeLine writes one line of a message. A screen that is gone cannot be told.
func writeLine(w io.Writer, s string) {
	_, _ = io.WriteString(w, strings.TrimRight(s, "\n")+"\n") // nowhere left to report to
}
