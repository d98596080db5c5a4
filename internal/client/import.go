package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// ImportSchedules makes and changes many schedules in one request.
func (c *Client) ImportSchedules(ctx context.Context, in molecule.ScheduleImport) (molecule.ImportResult, error) {
	q := query{}
	q.flag("update", in.Update)
	q.flag("skip_invalid", in.SkipInvalid)
	q.flag("dry_run", in.DryRun)
	var out molecule.ImportResult
	err := c.do(ctx, call{
		method: http.MethodPost, path: wire.PathScheduleImport, query: url.Values(q), body: newDocument(in.Schedules), out: &out,
		extra: wire.MaxImportWait,
	})
	return out, err
}

// document is the JSON of a list of schedules, made while it is sent: the other
// side reads the first while the last is still to be written.
type document struct {
	list []molecule.ScheduleSpec
	sent int
	buf  bytes.Buffer
	enc  *json.Encoder
	end  bool
}

func newDocument(list []molecule.ScheduleSpec) *document {
	d := &document{list: list}
	d.enc = json.NewEncoder(&d.buf)
	d.enc.SetEscapeHTML(false)
	d.buf.WriteString(`{"schedules":[`)
	return d
}

// Read implements io.Reader.
func (d *document) Read(p []byte) (int, error) {
	for d.buf.Len() < len(p) && d.sent < len(d.list) {
		if d.sent > 0 {
			d.buf.WriteByte(',')
		}
		if err := d.enc.Encode(&d.list[d.sent]); err != nil {
			return 0, err
		}
		d.sent++
	}
	if d.sent == len(d.list) && !d.end {
		d.end = true
		d.buf.WriteString("]}")
	}
	return d.buf.Read(p)
}
