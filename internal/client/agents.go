package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// CreateAgent stores in and fills in what the daemon decides.
func (c *Client) CreateAgent(ctx context.Context, in *molecule.Agent) error {
	return c.do(ctx, call{method: http.MethodPost, path: wire.PathAgents, body: in, out: in})
}

// Agent returns the agent of a name or id prefix.
func (c *Client) Agent(ctx context.Context, ref string) (molecule.Agent, error) {
	return member[molecule.Agent](ctx, c, http.MethodGet, wire.PathAgents, ref, nil)
}

// Agents returns one page of agents.
func (c *Client) Agents(ctx context.Context, f molecule.AgentFilter) (molecule.Page[molecule.Agent], error) {
	q := query{}
	q.text("kind", string(f.Kind))
	q.text("state", string(f.State))
	q.number("limit", int64(f.Limit))
	q.text("cursor", f.Cursor)
	var page molecule.Page[molecule.Agent]
	err := c.get(ctx, wire.PathAgents, url.Values(q), &page)
	return page, err
}

// UpdateAgent changes the fields of up that are not nil.
func (c *Client) UpdateAgent(ctx context.Context, ref string, up molecule.AgentUpdate) (molecule.Agent, error) {
	return member[molecule.Agent](ctx, c, http.MethodPatch, wire.PathAgents, ref, up)
}

// RemoveAgent removes an agent that no schedule names.
func (c *Client) RemoveAgent(ctx context.Context, ref string) error {
	return c.remove(ctx, wire.PathAgents, ref)
}

// PauseAgent puts an agent aside.
func (c *Client) PauseAgent(ctx context.Context, ref string) (molecule.Agent, error) {
	return member[molecule.Agent](ctx, c, http.MethodPost, wire.PathAgents, ref, nil, "pause")
}

// ResumeAgent takes a paused agent up again.
func (c *Client) ResumeAgent(ctx context.Context, ref string) (molecule.Agent, error) {
	return member[molecule.Agent](ctx, c, http.MethodPost, wire.PathAgents, ref, nil, "resume")
}

// ConfirmOffline says that a silent agent is gone.
func (c *Client) ConfirmOffline(ctx context.Context, ref string) (molecule.Agent, error) {
	return member[molecule.Agent](ctx, c, http.MethodPost, wire.PathAgents, ref, nil, "confirm-offline")
}

// AgentHistory returns how an agent came to be what it is.
func (c *Client) AgentHistory(ctx context.Context, ref string) (molecule.AgentHistory, error) {
	return member[molecule.AgentHistory](ctx, c, http.MethodGet, wire.PathAgents, ref, nil, "history")
}

// CreateEnrolment makes a token for one registration and fills in what the
// daemon decides.
func (c *Client) CreateEnrolment(ctx context.Context, in *molecule.Enrolment) error {
	return c.do(ctx, call{method: http.MethodPost, path: wire.PathEnrolments, body: in, out: in})
}

// member makes a request to one member of a collection and decodes the answer.
func member[T any](ctx context.Context, c *Client, method, collection, ref string, body any, more ...string) (T, error) {
	var out T
	path, err := refPath(collection, ref, more...)
	if err == nil {
		err = c.do(ctx, call{method: method, path: path, body: body, out: &out})
	}
	return out, err
}

func (c *Client) remove(ctx context.Context, collection, ref string) error {
	path, err := refPath(collection, ref)
	if err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodDelete, path: path})
}
