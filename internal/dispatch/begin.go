package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Readier is a Courier that can make a delivery ready before its run is due: by
// then the connection is there and the message written but for the last step.
type Readier interface {
	Courier
	// DeliverReady is Deliver, but calls begin before the agent is told of the run,
	// and tells it nothing unless begin returns nil. begin may be called again.
	DeliverReady(ctx context.Context, d molecule.Delivery, begin func() error) molecule.Reply
}

// carrier is Deliver of a Courier.
type carrier func(ctx context.Context, d molecule.Delivery) molecule.Reply

// errNotBegun is what a courier gets that is not to tell the agent.
var errNotBegun = errors.New("the attempt does not begin")

// attempt makes one attempt. It reports false when none was made: the run is
// over, or stays for the next start.
func (j *journey) attempt(agent molecule.Agent, courier Courier, n int, deadline time.Time) (reply molecule.Reply, going bool, err error) {
	if r, able := courier.(Readier); able && j.run.Handle == "" && time.Until(j.run.DueAt) > 0 && j.door.enterEarly() {
		b := &beginning{journey: j, deadline: deadline, attempt: n}
		reply := j.deliver(agent, func(ctx context.Context, d molecule.Delivery) molecule.Reply {
			return r.DeliverReady(ctx, d, b.begin)
		}, n, deadline)
		if called, going, err := b.close(); called {
			return reply, going, err
		}
		// What failed before the run was due says nothing about the time when it is.
	}
	if going, err := j.begin(deadline, n); !going || err != nil {
		return molecule.Reply{}, false, err
	}
	defer j.door.pass(j.deliveries)()
	return j.deliver(agent, courier.Deliver, n, deadline), true, nil
}

// begin stores that an attempt begins, a little before the run is due, and waits
// until it is. It reports false when there is none to make.
func (j *journey) begin(deadline time.Time, attempt int) (bool, error) {
	if j.arm() {
		return false, nil
	}
	if going, err := j.start(deadline, attempt); !going || err != nil {
		return false, err
	}
	return !j.hold(0), nil
}

// beginning is the begin of an attempt that a courier makes ready. The courier
// may call it when and where it likes, once it has returned too.
type beginning struct {
	journey  *journey
	deadline time.Time
	attempt  int

	mu     sync.Mutex
	called bool
	closed bool
	going  bool
	err    error
}

// begin is begin of the journey, once.
func (b *beginning) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errNotBegun
	}
	if !b.called {
		b.called = true
		b.going, b.err = b.journey.begin(b.deadline, b.attempt)
		b.journey.door.leaveEarly()
	}
	if b.err == nil && !b.going {
		return errNotBegun
	}
	return b.err
}

// close has begin refuse from now on. It returns whether it was called, and what
// came of it.
func (b *beginning) close() (called, going bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if !b.called {
		b.journey.door.leaveEarly()
	}
	return b.called, b.going, b.err
}
