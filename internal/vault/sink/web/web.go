// Package web asks sinks that are spoken to over HTTP, past the guard and no other
// way, and turns what they answer into the troubles that a rotation knows.
//
// No URL gets into an error, because some hold a token, and what a sink says is
// quoted without the values it was given.
package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

const (
	// maxAnswer bounds what is read of an answer: the largest value, in base64, with
	// what stands beside it.
	maxAnswer = 4 * sink.MaxBytes
	// timeLimit bounds one request with its answer.
	timeLimit = 30 * time.Second
)

// Client asks one sink.
type Client struct {
	place  string
	base   *url.URL
	target netguard.Target
	http   *http.Client
}

// Stored returns the client of a sink whose URL the operator wrote. Where the
// target names a file of authorities as ca, only those are trusted. An error is
// Invalid or UnsafeURL.
func Stored(s sink.Spec, raw string) (*Client, error) {
	plaintext, err := s.On("plaintext")
	if err != nil {
		return nil, err
	}
	if s.Net == nil {
		return nil, noNetwork(s)
	}
	base, err := s.Net.CheckStoredURL(raw, plaintext)
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", s.Kind, err)
	}
	t := netguard.Target{Class: netguard.Stored, Host: netguard.HostPort(base), Plaintext: plaintext}
	client := s.Net.Client(netguard.Stored)
	if path := s.Target["ca"]; path != "" {
		roots, err := authorities(s, path)
		if err != nil {
			return nil, err
		}
		client = s.Net.TrustingClient(roots)
	}
	return &Client{place: s.At(), base: base, target: t, http: client}, nil
}

// Service returns the client of a service on the Internet that has the given
// hosts. An error is Invalid or UnsafeURL.
func Service(s sink.Spec, raw string, hosts ...string) (*Client, error) {
	if s.Net == nil {
		return nil, noNetwork(s)
	}
	base, err := s.Net.CheckServiceURL(raw, hosts)
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", s.Kind, err)
	}
	t := netguard.Target{Class: netguard.Service, Hosts: hosts}
	return &Client{place: s.At(), base: base, target: t, http: s.Net.Client(netguard.Service)}, nil
}

func noNetwork(s sink.Spec) error {
	return molecule.Errorf(molecule.Internal, "sink %s was opened without a way out", s.Kind)
}

// Request is one question.
type Request struct {
	Method string
	Path   []string // appended to the URL of the sink, each part escaped
	Query  url.Values
	Header http.Header
	Body   []byte
	Change sink.Change // whose values are not quoted
	// Answers are statuses beside 2xx that are an answer and no error. What they say
	// is read if it is JSON.
	Answers []int
}

// Do asks, and reads a JSON answer into the value that into points to, unless it
// is nil or the answer is empty. It returns the status. A status that is no
// success is an error, of what it means.
func (c *Client) Do(ctx context.Context, r Request, into any) (int, error) {
	ctx, cancel := context.WithTimeout(netguard.WithTarget(ctx, c.target), timeLimit)
	defer cancel()
	at := *c.base
	if len(r.Path) > 0 {
		escaped := make([]string, len(r.Path))
		for i, part := range r.Path {
			escaped[i] = url.PathEscape(part)
		}
		at = *at.JoinPath(escaped...)
	}
	if len(r.Query) > 0 {
		at.RawQuery = r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, at.String(), bytes.NewReader(r.Body))
	if err != nil {
		return 0, molecule.Errorf(molecule.Invalid, "%s cannot be asked", c.place)
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, c.unanswered(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return res.StatusCode, c.unanswered(ctx, err)
	case len(body) > maxAnswer:
		return res.StatusCode, molecule.Errorf(molecule.Forbidden, "%s answers with more than %d bytes", c.place, maxAnswer).WithHint("see that the URL is right")
	case slices.Contains(r.Answers, res.StatusCode):
		if into != nil && json.Valid(body) {
			_ = json.Unmarshal(body, into) // what has another shape says nothing
		}
		return res.StatusCode, nil
	case res.StatusCode < 200 || res.StatusCode > 299:
		return res.StatusCode, c.said(res, body, r.Change)
	case into == nil || len(bytes.TrimSpace(body)) == 0:
		return res.StatusCode, nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return res.StatusCode, molecule.Errorf(molecule.Forbidden, "%s does not answer with the JSON it should", c.place).WithHint("see that the URL is right")
	}
	return res.StatusCode, nil
}

// unanswered is the error for a request that got no answer. The text of the
// client's own holds the URL.
func (c *Client) unanswered(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	switch {
	case molecule.CodeOf(err) == molecule.UnsafeURL:
		return fmt.Errorf("%s: %w", c.place, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", c.place, ctx.Err())
	}
	return sink.Unreachable(c.place, err)
}

// said is the error for a status that is no success.
func (c *Client) said(res *http.Response, body []byte, change sink.Change) error {
	status := res.StatusCode
	failed := func(code molecule.Code, what, hint string) error {
		err := molecule.Errorf(code, "%s %s (status %d)", c.place, what, status).WithHint("%s", hint)
		if quoted := sink.Quote(string(body), change); quoted != "" {
			err = err.WithCause(errors.New(quoted))
		}
		return err
	}
	switch {
	case status == http.StatusConflict, status == http.StatusPreconditionFailed:
		return sink.Drift(c.place)
	case status == http.StatusUnprocessableEntity:
		return sink.Rejected("%s rejects the value (status %d): %s", c.place, status, sink.Quote(string(body), change))
	case status == http.StatusUnauthorized:
		return failed(molecule.Unauthenticated, "does not know the credential", "see that the credential of the sink is still alive")
	case status == http.StatusTooManyRequests, status == http.StatusForbidden && spent(res.Header):
		return failed(molecule.RateLimited, "has had too many requests", again(res.Header, time.Now()))
	case status == http.StatusForbidden:
		return failed(molecule.Forbidden, "does not allow it", "see what the credential of the sink may do")
	case status == http.StatusNotFound, status == http.StatusGone:
		return failed(molecule.NotFound, "is not there, or not for this credential", "see that the target is right, and what the credential may see")
	case status == http.StatusRequestTimeout, status >= 500:
		return failed(molecule.Unavailable, "cannot answer now", "try again later")
	case status >= 300 && status < 400:
		return failed(molecule.Forbidden, "sends us elsewhere, and nobody checked where", "write the URL where it is now")
	}
	return failed(molecule.Forbidden, "refuses", "see that the target is right")
}
