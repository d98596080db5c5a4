package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Bounds of the pause before a dropped stream is opened again, and of the
// silence after which it is taken for dropped.
const (
	firstPause  = 100 * time.Millisecond
	longPause   = 5 * time.Second
	longSilence = 90 * time.Second
)

// Events returns one page of events, oldest first.
func (c *Client) Events(ctx context.Context, f molecule.EventFilter) (molecule.Page[molecule.Event], error) {
	q := eventQuery(f)
	q.number("limit", int64(f.Limit))
	var page molecule.Page[molecule.Event]
	err := c.get(ctx, wire.PathEvents, url.Values(q), &page)
	return page, err
}

// LastEventID returns the id of the newest event, 0 when there is none.
func (c *Client) LastEventID(ctx context.Context) (int64, error) {
	var out struct {
		ID int64 `json:"id"`
	}
	err := c.get(ctx, wire.PathEvents+"/last", nil, &out)
	return out.ID, err
}

// WatchEvents yields what is kept behind f.After and then what comes, until
// ctx ends. A stream that was open once and drops is opened again behind the
// last id seen; that it cannot be opened at first, or is refused, ends the
// sequence with the error.
func (c *Client) WatchEvents(ctx context.Context, f molecule.EventFilter) iter.Seq2[molecule.Event, error] {
	return func(yield func(molecule.Event, error) bool) {
		w := watch{client: c, filter: f, yield: yield, pause: firstPause}
		for {
			err := w.once(ctx)
			switch {
			case w.done, ctx.Err() != nil:
				return
			case err != nil && (!w.opened || refused(err)):
				yield(molecule.Event{}, err)
				return
			}
			if molecule.Sleep(ctx, w.pause) != nil {
				return
			}
			w.pause = min(2*w.pause, longPause)
		}
	}
}

// watch is one WatchEvents under way.
type watch struct {
	client *Client
	filter molecule.EventFilter // After moves on with every event
	yield  func(molecule.Event, error) bool
	pause  time.Duration
	opened bool // a stream was open once
	done   bool // the reader wants no more
}

// once opens one stream and yields its events until it ends.
func (w *watch) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A peer that vanished without a word keeps a TCP stream open for ever; the
	// server's keep-alives push the alarm on.
	alarm := time.AfterFunc(longSilence, cancel)
	defer alarm.Stop()

	res, err := w.client.send(ctx, call{
		method: http.MethodGet, path: wire.PathEvents, query: url.Values(eventQuery(w.filter)),
		accept: wire.TypeSSE,
	})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	w.opened = true
	for e, err := range readStream(res.Body, func() { alarm.Reset(longSilence) }) {
		if err != nil {
			return err
		}
		w.pause = firstPause
		if e.ID <= w.filter.After {
			continue // seen before the stream dropped
		}
		w.filter.After = e.ID
		if !w.yield(e, nil) {
			w.done = true
			return nil
		}
	}
	return nil
}

// refused reports whether asking again would be answered the same.
func refused(err error) bool {
	switch molecule.CodeOf(err) {
	case molecule.Unavailable, molecule.Timeout, molecule.RateLimited, molecule.Internal:
		return false
	}
	return true
}

func eventQuery(f molecule.EventFilter) query {
	q := query{}
	q.number("after", f.After)
	for _, t := range f.Types {
		q.text("type", t)
	}
	q.text("subject", f.Subject)
	return q
}
