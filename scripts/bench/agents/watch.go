package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// The events that are followed.
const (
	eventOffline  = "agent.offline"
	eventUnknown  = "agent.unknown"
	eventIncident = "incident.opened"
)

// event is what the daemon said of an agent, or of itself.
type event struct {
	kind  string
	agent string
	at    time.Time // when that was heard here
}

// watch follows the events of the daemon.
type watch struct {
	said   chan event // closed by nobody; read until end is called
	after  int64      // the last event that was heard
	cancel context.CancelFunc
	reader sync.WaitGroup
}

// follow follows the events from now on.
func (d *daemon) follow(ctx context.Context) (*watch, error) {
	after, err := d.lastEvent(ctx)
	if err != nil {
		return nil, err
	}
	return d.followFrom(ctx, after), nil
}

// followFrom follows the events behind one.
func (d *daemon) followFrom(ctx context.Context, after int64) *watch {
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{said: make(chan event, 1024), after: after, cancel: cancel} // so that a burst is stamped as it comes
	w.reader.Go(func() {
		for ctx.Err() == nil {
			if err := w.read(ctx, d); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "agents: events:", err)
				_ = pause(ctx, 100*time.Millisecond) // ends with ctx, which is asked for next
			}
		}
	})
	return w
}

func (w *watch) end() {
	w.cancel()
	w.reader.Wait()
}

// lastEvent returns the number of the newest event.
func (d *daemon) lastEvent(ctx context.Context) (int64, error) {
	var newest struct{ ID int64 }
	err := d.get(ctx, "/v1/events/last", &newest)
	return newest.ID, err
}

// awaitOnline waits until n agents are online.
func (d *daemon) awaitOnline(ctx context.Context, n int) error {
	for {
		var now struct{ Agents struct{ Online int } }
		if err := d.get(ctx, "/v1/liveness", &now); err != nil {
			return err
		}
		if now.Agents.Online == n {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d agents are online: %w", now.Agents.Online, n, err)
		}
	}
}

// get reads what is at a path.
func (d *daemon) get(ctx context.Context, path string, into any) error {
	res, err := d.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// read reads the stream until it breaks.
func (w *watch) read(ctx context.Context, d *daemon) error {
	path := fmt.Sprintf("http://localhost/v1/events?type=%s&type=%s&type=%s&after=%d", eventOffline, eventUnknown, eventIncident, w.after)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := d.socket.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		at := time.Now()
		var e struct {
			ID   int64
			Type string
			Data struct{ ID string }
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return err
		}
		w.after = e.ID
		select {
		case w.said <- event{e.Type, e.Data.ID, at}:
		case <-ctx.Done():
			return nil
		}
	}
	return errors.New("the stream ended")
}
