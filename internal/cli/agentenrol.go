package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// agentEnrol lets one agent register itself.
type agentEnrol struct {
	app   *app
	leave molecule.Enrolment
	life  time.Duration
	out   string
}

// newAgentEnrolCmd makes agent enrol.
func newAgentEnrolCmd(a *app) *cobra.Command {
	o := &agentEnrol{app: a}
	cmd := leaf{
		use: "enrol (--name NAME | --role ROLE)", aliases: []string{"enroll"},
		short: "Let one agent register itself",
		long: "Prints a token with which one agent may register itself, once, under a name or in a role.\n" +
			"For the name of an agent that is there it replaces the token that agent has, which is how\n" +
			"one that lost its token is let in again.",
		examples: "  molecli agent enrol --name helper\n  molecli agent enrol --role writer --expires-in 1h --token-out writer.token",
		args:     exactly(),
		run:      func(ctx context.Context, _ []string) error { return o.run(ctx) },
	}.command()
	f := cmd.Flags()
	f.StringVar(&o.leave.Name, "name", "", "the name it will have")
	f.StringVar(&o.leave.Role, "role", "", "the role it will have; its card says its name")
	f.DurationVar(&o.life, "expires-in", molecule.DefaultEnrolment, "how long it may take to come, an hour at most")
	f.StringVar(&o.out, "token-out", "", "write the token to a new `FILE` of mode 0600, and do not print it")
	completeFlag(cmd, "name", a.completeAgents)
	return cmd
}

// run checks what can be checked here before it looks for the daemon.
func (o *agentEnrol) run(ctx context.Context) error {
	if o.life == 0 { // to the daemon none is the default
		return molecule.Errorf(molecule.Invalid, "--expires-in is 0s, it must be above 0")
	}
	in := o.leave
	in.ExpiresIn = molecule.Duration(o.life)
	if err := in.Validate(); err != nil {
		return err
	}
	s, err := o.app.session(ctx)
	if err != nil {
		return err
	}
	file, err := newTokenFile(o.out)
	if err != nil {
		return err // before there is a token that nobody holds
	}
	defer file.discard()
	if err := s.client.CreateEnrolment(ctx, &in); err != nil {
		return err
	}
	s.done("one agent may register until %s", in.ExpiresAt.Format(time.RFC3339))
	return file.handOver(s, &in.Token, in.ID, &in)
}
