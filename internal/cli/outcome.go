package cli

import (
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// outcomeTone says how an outcome looks.
func outcomeTone(o molecule.Outcome) term.Tone {
	switch {
	case o == "":
		return term.Busy
	case o.Good():
		return term.Good
	case o.Failure():
		return term.Bad
	}
	return term.Warn
}

// outcomeAt returns a cell with an instant and what happened then.
func outcomeAt(o molecule.Outcome, at time.Time) term.Cell {
	if o == "" {
		return term.When(at)
	}
	c := term.Toned(outcomeTone(o), string(o))
	c.At = at
	return c
}

// strip writes outcomes as one sign each, oldest first. The signs differ
// without colour.
func strip(outcomes []molecule.Outcome) string {
	var b strings.Builder
	for _, o := range outcomes {
		b.WriteString(sign(o))
	}
	return b.String()
}

// sign is the sign of one outcome.
func sign(o molecule.Outcome) string {
	switch o {
	case "":
		return "…"
	case molecule.OutcomeOK:
		return "✓"
	case molecule.OutcomeQuiet:
		return "·"
	case molecule.OutcomeEmpty:
		return "○"
	case molecule.OutcomeBlocked:
		return "!"
	case molecule.OutcomeSkippedOverlap:
		return "»"
	case molecule.OutcomeMissed:
		return "-"
	}
	return "✗"
}
