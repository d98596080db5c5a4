package dispatch

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// lastStretch is what is left of a wait when an Alarm takes it over. Timers of
// the runtime come up to a millisecond late when nothing else is to be done:
// the system call behind them counts in milliseconds.
const lastStretch = 2 * time.Millisecond

// Alarm wakes whoever waits for an instant within a tenth of a millisecond of
// it, and never before. For its last stretch a wait sleeps in the kernel, which
// holds a thread: one for all that wait for the same instant. The zero Alarm is
// ready.
type Alarm struct {
	mu   sync.Mutex
	last map[time.Time]chan struct{} // by instant, in its last stretch; closed when it has come
}

// Wait returns at t, or when ctx has ended; then it returns why.
func (a *Alarm) Wait(ctx context.Context, t time.Time) error {
	t = t.Round(0)
	if err := molecule.Sleep(ctx, time.Until(t)-lastStretch); err != nil {
		return err
	}
	come, first := a.join(t)
	if first {
		sleepUntil(t)
		a.mu.Lock()
		delete(a.last, t)
		a.mu.Unlock()
		close(come)
	}
	select {
	case <-come:
	case <-ctx.Done():
	}
	return context.Cause(ctx)
}

// join returns what is closed at t, and whether the caller is the first and has
// to do it.
func (a *Alarm) join(t time.Time) (come chan struct{}, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if come = a.last[t]; come != nil {
		return come, false
	}
	if a.last == nil {
		a.last = make(map[time.Time]chan struct{})
	}
	come = make(chan struct{})
	a.last[t] = come
	return come, true
}

// sleepUntil sleeps in the kernel for as long as it is to t now, whatever becomes
// of the clock meanwhile. A signal ends such a sleep early.
func sleepUntil(t time.Time) {
	end := time.Now().Add(time.Until(t))
	for left := time.Until(end); left > 0; left = time.Until(end) {
		rest := syscall.NsecToTimespec(int64(left))
		_ = syscall.Nanosleep(&rest, nil) // interrupted: what is left is looked at again
	}
}
