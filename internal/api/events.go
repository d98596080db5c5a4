package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

const (
	keepAlive   = 15 * time.Second // between comments on an idle stream
	writeWithin = 10 * time.Second // a reader that takes longer is dropped
)

// wantsStream reports whether r asks for server-sent events.
func wantsStream(r *http.Request) bool {
	return r.URL.Path == wire.PathEvents && strings.Contains(r.Header.Get("Accept"), wire.TypeSSE)
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "after", "type", "subject", "limit")
	f := molecule.EventFilter{
		After: q.number("after"), Types: q.values["type"], Subject: q.text("subject"), Limit: q.limit(),
	}
	if q.err != nil {
		return q.err
	}
	if wantsStream(r) {
		return s.streamEvents(w, r, f)
	}
	page, err := s.Events.Events(r.Context(), f)
	if err != nil {
		return err
	}
	return encodePage(w, page)
}

func (s *Server) lastEvent(w http.ResponseWriter, r *http.Request) error {
	id, err := s.Events.LastEventID(r.Context())
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, map[string]int64{"id": id})
}

// streamEvents sends the events behind f.After, or behind Last-Event-ID, and
// those that come, until the reader is gone.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request, f molecule.EventFilter) error {
	if last := r.Header.Get(wire.HeaderLastEventID); last != "" {
		id, err := strconv.ParseInt(last, 10, 64)
		if err != nil || id < 0 {
			return molecule.Errorf(molecule.Invalid, "Last-Event-ID %q is not an event id", molecule.Excerpt(last, 40))
		}
		f.After = id
	}
	if f.After > 0 {
		// Once the stream is open there is no status to say that it would have a gap.
		if _, err := s.Events.Events(r.Context(), molecule.EventFilter{After: f.After, Limit: 1}); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := &stream{w: w, rc: http.NewResponseController(w), changed: s.tokensChanged}
	out.still = func() bool {
		_, err := s.Auth.Authenticate(r)
		return err == nil
	}
	w.Header().Set("Content-Type", wire.TypeSSE)
	if err := out.send(": open\n\n"); err != nil {
		return nil // gone before it began
	}
	return out.follow(ctx, cancel, s.Events, f)
}

// stream writes server-sent events, each within a deadline.
type stream struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	changed func() <-chan struct{} // closed when a token was added or revoked
	still   func() bool            // whether the reader may still read
}

// follow sends events and, when there are none, comments that keep proxies
// from hanging up. It returns nil when the reader is gone or ctx has ended.
func (o *stream) follow(
	ctx context.Context, cancel context.CancelFunc, svc molecule.EventService, f molecule.EventFilter,
) error {
	// Closed by the goroutine below; one event at a time, so that a slow reader
	// is felt by the relay and not hidden here.
	lines := make(chan string)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	reader.Go(func() {
		defer close(lines)
		for e, err := range svc.WatchEvents(ctx, f) {
			if err != nil {
				return // the reader comes back with Last-Event-ID
			}
			select {
			case lines <- frame(e):
			case <-ctx.Done():
				return
			}
		}
	})
	idle := time.NewTicker(keepAlive)
	defer idle.Stop()
	changed := o.changed()
	if !o.still() { // it was revoked before anybody would have told us
		return nil
	}
	for {
		var line string
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			if changed = o.changed(); !o.still() {
				return nil
			}
			continue
		case <-idle.C:
			if !o.still() { // it has expired
				return nil
			}
			line = ": keep-alive\n\n"
		case l, ok := <-lines:
			if !ok {
				return nil
			}
			line = l
		}
		if err := o.send(line); err != nil {
			return nil
		}
	}
}

// tokensChanged is TokensChanged, or what is never closed.
func (s *Server) tokensChanged() <-chan struct{} {
	if s.TokensChanged == nil {
		return nil
	}
	return s.TokensChanged()
}

// frame returns e as one server-sent event.
func frame(e molecule.Event) string {
	data, err := json.Marshal(e)
	if err != nil { // only data that is no JSON can do this, and then it is left out
		e.Data = nil
		data, _ = json.Marshal(e) // an event without data always encodes
	}
	return fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Type, data)
}

// send writes s and flushes it.
func (o *stream) send(s string) error {
	if err := o.rc.SetWriteDeadline(molecule.Now().Add(writeWithin)); err != nil {
		return err
	}
	if _, err := o.w.Write([]byte(s)); err != nil {
		return err
	}
	return o.rc.Flush()
}
