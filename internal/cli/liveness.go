package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// waitPause is how long --wait waits between two looks.
const waitPause = 50 * time.Millisecond

// liveness asks whether the daemon is alive.
type liveness struct {
	app   *app
	names []string
	wait  time.Duration
}

// newLivenessCmd makes liveness, the one command that is also a group.
func newLivenessCmd(a *app) *cobra.Command {
	o := &liveness{app: a}
	cmd := leaf{
		use:   "liveness [SUBSYSTEM…]",
		short: "Is the daemon alive?",
		long: "Shows every subsystem of the daemon with what its last finished tick proves, then the\n" +
			"agents and the schedules. Exit status: 0 when all is well, 10 when a subsystem is\n" +
			"stale, stuck or in backoff or an optional one failed, 11 when a critical one failed.\n" +
			"Agents and schedules never change it.",
		examples: "  molecli liveness --wait 10s\n  molecli liveness scheduler -o json",
		complete: a.completeSubsystems,
		run: func(ctx context.Context, args []string) error {
			o.names = args
			return o.run(ctx)
		},
	}.command()
	f := cmd.Flags()
	f.DurationVar(&o.wait, "wait", 0, "look again until all has begun and is well, for at most this long")
	cmd.AddCommand(newLivenessDumpCmd(a))
	return cmd
}

// run looks once, or waits.
func (o *liveness) run(ctx context.Context) error {
	p, err := o.app.printer()
	if err != nil {
		return err
	}
	l, err := o.look(ctx, p)
	if o.wait > 0 {
		l, err = o.await(ctx, p, l, err)
	}
	if err != nil {
		return err
	}
	if err := p.liveness(l, o.app.now()); err != nil {
		return err
	}
	return judged(livenessExit(l))
}

// look asks once and keeps what was asked for.
func (o *liveness) look(ctx context.Context, p *printer) (molecule.Liveness, error) {
	c, err := o.app.connect(ctx, p.config)
	if err != nil {
		return molecule.Liveness{}, err
	}
	l, err := c.Liveness(ctx)
	if err != nil {
		return l, err
	}
	return only(l, o.names)
}

// await looks again until all is well and has begun, or the time is over, and
// returns what it saw last. A daemon that is not up yet, or not yet ready, is waited for.
func (o *liveness) await(ctx context.Context, p *printer, l molecule.Liveness, err error) (molecule.Liveness, error) {
	ctx, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	pause := time.NewTicker(waitPause)
	defer pause.Stop()
	for (err == nil && !settled(l)) || (err != nil && worthWaiting(err)) {
		select {
		case <-ctx.Done():
			return l, err
		case <-pause.C:
		}
		again, failed := o.look(ctx, p)
		if ctx.Err() != nil {
			return l, err // the look was cut off and proves nothing
		}
		l, err = again, failed
	}
	return l, err
}

// settled reports whether all is well and nothing is still about to begin. A part
// that is starting counts as well for a while, but who waits wants to see that it
// works.
func settled(l molecule.Liveness) bool {
	for _, s := range l.Subsystems {
		if s.State == molecule.SubsystemStarting {
			return false
		}
	}
	return livenessExit(l) == wire.ExitOK
}

// worthWaiting reports whether err may be gone when the daemon is up.
func worthWaiting(err error) bool {
	_, absent := errors.AsType[*client.Unreachable](err)
	code := molecule.CodeOf(err)
	return absent || code == molecule.Unavailable || code == molecule.Timeout
}

// only narrows l to the named subsystems.
func only(l molecule.Liveness, names []string) (molecule.Liveness, error) {
	if len(names) == 0 {
		return l, nil
	}
	all := l.Subsystems
	l.Subsystems = make(map[string]molecule.Subsystem, len(names))
	for _, name := range names {
		s, ok := all[name]
		if !ok {
			err := molecule.Errorf(molecule.NotFound, "there is no subsystem %q", name)
			if near := molecule.Nearest(name, slices.Sorted(maps.Keys(all))); near != "" {
				return l, err.WithHint("molecli liveness %s", near)
			}
			return l, err.WithHint("molecli liveness -o name")
		}
		l.Subsystems[name] = s
	}
	return l, nil
}

// livenessExit returns the exit status for what the evidence says.
func livenessExit(l molecule.Liveness) int {
	status := wire.ExitOK
	for _, s := range l.Subsystems {
		switch {
		case s.State == molecule.SubsystemFailed && !s.Optional:
			return wire.ExitDead
		case !fine(s):
			status = wire.ExitStale
		}
	}
	return status
}

// fine reports whether there is nothing to worry about. A state this program
// does not know is something to worry about.
func fine(s molecule.Subsystem) bool {
	switch s.State {
	case molecule.SubsystemHealthy, molecule.SubsystemStopped:
		return true
	case molecule.SubsystemStarting:
		return s.WithinGrace
	}
	return false
}

// part is one subsystem with its name.
type part struct {
	name string
	molecule.Subsystem
}

// liveness writes the answer in the face that is asked for.
func (p *printer) liveness(l molecule.Liveness, now time.Time) error {
	var parts []part
	for _, name := range slices.Sorted(maps.Keys(l.Subsystems)) {
		parts = append(parts, part{name, l.Subsystems[name]})
	}
	switch {
	case p.structured():
		return p.encode(l)
	case p.config.Output == outName:
		return partView(now).list(p, parts)
	}
	if err := partView(now).list(p, parts); err != nil {
		return err
	}
	if p.layout.Pipe {
		return p.write("agents\t" + agentLine(l.Agents) + "\nschedules\t" + scheduleLine(l.Schedules) + "\n")
	}
	return errors.Join(p.below("agents     ", agentLine(l.Agents)), p.below("schedules  ", scheduleLine(l.Schedules)))
}

// agentLine counts agents in words: the three that matter most, and of the
// others those there are.
func agentLine(a molecule.AgentCounts) string {
	line := fmt.Sprintf("%d online, %d suspect, %d offline", a.Online, a.Suspect, a.Offline)
	for _, other := range []struct {
		n     int
		state molecule.AgentState
	}{
		{a.Degraded, molecule.AgentDegraded}, {a.Unknown, molecule.AgentUnknown},
		{a.Pending, molecule.AgentPending}, {a.Paused, molecule.AgentPaused},
	} {
		if other.n > 0 {
			line += fmt.Sprintf(", %d %s", other.n, other.state)
		}
	}
	return line
}

// scheduleLine counts schedules in words.
func scheduleLine(s molecule.ScheduleCounts) string {
	return strconv.Itoa(s.OnTime) + " on time, " + strconv.Itoa(s.Late) + " late, " + strconv.Itoa(s.Failing) + " failing, " +
		strconv.Itoa(s.Paused) + " paused, " + strconv.Itoa(s.Error) + " in error"
}

// partView shows subsystems; now is what their ages count from.
func partView(now time.Time) view[part] {
	return view[part]{
		noun: "subsystems",
		name: func(s part) string { return s.name },
		columns: []column[part]{
			{Column: term.Column{Title: "SUBSYSTEM"}, cell: func(s part) term.Cell { return term.Text(s.name) }},
			{Column: term.Column{Title: "STATE"}, cell: partStateCell},
			{Column: term.Column{Title: "LAST TICK", Drop: 1}, cell: func(s part) term.Cell { return lastTick(s, now) }},
			{Column: term.Column{Title: "PROMISE", Drop: 3}, cell: func(s part) term.Cell { return term.Text(promise(s)) }},
			{Column: term.Column{Title: "RESTARTS", Drop: 4}, cell: func(s part) term.Cell { return term.Text(strconv.Itoa(s.Restarts)) }},
			{Column: term.Column{Title: "LAST ERROR", Drop: 2, Min: 16}, cell: func(s part) term.Cell { return term.Text(trouble(s)) }},
		},
	}
}

// partStateCell shows a state; one nobody knows is something to look at.
func partStateCell(s part) term.Cell {
	text := string(s.State)
	if s.Optional {
		text += " (optional)"
	}
	switch s.State {
	case molecule.SubsystemHealthy:
		return term.Toned(term.Good, text)
	case molecule.SubsystemStarting:
		if s.WithinGrace {
			return term.Toned(term.Busy, text)
		}
	case molecule.SubsystemStopped:
		return term.Toned(term.Faint, text)
	case molecule.SubsystemFailed:
		return term.Toned(term.Bad, text)
	}
	return term.Toned(term.Warn, text)
}

// lastTick trusts the daemon's own count of seconds: its clock and ours may
// differ.
func lastTick(s part, now time.Time) term.Cell {
	switch {
	case s.LastTickAt == nil:
		return term.Text("never")
	case s.SecondsAgo != nil:
		return term.When(now.Add(-time.Duration(*s.SecondsAgo * float64(time.Second))))
	}
	return term.When(*s.LastTickAt)
}

// promise says how often a subsystem has to prove itself.
func promise(s part) string {
	if s.EverySeconds <= 0 {
		return ""
	}
	return "every " + molecule.Duration(time.Duration(s.EverySeconds*float64(time.Second))).String()
}

// trouble returns where a stuck subsystem is, or else its last error.
func trouble(s part) string {
	if s.BlockedIn != "" {
		return "blocked in " + s.BlockedIn
	}
	return s.LastError
}

// newLivenessDumpCmd makes liveness dump.
func newLivenessDumpCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use:      "dump SUBSYSTEM",
		short:    "Print the stacks of one subsystem",
		long:     "Prints the goroutine stacks of one subsystem, to see where a stuck one is.",
		examples: "  molecli liveness dump scheduler\n  molecli liveness dump store-writer",
		args:     exactly("SUBSYSTEM"), complete: a.completeSubsystems,
	}, func(ctx context.Context, s *session, args []string) error {
		text, err := s.client.SubsystemDump(ctx, args[0])
		if err != nil {
			return err
		}
		return s.text(text)
	})
}
