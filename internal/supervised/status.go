package supervised

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Status is the liveness of one subsystem.
type Status struct {
	Name string
	molecule.Subsystem
}

// Snapshot returns the status of every subsystem, in the order of Add. It is
// made from memory at the moment of asking; one that never ticked is in it.
func (s *Supervisor) Snapshot() []Status {
	now := clock()
	var all []Status
	for _, sub := range s.list() {
		all = append(all, s.status(sub, now))
	}
	return all
}

// LastTick returns when the named subsystem last ended a good tick, or gave a
// heartbeat. It reports false when it never did or is not known.
func (s *Supervisor) LastTick(name string) (time.Time, bool) {
	sub, err := s.subsystem(name)
	if err != nil {
		return time.Time{}, false
	}
	st := s.status(sub, clock())
	if st.LastTickAt == nil {
		return time.Time{}, false
	}
	return *st.LastTickAt, true
}

// IsHealthy reports whether each named subsystem is good, or each critical one
// when there is no name, and returns those that are not. Good is healthy, or
// starting for the first time and within StartGrace, or finished by choice.
// A name that is not known is not good.
func (s *Supervisor) IsHealthy(names ...string) (bool, []Status) {
	all := s.Snapshot()
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	var bad []Status
	for _, st := range all {
		if len(names) == 0 && st.Optional || len(names) > 0 && !slices.Contains(names, st.Name) {
			continue
		}
		if !st.good() || over {
			bad = append(bad, st)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(st Status) bool { return st.Name == name }) {
			bad = append(bad, Status{name, molecule.Subsystem{
				State: molecule.SubsystemFailed, LastError: "there is no such subsystem",
			}})
		}
	}
	return len(bad) == 0, bad
}

// Dump returns the stacks of all goroutines of the named subsystem as they are
// now, abandoned generations included. An unknown name is NotFound.
func (s *Supervisor) Dump(name string) (string, error) {
	if _, err := s.subsystem(name); err != nil {
		return "", err
	}
	var own []stack
	for _, st := range goroutineStacks() {
		if st.labelled(labelSubsystem, name) && st.labelled(labelSupervisor, s.id()) {
			own = append(own, st)
		}
	}
	if len(own) == 0 {
		return fmt.Sprintf("no goroutine of %s\n", name), nil
	}
	return strings.TrimSuffix(dumpText(own), "\n"), nil
}

func (st Status) good() bool {
	switch st.State {
	case molecule.SubsystemHealthy, molecule.SubsystemStopped:
		return true
	case molecule.SubsystemStarting:
		return st.WithinGrace
	}
	return false
}

func (s *Supervisor) status(sub *subsystem, now time.Time) Status {
	c, at := sub.control.Load(), now.Sub(s.start)
	e := c.evidence()
	st := Status{sub.spec.Name, molecule.Subsystem{
		State:        sub.state(e, at),
		EverySeconds: sub.spec.Every.Seconds(),
		Optional:     sub.spec.Optional,
		Restarts:     c.restarts,
		LastError:    c.lastFailure(),
		BlockedIn:    c.blockedIn,
		WithinGrace:  sub.withinGrace(e, at),
	}}
	if last := c.lastEnded(); last != 0 {
		// Counted back from now: the wall clock may have been set since.
		ago := max(at-last, 0)
		tick, seconds := now.Add(-ago).UTC(), ago.Seconds()
		st.LastTickAt, st.SecondsAgo = &tick, &seconds
	}
	return st
}
