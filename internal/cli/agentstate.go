package cli

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// agentVerb makes a command on one agent.
func (a *app) agentVerb(l leaf, run func(ctx context.Context, s *session, ref string) error) *cobra.Command {
	l.args, l.complete = exactly("NAME"), a.completeAgents
	return a.asks(l, func(ctx context.Context, s *session, args []string) error { return run(ctx, s, args[0]) })
}

// newAgentRunsCmd makes agent runs.
func newAgentRunsCmd(a *app) *cobra.Command {
	f := molecule.RunFilter{}
	cmd := a.agentVerb(leaf{
		use:      "runs NAME",
		short:    "List the runs of one agent",
		long:     "Lists the runs of one agent, whatever schedule they are of, newest first.",
		examples: "  molecli agent runs echo\n  molecli agent runs echo --open -o jsonl",
	}, func(ctx context.Context, s *session, ref string) error {
		f.Agent = ref
		return s.listRuns(ctx, f)
	})
	cmd.Flags().BoolVar(&f.Open, "open", false, "only runs that have not ended")
	return cmd
}

// newAgentPauseCmd makes agent pause.
func newAgentPauseCmd(a *app) *cobra.Command {
	return a.agentVerb(leaf{
		use:   "pause NAME",
		short: "Put an agent aside",
		long: "Pauses an agent: until it is resumed, each run of it that falls due ends as blocked, and it\n" +
			"is not watched. What it works on goes on.",
		examples: "  molecli agent pause echo\n  molecli agent pause echo -q",
	}, changeAgent("paused", (*client.Client).PauseAgent))
}

// newAgentResumeCmd makes agent resume.
func newAgentResumeCmd(a *app) *cobra.Command {
	return a.agentVerb(leaf{
		use:      "resume NAME",
		short:    "Take a paused agent up again",
		long:     "Resumes a paused agent. Nothing is known of it until it is heard or answers again.",
		examples: "  molecli agent resume echo\n  molecli agent resume echo -o json",
	}, changeAgent("resumed", (*client.Client).ResumeAgent))
}

// newAgentConfirmCmd makes agent confirm-offline.
func newAgentConfirmCmd(a *app) *cobra.Command {
	return a.agentVerb(leaf{
		use:   "confirm-offline NAME",
		short: "Say that a silent agent is gone",
		long: "Takes your word that an agent which is suspect or unknown is gone: it is offline from then\n" +
			"on, until it is heard or answers. One that is believed to be there is left alone, exit 5.",
		examples: "  molecli agent confirm-offline far\n  molecli agent list --state unknown -o name | xargs -rn1 molecli agent confirm-offline",
	}, changeAgent("is offline", (*client.Client).ConfirmOffline))
}

// changeAgent returns a verb that makes one change and shows the result.
func changeAgent(what string, change func(*client.Client, context.Context, string) (molecule.Agent, error)) func(context.Context, *session, string) error {
	return func(ctx context.Context, s *session, ref string) error {
		agent, err := change(s.client, ctx, ref)
		if err != nil {
			return err
		}
		s.done("agent %s %s", agent.Name, what)
		if s.structured() || s.config.Output == outName {
			return agentView().one(s.printer, agent)
		}
		return nil
	}
}

// agentWatch is what is waited for of agents.
type agentWatch struct {
	until string
	wait  time.Duration
	count int
}

// newAgentWatchCmd makes agent watch.
func newAgentWatchCmd(a *app) *cobra.Command {
	o := agentWatch{}
	cmd := a.asks(leaf{
		use:   "watch [NAME]",
		short: "Print what becomes of agents as it happens",
		long: "Prints what becomes of one agent, or of all, until it is interrupted. With --until it ends\n" +
			"when the agent is in that state, at once when it is so already.",
		examples: "  molecli agent watch -o jsonl\n  molecli agent watch echo --until online --wait 30s",
		args:     between(0, "NAME"), complete: a.completeAgents,
	}, func(ctx context.Context, s *session, args []string) error {
		return patiently(ctx, o.wait, func(ctx context.Context) error { return o.run(ctx, s, args) })
	})
	f := cmd.Flags()
	f.StringVar(&o.until, "until", "", "end when the agent is in this state")
	f.DurationVar(&o.wait, "wait", 0, "give up after this long; 0 is never")
	f.IntVar(&o.count, "count", 0, "end after so many events; 0 is never")
	completeFlag(cmd, "until", cobra.FixedCompletions(agentStates(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// agentStates returns the states an agent can be waited for in.
func agentStates() []string {
	var all []string
	for _, row := range molecule.AgentStates() {
		all = append(all, string(row.State))
	}
	return all
}

// run prints events from now on.
func (o agentWatch) run(ctx context.Context, s *session, args []string) error {
	if o.until != "" && len(args) == 0 {
		return molecule.Errorf(molecule.Invalid, "--until needs the agent it is about").WithHint("molecli agent watch NAME --until %s", o.until)
	}
	if err := (molecule.AgentFilter{State: molecule.AgentState(o.until)}).Validate(); err != nil {
		return err
	}
	if err := checkCount(o.count); err != nil {
		return err
	}
	f := molecule.EventFilter{Types: []string{"agent."}}
	var err error
	if f.After, err = s.client.LastEventID(ctx); err != nil { // first: nothing falls between it and the look below
		return err
	}
	if len(args) > 0 {
		agent, err := s.client.Agent(ctx, args[0])
		if err != nil {
			return err
		}
		if o.until != "" && string(agent.State) == o.until {
			return agentView().one(s.printer, agent)
		}
		f.Subject = "agent/" + agent.Name
	}
	return o.follow(ctx, s, f)
}

// follow prints events until the state is reached, there were enough, or ctx
// ends.
func (o agentWatch) follow(ctx context.Context, s *session, f molecule.EventFilter) error {
	n := 0
	for e, err := range s.client.WatchEvents(ctx, f) {
		if err != nil {
			return err
		}
		if err := s.event(e); err != nil {
			return err
		}
		var step struct {
			To molecule.AgentState `json:"to"`
		}
		_ = json.Unmarshal(e.Data, &step) // an event that is no step leads nowhere
		if n++; n == o.count || o.until != "" && string(step.To) == o.until {
			return nil
		}
	}
	return ctx.Err()
}
