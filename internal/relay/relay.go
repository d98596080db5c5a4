// Package relay tells readers of events as soon as something was committed.
//
// The events table is the truth. After a commit the relay reads what is new,
// in order, and offers it to each subscriber's bounded queue; a subscriber that
// is too slow is dropped and resumes from the last id it saw. The relay never
// waits for a subscriber, and it publishes nothing that was not committed.
package relay

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	queueLength = 256 // events a subscriber may be behind before it is dropped
	pageLength  = 500 // events read at once
)

// Store is what the relay reads.
type Store interface {
	Events(ctx context.Context, f molecule.EventFilter) (molecule.Page[molecule.Event], error)
	LastEventID(ctx context.Context) (int64, error)
	// Committed signals that something with an event was committed.
	Committed() <-chan struct{}
}

// Relay implements [molecule.EventService]; its Run is the subsystem
// event-relay.
type Relay struct {
	store Store
	log   *slog.Logger
	begun chan struct{} // closed once last is known, and before anyone subscribes

	mu   sync.Mutex
	subs map[*subscriber]struct{}
	last int64           // newest id that was offered to everyone
	seen []chan struct{} // each buffered 1: one signal is enough; never closed
}

// subscriber is one reader's queue. The relay closes it when it is dropped.
type subscriber struct {
	filter molecule.EventFilter
	events chan molecule.Event
}

// New returns a Relay that reads from store.
func New(store Store, log *slog.Logger) *Relay {
	return &Relay{store: store, log: log, begun: make(chan struct{}), subs: make(map[*subscriber]struct{})}
}

// Run offers committed events to the subscribers until ctx ends. A restart
// goes on behind the last event that was offered.
func (r *Relay) Run(ctx context.Context, beat *supervised.Beat) error {
	for {
		err := beat.Tick(ctx, func(ctx context.Context) error {
			if err := r.begin(ctx); err != nil {
				return err
			}
			return r.offerNew(ctx)
		})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("relay events: %w", err) // started again behind the last one offered
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.store.Committed():
		case <-beat.C(): // proves that the table can be read, and heals a lost signal
		}
	}
}

// begin starts a fresh relay at the newest event: older ones are read from the
// table by whoever wants them. Nobody has subscribed yet, so that no reader can
// have read the table before what is skipped here was committed.
func (r *Relay) begin(ctx context.Context) error {
	select {
	case <-r.begun:
		return nil
	default:
	}
	last, err := r.store.LastEventID(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.last = last
	r.mu.Unlock()
	close(r.begun)
	r.signal() // what is skipped here may be news to whoever looked before
	return nil
}

// offerNew reads what was committed since the last call and offers it.
func (r *Relay) offerNew(ctx context.Context) error {
	for {
		r.mu.Lock()
		after := r.last
		r.mu.Unlock()
		page, err := r.store.Events(ctx, molecule.EventFilter{After: after, Limit: pageLength})
		if molecule.CodeOf(err) == molecule.Gone {
			if err = r.skip(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		r.offer(page.Items)
		if len(page.Items) > 0 {
			r.signal()
		}
		if len(page.Items) < pageLength {
			return nil
		}
	}
}

// skip goes on at the first event that is kept: the relay was so far behind that
// what it had yet to offer was pruned. Nobody may be offered what comes behind
// such a gap: every subscriber is dropped, and told when it comes back.
func (r *Relay) skip(ctx context.Context) error {
	first, err := r.store.Events(ctx, molecule.EventFilter{Limit: 1})
	if err != nil || len(first.Items) == 0 {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.Warn("events were pruned before they were offered", "from", r.last+1, "to", first.Items[0].ID-1)
	for sub := range r.subs {
		r.drop(sub)
	}
	r.last = first.Items[0].ID - 1
	return nil
}

// drop ends the queue of a subscriber. The caller holds the lock.
func (r *Relay) drop(sub *subscriber) {
	delete(r.subs, sub)
	close(sub.events)
}

// offer hands events to every subscriber that has room and drops the others.
func (r *Relay) offer(events []molecule.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		for sub := range r.subs {
			if !sub.filter.Matches(e) {
				continue
			}
			select {
			case sub.events <- e:
			default:
				r.drop(sub)
				r.log.Info("dropped a slow reader of events", "last_id", e.ID)
			}
		}
		r.last = e.ID
	}
}

// signal tells the readers of Seen.
func (r *Relay) signal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, seen := range r.seen {
		select {
		case seen <- struct{}{}:
		default: // a signal is waiting already
		}
	}
}

// Seen returns a channel that signals, when the relay begins and at least once
// after each event that was offered, to a reader that wants to know that
// something changed and not what. Each reader asks once for its own.
func (r *Relay) Seen() <-chan struct{} {
	seen := make(chan struct{}, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, seen)
	return seen
}

// Events returns a page of events, oldest first.
func (r *Relay) Events(ctx context.Context, f molecule.EventFilter) (molecule.Page[molecule.Event], error) {
	return r.store.Events(ctx, f)
}

// LastEventID returns the id of the newest event.
func (r *Relay) LastEventID(ctx context.Context) (int64, error) { return r.store.LastEventID(ctx) }

// WatchEvents yields the events kept behind f.After and then those that come,
// without a gap and without one twice, until ctx ends. It waits for the relay
// to begin.
func (r *Relay) WatchEvents(ctx context.Context, f molecule.EventFilter) iter.Seq2[molecule.Event, error] {
	return func(yield func(molecule.Event, error) bool) {
		select {
		case <-r.begun:
		case <-ctx.Done():
			return
		}
		// Subscribe first: what is committed while the table is read then waits
		// in the queue, and ids tell which of it was read already.
		sub := r.subscribe(f)
		defer r.unsubscribe(sub)
		last, ok := r.replay(ctx, f, yield)
		for ok {
			select {
			case <-ctx.Done():
				return
			case e, open := <-sub.events:
				if !open {
					yield(molecule.Event{}, molecule.Errorf(molecule.Unavailable, "the reader of events was too slow").
						WithHint("read on behind event %d", last))
					return
				}
				if e.ID > last {
					last = e.ID
					ok = yield(e, nil)
				}
			}
		}
	}
}

// replay yields what the table holds behind f.After. It returns the last id it
// saw, and false when the reader wants no more.
func (r *Relay) replay(
	ctx context.Context, f molecule.EventFilter, yield func(molecule.Event, error) bool,
) (int64, bool) {
	f.Limit = pageLength
	for {
		page, err := r.store.Events(ctx, f)
		if err != nil {
			yield(molecule.Event{}, fmt.Errorf("read events: %w", err))
			return f.After, false
		}
		for _, e := range page.Items {
			if !yield(e, nil) {
				return e.ID, false
			}
			f.After = e.ID
		}
		if len(page.Items) < pageLength {
			return f.After, true
		}
	}
}

func (r *Relay) subscribe(f molecule.EventFilter) *subscriber {
	sub := &subscriber{filter: f, events: make(chan molecule.Event, queueLength)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subs[sub] = struct{}{}
	return sub
}

// unsubscribe forgets sub; a dropped one is gone already.
func (r *Relay) unsubscribe(sub *subscriber) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.subs, sub)
}

// Readers returns how many subscribers there are.
func (r *Relay) Readers() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.subs)
}
