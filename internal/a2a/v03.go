package a2a

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// speaker03 speaks A2A 0.3, over JSON-RPC or HTTP+JSON.
type speaker03 struct{ endpoint }

// message03 is a message as 0.3 writes it.
type message03 struct {
	Kind      string         `json:"kind,omitempty"`
	MessageID string         `json:"messageId"`
	Role      string         `json:"role"`
	Parts     []part03       `json:"parts"`
	Metadata  map[string]any `json:"metadata,omitempty"`
}

// part03 is a part. Older agents name its type "type", newer ones "kind".
type part03 struct {
	Kind string          `json:"kind,omitempty"`
	Type string          `json:"type,omitempty"`
	Text string          `json:"text,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
	File *struct {
		Name string `json:"name"`
		URI  string `json:"uri"`
	} `json:"file,omitempty"`
}

// result03 is a task or a message; Kind, or else the members, tell which.
type result03 struct {
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Status *struct {
		State   string     `json:"state"`
		Message *message03 `json:"message"`
	} `json:"status"`
	Artifacts []struct {
		Parts []part03 `json:"parts"`
	} `json:"artifacts"`

	Role  string   `json:"role"`
	Parts []part03 `json:"parts"`
}

func (s speaker03) send(ctx context.Context, c *http.Client, d molecule.Delivery) answer {
	message := any(message03{
		Kind: "message", MessageID: d.Run.MessageID, Role: "user", Metadata: metadata(d),
		Parts: []part03{{Kind: "text", Text: d.Text}},
	})
	if s.binding == rest {
		message = messageREST(d)
	}
	params := map[string]any{"message": message, "configuration": map[string]any{"blocking": false}}
	return s.call(ctx, c, question{
		method: "message/send", verb: http.MethodPost, path: "/v1/message:send", params: params, trace: traceparent(d),
	})
}

func (s speaker03) task(ctx context.Context, c *http.Client, id string) answer {
	return s.call(ctx, c, question{
		method: "tasks/get", verb: http.MethodGet, path: "/v1/tasks/" + url.PathEscape(id), params: map[string]any{"id": id},
	})
}

func (s speaker03) cancel(ctx context.Context, c *http.Client, id string) answer {
	return s.call(ctx, c, question{
		method: "tasks/cancel", verb: http.MethodPost, path: "/v1/tasks/" + url.PathEscape(id) + ":cancel",
		params: map[string]any{"id": id}, named: true,
	})
}

// find finds nothing: 0.3 has no question for it.
func (s speaker03) find(context.Context, *http.Client, string) (taskID string, again bool) {
	return "", false
}

// question is one call in both bindings.
type question struct {
	method string // of JSON-RPC
	verb   string // of HTTP+JSON
	path   string // of HTTP+JSON
	params map[string]any
	named  bool // the path says it all: HTTP+JSON has an empty object for params
	trace  string
}

// call asks and reads the answer.
func (s speaker03) call(ctx context.Context, c *http.Client, q question) answer {
	req, err := s.request(ctx, q)
	if err != nil {
		return answer{Reply: molecule.Reply{Failure: molecule.FailUnsafe, Detail: "its URL does not parse"}}
	}
	if resp, err := c.Do(req); err == nil {
		_ = resp.Body.Close() // in memory
	}
	x := recorded(c)
	r, result := x.reply(), json.RawMessage(x.body)
	if s.binding == jsonRPC {
		r, result = x.rpc()
	}
	a := answer{Reply: r}
	if r.Failure == "" && r.RPCError == nil && r.HTTPStatus < http.StatusMultipleChoices {
		a.Usage = usage(result)
		if s.binding == rest {
			result = plain(result)
		}
		a.read03(result)
	}
	return a
}

// request builds the HTTP request of q.
func (s speaker03) request(ctx context.Context, q question) (*http.Request, error) {
	at, verb, body := s.url, http.MethodPost, any(map[string]any{
		"jsonrpc": "2.0", "id": uuid.NewString(), "method": q.method, "params": q.params,
	})
	if s.binding == rest {
		at, verb, body = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(s.url, "/"), "/v1"), "/")+q.path, q.verb, q.params
		if q.named {
			body = struct{}{}
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if verb == http.MethodGet {
		text = nil
	}
	req, err := http.NewRequestWithContext(ctx, verb, at, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if q.trace != "" {
		req.Header.Set("Traceparent", q.trace)
	}
	return req, nil
}

// read03 takes over a task or a message of 0.3.
func (a *answer) read03(result json.RawMessage) {
	var v result03
	if err := json.Unmarshal(result, &v); err != nil {
		a.Failure, a.Detail = molecule.FailShape, "the result is neither a task nor a message"
		return
	}
	switch {
	case v.Kind == "message", v.Kind == "" && v.Status == nil && v.Role != "":
		if v.Role != "agent" {
			a.Failure, a.Detail = molecule.FailShape, "the message is not the agent's"
			return
		}
		a.Parts = parts03(v.Parts)
	case v.Status != nil:
		a.readTask03(v)
	default:
		a.Failure, a.Detail = molecule.FailShape, "the result is neither a task nor a message"
	}
}

func (a *answer) readTask03(v result03) {
	state := molecule.TaskState(v.Status.State)
	if !state.Known() || v.ID == "" {
		a.Failure, a.Detail = molecule.FailShape, "unknown task state "+molecule.Excerpt(v.Status.State, 60)
		return
	}
	a.Task, a.taskID = state, v.ID
	for _, artifact := range v.Artifacts {
		a.Parts = append(a.Parts, parts03(artifact.Parts)...)
	}
	if m := v.Status.Message; m != nil && m.Role != "user" {
		said := parts03(m.Parts)
		a.Parts = append(a.Parts, said...)
		a.StatusText = molecule.TextOf(said)
	}
}

// parts03 takes over the parts of 0.3.
func parts03(parts []part03) []molecule.Part {
	var all []molecule.Part
	for _, p := range parts {
		switch {
		case p.Text != "":
			all = append(all, molecule.Part{Text: p.Text})
		case len(p.Data) > 0:
			var v any
			if json.Unmarshal(p.Data, &v) == nil && v != nil { // it was parsed once already
				all = append(all, dataPart(v))
			}
		case p.File != nil:
			all = append(all, molecule.Part{File: fileName(cmp.Or(p.File.URI, p.File.Name))})
		}
	}
	return all
}
