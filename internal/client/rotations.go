package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// ApplySecretMap replaces the map of secrets.
func (c *Client) ApplySecretMap(ctx context.Context, m molecule.SecretMap) error {
	return c.do(ctx, call{method: http.MethodPut, path: wire.PathVault + "/map", body: m})
}

// SecretMap returns the map that was applied last; empty when none was.
func (c *Client) SecretMap(ctx context.Context) (molecule.SecretMap, error) {
	var out molecule.SecretMap
	err := c.get(ctx, wire.PathVault+"/map", nil, &out)
	return out, err
}

// SecretCopies asks the places of a secret, or of all for "", what they hold.
func (c *Client) SecretCopies(ctx context.Context, secret string) ([]molecule.SecretCopy, error) {
	q := query{}
	q.text("secret", secret)
	var page molecule.Page[molecule.SecretCopy]
	err := c.do(ctx, call{
		method: http.MethodGet, path: wire.PathVault + "/copies", query: url.Values(q), out: &page, extra: wire.MaxRotationWait,
	})
	return page.Items, err
}

// PlanRotation says what Rotate would do, and does nothing.
func (c *Client) PlanRotation(ctx context.Context, secret string) (molecule.RotationPlan, error) {
	var out molecule.RotationPlan
	path, err := refPath(wire.PathSecrets, secret, "plan")
	if err == nil {
		err = c.do(ctx, call{method: http.MethodGet, path: path, out: &out, extra: wire.MaxRotationWait})
	}
	return out, err
}

// Rotate begins a rotation and waits until it is settled.
func (c *Client) Rotate(ctx context.Context, in molecule.NewRotation) (molecule.Rotation, error) {
	var out molecule.Rotation
	path, err := refPath(wire.PathSecrets, in.Secret, "rotate")
	if err == nil {
		err = c.do(ctx, call{method: http.MethodPost, path: path, body: in, out: &out, extra: wire.MaxRotationWait})
	}
	if err != nil {
		return out, err
	}
	return c.settled(ctx, out)
}

// settled asks for a rotation until it is settled. One that takes longer than a
// request goes on meanwhile.
func (c *Client) settled(ctx context.Context, r molecule.Rotation) (molecule.Rotation, error) {
	for !r.Settled() {
		var err error
		if r, err = c.order(ctx, r.ID, "resume"); err != nil {
			return r, err
		}
		if err := molecule.Sleep(ctx, firstPause); err != nil {
			return r, molecule.Errorf(molecule.Timeout, "rotation %s goes on in the daemon", r.ID).WithHint("molecli secrets rotations %s", r.ID).WithCause(err)
		}
	}
	return r, nil
}

// Rotation returns one rotation by id or unique id prefix.
func (c *Client) Rotation(ctx context.Context, ref string) (molecule.Rotation, error) {
	return member[molecule.Rotation](ctx, c, http.MethodGet, wire.PathRotations, ref, nil)
}

// Rotations returns those that are not over, or the newest of all.
func (c *Client) Rotations(ctx context.Context, everything bool) ([]molecule.Rotation, error) {
	q := query{}
	if everything {
		q.text("all", "true")
	}
	var page molecule.Page[molecule.Rotation]
	err := c.get(ctx, wire.PathRotations, url.Values(q), &page)
	return page.Items, err
}

// RotationJournal returns what a rotation did, oldest first.
func (c *Client) RotationJournal(ctx context.Context, ref string) ([]molecule.JournalRow, error) {
	page, err := member[molecule.Page[molecule.JournalRow]](ctx, c, http.MethodGet, wire.PathRotations, ref, nil, "journal")
	return page.Items, err
}

// ResumeRotation goes on with one that is held.
func (c *Client) ResumeRotation(ctx context.Context, ref string) (molecule.Rotation, error) {
	return c.ordered(ctx, ref, "resume")
}

// RollBackRotation puts back what a held one wrote.
func (c *Client) RollBackRotation(ctx context.Context, ref string) (molecule.Rotation, error) {
	return c.ordered(ctx, ref, "rollback")
}

// AbandonRotation leaves a held one to a person.
func (c *Client) AbandonRotation(ctx context.Context, ref string) (molecule.Rotation, error) {
	return c.ordered(ctx, ref, "abandon")
}

func (c *Client) ordered(ctx context.Context, ref, what string) (molecule.Rotation, error) {
	r, err := c.order(ctx, ref, what)
	if err != nil {
		return r, err
	}
	return c.settled(ctx, r)
}

func (c *Client) order(ctx context.Context, ref, what string) (molecule.Rotation, error) {
	var out molecule.Rotation
	path, err := refPath(wire.PathRotations, ref, what)
	if err == nil {
		err = c.do(ctx, call{method: http.MethodPost, path: path, body: struct{}{}, out: &out, extra: wire.MaxRotationWait})
	}
	return out, err
}
