// Package a2atest is an A2A agent for tests: a server that speaks both dialects
// over both bindings, and misbehaves on demand.
//
// It is as strict as the agents in the field: a request in the wrong dialect is
// refused the way they refuse it, and a send that does not ask to return at once
// is kept until the work is done. It encodes everything by hand, so that a
// client's library is not tested against itself.
//
// [New] makes an agent, [Agent.On] says how it behaves, [Agent.Start] serves it
// on loopback and [Agent.Offline] without any network, for a test with fake
// time. [Agent.Requests] tells what it was asked.
package a2atest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Where an agent serves its card: agents of 0.3 from before 0.3.0 know only
// the second.
const (
	CardPath    = "/.well-known/agent-card.json"
	OldCardPath = "/.well-known/agent.json"
)

// Op is what an agent is asked for.
type Op string

// What an agent can be asked for.
const (
	Card   Op = "card"
	Send   Op = "send"
	Get    Op = "get"
	Cancel Op = "cancel"
	List   Op = "list" // only of 1.0
)

// Request is one request as it arrived.
type Request struct {
	Op     Op // empty when it was none
	Verb   string
	Path   string
	Header http.Header
	Body   string
	At     time.Time
}

// Agent is a scriptable agent. Without a script it serves its card and answers
// every prompt with a message that says "done".
type Agent struct {
	URL string // set by Start and Offline

	faces []Face
	done  chan struct{} // closed when the test is over

	mu       sync.Mutex
	cards    map[string]string
	acts     map[Op][]Act
	requests []Request
	tasks    map[string]*work
}

// New returns an agent with the given faces. Its card lists them in that
// order, the first preferred.
func New(faces ...Face) *Agent {
	return &Agent{
		faces: faces,
		done:  make(chan struct{}),
		acts:  make(map[Op][]Act),
		tasks: make(map[string]*work),
	}
}

// Start serves a on 127.0.0.1 until the test is over.
func (a *Agent) Start(tb testing.TB) *Agent {
	tb.Helper()
	s := httptest.NewServer(a)
	tb.Cleanup(func() {
		close(a.done)
		s.Close()
	})
	a.URL = s.URL
	return a
}

// ByName returns the URL with localhost for the address.
func (a *Agent) ByName() string { return strings.Replace(a.URL, "127.0.0.1", "localhost", 1) }

// On says what a does when it is asked for op: one act each time, the last one
// ever after.
func (a *Agent) On(op Op, acts ...Act) *Agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acts[op] = acts
	return a
}

// Cards replaces the cards a serves, by path. None at all makes an agent
// without a card.
func (a *Agent) Cards(at map[string]string) *Agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cards = at
	return a
}

// Requests returns what arrived so far for the given ops, or everything.
func (a *Agent) Requests(ops ...Op) []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []Request
	for _, r := range a.requests {
		if len(ops) == 0 || slices.Contains(ops, r.Op) {
			all = append(all, r)
		}
	}
	return all
}

// Asked returns the ops of what arrived so far.
func (a *Agent) Asked() []Op {
	var all []Op
	for _, r := range a.Requests() {
		all = append(all, r.Op)
	}
	return all
}

// ServeHTTP notes a request and does what the script says.
func (a *Agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	c := &Call{agent: a, w: w, r: r}
	refusal := c.read(body)
	a.mu.Lock()
	a.requests = append(a.requests, Request{
		Op: c.Op, Verb: r.Method, Path: r.URL.RequestURI(), Header: r.Header, Body: string(body), At: time.Now(),
	})
	act := a.next(c.Op)
	a.mu.Unlock()
	switch {
	case refusal != nil:
		refusal(c)
	case act != nil:
		act(c)
	default:
		c.Usual()
	}
}

// next takes the next act of an op, nil when there is no script for it.
func (a *Agent) next(op Op) Act {
	acts := a.acts[op]
	if len(acts) == 0 {
		return nil
	}
	if len(acts) > 1 {
		a.acts[op] = acts[1:]
	}
	return acts[0]
}

// card returns the card at a path.
func (a *Agent) card(path string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cards != nil {
		text, ok := a.cards[path]
		return text, ok
	}
	return CardOf(a.URL, a.faces...), path == CardPath || path == OldCardPath
}
