package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Audit returns a page of the audit trail, newest first.
func (c *Client) Audit(ctx context.Context, f molecule.AuditFilter) (molecule.Page[molecule.AuditRow], error) {
	q := query{}
	q.text("principal", f.Principal)
	q.text("action", f.Action)
	q.text("object", f.Object)
	q.text("result", string(f.Result))
	q.text("cursor", f.Cursor)
	q.number("limit", int64(f.Limit))
	var page molecule.Page[molecule.AuditRow]
	err := c.get(ctx, wire.PathAudit, url.Values(q), &page)
	return page, err
}

// verifyWait is how much longer than any request a walk along a long trail may
// take.
const verifyWait = 50 * time.Second

// VerifyAudit has the whole trail walked, and each of the heads looked for.
func (c *Client) VerifyAudit(ctx context.Context, heads []molecule.AuditHead) (molecule.AuditVerdict, error) {
	var verdict molecule.AuditVerdict
	body := map[string]any{"heads": heads}
	err := c.do(ctx, call{method: http.MethodPost, path: wire.PathAudit + "/verify", body: body, out: &verdict, extra: verifyWait})
	return verdict, err
}
