package supervised

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// ringSize is how many transitions stay in memory. A dozen subsystems that
// restart every 30 s fill it in four hours.
const ringSize = 1024

// ring holds the newest transitions. Event n sits at n modulo the size.
type ring struct {
	mu     sync.Mutex // held to copy, never to write anywhere
	size   uint64
	events []molecule.SubsystemEvent
	next   uint64        // number of the next event
	grown  chan struct{} // closed by the next append
}

func newRing(size uint64) *ring {
	return &ring{size: size, grown: make(chan struct{})}
}

func (r *ring) append(e molecule.SubsystemEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next < r.size {
		r.events = append(r.events, e)
	} else {
		r.events[r.next%r.size] = e
	}
	r.next++
	close(r.grown)
	r.grown = make(chan struct{})
}

// oldest is the number of the oldest event that is still here.
func (r *ring) oldest() uint64 { return r.next - uint64(len(r.events)) }

// Recorder takes the transitions of a [Supervisor], in order and each once, to
// wherever they are kept. It lags behind for as long as that place is wedged,
// and loses only what the ring of 1024 cannot hold.
type Recorder struct {
	ring *ring
	turn chan struct{} // buffered 1: one Drain at a time

	// Guarded by ring.mu.
	next uint64 // the first event not yet written
	seen uint64 // end of what the last Drain was given
	lost uint64
}

// Transitions returns a recorder that begins with the oldest transition still
// in memory. Each recorder gets all of them.
func (s *Supervisor) Transitions() *Recorder {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	oldest := s.ring.oldest()
	return &Recorder{ring: s.ring, turn: make(chan struct{}, 1), next: oldest, seen: oldest}
}

// Wake returns a channel that is ready when there is a transition the last
// Drain has not seen. Ask for it anew each time; after a Drain that failed, try
// again later also without it.
func (r *Recorder) Wake() <-chan struct{} {
	r.ring.mu.Lock()
	defer r.ring.mu.Unlock()
	if r.seen == r.ring.next {
		return r.ring.grown
	}
	ready := make(chan struct{})
	close(ready)
	return ready
}

// Drain gives write all pending transitions, oldest first, and forgets them
// when it returns nil. With none pending write is not called.
func (r *Recorder) Drain(ctx context.Context, write func(context.Context, []molecule.SubsystemEvent) error) error {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.turn }()
	batch, end := r.pending()
	if len(batch) == 0 {
		return nil
	}
	if err := write(ctx, batch); err != nil {
		return fmt.Errorf("record %d transitions: %w", len(batch), err)
	}
	r.ring.mu.Lock()
	defer r.ring.mu.Unlock()
	r.next = end
	return nil
}

// Dropped counts the transitions that were pushed out of memory before they
// were written.
func (r *Recorder) Dropped() uint64 {
	r.ring.mu.Lock()
	defer r.ring.mu.Unlock()
	return r.lost + r.ring.missed(r.next)
}

// missed is how many of the events from next on are gone.
func (r *ring) missed(next uint64) uint64 { return max(r.oldest(), next) - next }

func (r *Recorder) pending() (batch []molecule.SubsystemEvent, end uint64) {
	r.ring.mu.Lock()
	defer r.ring.mu.Unlock()
	missed := r.ring.missed(r.next)
	r.lost += missed
	r.next += missed
	r.seen = r.ring.next
	for n := r.next; n < r.seen; n++ {
		batch = append(batch, r.ring.events[n%r.ring.size])
	}
	return slices.Clip(batch), r.seen
}
