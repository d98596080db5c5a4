package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newScheduleHistoryCmd makes schedule history.
func newScheduleHistoryCmd(a *app) *cobra.Command {
	var since string
	f := molecule.HistoryFilter{By: molecule.SpanDay}
	cmd := a.scheduleVerb(leaf{
		use:   "history NAME",
		short: "Sum up a schedule's runs by hours or days",
		long: "Sums up what became of a schedule's slots in each hour or day (UTC), newest first:\n" +
			"how many ran and how they ended, how long they took and how late they began. Runs\n" +
			"that were pruned are in the sums; hours go back less far than days do.",
		examples: "  molecli schedule history hello\n  molecli schedule history hello --by hour --since 36h -o json",
	}, func(ctx context.Context, s *session, ref string) error {
		var err error
		if f.Since, err = readSince(since, a.now()); err != nil {
			return err
		}
		if err := f.Validate(); err != nil {
			return err
		}
		return listPages(ctx, s, historyView(), func(ctx context.Context, limit int, cursor string) (molecule.Page[molecule.Period], error) {
			f.Limit, f.Cursor = limit, cursor
			return s.client.ScheduleHistory(ctx, ref, f)
		})
	})
	cmd.Flags().StringVar((*string)(&f.By), "by", string(f.By), "what to sum up: hour or day")
	cmd.Flags().StringVar(&since, "since", "", "how far back: 36h, 7d, a date or an instant (all that is kept when not given)")
	return cmd
}

// readSince reads how far back to look; the zero time for "".
func readSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, molecule.Errorf(molecule.Invalid, "--since %q is neither a length of time nor a date", text).
		WithHint("write it as 36h, 7d, 2026-11-24 or 2026-11-24T08:00:00Z")
}

// historyView is how periods are shown.
func historyView() view[molecule.Period] {
	type P = molecule.Period
	number := func(title string, drop int, n func(P) int) column[P] {
		return column[P]{Column: term.Column{Title: title, Drop: drop}, cell: func(p P) term.Cell { return term.Text(strconv.Itoa(n(p))) }}
	}
	lasting := func(title string, drop int, d func(P) (molecule.Spread, time.Duration)) column[P] {
		return column[P]{Column: term.Column{Title: title, Drop: drop}, cell: func(p P) term.Cell {
			s, d := d(p)
			if s.Runs == 0 {
				return term.Text("")
			}
			return term.Text(term.Span(d))
		}}
	}
	return view[P]{
		noun: "periods",
		name: func(p P) string { return p.Start.Format(time.RFC3339) },
		columns: []column[P]{
			{Column: term.Column{Title: "START"}, cell: func(p P) term.Cell { return term.Text(p.Start.Format(time.RFC3339)) }},
			number("RUNS", 0, func(p P) int { return p.Runs }),
			number("GOOD", 0, func(p P) int { return p.Count(molecule.Outcome.Good) }),
			{Column: term.Column{Title: "FAILED"}, cell: failedCell},
			{Column: term.Column{Title: "MISSED", Drop: 1}, cell: missedCell},
			number("OTHER", 2, otherOutcomes),
			lasting("TOOK", 4, func(p P) (molecule.Spread, time.Duration) { return p.Took, p.Took.Mean() }),
			lasting("LONGEST", 5, func(p P) (molecule.Spread, time.Duration) { return p.Took, p.Took.Max() }),
			lasting("LATE", 3, func(p P) (molecule.Spread, time.Duration) { return p.Lag, p.Lag.Mean() }),
			lasting("LATEST", 6, func(p P) (molecule.Spread, time.Duration) { return p.Lag, p.Lag.Max() }),
			{Column: term.Column{Title: "OUTCOMES"}, wide: true, cell: func(p P) term.Cell { return term.Text(outcomeCounts(p)) }},
		},
	}
}

// failedCell counts what went wrong at the agent.
func failedCell(p molecule.Period) term.Cell {
	n := p.Count(molecule.Outcome.Failure)
	if n == 0 {
		return term.Text("0")
	}
	return term.Toned(term.Bad, strconv.Itoa(n))
}

// missedCell counts the slots that nobody fired.
func missedCell(p molecule.Period) term.Cell {
	n := p.Missed()
	if n == 0 {
		return term.Text("0")
	}
	return term.Toned(term.Warn, strconv.Itoa(n))
}

// otherOutcomes counts what is in no column of its own: empty, blocked, skipped.
func otherOutcomes(p molecule.Period) int {
	return p.Count(func(o molecule.Outcome) bool { return !o.Good() && !o.Failure() && o != molecule.OutcomeMissed })
}

// outcomeCounts writes every outcome that there was and how often.
func outcomeCounts(p molecule.Period) string {
	var parts []string
	for _, o := range molecule.Outcomes() {
		if n := p.Outcomes[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", o, n))
		}
	}
	return strings.Join(parts, ", ")
}
