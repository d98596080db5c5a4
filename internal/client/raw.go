package client

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Request is a request of the operator's own making. The path begins with a
// slash and may have a query; a nil Body sends none.
type Request struct {
	Method string
	Path   string
	Header http.Header // beside what every request of ours has
	Body   io.Reader
}

// Raw makes a request and hands the answer to use, whatever its status. A
// request for a stream of events may last as long as ctx.
func (c *Client) Raw(ctx context.Context, r Request, use func(*http.Response) error) error {
	if r.Header.Get("Accept") != wire.TypeSSE {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	req, err := c.rawRequest(ctx, r)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.failed(ctx, err)
	}
	defer res.Body.Close()
	res.Body = body{res.Body, func(err error) error { return c.failed(ctx, err) }}
	return use(res)
}

func (c *Client) rawRequest(ctx context.Context, r Request) (*http.Request, error) {
	k := call{method: r.Method, path: r.Path, accept: r.Header.Get("Accept")}
	if r.Body != nil {
		k.body = r.Body
	}
	if !strings.HasPrefix(r.Path, "/") {
		return nil, molecule.Errorf(molecule.Invalid, "the path %q does not begin with a slash", r.Path).WithHint("such as %s", wire.PathStatus)
	}
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		switch name {
		case "Authorization", wire.HeaderOrgID:
			return nil, molecule.Errorf(molecule.Invalid, "the header %s is made by molecli itself", name).WithHint("--token-file and --org say what goes into it")
		}
		req.Header[name] = values
	}
	return req, nil
}

// body turns what breaks a body into an error of ours.
type body struct {
	io.ReadCloser
	failed func(error) error
}

// Read reads the body.
func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a reader returns it bare
		err = b.failed(err)
	}
	return n, err
}
