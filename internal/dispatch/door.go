package dispatch

import (
	"context"
	"sync"
	"time"
)

const (
	// earlyPlaces is how many deliveries may stand ready, each with a connection
	// of its own.
	earlyPlaces = 1024
	doorPlaces  = 64
	// doorTime is longer than an agent that answers at once takes, and short
	// enough that as many slow ones as are due at one instant hold nobody up.
	doorTime = 5 * time.Millisecond
)

// door bounds how many deliveries set out at one moment. Of many that are due at
// one instant, the first ones stand ready when it comes. Of the others, those
// whose agents answer at once leave their connections and their memory to the
// next ones, which costs less than all of them at once; a slow agent gives its
// place on after doorTime and is waited for outside.
type door struct{ early, places chan struct{} }

func newDoor() door {
	return door{early: make(chan struct{}, earlyPlaces), places: make(chan struct{}, doorPlaces)}
}

// enterEarly reports whether there was a place to stand ready, and takes it.
func (d door) enterEarly() bool {
	select {
	case d.early <- struct{}{}:
		return true
	default:
		return false
	}
}

// leaveEarly gives such a place back.
func (d door) leaveEarly() { <-d.early }

// pass takes a place, and returns what gives it back. When ctx ends first there
// is none to give back.
func (d door) pass(ctx context.Context) (leave func()) {
	select {
	case d.places <- struct{}{}:
	case <-ctx.Done():
		return func() {}
	}
	give := sync.OnceFunc(func() { <-d.places })
	slow := time.AfterFunc(doorTime, give)
	return func() {
		slow.Stop()
		give()
	}
}
