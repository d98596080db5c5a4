package a2a

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

const (
	maxReply    = 10 << 20        // bytes of an answer
	maxCard     = 256 << 10       // bytes of a card
	afterwards  = 5 * time.Second // for what is asked once the deadline has passed
	firstPause  = time.Second     // between polls; doubled up to longPause
	longPause   = 15 * time.Second
	looks       = 3      // for a task whose send was cut off
	maxRemember = 20_000 // agents whose endpoint is remembered
)

// Options are what a Client needs.
type Options struct {
	Guard Guard
}

// Guard judges what may be called, and calls it. A *netguard.Guard is one.
type Guard interface {
	Client(netguard.Class) *http.Client
	PatientClient(netguard.Class) *http.Client
	CheckURL(raw string) (*url.URL, error)
}

// Client delivers prompts to push agents. It may be used by several goroutines.
type Client struct {
	guard Guard

	mu    sync.Mutex
	known map[string]endpoint // by agent id and URL
}

// New returns a Client.
func New(o Options) *Client {
	return &Client{guard: o.Guard, known: make(map[string]endpoint)}
}

// dialect is how an endpoint is spoken to.
type dialect interface {
	send(ctx context.Context, c *http.Client, d molecule.Delivery) answer
	task(ctx context.Context, c *http.Client, id string) answer
	cancel(ctx context.Context, c *http.Client, id string) answer
	// find looks for the task that a message has made. It returns "" when the agent
	// tells of none, and whether looking again may help.
	find(ctx context.Context, c *http.Client, messageID string) (taskID string, again bool)
}

// answer is what one exchange brought: facts, and the task they are about.
type answer struct {
	molecule.Reply
	taskID string
}

// open reports whether the answer is a task that goes on.
func (a answer) open() bool {
	return a.Failure == "" && a.RPCError == nil && a.taskID != "" && a.Task != "" && !a.Task.Terminal()
}

// Deliver sends one prompt, or goes on with the task that an earlier process
// sent, and returns when there is an answer or ctx has ended.
func (c *Client) Deliver(ctx context.Context, d molecule.Delivery) molecule.Reply {
	return c.DeliverReady(ctx, d, nil)
}

// DeliverReady is Deliver, but calls begin when the connection stands and the
// message is written but for the last step, which follows only if it returns nil.
func (c *Client) DeliverReady(ctx context.Context, d molecule.Delivery, begin func() error) molecule.Reply {
	if d.Run.Handle != "" {
		return c.adopt(ctx, d)
	}
	ep, failed := c.endpoint(ctx, d.Agent)
	if failed != nil {
		return c.closing(ctx, d, *failed)
	}
	a := c.send(ctx, ep, d, begin)
	if stale(a.Reply) {
		c.forget(d.Agent) // the next attempt asks for the card again
	}
	if a.Failure == molecule.FailBroken && d.Run.Policy.Resend != molecule.ResendSafe {
		a = c.find(ctx, d, ep, a)
	}
	if !a.open() {
		return c.closing(ctx, d, a.Reply)
	}
	if err := d.Note(ep.handle(a.taskID)); err != nil {
		c.cancelTask(ctx, ep, a.taskID)
		return molecule.Reply{Failure: molecule.FailShutdown, Answered: true, Detail: "its task could not be noted"}
	}
	return c.follow(ctx, d, ep, a)
}

// send sends the prompt. With a begin that is called before anything leaves.
func (c *Client) send(ctx context.Context, ep endpoint, d molecule.Delivery, begin func() error) answer {
	ctx = ep.target(ctx)
	if begin == nil {
		return ep.speak().send(ctx, ep.sender(c.guard), d)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var begun atomic.Bool
	a := ep.speak().send(netguard.WithHold(ctx, func() error {
		err := begin()
		if err != nil {
			stop() // or it would be tried on the next connection
		}
		begun.Store(err == nil)
		return err
	}), ep.sender(c.guard), d)
	if a.Failure == molecule.FailBroken && !begun.Load() {
		a.Failure = molecule.FailUnreachable
	}
	return a
}

// stale reports whether the answer says that the endpoint is not what its card
// told: the method or the version is not known there, or nobody is.
func stale(r molecule.Reply) bool {
	const methodNotFound, versionNotSupported = -32601, -32009
	if r.RPCError != nil && (r.RPCError.Code == methodNotFound || r.RPCError.Code == versionNotSupported) {
		return true
	}
	return r.Failure == molecule.FailUnreachable || r.HTTPStatus == http.StatusNotFound
}

// adopt goes on with the task of a handle; lost when it cannot be found.
func (c *Client) adopt(ctx context.Context, d molecule.Delivery) molecule.Reply {
	ep, taskID, err := parseHandle(d.Run.Handle, d.Agent)
	if err != nil {
		return molecule.Reply{Failure: molecule.FailLost, Detail: "what was noted of it cannot be read"}
	}
	return c.follow(ctx, d, ep, answer{taskID: taskID, Reply: molecule.Reply{Task: molecule.TaskWorking, Answered: true}})
}

// find looks a few times for the task of a send whose answer was cut off, and
// returns it as one that goes on; what was, when there is none.
func (c *Client) find(ctx context.Context, d molecule.Delivery, ep endpoint, was answer) answer {
	pause := firstPause
	for range looks {
		taskID, again := ep.speak().find(ep.target(ctx), ep.client(c.guard), d.Run.MessageID)
		if taskID != "" {
			return answer{taskID: taskID, Reply: molecule.Reply{Task: molecule.TaskWorking, Answered: true}}
		}
		if !again || molecule.Sleep(ctx, pause) != nil {
			break
		}
		pause *= 2
	}
	return was
}

// follow polls a task until it is over.
func (c *Client) follow(ctx context.Context, d molecule.Delivery, ep endpoint, a answer) molecule.Reply {
	told := false
	for pause := firstPause; a.open(); pause = min(2*pause, longPause) {
		if a.Task.Interrupted() && !told {
			told = true
			d.Waiting(a.StatusText)
		}
		if molecule.Sleep(ctx, pause) != nil {
			return c.stop(ctx, ep, a)
		}
		next := ep.speak().task(ep.target(ctx), ep.client(c.guard), a.taskID)
		if ctx.Err() != nil {
			return c.stop(ctx, ep, a)
		}
		if transient(next.Reply) {
			continue // asking again changes nothing at the agent
		}
		if notFound(next.Reply) {
			return molecule.Reply{Failure: molecule.FailLost, Answered: true, Detail: "the agent does not know its task any more"}
		}
		next.taskID = a.taskID
		a = next
	}
	return a.Reply
}

// transient reports whether a poll failed in a way that may pass.
func transient(r molecule.Reply) bool {
	switch r.Failure {
	case molecule.FailUnreachable, molecule.FailBroken:
		return true
	}
	return r.HTTPStatus == http.StatusTooManyRequests || r.HTTPStatus >= http.StatusInternalServerError
}

// notFound reports whether the agent says that there is no such task.
func notFound(r molecule.Reply) bool {
	const taskNotFound = -32001
	return r.RPCError != nil && r.RPCError.Code == taskNotFound || r.HTTPStatus == http.StatusNotFound
}

// stop leaves a task because ctx has ended. At the deadline, and when the run is
// canceled, the agent is told to cancel; when the daemon stops, the task goes on.
func (c *Client) stop(ctx context.Context, ep endpoint, a answer) molecule.Reply {
	r := a.Reply
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.DeadlineExceeded):
		r.Failure = molecule.FailDeadline
	case errors.Is(cause, molecule.ErrRunCanceled):
		r.Failure = molecule.FailCanceled
	default:
		r.Failure = molecule.FailShutdown
		return r
	}
	accepted := c.cancelTask(ctx, ep, a.taskID)
	r.CancelAccepted = &accepted
	return r
}

// cancelTask asks the agent to give up a task and reports whether it agreed.
func (c *Client) cancelTask(ctx context.Context, ep endpoint, taskID string) bool {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer done()
	a := ep.speak().cancel(ep.target(ctx), ep.client(c.guard), taskID)
	return a.Failure == "" && a.RPCError == nil && a.HTTPStatus < http.StatusMultipleChoices
}

// Reachable reports whether anybody answers for the agent. Nothing is asked of
// it but its card.
func (c *Client) Reachable(ctx context.Context, a molecule.Agent) bool {
	ctx, done := context.WithTimeout(ctx, afterwards)
	defer done()
	return c.probe(ctx, a)
}

// closing looks for a sign of life when the deadline passed without one.
func (c *Client) closing(ctx context.Context, d molecule.Delivery, r molecule.Reply) molecule.Reply {
	if r.Failure != molecule.FailDeadline || r.Answered {
		return r
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer done()
	r.CardAnswered = c.probe(ctx, d.Agent)
	return r
}
