package cli

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// The states of a finding.
const (
	foundOK      = "ok"
	foundWarning = "warning"
	foundFailed  = "failed"
	foundSkipped = "skipped" // what it builds upon has failed
)

// finding is what one check came to.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"`
	Found string `json:"found"`
	Cure  string `json:"cure,omitempty"`
	Exit  int    `json:"exit,omitempty"` // the exit status it stands for
	Fixed bool   `json:"fixed,omitempty"`

	mend func() error // what --fix does; nil when only a person can
}

// check is one thing that doctor looks at.
type check struct {
	name  string
	needs string // the check without which it has nothing to look at; "" is none
	look  func(ctx context.Context) finding
}

// doctor looks at everything between the operator and the daemon.
type doctor struct {
	app      *app
	fix      bool
	config   config
	endpoint string
	client   *client.Client
	liveness molecule.Liveness
	status   molecule.Status
}

// newDoctorCmd makes doctor.
func newDoctorCmd(a *app) *cobra.Command {
	d := &doctor{app: a}
	cmd := leaf{
		use:   "doctor",
		short: "Find out what is wrong, and what to do about it",
		long: "Looks at everything between you and the work of your agents: settings, endpoint, token,\n" +
			"daemon, subsystems, agents, schedules, disk. Each finding names its cure. ! is advice, ✗ has\n" +
			"to be mended; the exit status is that of the first ✗: 2 settings, 4 not allowed, 6 nobody\n" +
			"answers, 10 or 11 subsystems as in liveness, else 1. --fix does the cures that are safe:\n" +
			"it takes files that only you should read away from others.",
		examples: "  molecli doctor\n  molecli doctor --fix -o json",
		args:     exactly(),
		run:      func(ctx context.Context, _ []string) error { return d.run(ctx) },
	}.command()
	cmd.Flags().BoolVar(&d.fix, "fix", false, "do the cures that are safe")
	return cmd
}

// run looks at everything, tells, and judges by the first finding that failed.
func (d *doctor) run(ctx context.Context) error {
	settings := d.settings()
	p, err := d.app.printer() // of what is sound, when the file is not
	if err != nil {
		return err
	}
	d.config = p.config
	all := []finding{settings}
	for _, c := range d.checks() {
		all = append(all, d.examine(ctx, c, all))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := p.findings(all); err != nil {
		return err
	}
	for _, f := range all {
		if f.State == foundFailed {
			return judged(f.Exit)
		}
	}
	return nil
}

// examine looks at one thing, unless what it builds upon has failed, and mends
// it when that is asked for.
func (d *doctor) examine(ctx context.Context, c check, before []finding) finding {
	for _, f := range before {
		if c.needs == f.Check && (f.State == foundFailed || f.State == foundSkipped) {
			return finding{Check: c.name, State: foundSkipped, Found: "not looked at: " + f.Check + " comes first"}
		}
	}
	f := d.mended(c.look(ctx), func() finding { return c.look(ctx) })
	f.Check = c.name
	return f
}

// mended does the cure of f when that is asked for and can be done, and looks
// again.
func (d *doctor) mended(f finding, again func() finding) finding {
	if !d.fix || f.mend == nil {
		return f
	}
	if err := f.mend(); err != nil {
		f.Found += "; it cannot be mended: " + err.Error()
		return f
	}
	f = again()
	f.Fixed = true
	return f
}

// well is a finding that there is nothing to do.
func well(found string) finding { return finding{State: foundOK, Found: found} }

// advice is a finding that somebody should look at.
func advice(found, cure string) finding {
	return finding{State: foundWarning, Found: found, Cure: cure}
}

// broken is a finding that has to be mended, with the exit status it stands for.
func broken(exit int, found, cure string) finding {
	return finding{State: foundFailed, Found: found, Cure: cure, Exit: exit}
}

// failedBy is the finding that err stands in the way.
func (d *doctor) failedBy(ctx context.Context, err error) finding {
	return broken(exitOf(ctx, err), firstLine(message(err)), hintOf(err, d.config.Org))
}

// findings writes findings in the face that is asked for, and how many there are.
func (p *printer) findings(all []finding) error {
	if err := p.findingRows(all); err != nil {
		return err
	}
	failed, warned := 0, 0
	for _, f := range all {
		switch f.State {
		case foundFailed:
			failed++
		case foundWarning:
			warned++
		}
	}
	if failed+warned == 0 {
		p.done("nothing is wrong")
		return nil
	}
	p.note("to be mended: %d, advice: %d", failed, warned)
	return nil
}

func (p *printer) findingRows(all []finding) error {
	if p.layout.Pipe || p.structured() || p.config.Output == outName || p.config.Sort != "" {
		return findingView().list(p, all)
	}
	width := 0
	for _, f := range all {
		width = max(width, len(f.Check))
	}
	for _, f := range all {
		if err := p.finding(f, width); err != nil {
			return err
		}
	}
	return nil
}

// finding writes one finding for a person: nothing of it is cut, and the cure
// has a line of its own, to be copied.
func (p *printer) finding(f finding, width int) error {
	tone, found := toneOfFinding(f.State), f.Found
	if f.Fixed {
		found += " (fixed)"
	}
	indent := strings.Repeat(" ", width+4)
	lines := term.Wrap(term.Clean(found), p.layout.Width-len(indent))
	head := p.layout.Palette.Mark(tone) + " " + f.Check + strings.Repeat(" ", width-len(f.Check)) + "  "
	if err := p.line("%s", head+strings.Join(lines, "\n"+indent)); err != nil || f.Cure == "" {
		return err
	}
	return p.line("  try: %s", term.Clean(f.Cure))
}

func toneOfFinding(state string) term.Tone {
	switch state {
	case foundOK:
		return term.Good
	case foundWarning:
		return term.Warn
	case foundFailed:
		return term.Bad
	}
	return term.Busy
}

// findingView is how findings are shown to a program.
func findingView() view[finding] {
	return view[finding]{
		noun: "findings",
		name: func(f finding) string { return f.Check },
		columns: []column[finding]{
			{Column: term.Column{Title: "CHECK"}, cell: func(f finding) term.Cell { return term.Text(f.Check) }},
			{Column: term.Column{Title: "STATE"}, cell: func(f finding) term.Cell { return term.Toned(toneOfFinding(f.State), f.State) }},
			{Column: term.Column{Title: "FOUND", Drop: 2, Min: 16}, cell: func(f finding) term.Cell { return term.Text(f.Found) }},
			{Column: term.Column{Title: "CURE", Drop: 1}, cell: func(f finding) term.Cell { return term.Text(f.Cure) }},
		},
	}
}

// settings looks at the file of settings. Where it is not sound, what follows
// goes by flags and variables alone.
func (d *doctor) settings() finding {
	a := d.app
	path := configPath(a.env.Lookup)
	look := func() finding {
		_, err := a.resolve()
		if err == nil {
			return well(aboutFile(path))
		}
		f := broken(wire.ExitUsage, firstLine(message(err)), molecule.HintOf(err))
		f.mend = closeToOthers(path)
		return f
	}
	f := d.mended(look(), look)
	f.Check = "settings"
	if a.values == nil {
		// What is wrong with flags and variables is the printer's to say.
		a.values, _ = a.resolveOver(path, fileConfig{})
	}
	return f
}

// aboutFile says where the settings come from.
func aboutFile(path string) string {
	if _, err := os.Stat(path); err != nil {
		return "there is no " + path + ", which is fine"
	}
	return "read from " + path
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
