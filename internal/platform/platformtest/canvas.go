package platformtest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/google/uuid"
)

// Canvas sends an Origin that is the platform's own URL on every call, registers
// with remote://no-inbound and again without its bearer, and reads data.source
// and data.text. It replies to people by notify and to peers by a2a, saying who
// it is, and stops when its state says gone, paused or deleted.
type Canvas struct {
	Client
	Turn func() error // called at the end of each turn; nil: nothing is

	cursor string
}

// errStopped ends the loop of a client that is told to stop.
var errStopped = errors.New("it is told to stop")

// Run registers and polls until ctx ends, until it is told to stop, which is no
// error, or until something is not as it expects.
func (c *Canvas) Run(ctx context.Context) error {
	for _, bearer := range []string{"Bearer " + c.Token, ""} {
		got, err := c.call(ctx, http.MethodPost, "/registry/register", map[string]any{
			"id": c.ID, "url": "remote://no-inbound", "delivery_mode": "poll",
			"agent_card": map[string]any{"name": "canvas", "version": "1.0.0", "skills": []any{}},
		}, "Authorization", bearer)
		if err != nil {
			return err
		}
		if got.status != http.StatusOK {
			return unexpected("its registration with bearer "+bearer, got)
		}
	}
	err := c.until(ctx, func() error {
		if err := c.mayGoOn(ctx); err != nil {
			return err
		}
		if err := c.turn(ctx); err != nil || c.Turn == nil {
			return err
		}
		return c.Turn()
	})
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// call is ask with its Origin.
func (c *Canvas) call(ctx context.Context, method, path string, body any, headers ...string) (answer, error) {
	return c.ask(ctx, method, path, body, append([]string{"Origin", c.Base}, headers...)...)
}

// mayGoOn asks for its state.
func (c *Canvas) mayGoOn(ctx context.Context) error {
	got, err := c.call(ctx, http.MethodGet, "/workspaces/"+c.ID+"/state", nil)
	if err != nil {
		return err
	}
	var state struct {
		Paused  bool `json:"paused"`
		Deleted bool `json:"deleted"`
	}
	if json.Unmarshal(got.body, &state) != nil || got.status != http.StatusOK && got.status != http.StatusNotFound {
		return unexpected("its question for its state", got)
	}
	if got.status == http.StatusNotFound || state.Paused || state.Deleted {
		return errStopped
	}
	return nil
}

func (c *Canvas) turn(ctx context.Context) error {
	path := "/workspaces/" + c.ID + "/activity"
	if c.cursor != "" {
		path += "?since_id=" + c.cursor
	}
	got, err := c.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	var rows []struct {
		ID   string `json:"id"`
		Data struct {
			Source   string `json:"source"`
			Text     string `json:"text"`
			SourceID string `json:"source_id"`
		} `json:"data"`
	}
	if got.status != http.StatusOK || json.Unmarshal(got.body, &rows) != nil {
		return unexpected("its question", got)
	}
	for _, row := range rows {
		reply := c.Work(row.Data.Text)
		switch row.Data.Source {
		case "canvas_user":
			got, err = c.call(ctx, http.MethodPost, "/workspaces/"+c.ID+"/notify", map[string]any{"message": reply})
		case "peer_agent":
			got, err = c.call(ctx, http.MethodPost, "/workspaces/"+row.Data.SourceID+"/a2a", map[string]any{
				"method": "message/send", "params": map[string]any{"message": map[string]any{
					"role": "user", "messageId": uuid.NewString(), "parts": []any{map[string]any{"kind": "text", "text": reply}},
				}},
			}, "X-Source-Workspace-Id", c.ID)
		}
		if err != nil {
			return err
		}
		if got.status/100 == 4 {
			return unexpected("its reply", got)
		}
		c.cursor = row.ID
	}
	return nil
}
