package supervised

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// heartbeatGrain is how often a heartbeat is looked at closely and written
// down. Between two of those it costs one reading of the clock.
const heartbeatGrain = time.Millisecond

var (
	errFenced  = errors.New("this generation of the subsystem is over")
	errForeign = errors.New("a tick belongs on the goroutine of Run")
	errNested  = errors.New("a tick is in progress")
)

// Beat is how a subsystem proves that it works. Each generation has its own,
// handed to Run and valid until Run returns or is given up; after that it does
// nothing. Only the goroutine of Run can use it: a second one that beats would
// hide that the first one hangs.
type Beat struct {
	start       time.Time // origin of the clock below
	every       time.Duration
	limit       time.Duration
	eventDriven bool

	// Readings of the monotonic clock; zero means never.
	begun atomic.Int64 // start of the tick in progress, zero outside
	tried atomic.Int64 // end of the last tick, good or not
	ended atomic.Int64 // end of the last good tick

	failure atomic.Pointer[string] // of the last tick, nil when it was good
	fenced  atomic.Bool

	remindOnce sync.Once
	reminders  chan time.Time
	reminder   *time.Timer
}

// Tick does one turn of the loop: it calls fn with a context that ends after
// TickLimit, and counts as a heartbeat when fn returned nil. A panic in fn is
// returned as a [*PanicError]. Without calling fn it returns an error when ctx
// has ended, the generation is over, or the caller is not the goroutine of Run.
func (b *Beat) Tick(ctx context.Context, fn func(ctx context.Context) error) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.begun.Store(0) // deferred: fn may end the goroutine
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	err := Guard(func() error { return fn(ctx) })
	b.end(err)
	return err
}

// Heartbeat proves that an event-driven loop is alive. It counts only on the
// goroutine of Run and only for a spec that is EventDriven: any other loop has
// ticks to show. It never makes a tick in progress look shorter.
func (b *Beat) Heartbeat() {
	now := b.now()
	if last := b.ended.Load(); last != 0 && now-last < int64(heartbeatGrain) {
		return
	}
	if b.eventDriven && b.own() {
		b.ended.Store(now)
	}
}

// Promise returns the Every of the spec: a loop that may have nothing to do for
// longer sleeps half of it.
func (b *Beat) Promise() time.Duration { return b.every }

// C delivers at once and then about every half of Every, for the select of a
// loop that may have nothing to do: it answers with a tick or a heartbeat. A
// reminder nobody takes is dropped. The channel is never closed.
func (b *Beat) C() <-chan time.Time {
	b.remindOnce.Do(func() {
		b.reminders = make(chan time.Time, 1)
		b.reminder = time.AfterFunc(b.every, b.remind)
		b.reminder.Reset(0)
	})
	return b.reminders
}

func (b *Beat) remind() {
	if b.fenced.Load() {
		return
	}
	select {
	case b.reminders <- time.Now():
	default:
	}
	b.reminder.Reset(b.every / 2)
}

func (b *Beat) begin(ctx context.Context) error {
	switch {
	case b.fenced.Load():
		return errFenced
	case ctx.Err() != nil:
		return ctx.Err()
	case !b.own():
		return errForeign
	case !b.begun.CompareAndSwap(0, b.now()):
		return errNested
	}
	return nil
}

func (b *Beat) end(err error) {
	now := b.now()
	b.tried.Store(now)
	if err != nil {
		text := err.Error()
		b.failure.Store(&text)
		return
	}
	b.failure.Store(nil)
	b.ended.Store(now)
}

func (b *Beat) now() int64 { return int64(time.Since(b.start)) }

// own reports whether the caller's goroutine is one that runs a generation: a
// goroutine started by a subsystem has another root. It costs about 2 µs.
func (b *Beat) own() bool {
	var buf [128]uintptr
	pcs := buf[:runtime.Callers(1, buf[:])]
	root := reflect.ValueOf(runGeneration).Pointer()
	for i := len(pcs) - 1; i >= 0 && i >= len(pcs)-4; i-- {
		// Entry is that of the function the code was inlined into, if any.
		if f := runtime.FuncForPC(pcs[i] - 1); f != nil && f.Entry() == root {
			return true
		}
	}
	return false
}
