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
	tz   string
	from string
	n    int
}

// description is the answer of describe.
type description struct {
	Cron        string      `json:"cron"`
	TZ          string      `json:"tz"`
	Description string      `json:"description"`
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
	f.StringVar(&o.tz, "tz", "", "time zone of the expression, an IANA name or local (UTC when not given)")
	f.StringVar(&o.from, "from", "", "show the slots behind this instant, RFC 3339 (now when not given)")
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
	from := o.app.now()
	if o.from != "" {
		if from, err = time.Parse(time.RFC3339, o.from); err != nil {
			return molecule.Errorf(molecule.Invalid, "--from %q is no instant", o.from).
				WithHint("write it as 2026-12-01T08:00:00Z or 2026-12-01T08:00:00+01:00")
		}
	}
	compiled, err := cron.Parse(o.expr, cron.Options{TZ: o.tz})
	if err != nil {
		return err
	}
	slots, err := compiled.NextN(from, o.n)
	if err != nil {
		return err
	}
	d := description{Cron: compiled.Canonical(), TZ: compiled.TZ(), Description: compiled.Describe(), Next: slots}
	if p.structured() {
		return p.encode(d)
	}
	if err := p.line("%s: %s", d.Cron, d.Description); err != nil {
		return err
	}
	return p.slots(slots, compiled.Location())
}
