package registry

import (
	"math"
	"sync/atomic"
)

const (
	chunkLength = 1024
	never       = math.MaxInt64 / 2 // a wait that does not end
)

// pulses hold, for every agent that is watched, when somebody has to look at it.
// They lie side by side, so that a look at all of them is a walk through memory,
// and they never move: a chunk that was made stays.
type pulses struct {
	chunks atomic.Pointer[[]*chunk]
	free   []int32 // slots to be used again; guarded by the monitor's list
	used   int32
	looks  atomic.Int64  // on the watch clock: when all are looked at next, at the latest
	stir   chan struct{} // buffered 1: somebody has to look before that
}

// chunk is a stretch of slots.
type chunk struct {
	of  *pulses
	due [chunkLength]atomic.Int64 // on the watch clock
	who [chunkLength]atomic.Pointer[ward]
}

// take gives w a slot in which nothing is ever due.
func (p *pulses) take(w *ward) {
	if n := len(p.free); n > 0 {
		w.slot, p.free = p.free[n-1], p.free[:n-1]
	} else {
		w.slot = p.used
		p.used++
	}
	all := p.all()
	if int(w.slot)/chunkLength >= len(all) {
		grown := append(all[:len(all):len(all)], &chunk{of: p})
		p.chunks.Store(&grown)
		all = grown
	}
	w.chunk = all[w.slot/chunkLength]
	w.setWait(never)
	w.chunk.who[w.slot%chunkLength].Store(w)
}

// give takes the slot of w back.
func (p *pulses) give(w *ward) {
	w.chunk.who[w.slot%chunkLength].Store(nil)
	p.free = append(p.free, w.slot)
}

func (p *pulses) all() []*chunk {
	if all := p.chunks.Load(); all != nil {
		return *all
	}
	return nil
}

// each calls look for every agent.
func (p *pulses) each(look func(*ward)) {
	for _, c := range p.all() {
		for i := range c.who {
			if w := c.who[i].Load(); w != nil {
				look(w)
			}
		}
	}
}

// due calls look for each agent whose time has come.
func (p *pulses) due(now int64, look func(*ward)) {
	for _, c := range p.all() {
		for i := range c.due {
			if c.due[i].Load() >= now {
				continue
			}
			if w := c.who[i].Load(); w != nil {
				look(w)
			}
		}
	}
}

// soonest returns when the first agent is due; never when none is.
func (p *pulses) soonest() int64 {
	first := int64(never)
	for _, c := range p.all() {
		for i := range c.due {
			if at := c.due[i].Load(); at < first && c.who[i].Load() != nil {
				first = at
			}
		}
	}
	return first
}

// wake asks for a look before the one that is planned.
func (p *pulses) wake() {
	select {
	case p.stir <- struct{}{}:
	default: // it was asked for already
	}
}

// setSince says when the last sign of life of w was.
func (w *ward) setSince(t int64) {
	w.lived.Store(t)
	w.arm()
}

// setWait says for how long w may be silent before somebody has to look.
func (w *ward) setWait(d int64) {
	w.wait.Store(d)
	w.arm()
}

func (w *ward) since() int64 { return w.lived.Load() }

// arm brings the pulse up to what was just set, and has it looked at in time.
// Whoever else sets something at the same time is not lost: the last one to write
// has seen both.
func (w *ward) arm() {
	due := &w.chunk.due[w.slot%chunkLength]
	for {
		at := w.lived.Load() + w.wait.Load()
		due.Store(at)
		if w.lived.Load()+w.wait.Load() == at {
			if p := w.chunk.of; at < p.looks.Load() {
				p.wake()
			}
			return
		}
	}
}
