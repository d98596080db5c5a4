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

// shownTransitions is how many of its last transitions are shown to a person.
const shownTransitions = 10

// knownAgent is an agent with how it came to be what it is.
type knownAgent struct {
	molecule.Agent
	History molecule.AgentHistory `json:"history"`
}

// newAgentShowCmd makes agent show.
func newAgentShowCmd(a *app) *cobra.Command {
	return a.agentVerb(leaf{
		use: "show NAME", aliases: []string{"get"},
		short: "Show one agent",
		long: "Shows everything known about one agent, by name or by a prefix of its id: what it said of\n" +
			"itself, its card, its last changes of state and why, and when its last requests came in.",
		examples: "  molecli agent show echo\n  molecli agent show echo -o yaml",
	}, func(ctx context.Context, s *session, ref string) error {
		agent, err := s.client.Agent(ctx, ref)
		if err != nil {
			return err
		}
		known := knownAgent{Agent: agent}
		if known.History, err = s.client.AgentHistory(ctx, agent.ID); err != nil {
			return err
		}
		view := view[knownAgent]{
			name:   func(a knownAgent) string { return a.Name },
			record: func(a knownAgent) term.Record { return append(agentRecord(a.Agent), historyRecord(a.History)...) },
		}
		return view.one(s.printer, known)
	})
}

// agentRecord is one agent, a line for each fact.
func agentRecord(a molecule.Agent) term.Record {
	r := term.Record{
		{Title: "name", Cell: term.Text(a.Name)},
		{Title: "id", Cell: term.Text(a.ID)},
		{Title: "kind", Cell: term.Text(string(a.Kind))},
		{Title: "role", Cell: term.Text(a.Role)},
		{Title: "tier", Cell: term.Text(strings.Trim(strconv.Itoa(a.Tier), "0"))}, // no tier is 0
		{Title: "parent", Cell: term.Text(a.Parent)},
		{Title: "made with", Cell: term.Text(a.Runtime)},
		{Title: "state", Cell: agentStateCell(a)},
		{Title: "since", Cell: term.When(agentSince(a))},
		{Title: "because", Cell: term.Text(agentReason(a))},
		{Title: "seen", Cell: term.When(a.LastSeen)},
		{Title: "runs", Cell: term.Text(fmt.Sprintf("%d of %d", a.ActiveRuns, a.MaxConcurrent))},
		{Title: "budget", Cell: term.Text(budgetText(&a.Budget))},
		{Title: "last", Cell: outcomeAt(a.LastOutcome, a.LastRunAt)},
		{Title: "next", Cell: term.When(a.NextSlot)},
	}
	r = append(r, vitalsRecord(a.Vitals)...)
	if a.Exec == nil {
		return append(r,
			term.Field{Title: "url", Cell: term.Text(a.URL)},
			term.Field{Title: "url owner", Cell: term.Text(string(a.URLOwner))},
			term.Field{Title: "says its url is", Cell: term.Text(a.ReportedURL)},
			term.Field{Title: "awaited until", Cell: term.When(a.AwaitUntil)})
	}
	r = append(r,
		term.Field{Title: "command", Cell: term.Text(a.Exec.Command)},
		term.Field{Title: "starts", Cell: term.Text(fmt.Sprintf("%q", a.Exec.Argv))},
		term.Field{Title: "dir", Cell: term.Text(a.Exec.Dir)})
	for _, name := range a.Exec.PassEnv {
		r = append(r, term.Field{Title: "passes", Cell: term.Text(name)})
	}
	return r
}

// agentSince returns since when an agent is what it is believed to be.
func agentSince(a molecule.Agent) time.Time {
	if a.StateSince.IsZero() {
		return a.CreatedAt
	}
	return a.StateSince
}

// agentReason says why an agent is believed to be what it is. Nothing led to the
// state that it was made in.
func agentReason(a molecule.Agent) string {
	if a.StateReason == "" && a.State == molecule.AgentPending {
		return a.State.Means()
	}
	return a.StateReason
}

// vitalsRecord is what an agent said of itself; nothing when it never did.
func vitalsRecord(v *molecule.Vitals) term.Record {
	if v == nil {
		return nil
	}
	rate := strconv.FormatFloat(100*v.ErrorRate, 'f', -1, 64) + " %"
	if v.SampleError != "" {
		rate += ", such as: " + v.SampleError
	}
	return term.Record{
		{Title: "tasks", Cell: term.Text(strconv.Itoa(v.ActiveTasks))},
		{Title: "does", Cell: term.Text(v.CurrentTask)},
		{Title: "errors", Cell: term.Text(rate)},
		{Title: "runtime", Cell: term.Text(v.RuntimeState)},
		{Title: "up for", Cell: term.Text(term.Span(time.Duration(v.UptimeSeconds) * time.Second))},
		{Title: "busy until", Cell: term.When(v.BusyUntil)},
	}
}

// historyRecord is how an agent came to be what it is, the newest first.
func historyRecord(h molecule.AgentHistory) term.Record {
	var r term.Record
	if len(h.Card) > 0 {
		r = append(r, term.Field{Title: "card", Cell: term.Text(string(h.Card))})
	}
	for _, t := range h.Transitions[:min(len(h.Transitions), shownTransitions)] {
		c := term.Toned(agentTone(t.To), transitionText(t))
		c.At = t.At
		r = append(r, term.Field{Title: "became", Cell: c})
	}
	for _, at := range h.Arrivals {
		r = append(r, term.Field{Title: "sent", Cell: term.Cell{At: at.At, Text: string(at.What)}})
	}
	return r
}

// transitionText says what an agent became, and why.
func transitionText(t molecule.AgentTransition) string {
	return strings.TrimSuffix(fmt.Sprintf("%s (was %s): %s", t.To, t.From, t.Reason), ": ")
}
