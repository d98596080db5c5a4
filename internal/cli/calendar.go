package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newCalendarCmd makes the noun calendar.
func newCalendarCmd(a *app) *cobra.Command {
	return newGroup(group{
		use: "calendar", aliases: []string{"calendars"},
		short: "Days on which schedules do not fire",
		long: "A calendar is a named list of days on which the schedules that name it do not fire.\n" +
			"A day is a date in the zone of the schedule.",
		examples: "  molecli calendar add holidays 2026-12-24..2027-01-02\n  molecli schedule update hello --exclude holidays",
	}, newCalendarAddCmd(a), newCalendarListCmd(a), newCalendarShowCmd(a), newCalendarUpdateCmd(a), newCalendarRemoveCmd(a))
}

// calendarView is how calendars are shown.
func calendarView() view[molecule.Calendar] {
	type C = molecule.Calendar
	return view[C]{
		noun:  "calendars",
		name:  func(c C) string { return c.Name },
		empty: "molecli calendar add NAME 2026-12-25 …",
		record: func(c C) term.Record {
			return term.Record{
				{Title: "name", Cell: term.Text(c.Name)},
				{Title: "days", Cell: term.Text(daysText(c.Days))},
				{Title: "updated", Cell: term.When(c.UpdatedAt)},
			}
		},
		columns: []column[C]{
			{Column: term.Column{Title: "NAME"}, cell: func(c C) term.Cell { return term.Text(c.Name) }},
			{Column: term.Column{Title: "RANGES"}, cell: func(c C) term.Cell { return term.Text(strconv.Itoa(len(c.Days))) }},
			{Column: term.Column{Title: "DAYS", Min: 12}, cell: func(c C) term.Cell { return term.Text(daysText(c.Days)) }},
			{Column: term.Column{Title: "UPDATED"}, wide: true, cell: func(c C) term.Cell { return term.When(c.UpdatedAt) }},
		},
	}
}

func daysText(days []molecule.DayRange) string {
	words := make([]string, len(days))
	for i, d := range days {
		words[i] = d.String()
	}
	return strings.Join(words, " ")
}

// readCalendar makes a calendar of a name and days as they are typed.
func readCalendar(name string, days []string) (molecule.Calendar, error) {
	c := molecule.Calendar{Name: name}
	for _, text := range days {
		d, err := molecule.ParseDayRange(text)
		if err != nil {
			return c, err
		}
		c.Days = append(c.Days, d)
	}
	return c, c.Validate()
}

// newCalendarAddCmd makes calendar add.
func newCalendarAddCmd(a *app) *cobra.Command {
	return a.storesCalendar(leaf{
		use:      "add NAME DAY…",
		short:    "Add a calendar",
		long:     "Adds a calendar of days, each a date or a range of dates. A name in use is a conflict.",
		examples: "  molecli calendar add holidays 2026-12-25 2026-12-31..2027-01-01\n  molecli calendar add freeze 2026-11-27..2026-11-30",
	}, func(ctx context.Context, s *session, c molecule.Calendar) error {
		_, err := s.client.Calendar(ctx, c.Name)
		switch {
		case err == nil:
			return molecule.Errorf(molecule.Conflict, "calendar %q exists already", c.Name).
				WithHint("molecli calendar update %s DAY…", c.Name)
		case molecule.CodeOf(err) != molecule.NotFound:
			return err
		}
		return nil
	})
}

// newCalendarUpdateCmd makes calendar update.
func newCalendarUpdateCmd(a *app) *cobra.Command {
	return a.storesCalendar(leaf{
		use:      "update NAME DAY…",
		short:    "Replace the days of a calendar",
		long:     "Replaces the days of a calendar. Slots that fire from now on keep to them.",
		examples: "  molecli calendar update holidays 2026-12-24..2027-01-02\n  molecli calendar update freeze 2026-11-27",
		complete: a.completeCalendars,
	}, func(ctx context.Context, s *session, c molecule.Calendar) error {
		_, err := s.client.Calendar(ctx, c.Name)
		return err
	})
}

// storesCalendar makes a command that stores a calendar when may allows it.
func (a *app) storesCalendar(l leaf, may func(context.Context, *session, molecule.Calendar) error) *cobra.Command {
	l.args = atLeast("NAME", "DAY")
	l.run = func(ctx context.Context, args []string) error {
		c, err := readCalendar(args[0], args[1:])
		if err != nil {
			return err
		}
		s, err := a.session(ctx)
		if err != nil {
			return err
		}
		if err := may(ctx, s, c); err != nil {
			return err
		}
		if err := s.client.PutCalendar(ctx, &c); err != nil {
			return err
		}
		s.done("calendar %s stored: %s", c.Name, daysText(c.Days))
		return calendarView().one(s.printer, c)
	}
	return l.command()
}

// newCalendarListCmd makes calendar list.
func newCalendarListCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "list", aliases: []string{"ls"},
		short:    "List calendars",
		long:     "Lists the calendars and their days, by name.",
		examples: "  molecli calendar list\n  molecli calendar list -o json",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		return listPages(ctx, s, calendarView(), func(ctx context.Context, _ int, _ string) (molecule.Page[molecule.Calendar], error) {
			all, err := s.client.Calendars(ctx)
			return molecule.Page[molecule.Calendar]{Items: all}, err
		})
	})
}

// newCalendarShowCmd makes calendar show.
func newCalendarShowCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "show NAME", aliases: []string{"get"},
		short:    "Show one calendar",
		long:     "Shows the days of one calendar.",
		examples: "  molecli calendar show holidays\n  molecli calendar show holidays -o json",
		args:     exactly("NAME"), complete: a.completeCalendars,
	}, func(ctx context.Context, s *session, args []string) error {
		c, err := s.client.Calendar(ctx, args[0])
		if err != nil {
			return err
		}
		return calendarView().one(s.printer, c)
	})
}

// newCalendarRemoveCmd makes calendar remove.
func newCalendarRemoveCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "remove NAME", aliases: []string{"rm", "delete"},
		short:    "Remove a calendar",
		long:     "Removes a calendar that no schedule names.",
		examples: "  molecli calendar remove holidays\n  molecli calendar remove freeze --yes",
		args:     exactly("NAME"), complete: a.completeCalendars,
	}, func(ctx context.Context, s *session, args []string) error {
		if err := s.confirm("calendar " + args[0]); err != nil {
			return err
		}
		if err := s.client.RemoveCalendar(ctx, args[0]); err != nil {
			return err
		}
		s.done("calendar %s removed", args[0])
		return nil
	})
}
