package client

import (
	"context"
	"net/http"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// AddSecret stores the first version of a secret.
func (c *Client) AddSecret(ctx context.Context, in molecule.NewSecretValue) (molecule.StoredSecret, error) {
	var out molecule.StoredSecret
	err := c.do(ctx, call{method: http.MethodPost, path: wire.PathSecrets, body: in, out: &out})
	return out, err
}

// SetSecret stores a further version and makes it the one in use.
func (c *Client) SetSecret(ctx context.Context, in molecule.NewSecretValue) (molecule.StoredSecret, error) {
	return member[molecule.StoredSecret](ctx, c, http.MethodPost, wire.PathSecrets, in.Name, in, "versions")
}

// Secret returns one secret with its versions.
func (c *Client) Secret(ctx context.Context, ref string) (molecule.StoredSecret, error) {
	return member[molecule.StoredSecret](ctx, c, http.MethodGet, wire.PathSecrets, ref, nil)
}

// Secrets returns every secret, by name.
func (c *Client) Secrets(ctx context.Context) ([]molecule.StoredSecret, error) {
	var page molecule.Page[molecule.StoredSecret]
	err := c.get(ctx, wire.PathSecrets, nil, &page)
	return page.Items, err
}

// RemoveSecret removes a secret and destroys its versions.
func (c *Client) RemoveSecret(ctx context.Context, ref string) error {
	return c.remove(ctx, wire.PathSecrets, ref)
}

// RevealSecret opens a version, 0 for the one in use.
func (c *Client) RevealSecret(ctx context.Context, ref string, version int, reason string) (molecule.Revealed, error) {
	body := map[string]any{"version": version, "reason": reason}
	return member[molecule.Revealed](ctx, c, http.MethodPost, wire.PathSecrets, ref, body, "reveal")
}

// rewrapWait is how much longer than any request it may take to wrap every data
// key anew.
const rewrapWait = 50 * time.Second

// RewrapSecrets wraps every data key with the newest master key.
func (c *Client) RewrapSecrets(ctx context.Context) (molecule.Rewrapped, error) {
	var out molecule.Rewrapped
	err := c.do(ctx, call{method: http.MethodPost, path: wire.PathVault + "/rewrap", body: struct{}{}, out: &out, extra: rewrapWait})
	return out, err
}
