package client

import (
	"context"
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// CreateToken makes a token of an operator.
func (c *Client) CreateToken(ctx context.Context, in *molecule.NewToken) error {
	return c.do(ctx, call{method: http.MethodPost, path: wire.PathTokens, body: in, out: in})
}

// Tokens lists what is known of every token, newest first.
func (c *Client) Tokens(ctx context.Context) ([]molecule.Token, error) {
	var page molecule.Page[molecule.Token]
	err := c.get(ctx, wire.PathTokens, nil, &page)
	return page.Items, err
}

// RevokeToken makes a token good for nothing.
func (c *Client) RevokeToken(ctx context.Context, ref string) (molecule.Token, error) {
	return member[molecule.Token](ctx, c, http.MethodDelete, wire.PathTokens, ref, nil)
}

// WhoAmI tells who the daemon takes us for.
func (c *Client) WhoAmI(ctx context.Context) (molecule.Identity, error) {
	var id molecule.Identity
	err := c.get(ctx, wire.PathWhoAmI, nil, &id)
	return id, err
}
