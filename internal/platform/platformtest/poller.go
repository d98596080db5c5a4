package platformtest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/google/uuid"
)

// Poller asks once a second with its own bearer and no organisation. It takes any
// 4xx but 410 for final, reads request_body.params.message.parts[].type, and
// replies to source_id, if there is one, by a2a without saying who it is.
type Poller struct {
	Client
	Cursor string // the last row it has processed; empty: none
}

// Run polls until ctx ends, or until an answer is final.
func (p *Poller) Run(ctx context.Context) error {
	p.Org = "" // it knows of none
	return p.until(ctx, func() error { return p.turn(ctx) })
}

func (p *Poller) turn(ctx context.Context) error {
	beat, err := p.ask(ctx, http.MethodPost, "/registry/heartbeat", map[string]any{
		"workspace_id": p.ID, "error_rate": 0, "active_tasks": 0, "uptime_seconds": 1.5, "current_task": "", "runtime_state": "ok",
	})
	if err != nil {
		return err
	}
	if beat.status/100 == 4 {
		return unexpected("its heartbeat", beat)
	}
	query := url.Values{"type": {"a2a_receive"}, "limit": {"100"}}
	if p.Cursor != "" {
		query.Set("since_id", p.Cursor)
	}
	got, err := p.ask(ctx, http.MethodGet, "/workspaces/"+p.ID+"/activity?"+query.Encode(), nil)
	switch {
	case err != nil:
		return err
	case got.status == http.StatusGone:
		p.Cursor = "" // from the beginning
		return nil
	case got.status/100 == 4:
		return unexpected("its question", got)
	case got.status != http.StatusOK:
		return nil // it comes back
	}
	return p.read(ctx, got)
}

func (p *Poller) read(ctx context.Context, got answer) error {
	var rows []struct {
		ID          string  `json:"id"`
		SourceID    *string `json:"source_id"`
		RequestBody *struct {
			Params struct {
				Message struct {
					Parts []struct {
						Type string `json:"type"`
						Text string `json:"text"`
					} `json:"parts"`
				} `json:"message"`
			} `json:"params"`
		} `json:"request_body"`
	}
	if err := json.Unmarshal(got.body, &rows); err != nil {
		return unexpected("its question", got)
	}
	for _, row := range rows {
		text := ""
		if row.RequestBody != nil {
			for _, part := range row.RequestBody.Params.Message.Parts {
				if part.Type == "text" {
					text += part.Text
				}
			}
		}
		if text != "" && row.SourceID != nil {
			if err := p.reply(ctx, *row.SourceID, p.Work(text)); err != nil {
				return err
			}
		}
		p.Cursor = row.ID // what it has processed
	}
	return nil
}

func (p *Poller) reply(ctx context.Context, to, text string) error {
	got, err := p.ask(ctx, http.MethodPost, "/workspaces/"+to+"/a2a", map[string]any{
		"jsonrpc": "2.0", "id": uuid.NewString(), "method": "message/send",
		"params": map[string]any{"message": map[string]any{
			"role": "user", "messageId": uuid.NewString(), "parts": []any{map[string]any{"type": "text", "text": text}},
		}},
	})
	if err == nil && got.status/100 == 4 {
		return unexpected("its reply", got)
	}
	return err
}
