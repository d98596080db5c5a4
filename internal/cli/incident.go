package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newIncidentCmd makes the noun incident.
func newIncidentCmd(a *app) *cobra.Command {
	return newGroup(group{
		use: "incident", aliases: []string{"incidents"},
		short: "What a person should know",
		long: "An incident is something a person should know: a part of the daemon that does not work,\n" +
			"slots that nobody fired, an agent that asks for input. It opens once and closes once.",
		examples: "  molecli incident list\n  molecli incident list --all --kind missed_runs",
	}, a.watchable(newIncidentListCmd(a)), a.watchable(newIncidentShowCmd(a)), newIncidentAckCmd(a))
}

// incidentView is how incidents are shown. short, when not nil, maps an id to
// the prefix that tells it from the others on the screen.
func incidentView(short func(string) string) view[molecule.Incident] {
	type I = molecule.Incident
	if short == nil {
		short = func(id string) string { return id }
	}
	return view[I]{
		noun:   "incidents",
		name:   func(i I) string { return i.ID },
		record: incidentRecord,
		columns: []column[I]{
			{Column: term.Column{Title: "ID"}, cell: func(i I) term.Cell { return term.Text(short(i.ID)) }},
			{Column: term.Column{Title: "STATE"}, cell: incidentStateCell},
			{Column: term.Column{Title: "KIND", Drop: 4}, cell: func(i I) term.Cell { return term.Text(i.Kind) }},
			{Column: term.Column{Title: "SUBJECT", Drop: 2}, cell: func(i I) term.Cell { return term.Text(i.Subject) }},
			{Column: term.Column{Title: "SINCE", Drop: 1}, cell: func(i I) term.Cell { return term.When(i.FirstSeen) }},
			{Column: term.Column{Title: "COUNT", Drop: 5}, cell: func(i I) term.Cell { return term.Text(strconv.Itoa(i.Count)) }},
			{Column: term.Column{Title: "TITLE", Drop: 3, Min: 16}, cell: func(i I) term.Cell { return term.Text(i.Title) }},
			{Column: term.Column{Title: "LAST SEEN"}, wide: true, cell: func(i I) term.Cell { return term.When(i.LastSeen) }},
			{Column: term.Column{Title: "CLOSED"}, wide: true, cell: func(i I) term.Cell { return term.When(i.ClosedAt) }},
			{Column: term.Column{Title: "ACKNOWLEDGED BY"}, wide: true, cell: ackedCell},
		},
	}
}

// incidentStateCell says how bad it is, or that it is over.
func incidentStateCell(i molecule.Incident) term.Cell {
	switch {
	case !i.Open():
		return term.Toned(term.Good, "closed")
	case !i.AckedAt.IsZero():
		return term.Toned(term.Busy, string(i.Severity)+", acked")
	case i.Severity == molecule.SeverityCritical:
		return term.Toned(term.Bad, string(i.Severity))
	}
	return term.Toned(term.Warn, string(i.Severity))
}

// ackedCell says when somebody acknowledged, and who.
func ackedCell(i molecule.Incident) term.Cell {
	c := term.When(i.AckedAt)
	c.Text = i.AckedBy
	return c
}

// incidentRecord is one incident, a line for each fact and for each line of its
// stack.
func incidentRecord(i molecule.Incident) term.Record {
	e := i.Evidence
	names := strings.Join(e.Names, " ")
	if more := e.Total - len(e.Names); more > 0 {
		names += " and " + strconv.Itoa(more) + " more"
	}
	unsaved := ""
	if i.Unsaved {
		unsaved = "not yet: the store does not answer"
	}
	r := term.Record{
		{Title: "id", Cell: term.Text(i.ID)},
		{Title: "title", Cell: term.Text(i.Title)},
		{Title: "state", Cell: incidentStateCell(i)},
		{Title: "kind", Cell: term.Text(i.Kind)},
		{Title: "subject", Cell: term.Text(i.Subject)},
		{Title: "severity", Cell: term.Text(string(i.Severity))},
		{Title: "first seen", Cell: term.When(i.FirstSeen)},
		{Title: "last seen", Cell: term.When(i.LastSeen)},
		{Title: "closed", Cell: term.When(i.ClosedAt)},
		{Title: "count", Cell: term.Text(strconv.Itoa(i.Count))},
		{Title: "acknowledged", Cell: ackedCell(i)},
		{Title: "stored", Cell: term.Text(unsaved)},
		{Title: "error", Cell: term.Text(e.Error)},
		{Title: "blocked in", Cell: term.Text(e.BlockedIn)},
		{Title: "names", Cell: term.Text(names)},
	}
	for _, fact := range slices.Sorted(maps.Keys(e.Facts)) {
		r = append(r, term.Field{Title: strings.ReplaceAll(fact, "_", " "), Cell: term.Text(e.Facts[fact])})
	}
	for line := range strings.Lines(e.Stack) {
		r = append(r, term.Field{Title: "stack", Cell: term.Text(strings.TrimRight(line, "\n"))})
	}
	return r
}

// newIncidentListCmd makes incident list.
func newIncidentListCmd(a *app) *cobra.Command {
	var f molecule.IncidentFilter
	narrow := fields{"kind": &f.Kind, "subject": &f.Subject}
	cmd := a.asks(leaf{
		use: "list", aliases: []string{"ls"},
		short: "List incidents, newest first",
		long: "Lists the incidents that are open, newest first, also while the store does not answer;\n" +
			"with --all those that are over as well. A subject that ends in a slash means all of a noun.",
		examples: "  molecli incident list\n  molecli incident list --all --subject schedule/ -o jsonl",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		if err := narrow.read(s.config.Filter); err != nil {
			return err
		}
		return s.listIncidents(ctx, f)
	})
	narrow.flags(cmd)
	cmd.Flags().BoolVar(&f.All, "all", false, "also those that are over")
	completeFlag(cmd, "kind", cobra.FixedCompletions(molecule.IncidentKinds(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// listIncidents reads and writes incidents, their ids as short as the screen
// allows.
func (s *session) listIncidents(ctx context.Context, f molecule.IncidentFilter) error {
	return listShort(ctx, s, incidentView, func(ctx context.Context, limit int, cursor string) (molecule.Page[molecule.Incident], error) {
		f.Limit, f.Cursor = limit, cursor
		return s.client.Incidents(ctx, f)
	})
}

// newIncidentShowCmd makes incident show.
func newIncidentShowCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "show ID", aliases: []string{"get"},
		short:    "Show one incident",
		long:     "Shows one incident with its evidence, by a prefix of its id.",
		examples: "  molecli incident show \"$(molecli incident list -o name --limit 1)\"\n  molecli incident show \"$(molecli incident list -o name --limit 1)\" -o json",
		args:     exactly("ID"), complete: a.completeIncidents,
	}, func(ctx context.Context, s *session, args []string) error {
		in, err := s.client.Incident(ctx, args[0])
		if err != nil {
			return err
		}
		return incidentView(nil).one(s.printer, in)
	})
}

// newIncidentAckCmd makes incident ack.
func newIncidentAckCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use:   "ack ID",
		short: "Say that you know of an incident",
		long: "Notes that you know of an incident, so that others need not look. The incident stays\n" +
			"open until what it is about is over. Who was faster makes it a conflict.",
		examples: "  molecli incident ack \"$(molecli incident list -o name --limit 1)\"\n  molecli incident list -o name | xargs -rn1 molecli incident ack",
		args:     exactly("ID"), complete: a.completeIncidents,
	}, func(ctx context.Context, s *session, args []string) error {
		in, err := s.client.AckIncident(ctx, args[0])
		if err != nil {
			return err
		}
		if s.structured() || s.config.Output == outName {
			return incidentView(nil).one(s.printer, in)
		}
		s.done("incident %s acknowledged: %s", in.ID, in.Title)
		return nil
	})
}
