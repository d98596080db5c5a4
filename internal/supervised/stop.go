package supervised

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// stop ends all subsystems, the last one first, and says what did not end.
func (w *watch) stop() error {
	var errs []error
	for _, sub := range slices.Backward(w.subs) {
		w.stopOne(sub)
		errs = append(errs, sub.remains())
	}
	return errors.Join(errs...)
}

func (w *watch) stopOne(sub *subsystem) {
	w.open()
	c := *sub.control.Load()
	if c.phase == running || c.phase == cancelled {
		if sub.told == nil {
			w.tell(sub, c, errStopping)
		}
		c.gen.await(sub.killBy - w.now)
		w.open()
		if !c.gen.over() {
			sub.left = append(sub.left, c.gen)
			return // it stays what it is: nothing says that it has stopped
		}
	}
	if c.phase == failed {
		return
	}
	event := molecule.SubsystemEvent{}
	if c.phase == running {
		if err := c.gen.err; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, sub.told) {
			c.failure = err.Error()
			event.Error, event.Stack = c.failure, panicStack(err)
		}
	}
	c.phase, c.until = stopped, 0
	w.put(sub, c, event)
}

// await waits until g is over, for at most d.
func (g *generation) await(d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-g.done:
	case <-timer.C:
	}
}

// remains says which generations are still there, with their stacks. The one
// that was escalated has been named before.
func (sub *subsystem) remains() error {
	current := sub.control.Load().gen
	var errs []error
	for _, g := range sub.left {
		if g.over() || (sub.named && g == current) {
			continue
		}
		fn, text := blocked(goroutineStacks(), sub.spec.Name, g)
		errs = append(errs, molecule.Errorf(molecule.Internal,
			"subsystem %s (generation %d) did not stop within %s: it is in %s",
			sub.spec.Name, g.number, sub.spec.StopGrace, fn).WithCause(errors.New(text)))
	}
	return errors.Join(errs...)
}
