package platform

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	pingEvery   = 20 * time.Second
	writeWithin = 10 * time.Second // a reader that takes longer is dropped
	closeWithin = time.Second      // for the reader to agree that it is over
	maxSockets  = 1000             // open at once
)

// frame is one event as it is sent.
type frame struct {
	Event       string  `json:"event"`
	WorkspaceID *string `json:"workspace_id"`
	Timestamp   string  `json:"timestamp"`
	Payload     payload `json:"payload"`
}

// payload is what the event tells. Its id is what a reader that was cut off comes
// back with.
type payload struct {
	ID      int64           `json:"id"`
	Subject string          `json:"subject"`
	Data    json.RawMessage `json:"data"`
}

// socket sends the events behind since, or else those that come, to a reader
// that may be slow, may vanish, and may lose its token.
func (f *Face) socket(w http.ResponseWriter, c call) error {
	if !strings.EqualFold(c.Header.Get("Upgrade"), "websocket") {
		return refuse(http.StatusUpgradeRequired, "this is a websocket: send Upgrade: websocket")
	}
	after, err := f.since(c)
	if err != nil {
		return err
	}
	defer f.open.Add(-1)
	if f.open.Add(1) > maxSockets {
		return molecule.Errorf(molecule.Unavailable, "%d sockets are open, which is the most", maxSockets)
	}
	// Counted before it leaves the server's hands: who waits for sockets when the
	// daemon stops does so once the server has let go of every connection.
	f.sockets.Add(1)
	defer f.sockets.Done()
	// What the header Origin says neither opens nor closes: there is no cookie that
	// a foreign page could ride on, and every request has proved its token.
	conn, err := websocket.Accept(w, c.Request, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return nil // Accept has answered
	}
	s := &socket{face: f, call: c, conn: conn, names: map[string]string{}}
	s.serve(c.Context(), after)
	return nil
}

// since returns the event to go on behind: the id that the payload of each frame
// has, or the instant that its timestamp is. Without one only what comes is sent.
func (f *Face) since(c call) (int64, error) {
	s := c.URL.Query().Get("since")
	if s == "" {
		return f.Events.LastEventID(c.Context())
	}
	if id, err := strconv.ParseInt(s, 10, 64); err == nil && id >= 0 {
		// Once the socket is open there is no status to say that it would have a gap.
		_, err := f.Events.Events(c.Context(), molecule.EventFilter{After: id, Limit: 1})
		return id, err
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, molecule.Errorf(molecule.Invalid, "since must be the id of an event or an instant such as 2026-12-01T08:00:00.000Z")
	}
	return f.EventBefore(c.Context(), at)
}

// socket is one reader.
type socket struct {
	face *Face
	call call
	conn *websocket.Conn

	sees  func(id string) bool
	names map[string]string // id of each agent by name
}

// serve sends events until there is a reason not to, and tells it.
func (s *socket) serve(ctx context.Context, after int64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// It ends when the connection does, and not with ctx: an end of the context
	// would cut the connection before the reader is told why.
	var reading sync.WaitGroup
	defer reading.Wait()
	defer func() { _ = s.conn.CloseNow() }() // closed already, if all went well
	reading.Go(func() {
		defer cancel()
		for { // what a client says is of no interest, but pongs are read here
			if _, _, err := s.conn.Read(context.WithoutCancel(ctx)); err != nil {
				return
			}
		}
	})
	code, why := s.follow(ctx, after)
	cut := time.AfterFunc(closeWithin, func() { _ = s.conn.CloseNow() })
	defer cut.Stop()
	_ = s.conn.Close(code, why) // the reader may be gone
}

// follow sends events until the reader is gone, may not read on, or is too slow,
// and returns what it is told.
func (s *socket) follow(ctx context.Context, after int64) (websocket.StatusCode, string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Closed by the goroutine below; one event at a time, so that a slow reader is
	// felt by the relay and not hidden here.
	events := make(chan molecule.Event)
	var ended error // why there are no more
	var source sync.WaitGroup
	defer source.Wait()
	defer cancel()
	source.Go(func() {
		defer close(events)
		for e, err := range s.face.Events.WatchEvents(ctx, molecule.EventFilter{After: after}) {
			if err != nil {
				ended = err
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	})
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	changed := s.face.Changed() // before the token is looked at: no change is missed
	if !s.still() {
		return websocket.StatusPolicyViolation, revoked
	}
	for {
		select {
		case <-ctx.Done():
			return websocket.StatusGoingAway, "closing"
		case <-changed:
			if changed = s.face.Changed(); !s.still() {
				return websocket.StatusPolicyViolation, revoked
			}
		case <-ping.C:
			if !s.still() { // it has expired
				return websocket.StatusPolicyViolation, revoked
			}
			if err := s.within(ctx, s.conn.Ping); err != nil {
				return websocket.StatusPolicyViolation, "no answer to a ping"
			}
		case e, open := <-events:
			if !open {
				return lost(ended)
			}
			if err := s.send(ctx, e); err != nil {
				return websocket.StatusPolicyViolation, "too slow"
			}
		}
	}
}

// revoked is what a reader is told whose token was taken back.
const revoked = "the token is no longer good"

// still reports whether the reader may read on.
func (s *socket) still() bool {
	_, err := s.face.Authenticate(s.call.Request)
	return err == nil
}

// lost says why a stream of events ended by itself.
func lost(err error) (websocket.StatusCode, string) {
	switch molecule.CodeOf(err) {
	case molecule.Gone:
		return websocket.StatusPolicyViolation, "since is no longer kept"
	case molecule.Unavailable:
		return websocket.StatusPolicyViolation, "too slow"
	}
	return websocket.StatusInternalError, "come back"
}

// within bounds what waits for the reader.
func (s *socket) within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	return do(ctx)
}

// send writes an event, unless it is of an agent that the reader may not know of.
func (s *socket) send(ctx context.Context, e molecule.Event) error {
	id, err := s.workspaceOf(ctx, e)
	if err != nil {
		return err
	}
	if !s.mayKnow(id) {
		return nil
	}
	body, err := compact(frame{e.Type, orNull(id), stamp(e.At), payload{e.ID, e.Subject, e.Data}})
	if err != nil {
		return err
	}
	return s.within(ctx, func(ctx context.Context) error { return s.conn.Write(ctx, websocket.MessageText, body) })
}

// mayKnow reports whether the reader may be told of an agent; of what is about
// none, when id is empty.
func (s *socket) mayKnow(id string) bool {
	switch {
	case s.call.by.AgentID != "":
		return id != "" && s.sees(id)
	case id == "":
		return s.call.by.May(molecule.ScopeSchedulesRead)
	}
	return true
}

// workspaceOf returns the id of the agent that an event is about; "" when it is
// about none. Who is there, and who may know of whom, is read anew when an agent
// was made or changed, and when somebody is not known.
func (s *socket) workspaceOf(ctx context.Context, e molecule.Event) (string, error) {
	var about struct {
		ID    string `json:"id"`
		Agent string `json:"agent"`
	}
	_ = json.Unmarshal(e.Data, &about) // an event without data is about nobody
	name, own := strings.CutPrefix(e.Subject, "agent/")
	if !own {
		name = about.Agent
	}
	if name == "" {
		return "", nil
	}
	if _, known := s.names[name]; !known || own && (e.Type == molecule.EventAgentCreated || e.Type == molecule.EventAgentUpdated) {
		if err := s.learn(ctx); err != nil {
			return "", err
		}
	}
	if own && molecule.IsID(about.ID) {
		return about.ID, nil
	}
	return s.names[name], nil
}

// learn reads who is there.
func (s *socket) learn(ctx context.Context) error {
	all, err := s.face.Directory.Members(ctx)
	if err != nil {
		return err
	}
	s.sees = seenBy(s.call.by, all)
	clear(s.names)
	for _, a := range all {
		s.names[a.Name] = a.ID
	}
	return nil
}
