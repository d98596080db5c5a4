package platform

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Forwarder brings a message to an agent that has a URL and returns its answer.
type Forwarder interface {
	Forward(ctx context.Context, a molecule.Agent, request json.RawMessage) molecule.Forwarded
}

// Deps is everything the platform wire serves.
type Deps struct {
	Directory molecule.Directory
	Inbox     molecule.Inbox
	Runs      molecule.RunService
	Events    molecule.EventService
	// EventBefore returns the id of the newest event before an instant.
	EventBefore func(ctx context.Context, at time.Time) (int64, error)
	Watch       molecule.AgentWatch
	Forward     Forwarder
	// OverBudget says which budget leaves nothing for an agent; "" when none does.
	OverBudget func(ctx context.Context, a molecule.Agent) (string, error)
	// Authenticate says who is asking, again: of a request that is served for long.
	Authenticate func(r *http.Request) (molecule.Principal, error)
	// Changed returns a channel that is closed when a token was added or revoked.
	Changed func() <-chan struct{}
}

// Face answers the platform wire.
type Face struct {
	Deps
	sockets sync.WaitGroup
	open    atomic.Int64 // sockets
}

// New returns a Face.
func New(d Deps) *Face { return &Face{Deps: d} }

// Wait returns when no socket is open any more. They close when the requests'
// context ends.
func (f *Face) Wait() { f.sockets.Wait() }

// Route is one row of the table.
type Route struct {
	Method  string
	Path    string
	Policy  Policy
	What    molecule.Request // which sign of life it is, from an agent
	handle  handler
	Special Special
}

// Special is what is unlike other rows in a row.
type Special int

// The specials.
const (
	Ordinary Special = iota
	Patient          // its answer may take its time
	Apart            // its path overlaps that of another row, which goes first
)

// handler answers one request or returns why it could not.
type handler func(f *Face, w http.ResponseWriter, c call) error

// call is one request that was let in.
type call struct {
	*http.Request
	by       molecule.Principal
	id       string // of the workspace in the path, in lower case; "" when there is none
	accepted time.Time
}

// Routes returns the table of the platform wire. The rows are written without
// field names, so that one without a policy does not compile.
func (f *Face) Routes() []Route {
	const (
		read  = molecule.ScopeAgentsRead
		write = molecule.ScopeAgentsWrite

		beat  = molecule.RequestHeartbeat
		enter = molecule.RequestRegister
		poll  = molecule.RequestPoll
		reply = molecule.RequestReply
		other = molecule.RequestOther

		registry  = wire.PathRegistry
		workspace = wire.PathWorkspaces + "/{id}"
	)
	return []Route{
		{"POST", registry + "/register", registrant(), enter, (*Face).register, Ordinary},
		{"POST", registry + "/heartbeat", inBody(write), beat, (*Face).heartbeat, Ordinary},
		{"POST", registry + "/update-card", inBody(write), other, (*Face).updateCard, Ordinary},
		{"GET", registry + "/discover/{id}", inHeader(read), other, (*Face).discover, Ordinary},
		{"GET", registry + "/{id}/peers", inPath(read), other, (*Face).peers, Apart},
		{"POST", registry + "/check-access", inBody(read), other, (*Face).checkAccess, Ordinary},
		{"GET", wire.PathWorkspaces, member(read), other, (*Face).workspaces, Ordinary},
		{"GET", workspace, inPathOrGone(read), other, (*Face).workspace, Ordinary},
		{"GET", workspace + "/state", inPathOrGone(read), other, (*Face).state, Ordinary},
		{"GET", workspace + "/activity", inPath(read), poll, (*Face).activity, Ordinary},
		{"POST", workspace + "/activity", inPath(write), other, (*Face).logActivity, Ordinary},
		{"POST", workspace + "/notify", inPath(write), reply, (*Face).notify, Ordinary},
		{"POST", workspace + "/a2a", member(write), reply, (*Face).a2a, Patient},
		{"GET", wire.PathSocket, member(read), other, (*Face).socket, Patient},
	}
}

// Serve answers a request for a row of the table that was accepted at an instant.
func (f *Face) Serve(rt Route, w http.ResponseWriter, r *http.Request, accepted time.Time) error {
	c := call{Request: r, by: molecule.PrincipalFrom(r.Context()), accepted: accepted, id: strings.ToLower(r.PathValue("id"))}
	if c.by.AgentID != "" && c.by.May(molecule.ScopeAgentSelf) && rt.What != molecule.RequestHeartbeat {
		f.Watch.Heard(accepted, c.by.AgentID, rt.What)
	}
	if err := rt.Policy.judge(c); err != nil {
		return err
	}
	if len(c.by.Scopes) == 0 && c.by.AgentID != "" {
		if err := f.departed(c); err != nil {
			return err
		}
	}
	return rt.handle(f, w, c)
}

// departed refuses a token that was revoked while its agent is still there.
func (f *Face) departed(c call) error {
	a, err := f.Directory.Member(c.Context(), c.by.AgentID)
	if err == nil && a.RemovedAt.IsZero() {
		err = molecule.Errorf(molecule.Unauthenticated, "a valid token is needed")
	}
	return err
}

// Fail answers an error in the shape of this wire.
func (f *Face) Fail(w http.ResponseWriter, err error) { writeError(w, err) }
