package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/schedulefile"
)

// policyForm is what can be said on the command line about slots that are not
// as any other.
type policyForm struct {
	catchUp       string
	catchUpWindow time.Duration
	catchUpMax    int
	overlap       string
	jitter        time.Duration
	jitterMode    string
	retries       int
	resend        string
	budget        budgetForm
	exclude       []string
	maxRuns       int
	until         string
}

func (o *policyForm) flags(f *pflag.FlagSet) {
	f.StringVar(&o.catchUp, "catch-up", "", "slots that passed unseen: latest, none, all or window (latest when not given)")
	f.DurationVar(&o.catchUpWindow, "catch-up-window", 0, "how old a slot may be and still fire (its period, at most a day, when not given)")
	f.IntVar(&o.catchUpMax, "catch-up-max", 0, "most slots that fire late under --catch-up all (10 when not given)")
	f.StringVar(&o.overlap, "overlap", "", "a slot that comes while a run is open: skip, queue, replace or allow (skip when not given)")
	f.DurationVar(&o.jitter, "jitter", 0, "move slots by up to this much, always before the next one")
	f.StringVar(&o.jitterMode, "jitter-mode", "", "offset moves each slot by the same time, spread each by another (offset when not given)")
	f.IntVar(&o.retries, "retries", 0, "most further attempts, -1 for as many as the outcome is worth")
	f.StringVar(&o.resend, "resend", "", "a prompt nobody knows the fate of: never sent again, or safe to (never when not given)")
	f.StringSliceVar(&o.exclude, "exclude", nil, "calendars on whose days it does not fire; '' for none")
	f.IntVar(&o.maxRuns, "max-runs", 0, "slots that fire before it is finished; 0 for no end")
	f.StringVar(&o.until, "until", "", "no slot behind this time, in the zone of the schedule; '' for no end")
	o.budget.flags(f)
}

// completePolicies offers the values of policies.
func completePolicies(cmd *cobra.Command) {
	for flag, values := range map[string][]string{
		"catch-up":    {"latest", "none", "all", "window"},
		"overlap":     {"skip", "queue", "replace", "allow"},
		"jitter-mode": {"offset", "spread"},
		"resend":      {"never", "safe"},
	} {
		completeFlag(cmd, flag, choices(values...))
	}
}

// given is whether a flag was typed.
type given func(flag string) bool

// changes puts what was typed into up. tz is the zone of a time without one.
func (o *policyForm) changes(up *molecule.ScheduleUpdate, given given, tz string) error {
	for flag, set := range map[string]func(){
		"catch-up":        func() { up.CatchUp = (*molecule.CatchUp)(&o.catchUp) },
		"catch-up-window": func() { up.CatchUpWindow = (*molecule.Duration)(&o.catchUpWindow) },
		"catch-up-max":    func() { up.CatchUpMax = &o.catchUpMax },
		"overlap":         func() { up.Overlap = (*molecule.Overlap)(&o.overlap) },
		"jitter":          func() { up.Jitter = (*molecule.Duration)(&o.jitter) },
		"jitter-mode":     func() { up.JitterMode = (*molecule.JitterMode)(&o.jitterMode) },
		"retries":         func() { up.Retries = &o.retries },
		"resend":          func() { up.Resend = (*molecule.Resend)(&o.resend) },
		"exclude":         func() { up.Exclusions = ptr(nonEmpty(o.exclude)) },
		"max-runs":        func() { up.MaxRuns = &o.maxRuns },
	} {
		if given(flag) {
			set()
		}
	}
	up.Budget = o.budget.given(given)
	if !given("until") {
		return nil
	}
	until, err := readUntil(o.until, tz)
	up.Until = &until
	return err
}

func ptr[T any](v T) *T { return &v }

// nonEmpty drops names that are empty.
func nonEmpty(names []string) []string {
	list := []string{}
	for _, name := range names {
		if name = strings.TrimSpace(name); name != "" {
			list = append(list, name)
		}
	}
	return list
}

// readUntil reads a time that may have passed; the zero time for "".
func readUntil(text, tz string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	until, err := schedulefile.Until(text, tz)
	if err != nil {
		return until, molecule.Errorf(molecule.Invalid, "--until %s", err).WithHint("%s", molecule.HintOf(err))
	}
	return until, nil
}

// policy returns the policy of a new schedule.
func (o *policyForm) policy(given given, tz string) (molecule.Policy, error) {
	var up molecule.ScheduleUpdate
	if err := o.changes(&up, given, tz); err != nil {
		return molecule.Policy{}, err
	}
	p := molecule.Policy{
		CatchUp: molecule.CatchUp(o.catchUp), CatchUpWindow: molecule.Duration(o.catchUpWindow), CatchUpMax: o.catchUpMax,
		Overlap: molecule.Overlap(o.overlap), Jitter: molecule.Duration(o.jitter), JitterMode: molecule.JitterMode(o.jitterMode),
		Resend: molecule.Resend(o.resend), Budget: up.Budget, Exclusions: nonEmpty(o.exclude), MaxRuns: o.maxRuns,
	}
	if up.Until != nil {
		p.Until = *up.Until
	}
	if up.Retries != nil && o.retries != -1 {
		p.Retries = up.Retries
	}
	return p, p.Validate()
}

// budgetForm is what can be said about a budget.
type budgetForm struct {
	runs   int
	tokens int64
	cost   float64
	window time.Duration
}

func (o *budgetForm) flags(f *pflag.FlagSet) {
	f.IntVar(&o.runs, "budget-runs", 0, "most runs in the window of the budget; 0 for no bound")
	f.Int64Var(&o.tokens, "budget-tokens", 0, "most tokens in the window, as agents report them; 0 for no bound")
	f.Var((*dollars)(&o.cost), "budget-cost", "most US dollars in the window, as agents report them; 0 for no bound")
	f.DurationVar(&o.window, "budget-window", 0, "window of the budget (a day when not given)")
}

// dollars is the value of a flag. Unlike a float64 it is a number.
type dollars float64

// Set implements pflag.Value.
func (d *dollars) Set(text string) error {
	v, err := molecule.ParseCost(text)
	if err == nil {
		*d = dollars(v)
	}
	return err
}

// String implements pflag.Value.
func (d *dollars) String() string { return strconv.FormatFloat(float64(*d), 'g', -1, 64) }

// Type implements pflag.Value.
func (d *dollars) Type() string { return "dollars" }

// typed returns whether a flag of it was typed.
func (o *budgetForm) typed(given given) bool {
	return given("budget-runs") || given("budget-tokens") || given("budget-cost") || given("budget-window")
}

// given returns the budget when a flag of it was typed; else nil.
func (o *budgetForm) given(given given) *molecule.Budget {
	if !o.typed(given) {
		return nil
	}
	return &molecule.Budget{Runs: o.runs, Tokens: o.tokens, CostUSD: o.cost, Window: molecule.Duration(o.window)}
}

// keep takes what was not typed from the budget as it is. A window without any
// bound left goes with the last of them.
func (o *budgetForm) keep(given given, is molecule.Budget) {
	for flag, keep := range map[string]func(){
		"budget-runs":   func() { o.runs = is.Runs },
		"budget-tokens": func() { o.tokens = is.Tokens },
		"budget-cost":   func() { o.cost = is.CostUSD },
		"budget-window": func() { o.window = time.Duration(is.Window) },
	} {
		if !given(flag) {
			keep()
		}
	}
	if o.runs == 0 && o.tokens == 0 && o.cost == 0 && !given("budget-window") {
		o.window = 0
	}
}
