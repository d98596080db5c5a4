package client

import (
	"context"
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Liveness returns what the daemon's own evidence says of it.
func (c *Client) Liveness(ctx context.Context) (molecule.Liveness, error) {
	var out molecule.Liveness
	err := c.get(ctx, wire.PathLiveness, nil, &out)
	return out, err
}

// SubsystemDump returns the goroutine stacks of one subsystem.
func (c *Client) SubsystemDump(ctx context.Context, name string) (string, error) {
	path, err := refPath(wire.PathSubsystems, name, "dump")
	if err != nil {
		return "", err
	}
	var out string
	err = c.do(ctx, call{method: http.MethodGet, path: path, out: &out, accept: "text/plain"})
	return out, err
}

// Status returns what the daemon says of itself.
func (c *Client) Status(ctx context.Context) (molecule.Status, error) {
	var out molecule.Status
	err := c.get(ctx, wire.PathStatus, nil, &out)
	return out, err
}
