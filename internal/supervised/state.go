package supervised

import (
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	firstBackoff = time.Second
	longBackoff  = 30 * time.Second
	settleAfter  = time.Minute // healthy for so long: the past is forgiven
	exitWindow   = 10 * time.Minute
	exitLimit    = 10 // more exits than that in one window: failed
	probeEvery   = time.Hour
)

// phase is what the watch has done with a subsystem.
type phase int

const (
	running   phase = iota
	cancelled       // told to end because it hangs, and has not yet
	waiting         // ended, will be started again
	failed          // ended too often
	stopped         // ended by choice
)

// evidence is all that a state is judged by. Times are readings of the
// monotonic clock of the supervisor; zero means never.
type evidence struct {
	phase    phase
	started  time.Duration // of this generation
	begun    time.Duration // of the tick in progress
	tried    time.Duration // end of the last tick, good or not
	ended    time.Duration // end of the last good tick
	restarts int           // since it last was healthy for a minute
}

// promise is what the evidence is held against.
type promise struct {
	every      time.Duration
	tickLimit  time.Duration
	startGrace time.Duration

	// slack is how long beyond its limit a tick may take before the ladder
	// acts, so that one that honours its context is not taken for a hang.
	slack time.Duration
}

// state says what the evidence means at now. Nothing needs to run for the
// answer to be right.
func (p promise) state(e evidence, now time.Duration) molecule.SubsystemState {
	switch e.phase {
	case running:
		return p.runningState(e, now)
	case cancelled:
		return molecule.SubsystemStuck
	case waiting:
		return molecule.SubsystemBackoff
	case stopped:
		return molecule.SubsystemStopped
	}
	return molecule.SubsystemFailed
}

func (p promise) runningState(e evidence, now time.Duration) molecule.SubsystemState {
	if e.begun != 0 {
		if now-e.begun > p.tickLimit {
			return molecule.SubsystemStuck
		}
		// A tick in progress has proved nothing yet. What was stale when it
		// began is stale until it ends.
		now = e.begun
	}
	switch {
	case e.ended != 0 && now-e.ended > 2*p.every:
		return molecule.SubsystemStale
	case e.ended != 0:
		return molecule.SubsystemHealthy
	case now-e.started <= p.startGrace:
		return molecule.SubsystemStarting
	case e.tried != 0 || e.begun != 0:
		return molecule.SubsystemStale // it tries, and fails
	}
	return molecule.SubsystemStuck // it never even tried
}

// withinGrace reports whether one that is starting still has time. One that
// was started again has used that up.
func (p promise) withinGrace(e evidence, now time.Duration) bool {
	return p.state(e, now) == molecule.SubsystemStarting && e.restarts == 0 && now-e.started <= p.startGrace
}

// hang says why a generation is to be taken for hung, or nil. Besides a stuck
// one, that is a stale one that has stopped trying: its loop hangs outside a
// tick, and waiting will not heal it.
func (p promise) hang(e evidence, now time.Duration) error {
	if e.phase != running {
		return nil
	}
	if e.begun != 0 {
		if in := now - e.begun; in > p.tickLimit+p.slack {
			return fmt.Errorf("inside one tick for %s", in.Round(time.Millisecond))
		}
		return nil
	}
	switch p.state(e, now) {
	case molecule.SubsystemStuck:
		return fmt.Errorf("no tick in the first %s", (now - e.started).Round(time.Millisecond))
	case molecule.SubsystemStale:
		quiet := now - max(e.started, e.tried, e.ended)
		if quiet > 2*p.every+p.tickLimit {
			return fmt.Errorf("no tick for %s", quiet.Round(time.Millisecond))
		}
	}
	return nil
}

// backoff is the pause before the given restart in a row: 1 s, 2 s, 4 s … 30 s.
// Above 1 s it is drawn from [1 s, that], by r in [0, 1), so that what failed
// together does not come back together.
func backoff(restarts int, r float64) time.Duration {
	longest := longBackoff
	if restarts <= 5 {
		longest = min(longBackoff, firstBackoff<<max(restarts-1, 0))
	}
	return firstBackoff + time.Duration(r*float64(longest-firstBackoff))
}
