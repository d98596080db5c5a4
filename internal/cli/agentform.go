package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// agentForm is what can be said about an agent on the command line.
type agentForm struct {
	app     *app
	name    string
	rename  string
	exec    string
	shell   bool
	dir     string
	passEnv []string
	url     string
	max     int
	budget  budgetForm
	place   placeForm

	// Of add only.
	poll  bool
	await time.Duration
	out   string

	given given
}

// flags defines the flags that add and update share.
func (o *agentForm) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.exec, "exec", "", "local command: prompt on its standard input, reply on its standard output")
	f.BoolVar(&o.shell, "shell", false, "let /bin/sh run the command")
	f.StringVar(&o.dir, "dir", "", "working directory of the command")
	f.StringArrayVar(&o.passEnv, "pass-env", nil, "variable of the daemon that the command may see (repeatable)")
	f.StringVar(&o.url, "url", "", "address of an agent that speaks A2A")
	f.IntVar(&o.max, "max-concurrent", 1, "most runs at the same time")
	o.budget.flags(f)
	o.place.flags(f)
	o.given = f.Changed
}

// placeForm is what an agent is in its organisation.
type placeForm struct {
	role, parent, runtime string
	tier                  int
}

func (p *placeForm) flags(f *pflag.FlagSet) {
	f.StringVar(&p.role, "role", "", "what it is there for, such as writer")
	f.IntVar(&p.tier, "tier", 1, "how much is trusted to it, 1 to 9")
	f.StringVar(&p.parent, "parent", "", "the agent above it; '' is none")
	f.StringVar(&p.runtime, "runtime", "", "what it is made with, such as langgraph")
}

// update takes what was typed into an update.
func (p *placeForm) update(up *molecule.AgentUpdate, given given) {
	if given("role") {
		up.Role = &p.role
	}
	if given("tier") {
		up.Tier = &p.tier
	}
	if given("parent") {
		up.Parent = &p.parent
	}
	if given("runtime") {
		up.Runtime = &p.runtime
	}
}

// kinds returns the flags that say what an agent is, of those that were typed.
func (o *agentForm) kinds() []string {
	var all []string
	for _, flag := range []string{"exec", "url", "poll"} {
		if o.given(flag) {
			all = append(all, "--"+flag)
		}
	}
	return all
}

// check refuses flags that do not go together.
func (o *agentForm) check() error {
	kinds := o.kinds()
	if len(kinds) > 1 {
		return molecule.Errorf(molecule.Invalid, "an agent is one of %s, not both", strings.Join(kinds, " and "))
	}
	for _, flag := range []string{"shell", "dir", "pass-env"} {
		if o.given(flag) && len(kinds) == 1 && kinds[0] != "--exec" {
			return molecule.Errorf(molecule.Invalid, "--%s belongs to --exec, not to %s", flag, kinds[0])
		}
	}
	for _, flag := range []string{"await", "token-out"} {
		if o.given(flag) && o.changesCommand() {
			return molecule.Errorf(molecule.Invalid, "--%s is for agents that come by themselves, not for --exec", flag)
		}
	}
	if o.given("await") && o.given("token-out") {
		return molecule.Errorf(molecule.Invalid, "with --await the agent is given its token when it comes, so there is none for --token-out")
	}
	if o.given("await") && o.await <= 0 {
		return molecule.Errorf(molecule.Invalid, "--await is %s, it must be above 0 and %s at most", molecule.Duration(o.await), molecule.Duration(molecule.MaxAwait))
	}
	if o.given("max-concurrent") && (o.max < 1 || o.max > 1000) {
		return molecule.Errorf(molecule.Invalid, "--max-concurrent is %d, it must be between 1 and 1000", o.max)
	}
	return nil
}

// command returns the command part of the form, starting from what was.
func (o *agentForm) command(was *molecule.Exec) (*molecule.Exec, error) {
	var e molecule.Exec
	if was != nil {
		e = *was
	}
	if o.given("exec") {
		e.Command, e.Argv = o.exec, nil
	}
	if o.given("shell") {
		e.Shell, e.Argv = o.shell, nil
	}
	if o.given("pass-env") {
		e.PassEnv = o.passEnv
	}
	if o.given("dir") {
		// The daemon's directory is not the operator's: what is relative is so here.
		dir, err := filepath.Abs(o.dir)
		if err != nil {
			return nil, molecule.Errorf(molecule.Invalid, "--dir %q is no path", o.dir).WithCause(err)
		}
		e.Dir = dir
	}
	return &e, nil
}

// changesCommand reports whether a flag of the command part was typed.
func (o *agentForm) changesCommand() bool {
	return o.given("exec") || o.given("shell") || o.given("dir") || o.given("pass-env")
}

// newAgentAddCmd makes agent add.
func newAgentAddCmd(a *app) *cobra.Command {
	o := &agentForm{app: a}
	cmd := leaf{
		use:   "add NAME (--exec COMMAND | --url URL | --poll)",
		short: "Add an agent",
		long: "Adds an agent. With --exec it is a local command, which the daemon starts for each\n" +
			"prompt; adding one needs the socket and administrator rights. With --url it is a\n" +
			"server that speaks A2A, with --poll it asks for its work; its token is printed once.\n" +
			"With --await it is given its token when it registers with its id, before the time is up.",
		examples: "  molecli agent add echo --exec 'tr a-z A-Z'\n  molecli agent add helper --poll --token-out helper.token",
		args:     exactly("NAME"),
		run: func(ctx context.Context, args []string) error {
			o.name = args[0]
			if err := o.check(); err != nil {
				return err
			}
			return o.add(ctx)
		},
	}.command()
	o.flags(cmd)
	completeFlag(cmd, "parent", a.completeAgents)
	f := cmd.Flags()
	f.BoolVar(&o.poll, "poll", false, "it asks for its work, and is called by nobody")
	f.DurationVar(&o.await, "await", 0, "how long its first registration is waited for, an hour at most")
	f.StringVar(&o.out, "token-out", "", "write its token to a new `FILE` of mode 0600, and do not print it")
	return cmd
}

// describe returns the agent that the flags describe.
func (o *agentForm) describe() (molecule.Agent, error) {
	in := molecule.Agent{
		Name: o.name, Kind: molecule.AgentPush, URL: o.url, MaxConcurrent: o.max, Await: molecule.Duration(o.await),
		Role: o.place.role, Tier: o.place.tier, Parent: o.place.parent, Runtime: o.place.runtime,
	}
	if b := o.budget.given(o.given); b != nil {
		in.Budget = *b
	}
	switch {
	case o.poll:
		in.Kind = molecule.AgentPoll
	case o.url == "":
		e, err := o.command(nil)
		if err != nil {
			return in, err
		}
		if e.Command == "" {
			return in, molecule.Errorf(molecule.Invalid, "what is agent %s? Say --exec COMMAND, --url URL or --poll", o.name).
				WithHint("molecli agent add %s --exec 'tr a-z A-Z'", o.name)
		}
		in.Kind, in.Exec = molecule.AgentExec, e
	}
	return in, in.Validate()
}

// add checks what can be checked here and creates the agent.
func (o *agentForm) add(ctx context.Context) error {
	in, err := o.describe()
	if err != nil {
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
	if err := s.client.CreateAgent(ctx, &in); err != nil {
		return err
	}
	if err := file.keep(s, &in.Token); err != nil {
		return err
	}
	if s.structured() || s.config.Output == outName {
		return agentView().one(s.printer, in)
	}
	if err := s.line("%s", strings.TrimSpace(fmt.Sprintf("agent %s added: %s %s", in.Name, in.Kind, agentWhere(in)))); err != nil {
		return err
	}
	if err := s.showOnce(in.Token); err != nil {
		return err
	}
	s.introduce(in)
	return nil
}

// introduce says what an agent has to be told that was just added, and how to see
// that it works. One that asks for its work is not there yet.
func (s *session) introduce(a molecule.Agent) {
	try := "run " + a.Name + " --prompt 'say hello'"
	switch {
	case !a.AwaitUntil.IsZero():
		s.note("it is given its token when it registers as %s before %s", a.ID, a.AwaitUntil.Format(time.RFC3339))
	case a.Kind == molecule.AgentPoll:
		s.note("its id is %s: with its token it asks GET /workspaces/%s/activity", a.ID, a.ID)
	case a.Kind == molecule.AgentPush:
		s.note("its id is %s: that and its token go with what it sends itself, such as heartbeats", a.ID)
	}
	if a.Kind == molecule.AgentPoll || !a.AwaitUntil.IsZero() {
		try = "watch " + a.Name + " --until online"
	}
	s.note("try: molecli agent %s", try)
}

// newAgentUpdateCmd makes agent update.
func newAgentUpdateCmd(a *app) *cobra.Command {
	o := &agentForm{app: a}
	cmd := leaf{
		use:   "update NAME",
		short: "Change an agent",
		long: "Changes what is named by a flag and leaves the rest. A local command stays one, and\n" +
			"so does every other kind. Runs under way are not touched.",
		examples: "  molecli agent update echo --max-concurrent 4\n  molecli agent update echo --exec 'tr a-z A-Z' --dir /tmp",
		args:     exactly("NAME"), complete: a.completeAgents,
		run: func(ctx context.Context, args []string) error {
			o.name = args[0]
			if err := o.check(); err != nil {
				return err
			}
			return o.update(ctx)
		},
	}.command()
	o.flags(cmd)
	completeFlag(cmd, "parent", a.completeAgents)
	cmd.Flags().StringVar(&o.rename, "name", "", "new name")
	return cmd
}

// update sends what was named. The command part and the budget are sent whole, so
// what was not named of them is read first.
func (o *agentForm) update(ctx context.Context) error {
	var up molecule.AgentUpdate
	o.place.update(&up, o.given)
	if up == (molecule.AgentUpdate{}) && !o.budget.typed(o.given) && !o.given("name") && !o.given("url") && !o.given("max-concurrent") && !o.changesCommand() {
		return molecule.Errorf(molecule.Invalid, "nothing to change").WithHint("molecli agent update --help")
	}
	s, err := o.app.session(ctx)
	if err != nil {
		return err
	}
	if o.given("name") {
		up.Name = &o.rename
	}
	if o.given("url") {
		up.URL = &o.url
	}
	if o.given("max-concurrent") {
		up.MaxConcurrent = &o.max
	}
	if o.changesCommand() || o.budget.typed(o.given) {
		was, err := s.client.Agent(ctx, o.name)
		if err != nil {
			return err
		}
		o.budget.keep(o.given, was.Budget)
		up.Budget = o.budget.given(o.given)
		if o.changesCommand() {
			if up.Exec, err = o.command(was.Exec); err != nil {
				return err
			}
		}
	}
	agent, err := s.client.UpdateAgent(ctx, o.name, up)
	if err != nil {
		return err
	}
	s.done("agent %s updated", agent.Name)
	return agentView().one(s.printer, agent)
}
