package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// agentRun is one prompt to one agent.
type agentRun struct {
	app    *app
	agent  string
	prompt string
	within time.Duration
	detach bool
}

// newAgentRunCmd makes agent run.
func newAgentRunCmd(a *app) *cobra.Command {
	o := &agentRun{app: a}
	cmd := leaf{
		use:   "run NAME --prompt TEXT|@FILE|-",
		short: "Send one prompt and print the reply",
		long: "Sends one prompt to an agent, waits, and prints the reply. The exit status is that\n" +
			"of the outcome: 0 for ok and quiet, 7 for timeout, 4 for blocked, else 1.",
		examples: "  molecli agent run echo --prompt 'say hello'\n  echo hi | molecli agent run echo --prompt - --run-timeout 30s",
		args:     exactly("NAME"), complete: a.completeAgents,
		run: func(ctx context.Context, args []string) error {
			o.agent = args[0]
			if o.within == 0 { // to the daemon none is the default
				return molecule.Errorf(molecule.Invalid, "--run-timeout is 0s, it must be above 0")
			}
			return o.run(ctx)
		},
	}.command()
	f := cmd.Flags()
	f.StringVar(&o.prompt, "prompt", "", "the prompt: text, @FILE, or - for standard input")
	f.DurationVar(&o.within, "run-timeout", molecule.DefaultTimeout, "how long the agent may take")
	f.BoolVar(&o.detach, "detach", false, "do not wait for the reply")
	return cmd
}

// run reads the prompt before it looks for the daemon, sends it and follows.
func (o *agentRun) run(ctx context.Context) error {
	p, err := o.app.printer()
	if err != nil {
		return err
	}
	prompt, err := p.readPrompt(o.prompt)
	if err != nil {
		return err
	}
	s, err := o.app.session(ctx)
	if err != nil {
		return err
	}
	run, err := s.client.StartRun(ctx, molecule.NewRun{Agent: o.agent, Prompt: prompt, Timeout: molecule.Duration(o.within)})
	if err != nil {
		return err
	}
	return s.follow(ctx, run, o.detach)
}

// follow waits for a run, prints its reply, and judges by its outcome.
func (s *session) follow(ctx context.Context, run molecule.Run, detach bool) error {
	if detach {
		if s.structured() || s.config.Output == outName {
			return runView(nil).one(s.printer, run)
		}
		if err := s.line("%s", run.ID); err != nil {
			return err
		}
		s.note("try: molecli run watch %s", run.ID)
		return nil
	}
	if s.ErrTTY {
		s.note("%s run %s: waiting for %s", term.Busy.Symbol(), run.ID, run.Agent)
	}
	run, err := s.client.WaitRun(ctx, run.ID)
	if err != nil {
		return err
	}
	return s.conclude(run)
}

// conclude prints how a run ended.
func (s *session) conclude(run molecule.Run) error {
	status := wire.ExitOfOutcome(run.Outcome)
	if s.structured() || s.config.Output == outName {
		if err := runView(nil).one(s.printer, run); err != nil {
			return err
		}
		return judged(status)
	}
	if err := s.text(run.Reply); err != nil {
		return err
	}
	if status != wire.ExitOK {
		what := string(run.Outcome)
		if run.Reason != "" {
			what += ": " + run.Reason
		}
		writeLine(s.Err, s.paint.Mark(outcomeTone(run.Outcome))+" "+term.Clean(what))
		writeLine(s.Err, "try: molecli run show "+run.ID)
	}
	return judged(status)
}
