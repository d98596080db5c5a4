package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// Env is what the process was given. All fields are needed.
type Env struct {
	Streams term.Streams
	Lookup  func(name string) (string, bool) // reads the environment
	Now     func() time.Time
}

// Process returns what this process was given.
func Process() Env {
	return Env{Streams: term.Standard(), Lookup: os.LookupEnv, Now: time.Now}
}

// Main runs one command line, without the name of the program, and returns the
// exit status. When ctx ends the command is interrupted.
func Main(ctx context.Context, args []string, env Env) int {
	a := &app{env: env}
	root := newRoot(a)
	root.SetArgs(args)
	return a.report(ctx, root.ExecuteContext(ctx))
}

// app is what the commands of one process share.
type app struct {
	env    Env
	values *values // nil until settings are resolved
	given  flagSet // the global flags as typed

	frames     bool // what is written now is one look of many
	anyContext bool // the command may name a context that does not exist
}

// now returns the time once more.
func (a *app) now() time.Time { return a.env.Now() }

// session is what a command that talks to the daemon needs.
type session struct {
	*printer
	client *client.Client
}

// session resolves the settings and finds the daemon.
func (a *app) session(ctx context.Context) (*session, error) {
	p, err := a.printer()
	if err != nil {
		return nil, err
	}
	c, err := a.connect(ctx, p.config)
	if err != nil {
		return nil, err
	}
	if p.config.Verbose {
		p.note("asking %s", c.Endpoint())
	}
	return &session{printer: p, client: c}, nil
}

// connect returns a client for the endpoint that was set, or else for the
// first socket that accepts.
func (a *app) connect(ctx context.Context, cfg config) (*client.Client, error) {
	var token molecule.Secret
	endpoint := cfg.Endpoint
	if endpoint == "" {
		var err error
		if endpoint, err = client.Discover(ctx, client.Sockets(a.env.Lookup)); err != nil {
			return nil, err
		}
	}
	if cfg.TokenFile != "" {
		var err error
		if token, err = client.ReadToken(cfg.TokenFile); err != nil {
			return nil, err
		}
	}
	return client.New(client.Options{Endpoint: endpoint, Org: cfg.Org, Token: token, Timeout: cfg.Timeout})
}

// newRoot builds the tree of commands.
func newRoot(a *app) *cobra.Command {
	root := newGroup(group{
		use:   "molecli",
		short: "Operate the agents, schedules and runs of one moleculed",
		long: "molecli talks to moleculed: it adds agents and schedules, fires them, shows what\n" +
			"became of every slot, and says whether the daemon is alive.",
		examples: "  molecli liveness --wait 10s\n  molecli schedule list",
	},
		newAgentCmd(a), newScheduleCmd(a), newCalendarCmd(a), newRunCmd(a), newIncidentCmd(a), newSecretsCmd(a), newEventCmd(a), newAuditCmd(a), newTokenCmd(a),
		a.watchable(newLivenessCmd(a)), a.watchable(newStatusCmd(a)), newDoctorCmd(a), newLoginCmd(a), newLogoutCmd(a), newWhoAmICmd(a), newContextCmd(a), newConfigCmd(a), newAPICmd(a), newCompletionCmd(a), newManCmd(a), newSkillCmd(a), newVersionCmd(a))
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(a.env.Streams.In)
	root.SetOut(a.env.Streams.Out)
	root.SetErr(a.env.Streams.Err)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(cmd) })
	root.SetHelpCommand(newHelpCmd(a))
	a.given = addGlobalFlags(root.PersistentFlags())
	completeGlobalFlags(a, root)
	return root
}
