package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Incidents returns one page of incidents, newest first.
func (c *Client) Incidents(ctx context.Context, f molecule.IncidentFilter) (molecule.Page[molecule.Incident], error) {
	q := query{}
	if f.All {
		q.text("all", "true")
	}
	q.text("kind", f.Kind)
	q.text("subject", f.Subject)
	q.number("limit", int64(f.Limit))
	q.text("cursor", f.Cursor)
	var page molecule.Page[molecule.Incident]
	err := c.get(ctx, wire.PathIncidents, url.Values(q), &page)
	return page, err
}

// Incident returns one incident by id or unique id prefix.
func (c *Client) Incident(ctx context.Context, ref string) (molecule.Incident, error) {
	return member[molecule.Incident](ctx, c, http.MethodGet, wire.PathIncidents, ref, nil)
}

// AckIncident notes that the caller knows of an incident.
func (c *Client) AckIncident(ctx context.Context, ref string) (molecule.Incident, error) {
	return member[molecule.Incident](ctx, c, http.MethodPost, wire.PathIncidents, ref, nil, "ack")
}
