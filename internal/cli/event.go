package cli

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newEventCmd makes the noun event.
func newEventCmd(a *app) *cobra.Command {
	return newGroup(group{
		use: "event", aliases: []string{"events"},
		short:    "Committed facts, in order",
		long:     "An event is a committed fact. Ids grow and mean nothing else.",
		examples: "  molecli event list --limit 20\n  molecli event watch --type run.",
	}, newEventListCmd(a), newEventWatchCmd(a))
}

// eventView is how events are shown.
func eventView() view[molecule.Event] {
	type E = molecule.Event
	return view[E]{
		noun: "events",
		name: func(e E) string { return strconv.FormatInt(e.ID, 10) },
		columns: []column[E]{
			{Column: term.Column{Title: "ID", Drop: 2}, cell: func(e E) term.Cell { return term.Text(strconv.FormatInt(e.ID, 10)) }},
			{Column: term.Column{Title: "AT", Drop: 1}, cell: func(e E) term.Cell { return term.When(e.At) }},
			{Column: term.Column{Title: "TYPE"}, cell: func(e E) term.Cell { return term.Text(e.Type) }},
			{Column: term.Column{Title: "SUBJECT"}, cell: func(e E) term.Cell { return term.Text(e.Subject) }},
			{Column: term.Column{Title: "DATA", Drop: 3, Min: 16}, cell: func(e E) term.Cell { return term.Text(string(e.Data)) }},
		},
	}
}

// eventWatch is which events are wanted.
type eventWatch struct {
	app     *app
	after   int64 // -1 is from now on
	types   []string
	subject string
	count   int // 0 is without end
}

// flags defines the flags that list and watch share.
func (o *eventWatch) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Int64Var(&o.after, "after", -1, "only events behind this id")
	f.StringArrayVar(&o.types, "type", nil, "a type, or a prefix that ends in a dot (repeatable)")
	f.StringVar(&o.subject, "subject", "", "a subject, or a prefix that ends in a slash")
	completeFlag(cmd, "type", cobra.FixedCompletions(
		[]string{"agent.", "calendar.", "incident.", "run.", "schedule.", "secret.", "subsystem.", "token."},
		cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
}

// filter returns what to ask the daemon for.
func (o *eventWatch) filter() molecule.EventFilter {
	return molecule.EventFilter{After: max(o.after, 0), Types: o.types, Subject: o.subject}
}

// newEventListCmd makes event list.
func newEventListCmd(a *app) *cobra.Command {
	o := &eventWatch{app: a}
	cmd := leaf{
		use: "list", aliases: []string{"ls"},
		short: "List events",
		long: "Lists the newest events, oldest first. With --after it lists from there on instead.\n" +
			"--limit bounds both.",
		examples: "  molecli event list --limit 20\n  molecli event list --type schedule. --type agent. -o jsonl",
		args:     exactly(),
		run:      func(ctx context.Context, _ []string) error { return o.list(ctx) },
	}.command()
	o.flags(cmd)
	return cmd
}

// list prints the events behind an id, or else the newest.
func (o *eventWatch) list(ctx context.Context) error {
	s, err := o.app.session(ctx)
	if err != nil {
		return err
	}
	if err := eventView().sort(s.config.Sort, nil); err != nil {
		return err // before anybody is asked
	}
	f, limit := o.filter(), s.config.Limit
	newest := o.after < 0 && limit > 0
	if newest && len(f.Types) == 0 && f.Subject == "" {
		// Nothing is left out, so the newest begin at a known id.
		last, err := s.client.LastEventID(ctx)
		if err != nil {
			return err
		}
		f.After = max(last-int64(limit), 0)
	}
	events, err := s.readEvents(ctx, f, limit, newest)
	if err != nil {
		return err
	}
	return eventView().list(s.printer, events)
}

// readEvents reads pages of events: the first limit ones, or all of them to
// keep the last. Limit 0 is all.
func (s *session) readEvents(ctx context.Context, f molecule.EventFilter, limit int, last bool) ([]molecule.Event, error) {
	var events []molecule.Event
	f.Limit = molecule.MaxLimit
	for {
		page, err := s.client.Events(ctx, f)
		if last && molecule.CodeOf(err) == molecule.Gone {
			f.After = 0 // nobody asked for those that were pruned
			continue
		}
		if err != nil {
			return nil, err
		}
		events = append(events, page.Items...)
		over := len(events) - limit
		switch {
		case limit == 0 || over < 0:
		case last:
			events = events[over:]
		default:
			return events[:limit], nil
		}
		if len(page.Items) == 0 || page.Next == "" {
			return events, nil
		}
		f.After = page.Items[len(page.Items)-1].ID
	}
}

// newEventWatchCmd makes event watch.
func newEventWatchCmd(a *app) *cobra.Command {
	o := &eventWatch{app: a}
	cmd := leaf{
		use:   "watch",
		short: "Print events as they are committed",
		long: "Prints events as they are committed, from now on or behind --after, until it is\n" +
			"interrupted. When the connection drops it goes on behind the last event seen.",
		examples: "  molecli event watch --type run.\n  molecli event watch --after 0 --count 10 -o jsonl",
		args:     exactly(),
		run: func(ctx context.Context, _ []string) error {
			if err := checkCount(o.count); err != nil {
				return err
			}
			s, err := o.app.session(ctx)
			if err != nil {
				return err
			}
			return s.watchEvents(ctx, *o)
		},
	}.command()
	o.flags(cmd)
	cmd.Flags().IntVar(&o.count, "count", 0, "end after so many events; 0 is never")
	return cmd
}

// checkCount refuses a number of events that nobody can have meant.
func checkCount(n int) error {
	if n < 0 {
		return molecule.Errorf(molecule.Invalid, "--count is %d, it must not be negative", n)
	}
	return nil
}

// patiently lets do take as long as wait says, and says so when that was too short;
// 0 is as long as it takes.
func patiently(ctx context.Context, wait time.Duration, do func(context.Context) error) error {
	switch {
	case wait < 0:
		return molecule.Errorf(molecule.Invalid, "--wait is %s, it must not be negative", molecule.Duration(wait))
	case wait == 0:
		return do(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := do(ctx)
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		return molecule.Errorf(molecule.Timeout, "gave up after %s", molecule.Duration(wait)).WithHint("give it longer with --wait")
	}
	return err
}

// watchEvents prints events until there were enough or ctx ends.
func (s *session) watchEvents(ctx context.Context, o eventWatch) error {
	f := o.filter()
	if o.after < 0 {
		last, err := s.client.LastEventID(ctx)
		if err != nil {
			return err
		}
		f.After = last
	}
	n := 0
	for e, err := range s.client.WatchEvents(ctx, f) {
		if err != nil {
			return err
		}
		if err := s.event(e); err != nil {
			return err
		}
		if n++; n == o.count {
			return nil
		}
	}
	return ctx.Err()
}

// event writes one event of a stream on a line of its own.
func (s *session) event(e molecule.Event) error {
	switch s.config.Output {
	case outJSON, outJSONL:
		return s.jsonLine(e)
	case outYAML:
		if err := s.write("---\n"); err != nil {
			return err
		}
		return s.encode(e)
	case outName:
		return s.line("%d", e.ID)
	}
	row := eventView().table(s.printer, []molecule.Event{e})
	l := s.layout
	if !l.Pipe {
		// Later rows are not known yet, so columns cannot be aligned to them; an
		// age would be wrong a second later.
		if l.Times.Style == term.TimeRelative {
			l.Times.Style = term.TimeLocal
		}
		return s.line("%s", term.Cut(streamLine(row, l), l.Width))
	}
	return row.Write(s.Out, l)
}

// streamLine writes the cells of one row with blanks between them.
func streamLine(t term.Table, l term.Layout) string {
	var line string
	for j, c := range t.Rows[0][1:] {
		text := term.Clean(c.Text)
		if !c.At.IsZero() {
			text = l.Times.Format(c.At)
		}
		if j > 0 {
			line += "  "
		}
		line += text
	}
	return line
}
