package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/wire"
)

// DefaultTimeout bounds one request when Options.Timeout is zero.
const DefaultTimeout = 10 * time.Second

// Options says whom to ask, and as whom.
type Options struct {
	Endpoint string          // unix:///path or http(s)://host:port
	Org      string          // sent on every request when set
	Token    molecule.Secret // sent over TCP only: a socket knows who is there
	Timeout  time.Duration   // of one request; zero is DefaultTimeout
}

// Client asks one daemon. It may be used by several goroutines.
type Client struct {
	http     *http.Client
	base     string
	endpoint string
	org      string
	token    molecule.Secret
	timeout  time.Duration
}

// The services a client offers.
var (
	_ molecule.AgentService     = (*Client)(nil)
	_ molecule.EnrolmentService = (*Client)(nil)
	_ molecule.ScheduleService  = (*Client)(nil)
	_ molecule.RunService       = (*Client)(nil)
	_ molecule.EventService     = (*Client)(nil)
	_ molecule.IncidentService  = (*Client)(nil)
	_ molecule.LivenessService  = (*Client)(nil)
	_ molecule.StatusService    = (*Client)(nil)
	_ molecule.RotationService  = (*Client)(nil)
)

// New returns a client for the daemon at o.Endpoint. It dials nobody yet; an
// endpoint or an org that cannot be right is Invalid.
func New(o Options) (*Client, error) {
	if o.Org != "" {
		if err := molecule.ValidateOrgID(o.Org); err != nil {
			return nil, err
		}
	}
	peer, err := netguard.Endpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	c := &Client{http: peer.Client, base: peer.Base, endpoint: o.Endpoint, org: o.Org, timeout: o.Timeout}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if !isSocket(o.Endpoint) {
		c.token = o.Token
	}
	return c, nil
}

// Endpoint returns the address the client asks.
func (c *Client) Endpoint() string { return c.endpoint }

// call is one request and where its answer goes.
type call struct {
	method string
	path   string
	query  url.Values
	body   any // sent as JSON unless nil; an io.Reader as it is
	out    any // filled from JSON unless nil; a *string takes the text
	accept string
	extra  time.Duration // the server may take this much longer
}

// get asks for path and decodes the answer into out.
func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	return c.do(ctx, call{method: http.MethodGet, path: path, query: query, out: out})
}

// do makes one bounded request.
func (c *Client) do(ctx context.Context, k call) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+k.extra)
	defer cancel()
	res, err := c.send(ctx, k)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, wire.MaxReplyBytes+1))
	if err != nil {
		return c.failed(ctx, err)
	}
	if len(body) > wire.MaxReplyBytes {
		return molecule.Errorf(molecule.TooLarge, "the answer of %s is over %d bytes", c.endpoint, wire.MaxReplyBytes)
	}
	return decode(body, k.out)
}

func decode(body []byte, out any) error {
	switch out := out.(type) {
	case nil:
		return nil
	case *string:
		*out = string(body)
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return molecule.Errorf(molecule.Unavailable, "the answer is not what moleculed would say").
			WithHint("is something else listening there? It begins with: %s", molecule.Excerpt(string(body), 80)).WithCause(err)
	}
	return nil
}

// send makes the request and returns an answer of the 200s; the caller closes
// its body.
func (c *Client) send(ctx context.Context, k call) (*http.Response, error) {
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, wire.MaxReplyBytes))
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	return nil, wire.DecodeError(res.StatusCode, body)
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	target := c.base + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	var body io.Reader
	if stream, ok := k.body.(io.Reader); ok {
		body = stream
	} else if k.body != nil {
		raw, err := json.Marshal(k.body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "endpoint %s is not valid", c.endpoint).WithCause(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", wire.TypeJSON)
	}
	req.Header.Set("Accept", wire.TypeJSON)
	if k.accept != "" {
		req.Header.Set("Accept", k.accept)
	}
	if c.org != "" {
		req.Header.Set(wire.HeaderOrgID, c.org)
	}
	if !c.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	return req, nil
}

// failed says what a request that got no answer means.
func (c *Client) failed(ctx context.Context, err error) error {
	err = netguard.Bare(err) // the URL is our own base, of which a socket's means nothing
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case neverConnected(err):
		return unreachable(c.endpoint, err)
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return molecule.Errorf(molecule.Timeout, "%s did not answer in time", c.endpoint).
			WithHint("give it longer with --timeout").WithCause(err)
	}
	return molecule.Errorf(molecule.Unavailable, "the connection to %s broke", c.endpoint).WithCause(err)
}

// refPath returns the path of one member of a collection.
func refPath(collection, ref string, more ...string) (string, error) {
	if ref == "" || ref == "." || ref == ".." {
		return "", molecule.Errorf(molecule.Invalid, "%q is not a name or id", ref)
	}
	p := collection + "/" + url.PathEscape(ref)
	for _, m := range more {
		p += "/" + m
	}
	return p, nil
}
