package registry

import (
	"sync/atomic"
	"time"
)

// watchClock counts the time in which this daemon was able to listen, in
// nanoseconds since its start. What it slept through is left out, so that no
// agent's silence is made of ours.
type watchClock struct {
	start time.Time // its monotonic reading is the origin
	last  atomic.Pointer[stall]
}

// stall is a stretch of time that is left out, and all that was before it.
type stall struct {
	from, to int64 // on the monotonic clock
	total    int64 // left out up to and with this one
}

func newWatchClock(start time.Time) *watchClock {
	c := &watchClock{start: start}
	c.last.Store(&stall{})
	return c
}

// at returns the reading of an instant. One that lies in the last stall reads
// as its beginning: a request that was accepted before, and is looked at behind
// it, is as old as it was.
func (c *watchClock) at(t time.Time) int64 {
	mono, s := int64(t.Sub(c.start)), c.last.Load()
	if mono < s.to {
		return min(mono, s.from) - (s.total - (s.to - s.from))
	}
	return mono - s.total
}

// skip leaves out what lies between two instants. There is one caller.
func (c *watchClock) skip(from, to time.Time) {
	was := c.last.Load()
	next := &stall{from: int64(from.Sub(c.start)), to: int64(to.Sub(c.start))}
	if next.from <= was.to && was.to > 0 {
		next.from = was.from // one stall, seen in parts
		next.total = was.total - (was.to - was.from)
	} else {
		next.total = was.total
	}
	next.total += next.to - next.from
	c.last.Store(next)
}

// stalled returns the reading at which the last stall lies; negative before the
// first.
func (c *watchClock) stalled() int64 {
	s := c.last.Load()
	if s.to == 0 {
		return -1
	}
	return s.to - s.total
}
