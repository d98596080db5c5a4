// Package platformtest stands in for the clients in the field: each does what
// its original is documented to do, reads what that reads and nothing else, and
// gives up where that gives up.
//
// It serves tests only. Start with [Poller] and [Canvas].
package platformtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Client is what both clients have.
type Client struct {
	Base  string // of the platform, without a slash at its end
	ID    string // of the workspace
	Token string
	Org   string        // sent as X-Molecule-Org-Id unless empty
	Every time.Duration // between two questions; a second in the field

	// Work is asked what to reply to a text.
	Work func(text string) string
}

// errFinal says that a client gives up.
var errFinal = errors.New("it gives up")

// answer is one answer of the platform.
type answer struct {
	status int
	body   []byte
}

// ask makes one request with the headers, in pairs.
func (c *Client) ask(ctx context.Context, method, path string, body any, headers ...string) (answer, error) {
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, in)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.Org != "" {
		req.Header.Set("X-Molecule-Org-Id", c.Org)
	}
	for i := 0; i < len(headers); i += 2 {
		if req.Header.Del(headers[i]); headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, got}, err
}

// until asks again and again until ctx ends, which is no error.
func (c *Client) until(ctx context.Context, turn func() error) error {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	for {
		err := turn()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// unexpected is the error for an answer that a client can do nothing with.
func unexpected(what string, a answer) error {
	return fmt.Errorf("%s is answered %d %s: %w", what, a.status, a.body, errFinal)
}
