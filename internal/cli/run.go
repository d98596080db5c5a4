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

// newRunCmd makes the noun run.
func newRunCmd(a *app) *cobra.Command {
	return newGroup(group{
		use: "run", aliases: []string{"runs"},
		short:    "What became of slots and prompts",
		long:     "A run is what became of one slot of a schedule, or of one prompt sent by hand.",
		examples: "  molecli run list\n  molecli run list --outcome timeout",
	}, a.watchable(newRunListCmd(a)), a.watchable(newRunShowCmd(a)), newRunWatchCmd(a), newRunCancelCmd(a), newRunRetryCmd(a))
}

// newRunCancelCmd makes run cancel.
func newRunCancelCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use:   "cancel ID",
		short: "Tell whoever works on a run to stop",
		long: "Cancels a run: a local command is killed with all it started, another agent is told\n" +
			"to cancel its task. The run ends as canceled once they have stopped.",
		examples: "  molecli run cancel \"$(molecli schedule run hello --detach -o name)\"\n  molecli run list --open -o name | xargs -rn1 molecli run cancel",
		args:     exactly("ID"), complete: a.completeRuns,
	}, func(ctx context.Context, s *session, args []string) error {
		run, err := s.client.CancelRun(ctx, args[0])
		if err != nil {
			return err
		}
		s.done("run %s is being canceled", run.ID)
		return nil
	})
}

// newRunRetryCmd makes run retry.
func newRunRetryCmd(a *app) *cobra.Command {
	var detach bool
	cmd := a.asks(leaf{
		use:   "retry ID",
		short: "Repeat a run and print the reply",
		long: "Repeats a run that has ended, with the prompt it had, as a run of its own, waits, and\n" +
			"prints the reply. The exit status is that of the outcome.",
		examples: "  molecli run retry \"$(molecli run list -o name --limit 1)\"\n  molecli run retry \"$(molecli run list -o name --limit 1)\" --detach",
		args:     exactly("ID"), complete: a.completeRuns,
	}, func(ctx context.Context, s *session, args []string) error {
		run, err := s.client.RetryRun(ctx, args[0])
		if err != nil {
			return err
		}
		return s.follow(ctx, run, detach)
	})
	cmd.Flags().BoolVar(&detach, "detach", false, "do not wait for the reply")
	return cmd
}

// runView is how runs are shown. short, when not nil, maps an id to the prefix
// that tells it from the others on the screen.
func runView(short func(string) string) view[molecule.Run] {
	type R = molecule.Run
	if short == nil {
		short = func(id string) string { return id }
	}
	return view[R]{
		noun:   "runs",
		name:   func(r R) string { return r.ID },
		empty:  "molecli schedule run NAME",
		record: runRecord,
		columns: []column[R]{
			{Column: term.Column{Title: "ID"}, cell: func(r R) term.Cell { return term.Text(short(r.ID)) }},
			{Column: term.Column{Title: "SCHEDULE", Drop: 2}, cell: func(r R) term.Cell { return term.Text(r.Schedule) }},
			{Column: term.Column{Title: "AGENT", Drop: 4}, cell: func(r R) term.Cell { return term.Text(r.Agent) }},
			{Column: term.Column{Title: "SLOT", Drop: 1}, cell: func(r R) term.Cell { return term.When(r.Slot) }},
			{Column: term.Column{Title: "OUTCOME"}, cell: runOutcomeCell},
			{Column: term.Column{Title: "TOOK", Drop: 5}, cell: func(r R) term.Cell { return term.Text(took(r)) }},
			{Column: term.Column{Title: "REPLY", Drop: 3, Min: 12}, cell: func(r R) term.Cell { return term.Text(said(r)) }},
			{Column: term.Column{Title: "TRIGGER"}, wide: true, cell: func(r R) term.Cell { return term.Text(string(r.Trigger)) }},
			{Column: term.Column{Title: "ATTEMPT"}, wide: true, cell: func(r R) term.Cell { return term.Text(strconv.Itoa(r.Attempt)) }},
			{Column: term.Column{Title: "STATE"}, wide: true, cell: func(r R) term.Cell { return term.Text(string(r.State)) }},
		},
	}
}

// runOutcomeCell shows the outcome, or where an open run is on its way.
func runOutcomeCell(r molecule.Run) term.Cell {
	if r.Outcome == "" {
		return term.Toned(term.Busy, string(r.State))
	}
	text := string(r.Outcome)
	if r.Slots > 1 {
		text += " x" + strconv.Itoa(r.Slots)
	}
	return term.Toned(outcomeTone(r.Outcome), text)
}

// took returns how long a run took from its start.
func took(r molecule.Run) string {
	if r.StartedAt.IsZero() || r.EndedAt.IsZero() {
		return ""
	}
	return term.Span(r.EndedAt.Sub(r.StartedAt))
}

// said returns the reply, or why there is none.
func said(r molecule.Run) string {
	if r.Reply != "" {
		return r.Reply
	}
	return r.Reason
}

// spent says what a run cost, as far as its agent told.
func spent(u *molecule.Usage) string {
	if u == nil {
		return ""
	}
	var all []string
	if u.InputTokens != nil {
		all = append(all, fmt.Sprintf("%d tokens in", *u.InputTokens))
	}
	if u.OutputTokens != nil {
		all = append(all, fmt.Sprintf("%d tokens out", *u.OutputTokens))
	}
	if u.CostUSD != nil {
		all = append(all, "$"+strconv.FormatFloat(*u.CostUSD, 'f', -1, 64))
	}
	return strings.Join(all, ", ")
}

// runRecord is one run, a line for each fact and each attempt.
func runRecord(r molecule.Run) term.Record {
	rec := term.Record{
		{Title: "id", Cell: term.Text(r.ID)},
		{Title: "schedule", Cell: term.Text(r.Schedule)},
		{Title: "agent", Cell: term.Text(r.Agent)},
		{Title: "trigger", Cell: term.Text(string(r.Trigger))},
		{Title: "repeats", Cell: term.Text(r.RetryOf)},
		{Title: "slot", Cell: term.When(r.Slot)},
		{Title: "slot to", Cell: term.When(r.SlotTo)},
		{Title: "outcome", Cell: runOutcomeCell(r)},
		{Title: "reason", Cell: term.Text(r.Reason)},
		{Title: "due", Cell: term.When(r.DueAt)},
		{Title: "claimed", Cell: term.When(r.ClaimedAt)},
		{Title: "started", Cell: term.When(r.StartedAt)},
		{Title: "ended", Cell: term.When(r.EndedAt)},
		{Title: "took", Cell: term.Text(took(r))},
		{Title: "deadline", Cell: term.When(r.Deadline)},
		{Title: "message id", Cell: term.Text(r.MessageID)},
		{Title: "prompt", Cell: term.Text(r.Prompt)},
		{Title: "reply", Cell: term.Text(r.Reply)},
		{Title: "spent", Cell: term.Text(spent(r.Usage))},
	}
	for _, at := range r.Attempts {
		c := outcomeAt(at.Outcome, at.StartedAt)
		c.Text = strings.TrimSpace(c.Text + " " + at.Reason)
		rec = append(rec, term.Field{Title: "attempt " + strconv.Itoa(at.Number), Cell: c})
	}
	return rec
}

// newRunListCmd makes run list.
func newRunListCmd(a *app) *cobra.Command {
	var f molecule.RunFilter
	narrow := fields{"schedule": &f.Schedule, "agent": &f.Agent, "outcome": (*string)(&f.Outcome)}
	cmd := a.asks(leaf{
		use: "list", aliases: []string{"ls"},
		short: "List runs, newest first",
		long: "Lists runs, newest first. A row of outcome missed covers all slots that passed in one\n" +
			"stretch.",
		examples: "  molecli run list --limit 20\n  molecli run list --schedule hello -o jsonl",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		if err := narrow.read(s.config.Filter); err != nil {
			return err
		}
		return s.listRuns(ctx, f)
	})
	narrow.flags(cmd)
	completeFlag(cmd, "outcome", choices(namesOf(molecule.Outcomes(), func(o molecule.Outcome) string { return string(o) })...))
	cmd.Flags().BoolVar(&f.Open, "open", false, "only runs that have not ended")
	completeFlag(cmd, "schedule", a.completeSchedules)
	completeFlag(cmd, "agent", a.completeAgents)
	return cmd
}

// listRuns reads and writes runs, their ids as short as the screen allows.
func (s *session) listRuns(ctx context.Context, f molecule.RunFilter) error {
	return listShort(ctx, s, runView, func(ctx context.Context, limit int, cursor string) (molecule.Page[molecule.Run], error) {
		f.Limit, f.Cursor = limit, cursor
		return s.client.Runs(ctx, f)
	})
}

// newRunShowCmd makes run show.
func newRunShowCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "show ID", aliases: []string{"get"},
		short:    "Show one run",
		long:     "Shows one run with its prompt and every attempt, by a prefix of its id.",
		examples: "  molecli run show \"$(molecli run list -o name --limit 1)\"\n  molecli run show \"$(molecli run list -o name --limit 1)\" -o json",
		args:     exactly("ID"), complete: a.completeRuns,
	}, func(ctx context.Context, s *session, args []string) error {
		run, err := s.client.Run(ctx, args[0])
		if err != nil {
			return err
		}
		return runView(nil).one(s.printer, run)
	})
}

// newRunWatchCmd makes run watch: one run to its end, or all of them.
func newRunWatchCmd(a *app) *cobra.Command {
	var wait time.Duration
	cmd := a.asks(leaf{
		use:   "watch [ID]",
		short: "Wait for a run, or follow all",
		long: "With an id: waits until the run has ended, prints its reply and exits by its outcome.\n" +
			"Without: prints what happens to runs, until it is interrupted.",
		examples: "  molecli run watch \"$(molecli schedule run hello --detach -o name)\"\n  molecli run watch -o jsonl",
		args:     between(0, "ID"), complete: a.completeRuns,
	}, func(ctx context.Context, s *session, args []string) error {
		return patiently(ctx, wait, func(ctx context.Context) error {
			if len(args) == 0 {
				return s.watchEvents(ctx, eventWatch{types: []string{"run."}, after: -1})
			}
			run, err := s.client.WaitRun(ctx, args[0])
			if err != nil {
				return err
			}
			return s.conclude(run)
		})
	})
	cmd.Flags().DurationVar(&wait, "wait", 0, "give up after this long; 0 is never")
	return cmd
}
