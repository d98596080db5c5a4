package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newAgentCmd makes the noun agent.
func newAgentCmd(a *app) *cobra.Command {
	return newGroup(group{
		use: "agent", aliases: []string{"agents"},
		short: "Who receives prompts",
		long: "An agent is who receives prompts: a local command (exec), a server that speaks A2A\n" +
			"(push), or a program that asks for its work (poll).",
		examples: "  molecli agent add echo --exec 'tr a-z A-Z'\n  molecli agent list",
	}, newAgentAddCmd(a), a.watchable(newAgentListCmd(a)), a.watchable(newAgentShowCmd(a)), newAgentUpdateCmd(a), newAgentRemoveCmd(a), newAgentEnrolCmd(a), newAgentRunCmd(a),
		a.watchable(newAgentRunsCmd(a)), newAgentWatchCmd(a), newAgentPauseCmd(a), newAgentResumeCmd(a), newAgentConfirmCmd(a))
}

// agentView is how agents are shown.
func agentView() view[molecule.Agent] {
	return view[molecule.Agent]{
		noun:   "agents",
		name:   func(a molecule.Agent) string { return a.Name },
		empty:  "molecli agent add NAME --exec 'COMMAND'",
		record: agentRecord,
		columns: []column[molecule.Agent]{
			{Column: term.Column{Title: "NAME"}, cell: func(a molecule.Agent) term.Cell { return term.Text(a.Name) }},
			{Column: term.Column{Title: "KIND", Drop: 3}, cell: func(a molecule.Agent) term.Cell { return term.Text(string(a.Kind)) }},
			{Column: term.Column{Title: "STATE"}, cell: agentStateCell},
			{Column: term.Column{Title: "SEEN", Drop: 6}, cell: func(a molecule.Agent) term.Cell { return term.When(a.LastSeen) }},
			{Column: term.Column{Title: "TASKS", Drop: 7}, cell: func(a molecule.Agent) term.Cell { return term.Text(agentTasks(a)) }},
			{Column: term.Column{Title: "RUNS", Drop: 4}, cell: func(a molecule.Agent) term.Cell {
				return term.Text(fmt.Sprintf("%d/%d", a.ActiveRuns, a.MaxConcurrent))
			}},
			{Column: term.Column{Title: "LAST", Drop: 1}, cell: func(a molecule.Agent) term.Cell {
				return outcomeAt(a.LastOutcome, a.LastRunAt)
			}},
			{Column: term.Column{Title: "NEXT", Drop: 2}, cell: func(a molecule.Agent) term.Cell { return term.When(a.NextSlot) }},
			{Column: term.Column{Title: "WHERE", Drop: 5, Min: 12}, cell: func(a molecule.Agent) term.Cell { return term.Text(agentWhere(a)) }},
			{Column: term.Column{Title: "ID"}, wide: true, cell: func(a molecule.Agent) term.Cell { return term.Text(a.ID) }},
		},
	}
}

// agentStateCell shows what is believed of an agent.
func agentStateCell(a molecule.Agent) term.Cell {
	return term.Toned(agentTone(a.State), string(a.State))
}

// agentTone says how a state looks.
func agentTone(s molecule.AgentState) term.Tone {
	switch s {
	case molecule.AgentOnline:
		return term.Good
	case molecule.AgentDegraded, molecule.AgentSuspect, molecule.AgentUnknown:
		return term.Warn
	case molecule.AgentOffline:
		return term.Bad
	case molecule.AgentPaused, molecule.AgentRemoved:
		return term.Faint
	}
	return term.Busy
}

// agentTasks returns how many tasks an agent says it has; "" when it never did.
func agentTasks(a molecule.Agent) string {
	if a.Vitals == nil {
		return ""
	}
	return strconv.Itoa(a.Vitals.ActiveTasks)
}

// agentWhere returns the command or URL of an agent.
func agentWhere(a molecule.Agent) string {
	if a.Exec != nil {
		return a.Exec.Command
	}
	return a.URL
}

// newAgentListCmd makes agent list.
func newAgentListCmd(a *app) *cobra.Command {
	var kind, state string
	narrow := fields{"kind": &kind, "state": &state}
	cmd := a.asks(leaf{
		use: "list", aliases: []string{"ls"},
		short: "List agents",
		long: "Lists agents with what the daemon believes of them, from evidence only: the state, their\n" +
			"last request, how many tasks they say they have, and their runs here.",
		examples: "  molecli agent list\n  molecli agent list --state offline -o json",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		if err := narrow.read(s.config.Filter); err != nil {
			return err
		}
		return listPages(ctx, s, agentView(), func(ctx context.Context, limit int, cursor string) (molecule.Page[molecule.Agent], error) {
			return s.client.Agents(ctx, molecule.AgentFilter{
				Kind: molecule.AgentKind(kind), State: molecule.AgentState(state), Limit: limit, Cursor: cursor,
			})
		})
	})
	narrow.flags(cmd)
	completeFlag(cmd, "kind", choices(string(molecule.AgentExec), string(molecule.AgentPush), string(molecule.AgentPoll)))
	completeFlag(cmd, "state", choices(agentStates()...))
	return cmd
}

// newAgentRemoveCmd makes agent remove.
func newAgentRemoveCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "remove NAME", aliases: []string{"rm", "delete"},
		short:    "Remove an agent",
		long:     "Removes an agent. It is refused while schedules name it; its runs are kept.",
		examples: "  molecli agent remove echo\n  molecli agent remove echo --yes",
		args:     exactly("NAME"), complete: a.completeAgents,
	}, func(ctx context.Context, s *session, args []string) error {
		if err := s.confirm("agent " + args[0]); err != nil {
			return err
		}
		if err := s.client.RemoveAgent(ctx, args[0]); err != nil {
			return err
		}
		s.done("agent %s removed", args[0])
		return nil
	})
}
