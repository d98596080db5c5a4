package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// StartRun sends one prompt to one agent and returns the run as claimed.
func (c *Client) StartRun(ctx context.Context, in molecule.NewRun) (molecule.Run, error) {
	var out molecule.Run
	err := c.do(ctx, call{method: http.MethodPost, path: wire.PathRuns, body: in, out: &out})
	return out, err
}

// Run returns one run by id or unique id prefix.
func (c *Client) Run(ctx context.Context, ref string) (molecule.Run, error) {
	return member[molecule.Run](ctx, c, http.MethodGet, wire.PathRuns, ref, nil)
}

// CancelRun tells whoever works on a run to stop.
func (c *Client) CancelRun(ctx context.Context, ref string) (molecule.Run, error) {
	return member[molecule.Run](ctx, c, http.MethodPost, wire.PathRuns, ref, nil, "cancel")
}

// RetryRun repeats a run that has ended, as a run of its own.
func (c *Client) RetryRun(ctx context.Context, ref string) (molecule.Run, error) {
	return member[molecule.Run](ctx, c, http.MethodPost, wire.PathRuns, ref, nil, "retry")
}

// Runs returns one page of runs, newest first.
func (c *Client) Runs(ctx context.Context, f molecule.RunFilter) (molecule.Page[molecule.Run], error) {
	q := query{}
	q.text("schedule", f.Schedule)
	q.text("agent", f.Agent)
	q.text("outcome", string(f.Outcome))
	if f.Open {
		q.text("open", "true")
	}
	q.number("limit", int64(f.Limit))
	q.text("cursor", f.Cursor)
	var page molecule.Page[molecule.Run]
	err := c.get(ctx, wire.PathRuns, url.Values(q), &page)
	return page, err
}

// WaitRun returns the run once it has ended. It asks as often as it takes;
// when ctx ends first the error is Timeout.
func (c *Client) WaitRun(ctx context.Context, ref string) (molecule.Run, error) {
	path, err := refPath(wire.PathRuns, ref)
	if err != nil {
		return molecule.Run{}, err
	}
	wait := url.Values{"wait": {wire.MaxRunWait.String()}}
	for {
		var run molecule.Run
		err := c.do(ctx, call{
			method: http.MethodGet, path: path, query: wait,
			out: &run, extra: wire.MaxRunWait,
		})
		switch {
		case ctx.Err() != nil && (err != nil || run.State != molecule.RunFinished):
			return run, molecule.Errorf(molecule.Timeout, "run %s has not ended yet", ref).
				WithHint("molecli run show %s", ref).WithCause(ctx.Err())
		case err != nil:
			return run, err
		case run.State == molecule.RunFinished:
			return run, nil
		}
		// A server that does not hold the question is not asked without a pause.
		_ = molecule.Sleep(ctx, firstPause) // the next turn sees that ctx ended
	}
}
