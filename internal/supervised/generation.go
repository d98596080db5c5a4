package supervised

import (
	"context"
	"errors"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// The labels every goroutine of a subsystem carries; those it starts inherit
// them.
const (
	labelSubsystem  = "subsystem"
	labelGeneration = "generation"
	labelSupervisor = "supervisor" // labels are the same for the whole process
)

var errGoexit = errors.New("goroutine ended by runtime.Goexit")

// generation is one life of a subsystem. Its beat is evidence for as long as
// its control points at it; nobody reads an abandoned one.
type generation struct {
	beat    Beat
	of      string // the supervisor
	number  int
	started time.Duration
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed when Run has returned
	err     error         // what Run returned; read it after done
}

func (s *Supervisor) newGeneration(spec *Spec, number int, now time.Duration) *generation {
	return &generation{
		beat: Beat{
			start: s.start, every: spec.Every, limit: spec.TickLimit, eventDriven: spec.EventDriven,
		},
		of:      s.id(),
		number:  number,
		started: now,
		cancel:  func(error) {},
		done:    make(chan struct{}),
	}
}

// over reports whether Run has returned.
func (g *generation) over() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

// runGeneration is the root of every goroutine a subsystem runs on: Beat.own
// and the dumps look for it, so it must stay a frame of its own.
//
//go:noinline
func runGeneration(ctx context.Context, spec *Spec, g *generation, wake func()) {
	defer wake()
	defer close(g.done)
	defer g.beat.fenced.Store(true)
	g.err = errGoexit
	labels := pprof.Labels(labelSubsystem, spec.Name, labelGeneration, strconv.Itoa(g.number), labelSupervisor, g.of)
	pprof.Do(ctx, labels, func(ctx context.Context) {
		g.err = Guard(func() error { return spec.Run(ctx, &g.beat) })
	})
}

// control is where a subsystem stands. It is never changed, only replaced, by
// the watch alone, so that whoever asks reads a whole one and waits for nobody.
type control struct {
	phase     phase
	gen       *generation   // the current one, or the last
	until     time.Duration // start it again then; zero: not by itself
	restarts  int           // since the supervisor started
	streak    int           // since it last was healthy for a minute
	ended     time.Duration // last good tick of earlier generations
	failure   string        // why it last ended
	blockedIn string
}

func (c *control) evidence() evidence {
	b := &c.gen.beat
	return evidence{
		phase:    c.phase,
		started:  c.gen.started,
		begun:    time.Duration(b.begun.Load()),
		tried:    time.Duration(b.tried.Load()),
		ended:    time.Duration(b.ended.Load()),
		restarts: c.streak,
	}
}

// lastEnded is the last good tick over all generations.
func (c *control) lastEnded() time.Duration {
	return max(c.ended, time.Duration(c.gen.beat.ended.Load()))
}

// lastFailure is why the last tick failed, or else why it last ended.
func (c *control) lastFailure() string {
	if f := c.gen.beat.failure.Load(); f != nil {
		return *f
	}
	return c.failure
}

// subsystem is a Spec and what became of it.
type subsystem struct {
	spec Spec
	promise
	control atomic.Pointer[control]
	asked   atomic.Bool // somebody wants it started anew

	// The rest belongs to the watch.
	seen    molecule.SubsystemState // by the recorder
	exits   []time.Duration         // those of the last window
	probing bool                    // started after it had failed
	settled time.Duration           // healthy without a break since
	told    error                   // why the generation was told to end
	killBy  time.Duration           // when it must have
	dumped  time.Duration           // when its stacks were last taken
	named   bool                    // escalated: the error has named it already
	left    []*generation           // abandoned, perhaps still there
}
