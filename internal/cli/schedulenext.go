package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxPreview bounds how many slots are shown at once.
const maxPreview = 1000

// checkPreview refuses a number of slots that nobody would read.
func checkPreview(n int) error {
	if n < 1 || n > maxPreview {
		return molecule.Errorf(molecule.Invalid, "-n is %d, it must be between 1 and %d", n, maxPreview)
	}
	return nil
}

// newScheduleNextCmd makes schedule next: the slots as the daemon computes them.
func newScheduleNextCmd(a *app) *cobra.Command {
	n := 3
	cmd := a.scheduleVerb(leaf{
		use:      "next NAME",
		short:    "Show the next slots of a schedule",
		long:     "Shows the next slots as the daemon computes them; none unless the schedule is active.",
		examples: "  molecli schedule next hello\n  molecli schedule next hello -n 10 -o json",
	}, func(ctx context.Context, s *session, ref string) error {
		if err := checkPreview(n); err != nil {
			return err
		}
		slots, err := s.client.NextSlots(ctx, ref, n)
		if err != nil {
			return err
		}
		if s.structured() {
			return s.encode(molecule.Page[time.Time]{Items: append([]time.Time{}, slots...)})
		}
		if len(slots) == 0 {
			s.note("schedule %s has no slots: it is not active", ref)
			return nil
		}
		sched, err := s.client.Schedule(ctx, ref)
		if err != nil {
			return err
		}
		zone, err := time.LoadLocation(sched.TZ)
		if err != nil {
			zone = time.UTC // a zone this machine does not know is shown in UTC
		}
		return s.slots(slots, zone)
	})
	cmd.Flags().IntVarP(&n, "number", "n", n, "how many slots")
	return cmd
}

// scheduleDescribe explains an expression without a daemon.
type scheduleDescribe struct {
	app  *app
	expr string
	when cron.Options
	dst  string
	from string
	n    int
}

// description is the answer of describe.
type description struct {
	Canonical   string      `json:"canonical"`
	Description string      `json:"description"`
	TZ          string      `json:"tz"`
	DST         cron.DST    `json:"dst"`
	Next        []time.Time `json:"next"`
}

// newScheduleDescribeCmd makes schedule describe, which asks nobody.
func newScheduleDescribeCmd(a *app) *cobra.Command {
	o := &scheduleDescribe{app: a}
	cmd := leaf{
		use:   "describe CRON",
		short: "Explain a cron expression",
		long: "Says in plain words what an expression means and when it is due next. It needs no\n" +
			"daemon. --from is exclusive: a slot at that very instant is not shown.",
		examples: "  molecli schedule describe '0 8 * * MON-FRI' --tz Europe/Berlin\n" +
			"  molecli schedule describe '30 2 * * *' --tz Europe/Berlin --from 2026-03-28T12:00:00Z -n 5",
		args: exactly("CRON"),
		run: func(_ context.Context, args []string) error {
			o.expr = args[0]
			return o.run()
		},
	}.command()
	f := cmd.Flags()
	f.StringVar(&o.when.TZ, "tz", "", "time zone of the expression, an IANA name or local (UTC when not given)")
	f.StringVar(&o.dst, "dst", "", "fixed times where a clock changes: vixie, skip or both (vixie when not given)")
	f.BoolVar(&o.when.Seconds, "seconds", false, "a first field for seconds")
	f.StringVar(&o.from, "from", "", "show the slots behind this instant, RFC 3339 or a time in the zone (now when not given)")
	f.IntVarP(&o.n, "number", "n", 3, "how many slots")
	return cmd
}

// run compiles with the very code of the live loop and shows what it finds.
func (o *scheduleDescribe) run() error {
	p, err := o.app.printer()
	if err != nil {
		return err
	}
	if err := checkPreview(o.n); err != nil {
		return err
	}
	o.when.DST = cron.DST(o.dst)
	compiled, err := p.compile(o.expr, o.when)
	if err != nil {
		return err
	}
	from := o.app.now()
	if o.from != "" {
		if from, err = readFrom(o.from, compiled.TZ()); err != nil {
			return err
		}
	}
	if _, err := compiled.Next(from); err != nil {
		return err // nothing to show: the one instant or the years are over
	}
	slots, err := compiled.NextN(from, o.n)
	if err != nil {
		return err
	}
	d := description{
		Canonical: compiled.Canonical(), Description: compiled.Describe(),
		TZ: compiled.TZ(), DST: compiled.DST(), Next: slots,
	}
	if p.structured() {
		return p.encode(d)
	}
	if err := p.line("%s: %s", d.Canonical, d.Description); err != nil {
		return err
	}
	return p.slots(slots, compiled.Location())
}

// readFrom reads an instant that may have passed.
func readFrom(text, tz string) (time.Time, error) {
	from, err := cron.ParseAt(text, tz, time.Time{})
	if err != nil || text[0] < '0' || text[0] > '9' { // tomorrow is a matter of now
		return from, molecule.Errorf(molecule.Invalid, "--from %q is no instant", text).
			WithHint("write it as 2026-12-01T08:00:00Z or, in the zone of the expression, 2026-12-01T08:00")
	}
	return from, nil
}

// compile compiles an expression. One that has a field too many for anything
// but seconds is read so when whoever sits at the terminal agrees.
func (p *printer) compile(expr string, o cron.Options) (cron.Schedule, error) {
	compiled, fault := cron.Parse(expr, o)
	if fault == nil || o.Seconds || !p.InTTY || p.config.NoInput {
		return compiled, fault
	}
	o.Seconds = true
	compiled, err := cron.Parse(expr, o)
	if err != nil {
		return compiled, fault
	}
	yes, err := p.ask("Read the first field as seconds: " + compiled.Describe() + "?")
	switch {
	case err != nil:
		return cron.Schedule{}, err
	case !yes:
		return cron.Schedule{}, fault
	}
	return compiled, nil
}
