package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// scheduleForm is what can be said about a schedule on the command line.
type scheduleForm struct {
	app    *app
	name   string
	rename string
	agent  string
	cron   string
	tz     string
	prompt string
	within time.Duration

	given func(flag string) bool // whether the flag was typed
}

// flags defines the flags that add and update share.
func (o *scheduleForm) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.agent, "agent", "", "who receives the prompt")
	f.StringVar(&o.cron, "cron", "", "when: minute hour day month weekday; see molecli help cron")
	f.StringVar(&o.tz, "tz", "", "time zone of the expression, an IANA name or local (UTC when not given)")
	f.StringVar(&o.prompt, "prompt", "", "the prompt: text, @FILE, or - for standard input")
	f.DurationVar(&o.within, "run-timeout", molecule.DefaultTimeout, "how long one run may take")
	o.given = f.Changed
	completeFlag(cmd, "agent", o.app.completeAgents)
}

// newScheduleAddCmd makes schedule add.
func newScheduleAddCmd(a *app) *cobra.Command {
	o := &scheduleForm{app: a}
	cmd := leaf{
		use:   "add NAME --agent AGENT --cron CRON --prompt TEXT|@FILE|-",
		short: "Add a schedule",
		long: "Adds a schedule and prints what was understood: the expression in plain words, the\n" +
			"next three slots, and what becomes of slots that cannot be kept.",
		examples: "  molecli schedule add hello --agent echo --cron '0 8 * * *' --prompt 'say hello'\n" +
			"  echo report | molecli schedule add report --agent echo --cron '30 17 * * MON-FRI' --tz Europe/Berlin --prompt -",
		args: exactly("NAME"),
		run: func(ctx context.Context, args []string) error {
			o.name = args[0]
			return o.add(ctx)
		},
	}.command()
	o.flags(cmd)
	return cmd
}

// add compiles the expression here first: a mistake is shown with a caret
// without a daemon, and a preview comes from what was compiled.
func (o *scheduleForm) add(ctx context.Context) error {
	p, err := o.app.printer()
	if err != nil {
		return err
	}
	if o.agent == "" {
		return molecule.Errorf(molecule.Invalid, "who receives the prompt? Say --agent AGENT").WithHint("molecli agent list")
	}
	in := molecule.Schedule{
		Name: o.name, Agent: o.agent, Cron: o.cron, TZ: o.tz, State: molecule.ScheduleActive,
		Timeout: molecule.Duration(o.within),
	}
	if in.Prompt, err = p.readPrompt(o.prompt); err != nil {
		return err
	}
	if err := in.Validate(); err != nil {
		return err
	}
	compiled, err := cron.Parse(o.cron, cron.Options{TZ: o.tz})
	if err != nil {
		return err
	}
	in.TZ = compiled.TZ() // "local" is the operator's zone, not the daemon's
	s, err := o.app.session(ctx)
	if err != nil {
		return err
	}
	if err := s.client.CreateSchedule(ctx, &in); err != nil {
		return err
	}
	return s.announce(in, compiled, o.app.now())
}

// announce says what was understood of a new schedule.
func (s *session) announce(sched molecule.Schedule, compiled cron.Schedule, now time.Time) error {
	if s.structured() || s.config.Output == outName {
		return scheduleView().one(s.printer, sched)
	}
	if err := s.line("schedule %s added: %s", sched.Name, compiled.Describe()); err != nil {
		return err
	}
	slots, err := compiled.NextN(now, 3)
	if err != nil {
		return err
	}
	if err := s.slots(slots, compiled.Location()); err != nil {
		return err
	}
	for _, text := range []string{
		"misses:   after a pause of the daemon the latest slot fires late, unless the next is due or it is a day old; others are recorded as missed",
		"overlap:  a slot that comes while the run before it is open is skipped, and recorded",
		"timeout:  " + sched.Timeout.String() + " for each run, see --run-timeout",
		"try now:  molecli schedule run " + sched.Name,
	} {
		if err := s.line("%s", text); err != nil {
			return err
		}
	}
	return nil
}

// slots writes instants in their own zone and in UTC.
func (p *printer) slots(slots []time.Time, zone *time.Location) error {
	for _, t := range slots {
		line := "next:     " + t.In(zone).Format("Mon 2006-01-02 15:04 MST") + "   " + t.UTC().Format(time.RFC3339)
		if p.layout.Pipe {
			line = "next\t" + t.In(zone).Format(time.RFC3339) + "\t" + t.UTC().Format(time.RFC3339)
		}
		if err := p.line("%s", line); err != nil {
			return err
		}
	}
	return nil
}

// newScheduleUpdateCmd makes schedule update.
func newScheduleUpdateCmd(a *app) *cobra.Command {
	o := &scheduleForm{app: a}
	cmd := leaf{
		use:   "update NAME",
		short: "Change a schedule",
		long: "Changes what is named by a flag and leaves the rest. The next slot stays unless the\n" +
			"expression or its zone change.",
		examples: "  molecli schedule update hello --cron '0 9 * * *'\n  molecli schedule update hello --prompt 'say goodbye' --run-timeout 5m",
		args:     exactly("NAME"), complete: a.completeSchedules,
		run: func(ctx context.Context, args []string) error {
			o.name = args[0]
			return o.update(ctx)
		},
	}.command()
	o.flags(cmd)
	cmd.Flags().StringVar(&o.rename, "name", "", "new name")
	return cmd
}

// update sends what was named.
func (o *scheduleForm) update(ctx context.Context) error {
	p, err := o.app.printer()
	if err != nil {
		return err
	}
	up, err := o.changes(p)
	if err != nil {
		return err
	}
	if up == (molecule.ScheduleUpdate{}) {
		return molecule.Errorf(molecule.Invalid, "nothing to change").WithHint("molecli schedule update --help")
	}
	s, err := o.app.session(ctx)
	if err != nil {
		return err
	}
	sched, err := s.client.UpdateSchedule(ctx, o.name, up)
	if err != nil {
		return err
	}
	s.done("schedule %s updated", sched.Name)
	return scheduleView().one(s.printer, sched)
}

// changes returns what the flags ask for, checked as far as it can be here.
func (o *scheduleForm) changes(p *printer) (molecule.ScheduleUpdate, error) {
	var up molecule.ScheduleUpdate
	for flag, set := range map[string]func(){
		"name":        func() { up.Name = &o.rename },
		"agent":       func() { up.Agent = &o.agent },
		"cron":        func() { up.Cron = &o.cron },
		"run-timeout": func() { up.Timeout = (*molecule.Duration)(&o.within) },
	} {
		if o.given(flag) {
			set()
		}
	}
	if o.given("prompt") {
		text, err := p.readPrompt(o.prompt)
		if err != nil {
			return up, err
		}
		up.Prompt = &text
	}
	if !o.given("cron") && !o.given("tz") {
		return up, nil
	}
	expr := o.cron
	if !o.given("cron") {
		expr = "* * * * *" // only the zone is judged here
	}
	compiled, err := cron.Parse(expr, cron.Options{TZ: o.tz})
	if err != nil {
		return up, err
	}
	if o.given("tz") {
		tz := compiled.TZ()
		up.TZ = &tz
	}
	return up, nil
}
