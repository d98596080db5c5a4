package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// CreateSchedule stores in and fills in what the daemon decides.
func (c *Client) CreateSchedule(ctx context.Context, in *molecule.Schedule) error {
	return c.do(ctx, call{method: http.MethodPost, path: wire.PathSchedules, body: in, out: in})
}

// Schedule returns the schedule of a name or id prefix.
func (c *Client) Schedule(ctx context.Context, ref string) (molecule.Schedule, error) {
	return member[molecule.Schedule](ctx, c, http.MethodGet, wire.PathSchedules, ref, nil)
}

// Schedules returns one page of schedules.
func (c *Client) Schedules(ctx context.Context, f molecule.ScheduleFilter) (molecule.Page[molecule.Schedule], error) {
	q := query{}
	q.text("agent", f.Agent)
	q.text("state", string(f.State))
	q.number("limit", int64(f.Limit))
	q.text("cursor", f.Cursor)
	var page molecule.Page[molecule.Schedule]
	err := c.get(ctx, wire.PathSchedules, url.Values(q), &page)
	return page, err
}

// UpdateSchedule changes the fields of up that are not nil.
func (c *Client) UpdateSchedule(ctx context.Context, ref string, up molecule.ScheduleUpdate) (molecule.Schedule, error) {
	return member[molecule.Schedule](ctx, c, http.MethodPatch, wire.PathSchedules, ref, up)
}

// PauseSchedule takes its slots away.
func (c *Client) PauseSchedule(ctx context.Context, ref string) (molecule.Schedule, error) {
	return member[molecule.Schedule](ctx, c, http.MethodPost, wire.PathSchedules, ref, nil, "pause")
}

// ResumeSchedule gives it slots again, from now on.
func (c *Client) ResumeSchedule(ctx context.Context, ref string) (molecule.Schedule, error) {
	return member[molecule.Schedule](ctx, c, http.MethodPost, wire.PathSchedules, ref, nil, "resume")
}

// RemoveSchedule removes the schedule and keeps its runs.
func (c *Client) RemoveSchedule(ctx context.Context, ref string) error {
	return c.remove(ctx, wire.PathSchedules, ref)
}

// TriggerSchedule starts one manual run now and returns it as claimed.
func (c *Client) TriggerSchedule(ctx context.Context, ref string) (molecule.Run, error) {
	return member[molecule.Run](ctx, c, http.MethodPost, wire.PathSchedules, ref, nil, "runs")
}

// NextSlots returns the next n slots behind now; none unless active.
func (c *Client) NextSlots(ctx context.Context, ref string, n int) ([]time.Time, error) {
	path, err := refPath(wire.PathSchedules, ref, "next")
	if err != nil {
		return nil, err
	}
	q := query{}
	q.number("n", int64(n))
	var page molecule.Page[time.Time]
	if err := c.get(ctx, path, url.Values(q), &page); err != nil {
		return nil, err
	}
	return page.Items, nil
}

// ExplainSlot tells why a slot ran, waited, was skipped or missed; the zero slot
// is the newest.
func (c *Client) ExplainSlot(ctx context.Context, ref string, slot time.Time) (molecule.Explanation, error) {
	var e molecule.Explanation
	path, err := refPath(wire.PathSchedules, ref, "why")
	if err != nil {
		return e, err
	}
	q := query{}
	q.instant("slot", slot)
	err = c.get(ctx, path, url.Values(q), &e)
	return e, err
}

// ScheduleHistory returns one page of the sums of a schedule's runs, newest
// first.
func (c *Client) ScheduleHistory(
	ctx context.Context, ref string, f molecule.HistoryFilter,
) (molecule.Page[molecule.Period], error) {
	var page molecule.Page[molecule.Period]
	path, err := refPath(wire.PathSchedules, ref, "history")
	if err != nil {
		return page, err
	}
	q := query{}
	q.text("by", string(f.By))
	q.instant("since", f.Since)
	q.number("limit", int64(f.Limit))
	q.text("cursor", f.Cursor)
	err = c.get(ctx, path, url.Values(q), &page)
	return page, err
}
