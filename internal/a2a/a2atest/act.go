package a2atest

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Act is how an agent answers one request.
type Act func(c *Call)

// Stage is a task at one moment.
type Stage struct {
	State     molecule.TaskState
	Says      string   // the status message
	Artifacts []string // the text of each
}

// Says answers with a message.
func Says(text string) Act {
	return func(c *Call) { c.answer(c.kind("message", c.Face.Message("agent", text))) }
}

// Task answers a send with a task at its first stage. Each time the task is
// asked for it is one stage further, until the last. A send that waits is
// answered with the last stage.
func Task(stages ...Stage) Act { return TaskNamed("task-1", stages...) }

// TaskNamed is [Task] with an id for the task.
func TaskNamed(id string, stages ...Stage) Act {
	return func(c *Call) {
		c.agent.mu.Lock()
		defer c.agent.mu.Unlock()
		c.answer(c.kind("task", c.take(id, stages).as(c.Face)))
	}
}

// TakesAndCuts is [TaskNamed] of an agent whose answer does not arrive.
func TakesAndCuts(id string, stages ...Stage) Act {
	return func(c *Call) {
		c.agent.mu.Lock()
		c.take(id, stages)
		c.agent.mu.Unlock()
		Cuts()(c)
	}
}

// take makes a task of what is sent.
func (c *Call) take(id string, stages []Stage) *work {
	w := &work{id: id, message: c.MessageID, asked: c.Text, stages: stages}
	if c.wait {
		w.stages = stages[len(stages)-1:]
	}
	c.agent.tasks[id] = w
	return w
}

// Tasks answers with every task that the agent has, the way a list is.
func Tasks() Act {
	return func(c *Call) {
		c.agent.mu.Lock()
		defer c.agent.mu.Unlock()
		all := []any{}
		for _, w := range c.agent.tasks {
			all = append(all, w.as(c.Face))
		}
		c.answer(encode(map[string]any{"tasks": all, "totalSize": len(all), "pageSize": 100, "nextPageToken": ""}))
	}
}

// Completes answers with a task that is done, one artifact for each text.
func Completes(artifacts ...string) Act {
	return Task(Stage{State: molecule.TaskCompleted, Artifacts: artifacts})
}

// work is a task that an agent has taken.
type work struct {
	id, message, asked string
	stages             []Stage
}

// as returns the task as f writes it. Its history holds what it was asked, which
// is nothing that the agent said.
func (w *work) as(f Face) map[string]any {
	asked := f.Message("user", w.asked)
	if w.message != "" {
		asked["messageId"] = w.message
	}
	t := f.task(w.id, w.stages[0])
	t["history"] = []any{asked}
	return t
}

// Holds gives a a task that it took before the test began.
func (a *Agent) Holds(id string, stages ...Stage) *Agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tasks[id] = &work{id: id, stages: append([]Stage{{State: molecule.TaskWorking}}, stages...)}
	return a
}

func (c *Call) get() {
	c.agent.mu.Lock()
	defer c.agent.mu.Unlock()
	w, ok := c.agent.tasks[c.TaskID]
	if !ok {
		c.refuse(TaskNotFound, "task not found")
		return
	}
	if len(w.stages) > 1 {
		w.stages = w.stages[1:]
	}
	c.answer(c.kind("task", w.as(c.Face)))
}

func (c *Call) cancel() {
	c.agent.mu.Lock()
	defer c.agent.mu.Unlock()
	w, ok := c.agent.tasks[c.TaskID]
	switch {
	case !ok:
		c.refuse(TaskNotFound, "task not found")
	case w.stages[0].State.Terminal():
		c.refuse(TaskNotCancelable, "it is over")
	default:
		w.stages = []Stage{{State: molecule.TaskCanceled}}
		c.answer(c.kind("task", w.as(c.Face)))
	}
}

// Result answers with a result as it stands, in the envelope of JSON-RPC when
// the face has one.
func Result(text string) Act {
	return func(c *Call) { c.answer([]byte(text)) }
}

// RPCError answers with an error.
func RPCError(code int, message string) Act {
	return func(c *Call) { c.refuse(code, message) }
}

// Status answers with a bare status, and Retry-After unless it is empty.
func Status(status int, retryAfter string) Act {
	return func(c *Call) {
		if retryAfter != "" {
			c.w.Header().Set("Retry-After", retryAfter)
		}
		c.w.WriteHeader(status)
	}
}

// Body answers 200 with body.
func Body(body string) Act { return StatusBody(http.StatusOK, body) }

// StatusBody answers with a status and a body.
func StatusBody(status int, body string) Act {
	return func(c *Call) { c.write(status, []byte(body)) }
}

// Size answers with a message that says "done", and blanks behind it until the
// answer is size bytes long. Blanks cost the client less than a long text.
func Size(size int) Act {
	return func(c *Call) {
		c.w = &padded{ResponseWriter: c.w, size: size}
		Says("done")(c)
	}
}

// padded writes blanks behind the one thing that is written.
type padded struct {
	http.ResponseWriter
	size int
}

// Write writes p and the blanks.
func (w *padded) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	if err == nil {
		_, err = w.ResponseWriter.Write(bytes.Repeat([]byte(" "), w.size-n))
	}
	return n, err
}

// Redirects answers 307, which asks for the same request elsewhere.
func Redirects(to string) Act {
	return func(c *Call) {
		c.w.Header().Set("Location", to)
		c.w.WriteHeader(http.StatusTemporaryRedirect)
	}
}

// Later waits before it acts.
func Later(d time.Duration, act Act) Act {
	return func(c *Call) {
		if molecule.Sleep(c.r.Context(), d) == nil {
			act(c)
		}
	}
}

// Hangs never answers.
func Hangs() Act {
	return func(c *Call) {
		select {
		case <-c.r.Context().Done():
		case <-c.agent.done:
		}
	}
}

// HangsMidway stops in the middle of an answer.
func HangsMidway() Act {
	return func(c *Call) {
		c.write(http.StatusOK, []byte(`{"jsonrpc"`))
		_ = http.NewResponseController(c.w).Flush() // the client may have left
		Hangs()(c)
	}
}

// Cuts closes the connection without an answer.
func Cuts() Act { return cutsAfter("") }

// CutsMidway closes the connection in the middle of an answer.
func CutsMidway() Act {
	return cutsAfter("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"jsonrpc\"")
}

func cutsAfter(text string) Act {
	return func(c *Call) {
		conn, _, err := http.NewResponseController(c.w).Hijack()
		if err != nil {
			http.Error(c.w, fmt.Sprintf("cannot cut: %v", err), http.StatusTeapot)
			return
		}
		_, _ = conn.Write([]byte(text)) // the client may have left
		_ = conn.Close()                // and so may we
	}
}
