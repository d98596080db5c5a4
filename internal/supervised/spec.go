package supervised

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Policy says which endings start a subsystem again.
type Policy int

// The policies. The zero value, Always, also restarts after a clean return.
const (
	Always    Policy = iota
	OnFailure        // a clean return is the end, by choice
	Never            // a failure is final: failed at once
)

// What a Spec gets that does not say.
const (
	defaultTickLimit  = 10 * time.Second
	defaultStopGrace  = 5 * time.Second
	defaultStartGrace = 10 * time.Second
	defaultReminder   = 30 * time.Second // Every of an event-driven one
)

// Spec is what a subsystem promises.
type Spec struct {
	// Name is how operators know it; see molecule.ValidateName.
	Name string

	// Run does the work until ctx ends. It ticks once when it starts, also
	// when its promise is hours long.
	Run func(ctx context.Context, beat *Beat) error

	// Every is the promise: at least one good tick in each Every. Zero is
	// refused unless EventDriven, which then means 30 s.
	Every time.Duration

	// TickLimit is the longest a tick may take; 10 s when zero.
	TickLimit time.Duration

	// Restart says which endings start it again.
	Restart Policy

	// Optional says that the daemon can do without it. The zero value is a
	// critical subsystem: when it cannot be healed, [Supervisor.Run] returns.
	Optional bool

	// EventDriven says that it works when something happens, and proves itself
	// with [Beat.Heartbeat], or with a tick at each reminder from [Beat.C].
	EventDriven bool

	// StopGrace is how long it may take to end once told; 5 s when zero.
	StopGrace time.Duration
}

// withDefaults returns s with every zero filled in. A spec that promises
// nothing is Invalid.
func (s Spec) withDefaults() (Spec, error) {
	if err := molecule.ValidateName("subsystem", s.Name); err != nil {
		return s, err
	}
	if s.EventDriven && s.Every == 0 {
		s.Every = defaultReminder
	}
	if s.TickLimit == 0 {
		s.TickLimit = defaultTickLimit
	}
	if s.StopGrace == 0 {
		s.StopGrace = defaultStopGrace
	}
	switch {
	case s.Run == nil:
		return s, molecule.Errorf(molecule.Invalid, "subsystem %s has nothing to run", s.Name)
	case s.Every <= 0:
		return s, molecule.Errorf(molecule.Invalid, "subsystem %s promises no tick", s.Name).
			WithHint("set Every, or EventDriven")
	case s.TickLimit < 0 || s.StopGrace < 0:
		return s, molecule.Errorf(molecule.Invalid, "subsystem %s has a limit below zero", s.Name)
	case s.Restart < Always || s.Restart > Never:
		return s, molecule.Errorf(molecule.Invalid, "subsystem %s has restart policy %d", s.Name, s.Restart)
	}
	return s, nil
}
