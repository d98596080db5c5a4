package a2a

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// forwarded03 is what is read of a request of A2A 0.3 that is passed on.
type forwarded03 struct {
	ID     json.RawMessage `json:"id"`
	Params struct {
		Message message03 `json:"message"`
	} `json:"params"`
}

// Forward passes a request of A2A 0.3 that sends a message on to a push agent,
// and returns its answer as it is. An agent that speaks otherwise is sent the
// text of the message, its task is followed until it is over, and what it says
// is written as 0.3 would. Nothing is retried.
func (c *Client) Forward(ctx context.Context, to molecule.Agent, request json.RawMessage) molecule.Forwarded {
	ep, failed := c.endpoint(ctx, to)
	if failed != nil {
		return molecule.Forwarded{Failure: failed.Failure, Status: failed.HTTPStatus, Detail: failed.Detail}
	}
	var a answer
	var raw json.RawMessage
	if ep.version == v03 && ep.binding == jsonRPC {
		a.Reply, raw = c.passOn(ctx, ep, request)
	} else {
		a, raw = c.translate(ctx, ep, to, request)
	}
	if stale(a.Reply) {
		c.forget(to)
	}
	return molecule.Forwarded{Answer: raw, Failure: a.Failure, Status: a.HTTPStatus, Detail: a.Detail}
}

// passOn sends a request as it is. The answer is handed back only when it is one:
// JSON-RPC, to this request.
func (c *Client) passOn(ctx context.Context, ep endpoint, request json.RawMessage) (molecule.Reply, json.RawMessage) {
	req, err := http.NewRequestWithContext(ep.target(ctx), http.MethodPost, ep.url, bytes.NewReader(request))
	if err != nil {
		return molecule.Reply{Failure: molecule.FailUnsafe, Detail: "its URL does not parse"}, nil
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	hc := ep.sender(c.guard)
	if resp, err := hc.Do(req); err == nil {
		_ = resp.Body.Close() // in memory
	}
	x := recorded(hc)
	r, result := x.rpc()
	if result != nil || r.RPCError != nil && r.HTTPStatus < http.StatusMultipleChoices {
		return r, x.body
	}
	return r, nil
}

// translate has the text of a message sent in the dialect of ep.
func (c *Client) translate(ctx context.Context, ep endpoint, to molecule.Agent, request json.RawMessage) (answer, json.RawMessage) {
	var in forwarded03
	if err := json.Unmarshal(request, &in); err != nil {
		return answer{Reply: molecule.Reply{Failure: molecule.FailShape, Detail: "not a request of A2A 0.3"}}, nil
	}
	said := in.Params.Message
	d := molecule.Delivery{
		Agent: to, Run: molecule.Run{MessageID: said.MessageID}, Text: molecule.TextOf(parts03(said.Parts)), Attempt: 1,
	}
	a := ep.speak().send(ep.target(ctx), ep.sender(c.guard), d)
	for pause := firstPause; a.open() && !a.Task.Interrupted(); pause = min(2*pause, longPause) {
		if molecule.Sleep(ctx, pause) != nil {
			return answer{Reply: c.stop(ctx, ep, a)}, nil
		}
		next := ep.speak().task(ep.target(ctx), ep.client(c.guard), a.taskID)
		if transient(next.Reply) {
			continue // asking again changes nothing at the agent
		}
		next.taskID = a.taskID
		a = next
	}
	switch {
	case a.RPCError != nil && a.HTTPStatus < http.StatusMultipleChoices:
		return a, encoded(map[string]any{"jsonrpc": "2.0", "id": in.ID, "error": rpcError{a.RPCError.Code, a.RPCError.Message}})
	case a.Failure != "", a.RPCError != nil, a.HTTPStatus >= http.StatusMultipleChoices:
		return a, nil
	}
	return a, encoded(map[string]any{"jsonrpc": "2.0", "id": in.ID, "result": a.result03()})
}

// result03 writes an answer as the result that 0.3 has for it.
func (a answer) result03() map[string]any {
	parts := []map[string]any{} // a list, also when it is empty
	for _, p := range a.Parts {
		switch {
		case p.Text != "":
			parts = append(parts, map[string]any{"kind": "text", "text": p.Text})
		case p.Data != nil:
			parts = append(parts, map[string]any{"kind": "data", "data": p.Data})
		default:
			parts = append(parts, map[string]any{"kind": "file", "file": map[string]any{"name": p.File}})
		}
	}
	if a.Task == "" {
		return map[string]any{"kind": "message", "role": "agent", "messageId": uuid.NewString(), "parts": parts}
	}
	task := map[string]any{
		"kind": "task", "id": a.taskID, "contextId": a.taskID, "status": map[string]any{"state": string(a.Task)},
	}
	if len(parts) > 0 {
		task["artifacts"] = []any{map[string]any{"artifactId": "reply", "parts": parts}}
	}
	return task
}

// encoded writes what is made of texts, numbers and what was JSON before.
func encoded(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}
