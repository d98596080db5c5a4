package cli

import (
	"context"
	"strconv"
	"strings"
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
	at     string
	when   cron.Options
	dst    string
	prompt string
	within time.Duration
	policy policyForm

	given given
}

// flags defines the flags that add and update share.
func (o *scheduleForm) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.agent, "agent", "", "who receives the prompt")
	f.StringVar(&o.cron, "cron", "", "when: minute hour day month weekday, or @every 90s; see molecli help cron")
	f.StringVar(&o.at, "at", "", "once, at this time: 2026-12-01T08:00, tomorrow 23:00, in 90m")
	f.StringVar(&o.when.TZ, "tz", "", "time zone of the expression, an IANA name or local (UTC when not given)")
	f.StringVar(&o.dst, "dst", "", "fixed times where a clock changes: vixie, skip or both (vixie when not given)")
	f.BoolVar(&o.when.Seconds, "seconds", false, "the expression has a first field for seconds")
	f.DurationVar(&o.when.Phase, "phase", 0, "move the slots of @every away from whole intervals since 1970")
	f.StringVar(&o.prompt, "prompt", "", "the prompt: text, @FILE, or - for standard input; {{missed}} tells what was missed")
	f.DurationVar(&o.within, "run-timeout", molecule.DefaultTimeout, "how long one run may take")
	o.policy.flags(f)
	o.given = f.Changed
	completeFlag(cmd, "agent", o.app.completeAgents)
	completeFlag(cmd, "exclude", o.app.completeCalendars)
	completeFlag(cmd, "tz", o.app.completeZones)
	completeFlag(cmd, "dst", choices("vixie", "skip", "both"))
	completePolicies(cmd)
}

// newScheduleAddCmd makes schedule add.
func newScheduleAddCmd(a *app) *cobra.Command {
	o := &scheduleForm{app: a}
	cmd := leaf{
		use:   "add NAME --agent AGENT (--cron CRON | --at TIME) --prompt TEXT|@FILE|-",
		short: "Add a schedule",
		long: "Adds a schedule and prints what was understood: the expression in plain words, the\n" +
			"next three slots, and what becomes of slots that cannot be kept.",
		examples: "  echo 'say hello' | molecli schedule add hello --agent echo --cron '0 8 * * MON-FRI' --tz Europe/Berlin --prompt -\n" +
			"  molecli schedule add once --agent echo --at 'tomorrow 23:00' --prompt 'say good night'",
		args: exactly("NAME"),
		run: func(ctx context.Context, args []string) error {
			o.name = args[0]
			return o.add(ctx)
		},
	}.command()
	o.flags(cmd)
	return cmd
}

// compile reads what says when, here first: a mistake is shown with a caret
// without a daemon, and a preview comes from what was compiled.
func (o *scheduleForm) compile(p *printer) (cron.Schedule, error) {
	o.when.DST = cron.DST(o.dst)
	if o.at == "" {
		return p.compile(o.cron, o.when)
	}
	if o.cron != "" {
		return cron.Schedule{}, molecule.Errorf(molecule.Invalid, "a schedule has either --cron or --at, not both")
	}
	at, err := cron.ParseAt(o.at, o.when.TZ, o.app.now())
	if err != nil {
		return cron.Schedule{}, err
	}
	return cron.Parse("@at "+at.UTC().Format(time.RFC3339), o.when)
}

// add compiles, creates and announces.
func (o *scheduleForm) add(ctx context.Context) error {
	p, err := o.app.printer()
	if err != nil {
		return err
	}
	if o.agent == "" {
		return molecule.Errorf(molecule.Invalid, "who receives the prompt? Say --agent AGENT").WithHint("molecli agent list")
	}
	if o.cron == "" && o.at == "" {
		return molecule.Errorf(molecule.Invalid, "when? Say --cron CRON or --at TIME").
			WithHint("for example --cron '0 8 * * *'; see molecli help cron")
	}
	compiled, err := o.compile(p)
	if err != nil {
		return err
	}
	in := molecule.Schedule{
		Name: o.name, Agent: o.agent, Cron: compiled.Canonical(), State: molecule.ScheduleActive, Seconds: compiled.Seconds(),
		TZ:  compiled.TZ(), // "local" is the operator's zone, not the daemon's
		DST: o.dst, Phase: molecule.Duration(o.when.Phase), Timeout: molecule.Duration(o.within),
	}
	if in.Policy, err = o.policy.policy(o.given, compiled.TZ()); err != nil {
		return err
	}
	if in.Prompt, err = p.readPrompt(o.prompt); err != nil {
		return err
	}
	if err := in.Validate(); err != nil {
		return err
	}
	s, err := o.app.session(ctx)
	if err != nil {
		return err
	}
	if err := s.client.CreateSchedule(ctx, &in); err != nil {
		return err
	}
	return s.announce(ctx, in, compiled)
}

// announce says what was understood of a new schedule.
func (s *session) announce(ctx context.Context, sched molecule.Schedule, compiled cron.Schedule) error {
	if s.structured() || s.config.Output == outName {
		return scheduleView().one(s.printer, sched)
	}
	if err := s.line("schedule %s added: %s", sched.Name, compiled.Describe()); err != nil {
		return err
	}
	slots, err := s.client.NextSlots(ctx, sched.Name, 3)
	if err != nil {
		return err
	}
	if len(slots) == 0 {
		s.note("no slot is in sight: its calendars exclude every day that was looked at")
	}
	if err := s.slots(slots, compiled.Location()); err != nil {
		return err
	}
	p := sched.Effective()
	texts := []string{"misses:   " + missesText(p), "overlap:  " + overlapText(p.Overlap)}
	if compiled.Once() {
		texts = []string{"misses:   " + missedOnceText(p)}
	}
	for _, text := range append(texts,
		"timeout:  "+sched.Timeout.String()+" for each run, see --run-timeout",
		"try now:  molecli schedule run "+sched.Name,
	) {
		if err := s.line("%s", text); err != nil {
			return err
		}
	}
	return nil
}

// slots writes instants in their own zone and in UTC.
func (p *printer) slots(slots []time.Time, zone *time.Location) error {
	for _, t := range slots {
		const title, between = "next:     ", "   "
		own, utc := t.In(zone).Format("Mon 2006-01-02 15:04 MST"), t.UTC().Format(time.RFC3339)
		line := title + own + between + utc
		if p.layout.Width > 0 && len(line) > p.layout.Width {
			line = title + own + "\n" + strings.Repeat(" ", len(title)) + utc
		}
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
	if o.dependsOnWhatIs() {
		if err := o.look(ctx); err != nil {
			return err
		}
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

// dependsOnWhatIs reports whether what was typed means something only beside what
// the schedule is: a time is one in its zone, a part of a budget is one of it.
func (o *scheduleForm) dependsOnWhatIs() bool {
	return (o.given("at") || o.given("until")) && !o.given("tz") || o.policy.budget.typed(o.given)
}

// look takes what was not typed from the schedule as it is.
func (o *scheduleForm) look(ctx context.Context) error {
	s, err := o.app.session(ctx)
	if err != nil {
		return err
	}
	is, err := s.client.Schedule(ctx, o.name)
	if err != nil {
		return err
	}
	if !o.given("tz") {
		o.when.TZ = is.TZ
	}
	if is.Budget != nil {
		o.policy.budget.keep(o.given, *is.Budget)
	}
	return nil
}

// changes returns what the flags ask for, checked as far as it can be here.
func (o *scheduleForm) changes(p *printer) (molecule.ScheduleUpdate, error) {
	var up molecule.ScheduleUpdate
	for flag, set := range map[string]func(){
		"name":        func() { up.Name = &o.rename },
		"agent":       func() { up.Agent = &o.agent },
		"dst":         func() { up.DST = &o.dst },
		"phase":       func() { up.Phase = (*molecule.Duration)(&o.when.Phase) },
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
	if err := o.changesWhen(&up, p); err != nil {
		return up, err
	}
	return up, o.policy.changes(&up, o.given, o.when.TZ)
}

// changesWhen puts a new expression and a new zone into up.
func (o *scheduleForm) changesWhen(up *molecule.ScheduleUpdate, p *printer) error {
	expression := o.given("cron") || o.given("at")
	if !expression && !o.given("tz") && !o.given("dst") {
		return nil
	}
	if !expression {
		o.cron = "* * * * *" // only zone and policy are judged here
	}
	compiled, err := o.compile(p)
	if err != nil {
		return err
	}
	if expression {
		up.Cron, up.Seconds = ptr(compiled.Canonical()), ptr(compiled.Seconds())
	}
	if o.given("tz") || o.given("at") {
		up.TZ = ptr(compiled.TZ())
	}
	return nil
}

// missesText says what becomes of slots that pass while nobody can fire them.
func missesText(p molecule.Policy) string {
	const rest = "; others are recorded as missed"
	within := ""
	if p.CatchUpWindow > 0 {
		within = " if it is at most " + p.CatchUpWindow.String() + " old"
		if p.CatchUp == molecule.CatchUpAll {
			within = " if they are at most " + p.CatchUpWindow.String() + " old"
		}
	}
	switch p.CatchUp {
	case molecule.CatchUpNone:
		return "slots that pass while the daemon is down are recorded as missed"
	case molecule.CatchUpAll:
		if within == "" {
			within = " if they are at most a day old"
		}
		return "after a pause of the daemon the latest " + strconv.Itoa(p.CatchUpMax) + " slots fire late" + within + rest
	case molecule.CatchUpWindow:
		return "after a pause of the daemon the latest slot fires late" + within + rest
	}
	if within == "" {
		within = ", unless the next is due or it is a day old"
	}
	return "after a pause of the daemon the latest slot fires late" + within + rest
}

// missedOnceText says what becomes of the only slot there is, should it pass
// while nobody can fire it.
func missedOnceText(p molecule.Policy) string {
	const down = "a slot that passes while the daemon is down "
	if p.CatchUp == molecule.CatchUpNone {
		return down + "is recorded as missed"
	}
	age := "a day"
	if p.CatchUpWindow > 0 {
		age = p.CatchUpWindow.String()
	}
	return down + "fires late, or is recorded as missed when it is more than " + age + " old"
}

// overlapText says what a slot does that comes while a run is open.
func overlapText(o molecule.Overlap) string {
	const comes = "a slot that comes while the run before it is open "
	switch o {
	case molecule.OverlapQueue:
		return comes + "waits for its end; while one waits, more are skipped"
	case molecule.OverlapReplace:
		return comes + "has that run canceled and takes its place"
	case molecule.OverlapAllow:
		return comes + "fires beside it"
	}
	return comes + "is skipped, and recorded"
}
