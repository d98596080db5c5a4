package supervised

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

var errReturned = errors.New("returned while its context was alive")

// watch is the one goroutine that starts, restarts and ends subsystems. It
// only ever waits for its own timer and for "look now".
type watch struct {
	*Supervisor
	subs []*subsystem
	base context.Context // of all generations; ends only through their cancel

	// Of the present look. All that is decided in one is decided at one moment:
	// else a tick could cross its limit after the ladder was passed by.
	at     time.Time
	now    time.Duration
	stacks func() []stack // one profile, if any is wanted
}

// keep keeps the subsystems going. It returns nil when ctx ended or nothing is
// left to keep, and an error when a critical subsystem cannot be healed.
func (w *watch) keep(ctx context.Context) error {
	w.open()
	for _, sub := range w.subs {
		w.launch(sub, *sub.control.Load(), "")
	}
	timer := time.NewTimer(w.every)
	defer timer.Stop()
	for {
		if err := w.pass(); err != nil || w.finished() {
			return err
		}
		timer.Reset(w.untilNext())
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		case <-timer.C:
		}
	}
}

// open begins a look.
func (w *watch) open() {
	w.at = clock()
	w.now = w.at.Sub(w.start)
	w.stacks = sync.OnceValue(goroutineStacks)
}

// pass looks once at each subsystem.
func (w *watch) pass() error {
	w.open()
	var errs []error
	for _, sub := range w.subs {
		errs = append(errs, w.step(sub))
	}
	return errors.Join(errs...)
}

func (w *watch) step(sub *subsystem) error {
	c := *sub.control.Load()
	switch {
	case c.phase == running || c.phase == cancelled:
		if !c.gen.over() {
			return w.climb(sub, c)
		}
		return w.reap(sub, c)
	case sub.asked.Load():
		w.renew(sub, c)
	case c.until != 0 && w.now >= c.until:
		sub.probing = c.phase == failed
		w.launch(sub, c, "")
	}
	return nil
}

// launch starts the next generation. Only the first follows no other.
func (w *watch) launch(sub *subsystem, c control, why string) {
	number := c.gen.number
	if c.gen.over() || slices.Contains(sub.left, c.gen) {
		number++
		c.restarts++
	}
	c.ended = c.lastEnded()
	c.phase, c.until, c.blockedIn = running, 0, ""
	c.gen = w.newGeneration(&sub.spec, number, w.now)
	sub.settled = 0

	ctx, cancel := context.WithCancelCause(w.base)
	c.gen.cancel = cancel
	w.put(sub, c, molecule.SubsystemEvent{Error: why})
	go runGeneration(ctx, &sub.spec, c.gen, w.look)
}

// renew starts the next generation as if it were the first: somebody asked.
func (w *watch) renew(sub *subsystem, c control) {
	sub.asked.Store(false)
	sub.exits, sub.probing = nil, false
	c.streak, c.failure = 0, ""
	w.launch(sub, c, errAsked.Error())
}

// reap deals with a generation that has ended.
func (w *watch) reap(sub *subsystem, c control) error {
	c.gen.cancel(nil)
	why, told := c.gen.err, sub.told
	sub.told, sub.killBy = nil, 0
	switch {
	case told == errAsked:
		w.renew(sub, c)
		return nil
	case told != nil:
		why = told
	case why == nil && sub.spec.Restart != Always:
		c.phase = stopped
		w.put(sub, c, molecule.SubsystemEvent{})
		return nil
	case why == nil:
		why = errReturned
	}
	return w.retry(sub, c, why)
}

// retry decides what follows a failure: another try after a pause, or the end.
func (w *watch) retry(sub *subsystem, c control, why error) error {
	sub.exits = append(slices.DeleteFunc(sub.exits, func(t time.Duration) bool {
		return w.now-t > exitWindow
	}), w.now)
	c.blockedIn = ""
	c.failure = why.Error()
	event := molecule.SubsystemEvent{Error: c.failure, Stack: panicStack(why)}

	tooOften := sub.probing || len(sub.exits) > exitLimit
	if sub.spec.Restart != Never && !tooOften {
		c.streak++
		c.phase, c.until = waiting, w.now+backoff(c.streak, rand.Float64())
		w.put(sub, c, event)
		return nil
	}
	c.phase, c.until = failed, 0
	if sub.spec.Restart != Never {
		c.until = w.now + probeEvery
		event.Error = fmt.Sprintf("%d exits in %s, the last: %s", len(sub.exits), exitWindow, c.failure)
	}
	w.put(sub, c, event)
	if sub.spec.Optional {
		return nil
	}
	return w.giveUp(sub, event.Stack, molecule.Errorf(molecule.Internal,
		"subsystem %s failed: %s", sub.spec.Name, event.Error))
}

// put makes c what everybody sees of sub.
func (w *watch) put(sub *subsystem, c control, event molecule.SubsystemEvent) {
	sub.control.Store(&c)
	w.note(sub, c, event)
}

// note records the transition, if there is one. The event says what is known
// of the reason.
func (w *watch) note(sub *subsystem, c control, event molecule.SubsystemEvent) {
	state := sub.state(c.evidence(), w.now)
	switch {
	case state != molecule.SubsystemHealthy:
		sub.settled = 0
	case sub.settled == 0:
		sub.settled = w.now
	}
	if state == sub.seen {
		return
	}
	if state == molecule.SubsystemHealthy {
		event.Error = "" // that of an earlier tick; it is over
	}
	event.At, event.Subsystem = w.at.UTC().Truncate(time.Millisecond), sub.spec.Name
	event.From, event.To, event.BlockedIn = sub.seen, state, c.blockedIn
	sub.seen = state
	w.ring.append(event)
}

// untilNext is how long the watch may wait.
func (w *watch) untilNext() time.Duration {
	now := w.Supervisor.now()
	next := w.every
	for _, sub := range w.subs {
		if until := sub.control.Load().until; until != 0 {
			next = min(next, until-now)
		}
		if sub.killBy != 0 {
			next = min(next, sub.killBy-now)
		}
	}
	return max(next, 0)
}

// finished reports whether every subsystem has ended by choice.
func (w *watch) finished() bool {
	return !slices.ContainsFunc(w.subs, func(sub *subsystem) bool {
		return sub.control.Load().phase != stopped
	})
}
