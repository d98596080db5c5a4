package client

import (
	"context"
	"net/http"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Clock returns what time it is where the daemon is, to the second. A server
// that does not say is Unavailable.
func (c *Client) Clock(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.send(ctx, call{method: http.MethodGet, path: wire.PathHealth})
	if err != nil {
		return time.Time{}, err
	}
	defer res.Body.Close()
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return time.Time{}, molecule.Errorf(molecule.Unavailable, "%s does not say what time it is", c.endpoint).WithCause(err)
	}
	return at, nil
}
