package client

import (
	"context"
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// PutCalendar stores a calendar, in place of the one of its name if any.
func (c *Client) PutCalendar(ctx context.Context, in *molecule.Calendar) error {
	stored, err := member[molecule.Calendar](ctx, c, http.MethodPut, wire.PathCalendars, in.Name, in)
	if err != nil {
		return err
	}
	*in = stored
	return nil
}

// Calendar returns one calendar.
func (c *Client) Calendar(ctx context.Context, name string) (molecule.Calendar, error) {
	return member[molecule.Calendar](ctx, c, http.MethodGet, wire.PathCalendars, name, nil)
}

// Calendars returns every calendar, by name.
func (c *Client) Calendars(ctx context.Context) ([]molecule.Calendar, error) {
	var page molecule.Page[molecule.Calendar]
	err := c.get(ctx, wire.PathCalendars, nil, &page)
	return page.Items, err
}

// RemoveCalendar removes a calendar that no schedule names.
func (c *Client) RemoveCalendar(ctx context.Context, name string) error {
	return c.remove(ctx, wire.PathCalendars, name)
}
