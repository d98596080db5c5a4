package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newScheduleCmd makes the noun schedule.
func newScheduleCmd(a *app) *cobra.Command {
	return newGroup(group{
		use: "schedule", aliases: []string{"schedules"},
		short:    "When to send which prompt to which agent",
		long:     "A schedule says when to send which prompt to which agent.",
		examples: "  molecli schedule add hello --agent echo --cron '0 8 * * *' --prompt 'say hello'\n  molecli schedule list",
	}, newScheduleAddCmd(a), a.watchable(newScheduleListCmd(a)), a.watchable(newScheduleShowCmd(a)), newScheduleUpdateCmd(a), newScheduleRemoveCmd(a),
		newSchedulePauseCmd(a), newScheduleResumeCmd(a), newScheduleRunCmd(a), a.watchable(newScheduleNextCmd(a)), newScheduleDescribeCmd(a),
		newScheduleWhyCmd(a), newScheduleHistoryCmd(a), newScheduleImportCmd(a), newScheduleExportCmd(a))
}

// scheduleView is how schedules are shown.
func scheduleView() view[molecule.Schedule] {
	type S = molecule.Schedule
	return view[S]{
		noun:   "schedules",
		name:   func(s S) string { return s.Name },
		empty:  "molecli schedule add NAME --agent AGENT --cron '0 8 * * *' --prompt TEXT",
		record: scheduleRecord,
		columns: []column[S]{
			{Column: term.Column{Title: "NAME"}, cell: func(s S) term.Cell { return term.Text(s.Name) }},
			{Column: term.Column{Title: "AGENT", Drop: 3}, cell: func(s S) term.Cell { return term.Text(s.Agent) }},
			{Column: term.Column{Title: "CRON", Drop: 4}, cell: func(s S) term.Cell { return term.Text(s.Cron) }},
			{Column: term.Column{Title: "NEXT", Drop: 1}, cell: func(s S) term.Cell { return term.When(s.NextSlot) }},
			{Column: term.Column{Title: "LAST", Drop: 2}, cell: lastCell},
			{Column: term.Column{Title: "RECENT", Drop: 5}, cell: func(s S) term.Cell { return term.Text(strip(s.Recent)) }},
			{Column: term.Column{Title: "STATE"}, cell: scheduleStateCell},
			{Column: term.Column{Title: "POLICY"}, wide: true, cell: policyCell},
			{Column: term.Column{Title: "TZ"}, wide: true, cell: func(s S) term.Cell { return term.Text(s.TZ) }},
			{Column: term.Column{Title: "TIMEOUT"}, wide: true, cell: func(s S) term.Cell { return term.Text(s.Timeout.String()) }},
			{Column: term.Column{Title: "ID"}, wide: true, cell: func(s S) term.Cell { return term.Text(s.ID) }},
		},
	}
}

// scheduleStateCell shows the state, and failures in a row while it is active.
func scheduleStateCell(s molecule.Schedule) term.Cell {
	switch {
	case s.State == molecule.ScheduleError:
		return term.Toned(term.Bad, string(s.State))
	case s.State == molecule.ScheduleActive && s.FailureStreak > 0:
		return term.Toned(term.Warn, "active, failed "+strconv.Itoa(s.FailureStreak)+"x")
	case s.State == molecule.ScheduleActive:
		return term.Toned(term.Good, string(s.State))
	}
	return term.Toned(term.Faint, string(s.State))
}

// lastCell shows what became of the last slot whose story is over. One that is
// under way has no outcome yet, and another's does not belong to it.
func lastCell(s molecule.Schedule) term.Cell {
	if len(s.Recent) == 0 {
		return term.Cell{}
	}
	return outcomeAt(s.Recent[len(s.Recent)-1], s.LastEndedSlot)
}

// scheduleRecord is one schedule, a line for each fact.
func scheduleRecord(s molecule.Schedule) term.Record {
	rec := term.Record{
		{Title: "name", Cell: term.Text(s.Name)},
		{Title: "id", Cell: term.Text(s.ID)},
		{Title: "agent", Cell: term.Text(s.Agent)},
		{Title: "cron", Cell: term.Text(s.Cron)},
		{Title: "when", Cell: term.Text(s.Description)},
		{Title: "tz", Cell: term.Text(s.TZ)},
		{Title: "state", Cell: scheduleStateCell(s)},
		{Title: "reason", Cell: term.Text(s.Reason)},
		{Title: "next", Cell: term.When(s.NextSlot)},
		{Title: "due", Cell: term.When(s.DueAt)},
		{Title: "last", Cell: lastCell(s)},
		{Title: "recent", Cell: term.Text(strip(s.Recent))},
		{Title: "failures", Cell: term.Text(strconv.Itoa(s.FailureStreak) + " in a row")},
		{Title: "empty", Cell: term.Text(strconv.Itoa(s.EmptyStreak) + " in a row")},
		{Title: "fired", Cell: term.Text(strconv.Itoa(s.Fired) + " slots")},
		{Title: "timeout", Cell: term.Text(s.Timeout.String())},
	}
	rec = append(rec, policyRecord(s)...)
	return append(rec, term.Field{Title: "prompt", Cell: term.Text(s.Prompt)})
}

// newScheduleListCmd makes schedule list.
func newScheduleListCmd(a *app) *cobra.Command {
	var agent, state string
	narrow := fields{"agent": &agent, "state": &state}
	cmd := a.asks(leaf{
		use: "list", aliases: []string{"ls"},
		short: "List schedules",
		long: "Lists schedules: the next slot, the last one with its outcome, the last 14 outcomes as\n" +
			"a strip (✓ ok, · quiet, ○ empty, ✗ failed, ! blocked, » skipped, - missed), and the\n" +
			"state.",
		examples: "  molecli schedule list\n  molecli schedule list --state active --sort next",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		if err := narrow.read(s.config.Filter); err != nil {
			return err
		}
		return listPages(ctx, s, scheduleView(), func(ctx context.Context, limit int, cursor string) (molecule.Page[molecule.Schedule], error) {
			return s.client.Schedules(ctx, molecule.ScheduleFilter{
				Agent: agent, State: molecule.ScheduleState(state), Limit: limit, Cursor: cursor,
			})
		})
	})
	narrow.flags(cmd)
	completeFlag(cmd, "agent", a.completeAgents)
	completeFlag(cmd, "state", choices(scheduleStates()...))
	return cmd
}

// newScheduleShowCmd makes schedule show.
func newScheduleShowCmd(a *app) *cobra.Command {
	return a.scheduleVerb(leaf{
		use: "show NAME", aliases: []string{"get"},
		short:    "Show one schedule",
		long:     "Shows everything known about one schedule, by name or by a prefix of its id.",
		examples: "  molecli schedule show hello\n  molecli schedule show hello -o yaml",
	}, func(ctx context.Context, s *session, ref string) error {
		sched, err := s.client.Schedule(ctx, ref)
		if err != nil {
			return err
		}
		return scheduleView().one(s.printer, sched)
	})
}

// newScheduleRemoveCmd makes schedule remove.
func newScheduleRemoveCmd(a *app) *cobra.Command {
	return a.scheduleVerb(leaf{
		use: "remove NAME", aliases: []string{"rm", "delete"},
		short:    "Remove a schedule",
		long:     "Removes a schedule. The history of its runs is kept.",
		examples: "  molecli schedule remove hello\n  molecli schedule remove hello --yes",
	}, func(ctx context.Context, s *session, ref string) error {
		if err := s.confirm("schedule " + ref); err != nil {
			return err
		}
		if err := s.client.RemoveSchedule(ctx, ref); err != nil {
			return err
		}
		s.done("schedule %s removed", ref)
		return nil
	})
}

// newSchedulePauseCmd makes schedule pause.
func newSchedulePauseCmd(a *app) *cobra.Command {
	return a.scheduleVerb(leaf{
		use:      "pause NAME",
		short:    "Take a schedule's slots away",
		long:     "Pauses a schedule: until it is resumed it has no slots, and none is missed.",
		examples: "  molecli schedule pause hello\n  molecli schedule pause hello -q",
	}, changeSchedule("paused", (*client.Client).PauseSchedule))
}

// newScheduleResumeCmd makes schedule resume.
func newScheduleResumeCmd(a *app) *cobra.Command {
	return a.scheduleVerb(leaf{
		use:   "resume NAME",
		short: "Give a schedule slots again",
		long: "Resumes a paused schedule from its next slot on. Slots that passed while it was\n" +
			"paused never were.",
		examples: "  molecli schedule resume hello\n  molecli schedule resume hello -o json",
	}, changeSchedule("resumed", (*client.Client).ResumeSchedule))
}

// changeSchedule returns a verb that makes one change and shows the result.
func changeSchedule(what string, change func(*client.Client, context.Context, string) (molecule.Schedule, error)) func(context.Context, *session, string) error {
	return func(ctx context.Context, s *session, ref string) error {
		sched, err := change(s.client, ctx, ref)
		if err != nil {
			return err
		}
		s.done("schedule %s %s", sched.Name, what)
		if s.structured() || s.config.Output == outName {
			return scheduleView().one(s.printer, sched)
		}
		if !sched.NextSlot.IsZero() {
			s.note("next: %s", s.layout.Times.Format(sched.NextSlot))
		}
		return nil
	}
}

// scheduleVerb makes a command on one schedule.
func (a *app) scheduleVerb(l leaf, run func(ctx context.Context, s *session, ref string) error) *cobra.Command {
	l.args, l.complete = exactly("NAME"), a.completeSchedules
	return a.asks(l, func(ctx context.Context, s *session, args []string) error { return run(ctx, s, args[0]) })
}

// newScheduleRunCmd makes schedule run.
func newScheduleRunCmd(a *app) *cobra.Command {
	var detach bool
	cmd := a.scheduleVerb(leaf{
		use:   "run NAME",
		short: "Fire a schedule now and print the reply",
		long: "Fires a schedule now, besides its slots, waits, and prints the reply. The exit status\n" +
			"is that of the outcome: 0 for ok and quiet, 7 for timeout, 4 for blocked, else 1.",
		examples: "  molecli schedule run hello\n  molecli schedule run hello --detach",
	}, func(ctx context.Context, s *session, ref string) error {
		run, err := s.client.TriggerSchedule(ctx, ref)
		if err != nil {
			return err
		}
		return s.follow(ctx, run, detach)
	})
	cmd.Flags().BoolVar(&detach, "detach", false, "do not wait for the reply")
	return cmd
}
