package a2a

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

// exchange is what one HTTP request and its answer were like.
type exchange struct {
	failure molecule.Failure
	detail  string
	status  int
	header  http.Header
	body    []byte
	asked   []byte // body of the request
}

// perform sends req and reads the answer, at most limit bytes of it.
func perform(c *http.Client, req *http.Request, limit int64) *exchange {
	x := &exchange{}
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	resp, err := c.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	runtime.Gosched() // whoever is ready to send goes first: reading an answer can wait
	if err != nil {
		x.fail(req.Context(), err, sent.Load())
		return x
	}
	x.status, x.header = resp.StatusCode, resp.Header
	x.body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil:
		x.fail(req.Context(), err, true)
	case int64(len(x.body)) > limit:
		x.failure, x.detail = molecule.FailTooLarge, fmt.Sprintf("more than %d bytes", limit)
	}
	return x
}

// fail notes why there is no whole answer.
func (x *exchange) fail(ctx context.Context, err error, sent bool) {
	err = netguard.Bare(err)
	x.detail = molecule.Excerpt(err.Error(), 300)
	switch {
	case molecule.CodeOf(err) == molecule.UnsafeURL:
		x.failure = molecule.FailUnsafe
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		x.failure, x.detail = molecule.FailDeadline, ""
	case ctx.Err() != nil:
		x.failure, x.detail = molecule.FailShutdown, ""
	case sent:
		x.failure = molecule.FailBroken
	default:
		x.failure = molecule.FailUnreachable
	}
}

// reply returns the facts that hold for every kind of answer.
func (x *exchange) reply() molecule.Reply {
	r := molecule.Reply{Failure: x.failure, Detail: x.detail, HTTPStatus: x.status, Answered: x.status != 0}
	if r.Failure != "" {
		return r
	}
	if x.status >= http.StatusMultipleChoices {
		r.RetryAfter = retryAfter(x.header.Get("Retry-After"), molecule.Now())
		r.RPCError = x.rpcError()
		return r
	}
	switch {
	case !utf8.Valid(x.body):
		r.Failure = molecule.FailNotUTF8
	case !json.Valid(x.body):
		r.Failure = molecule.FailNotJSON
	}
	return r
}

// retryAfter reads seconds or a date; 0 when there is neither. More than a day
// is a day: no run waits that long.
func retryAfter(v string, now time.Time) time.Duration {
	const day = 24 * time.Hour
	if n, err := strconv.Atoi(v); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(max(n, 0), int(day/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(now), 0), day)
	}
	return 0
}

// envelope is a JSON-RPC answer.
type envelope struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *rpcError       `json:"error"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// rpcError reads the error of the body, nil when it has none. With a status of
// its own it may stand there without an envelope.
func (x *exchange) rpcError() *molecule.RPCError {
	var e envelope
	if json.Unmarshal(x.body, &e) != nil {
		return nil
	}
	if e.Error == nil && x.status >= http.StatusMultipleChoices && json.Unmarshal(x.body, &e.Error) != nil {
		return nil
	}
	if e.Error == nil || *e.Error == (rpcError{}) {
		return nil
	}
	return &molecule.RPCError{Code: e.Error.Code, Message: molecule.Excerpt(e.Error.Message, 300)}
}

// rpc returns the facts of a JSON-RPC answer and its result, which is nil
// unless the answer is whole, belongs to the question and is no error.
func (x *exchange) rpc() (molecule.Reply, json.RawMessage) {
	r := x.reply()
	if r.Failure != "" || x.status >= http.StatusMultipleChoices {
		return r, nil
	}
	var e, asked envelope
	if json.Unmarshal(x.body, &e) != nil || json.Unmarshal(x.asked, &asked) != nil {
		r.Failure, r.Detail = molecule.FailShape, "not a JSON-RPC object"
		return r, nil
	}
	if e.Error != nil {
		r.RPCError = x.rpcError()
		return r, nil
	}
	switch {
	case !bytes.Equal(e.ID, asked.ID):
		r.Failure, r.Detail = molecule.FailShape, "it answers another request"
	case len(e.Result) == 0 || string(e.Result) == "null":
		r.Failure, r.Detail = molecule.FailShape, "it has no result"
	default:
		return r, e.Result
	}
	return r, nil
}

// recorder performs a request and keeps what it was like, for callers that see
// only an SDK's error.
type recorder struct {
	inner *http.Client
	limit int64
	last  *exchange
}

// recording returns a client for one exchange whose facts recorded returns.
func recording(inner *http.Client, limit int64) *http.Client {
	return &http.Client{
		Transport:     &recorder{inner: inner, limit: limit},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// recorded returns the last exchange of a client that recording made.
func recorded(c *http.Client) *exchange {
	r, ok := c.Transport.(*recorder)
	if !ok || r.last == nil {
		return &exchange{failure: molecule.FailShape, detail: "nothing was sent"}
	}
	return r.last
}

// payload returns what is sent for what an SDK wrote. Where there is nothing to
// say ours (2.3.1) writes null over HTTP+JSON, even in a GET: proxies refuse a
// GET with a body, and servers refuse JSON that is no object.
func payload(method string, asked []byte) []byte {
	switch {
	case string(asked) != "null":
		return asked
	case method == http.MethodGet:
		return nil
	}
	return []byte("{}")
}

// RoundTrip implements http.RoundTripper. The body it returns is in memory.
func (t *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	var asked []byte
	if req.Body != nil {
		var err error
		if asked, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		if err := req.Body.Close(); err != nil {
			return nil, err
		}
	}
	asked = payload(req.Method, asked)
	again := req.Clone(req.Context())
	again.ContentLength = int64(len(asked))
	again.Body = io.NopCloser(bytes.NewReader(asked))
	again.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(asked)), nil }
	t.last = perform(t.inner, again, t.limit)
	t.last.asked = asked
	if t.last.failure != "" {
		return nil, errors.New(string(t.last.failure))
	}
	return &http.Response{
		Status: http.StatusText(t.last.status), StatusCode: t.last.status, Header: t.last.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Body: io.NopCloser(bytes.NewReader(t.last.body)), ContentLength: int64(len(t.last.body)),
	}, nil
}
