package daemon

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/molecule-ai/molecli/internal/audit"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/wire"
)

// exporter makes what keeps heads of the audit trail elsewhere.
func (d *Daemon) exporter() (*audit.Exporter, error) {
	c := d.cfg.Audit
	e := &audit.Exporter{Store: d.store, Every: c.ExportEvery, File: c.ExportFile}
	if c.ExportURL == "" {
		return e, nil
	}
	u, err := d.guard.CheckStoredURL(c.ExportURL, false)
	if err != nil {
		return nil, fmt.Errorf("audit.export_url: %w", err)
	}
	target := netguard.Target{Class: netguard.Stored, Host: netguard.HostPort(u)}
	e.Post = func(ctx context.Context, body []byte) error {
		req, err := http.NewRequestWithContext(netguard.WithTarget(ctx, target), http.MethodPost, u.String(), bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", wire.TypeJSON)
		res, err := d.guard.Client(netguard.Stored).Do(req)
		if err != nil {
			return fmt.Errorf("post the head of the audit trail: %w", netguard.Bare(err))
		}
		defer res.Body.Close() //nolint:errcheck // nothing of it is read
		if res.StatusCode/100 != 2 {
			return fmt.Errorf("post the head of the audit trail: %s answers %s", u.Host, res.Status)
		}
		return nil
	}
	return e, nil
}
