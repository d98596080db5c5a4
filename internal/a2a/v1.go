package a2a

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2aclient"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// speaker1 speaks A2A 1.0 with the core of the official SDK.
type speaker1 struct{ endpoint }

// transport returns the SDK's encoder for one exchange.
func (s speaker1) transport(c *http.Client) (a2aclient.Transport, error) {
	if s.binding == jsonRPC {
		return a2aclient.NewJSONRPCTransport(s.url, c), nil
	}
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	return a2aclient.NewRESTTransport(u, c), nil
}

// exchange runs one call of the SDK and combines what it decoded with what the
// exchange was like.
func (s speaker1) exchange(c *http.Client, call func(a2aclient.Transport) (any, error)) answer {
	t, err := s.transport(c)
	if err != nil {
		return answer{Reply: molecule.Reply{Failure: molecule.FailUnsafe, Detail: "its URL does not parse"}}
	}
	v, err := call(t)
	x := recorded(c)
	r, result := x.reply(), json.RawMessage(x.body)
	if s.binding == jsonRPC {
		r, result = x.rpc()
	}
	a := answer{Reply: r}
	if r.Failure != "" || r.RPCError != nil || r.HTTPStatus >= http.StatusMultipleChoices {
		return a
	}
	if err != nil {
		a.Failure, a.Detail = molecule.FailShape, molecule.Excerpt(err.Error(), 300)
		return a
	}
	a.Usage = usage(result)
	a.read(v)
	return a
}

// read takes over a task or a message.
func (a *answer) read(v any) {
	switch v := v.(type) {
	case *sdk.Message:
		if v.Role != sdk.MessageRoleAgent {
			a.Failure, a.Detail = molecule.FailShape, "the message is not the agent's"
			return
		}
		a.Parts = parts1(v.Parts)
	case *sdk.Task:
		a.readTask(v)
	default:
		a.Failure, a.Detail = molecule.FailShape, "neither a task nor a message"
	}
}

func (a *answer) readTask(t *sdk.Task) {
	state, known := state1(t.Status.State)
	if !known || t.ID == "" {
		a.Failure, a.Detail = molecule.FailShape, "unknown task state "+molecule.Excerpt(string(t.Status.State), 60)
		return
	}
	a.Task, a.taskID = state, string(t.ID)
	for _, artifact := range t.Artifacts {
		if artifact != nil {
			a.Parts = append(a.Parts, parts1(artifact.Parts)...)
		}
	}
	if m := t.Status.Message; m != nil && m.Role != sdk.MessageRoleUser {
		said := parts1(m.Parts)
		a.Parts = append(a.Parts, said...)
		a.StatusText = molecule.TextOf(said)
	}
}

// state1 returns a task state of 1.0 by our name for it.
func state1(s sdk.TaskState) (state molecule.TaskState, known bool) {
	word, prefixed := strings.CutPrefix(string(s), "TASK_STATE_")
	state = molecule.TaskState(strings.ReplaceAll(strings.ToLower(word), "_", "-"))
	return state, prefixed && state.Known()
}

// parts1 takes over the parts of 1.0.
func parts1(parts sdk.ContentParts) []molecule.Part {
	var all []molecule.Part
	for _, p := range parts {
		if p == nil {
			continue
		}
		switch v := p.Content.(type) {
		case sdk.Text:
			if v != "" {
				all = append(all, molecule.Part{Text: string(v)})
			}
		case sdk.Data:
			if v.Value != nil {
				all = append(all, dataPart(v.Value))
			}
		case sdk.URL:
			all = append(all, molecule.Part{File: string(v)})
		case sdk.Raw:
			all = append(all, molecule.Part{File: fileName(p.Filename)})
		}
	}
	return all
}

// dataPart keeps an object as it is and anything else under one key.
func dataPart(v any) molecule.Part {
	if m, ok := v.(map[string]any); ok {
		return molecule.Part{Data: m}
	}
	return molecule.Part{Data: map[string]any{"value": v}}
}

// fileName names a file that came without a name.
func fileName(name string) string {
	if name == "" {
		return "file"
	}
	return name
}

func (s speaker1) send(ctx context.Context, c *http.Client, d molecule.Delivery) answer {
	m := sdk.NewMessage(sdk.MessageRoleUser, sdk.NewTextPart(d.Text))
	m.ID, m.Metadata = d.Run.MessageID, metadata(d)
	params := params1()
	params["traceparent"] = []string{traceparent(d)}
	return s.exchange(c, func(t a2aclient.Transport) (any, error) {
		return t.SendMessage(ctx, params, &sdk.SendMessageRequest{
			Message: m, Config: &sdk.SendMessageConfig{ReturnImmediately: true},
		})
	})
}

func (s speaker1) task(ctx context.Context, c *http.Client, id string) answer {
	return s.exchange(c, func(t a2aclient.Transport) (any, error) {
		return t.GetTask(ctx, params1(), &sdk.GetTaskRequest{ID: s.taskID(id)})
	})
}

func (s speaker1) cancel(ctx context.Context, c *http.Client, id string) answer {
	return s.exchange(c, func(t a2aclient.Transport) (any, error) {
		return t.CancelTask(ctx, params1(), &sdk.CancelTaskRequest{ID: s.taskID(id)})
	})
}

// mostTasks is how many of its latest tasks an agent is asked for, the most that
// 1.0 allows, and lastSaid how many of the last messages of each.
const (
	mostTasks = 100
	lastSaid  = 20
)

func (s speaker1) find(ctx context.Context, c *http.Client, messageID string) (taskID string, again bool) {
	t, err := s.transport(c)
	if err != nil {
		return "", false
	}
	said := lastSaid
	list, err := t.ListTasks(ctx, params1(), &sdk.ListTasksRequest{PageSize: mostTasks, HistoryLength: &said})
	if err != nil {
		return "", transient(recorded(c).reply())
	}
	ours := func(m *sdk.Message) bool { return m != nil && m.ID == messageID }
	for _, task := range list.Tasks {
		if task != nil && slices.ContainsFunc(task.History, ours) {
			return string(task.ID), false
		}
	}
	return "", true
}

// taskID returns an id as the SDK has to get it. Over HTTP+JSON the SDK (2.3.1)
// puts it into the path as it is and then decodes that path twice.
func (s speaker1) taskID(id string) sdk.TaskID {
	if s.binding == rest {
		id = url.PathEscape(url.PathEscape(id))
	}
	return sdk.TaskID(id)
}

// params1 are the headers of every request of 1.0.
func params1() a2aclient.ServiceParams {
	return a2aclient.ServiceParams{headerVersion: []string{v1}}
}
