package supervised

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// dumpEvery spaces the dumps of one subsystem: a profile stops the program for
// a moment, and a loop that hangs at once again has nothing new to say.
const dumpEvery = 5 * time.Minute

// climb deals with a generation that is there. One that hangs goes up the
// ladder: keep its stack, cancel its context, wait for StopGrace; then an
// optional one is abandoned and a critical one given up.
func (w *watch) climb(sub *subsystem, c control) error {
	if sub.told != nil {
		if w.now < sub.killBy {
			return nil
		}
		return w.fall(sub, c)
	}
	hang := sub.hang(c.evidence(), w.now)
	switch {
	case hang != nil:
		event := molecule.SubsystemEvent{Error: hang.Error()}
		if sub.dumped == 0 || w.now-sub.dumped >= dumpEvery {
			sub.dumped = w.now
			c.blockedIn, event.Stack = blocked(w.stacks(), sub.spec.Name, c.gen)
		}
		c.phase, c.failure = cancelled, hang.Error()
		w.put(sub, c, event)
		w.tell(sub, c, hang)
	case sub.asked.Load():
		w.tell(sub, c, errAsked)
	default:
		w.observe(sub, c)
	}
	return nil
}

// observe records what the evidence of a running generation says. A tick just
// over its limit is left to the ladder, or to its own end.
func (w *watch) observe(sub *subsystem, c control) {
	e := c.evidence()
	if e.begun != 0 && w.now-e.begun > sub.tickLimit {
		return
	}
	if sub.settled != 0 && w.now-sub.settled >= settleAfter && (c.streak > 0 || sub.probing) {
		sub.probing = false
		c.streak, c.failure = 0, ""
		sub.control.Store(&c)
	}
	w.note(sub, c, molecule.SubsystemEvent{Error: c.lastFailure()})
}

// tell cancels the context of a generation and starts its StopGrace.
func (w *watch) tell(sub *subsystem, c control, why error) {
	sub.told, sub.killBy = why, w.now+sub.spec.StopGrace
	c.gen.cancel(why)
}

// fall ends a generation that did not end when told.
func (w *watch) fall(sub *subsystem, c control) error {
	why := fmt.Errorf("%w; did not end within %s", sub.told, sub.spec.StopGrace)
	if !sub.spec.Optional {
		fn, text := blocked(w.stacks(), sub.spec.Name, c.gen)
		c.phase, c.failure, c.blockedIn = cancelled, why.Error(), fn
		w.put(sub, c, molecule.SubsystemEvent{Error: c.failure, Stack: text})
		return w.giveUp(sub, text, molecule.Errorf(molecule.Internal,
			"subsystem %s is stuck in %s: %s", sub.spec.Name, fn, why))
	}
	// The fence: whatever it still does, its beat proves nothing any more and
	// its next tick is refused.
	c.gen.beat.fenced.Store(true)
	sub.left = append(slices.DeleteFunc(sub.left, (*generation).over), c.gen)
	asked := sub.told == errAsked
	sub.told, sub.killBy = nil, 0
	if asked {
		w.renew(sub, c)
		return nil
	}
	return w.retry(sub, c, why)
}

// giveUp escalates a critical subsystem. The text, if any, becomes the cause
// of the error, for the log.
func (w *watch) giveUp(sub *subsystem, text string, err *molecule.Error) error {
	sub.named = true
	reason := err.Message
	go func() {
		// There is nobody to tell of a panic in there; the error that Run is
		// about to return says more.
		_ = Guard(func() error { w.escalate(sub.spec.Name, reason); return nil })
	}()
	if text != "" {
		err = err.WithCause(errors.New(text))
	}
	return err
}
