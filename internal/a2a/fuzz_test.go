package a2a

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

// says answers every request with the same body, under the id of the request.
type says []byte

// RoundTrip implements http.RoundTripper.
func (s says) RoundTrip(req *http.Request) (*http.Response, error) {
	body := []byte(s)
	if req.Body != nil {
		asked, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		var e envelope
		if json.Unmarshal(asked, &e) == nil && len(e.ID) > 0 {
			body = bytes.ReplaceAll(body, []byte(`"ID"`), e.ID)
		}
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: req,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// FuzzAnswer reads what an agent answers, in both dialects over both bindings.
func FuzzAnswer(f *testing.F) {
	for _, result := range []string{
		`{"kind":"message","role":"agent","messageId":"m","parts":[{"kind":"text","text":"hi"}]}`,
		`{"kind":"task","id":"t","contextId":"c","status":{"state":"completed","message":{"role":"agent","parts":[]}},"artifacts":[{"parts":[{"kind":"data","data":[1]}]}]}`,
		`{"message":{"role":"ROLE_AGENT","messageId":"m","parts":[{"text":"hi"},{"data":{"a":1}},{"raw":"aGk=","filename":"f"},{"url":"u"}]}}`,
		`{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"},"history":[{"messageId":"m"}],"metadata":{"usage":{"input_tokens":1.5,"cost":2}}}}`,
		`{"tasks":[null,{"id":"t","history":[null,{"messageId":"m"}]}]}`, `{"message":{"parts":[null]}}`, `null`, `7`,
	} {
		f.Add([]byte(result))
		f.Add([]byte(`{"jsonrpc":"2.0","id":"ID","result":` + result + `}`))
	}
	f.Add([]byte(`{"jsonrpc":"2.0","id":"ID","error":{"code":-32601,"message":"no"}}`))
	d := molecule.Delivery{Run: molecule.Run{ID: "r", MessageID: "m"}, Text: "hello", Attempt: 1}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, version := range []string{v1, v03} {
			for _, binding := range []string{jsonRPC, rest} {
				speak := endpoint{version: version, binding: binding, url: "http://agent.test/"}.speak()
				hc := func() *http.Client { return recording(&http.Client{Transport: says(body)}, maxReply) }
				for _, a := range []answer{speak.send(t.Context(), hc(), d), speak.task(t.Context(), hc(), "t")} {
					checkAnswer(t, a, body)
				}
				if id, _ := speak.find(t.Context(), hc(), "m"); id != "" && version == v03 {
					t.Errorf("%s %s found %q", version, binding, id)
				}
			}
		}
	})
}

// checkAnswer fails when an answer holds what cannot follow from a body.
func checkAnswer(t *testing.T, a answer, body []byte) {
	t.Helper()
	switch {
	case !a.Answered || a.HTTPStatus != http.StatusOK:
		t.Errorf("an answer is told to be none: %+v", a)
	case a.Failure != "" || a.RPCError != nil:
	case a.Task != "" && (!a.Task.Known() || a.taskID == ""):
		t.Errorf("a task that is none: %+v of %q", a, body)
	}
	for _, p := range a.Parts {
		if set := (p.Text != "") != (p.Data != nil); p.File == "" && !set {
			t.Errorf("a part that is not one thing: %+v of %q", p, body)
		}
	}
}

// FuzzCard reads what an agent says of itself: whatever that is, nothing unsafe is
// chosen to be called.
func FuzzCard(f *testing.F) {
	for _, seed := range []string{
		`{"url":"http://agent.example/","preferredTransport":"JSONRPC"}`, `{"url":"http://127.0.0.1:1/","additionalInterfaces":[{"url":"u","transport":"HTTP+JSON"}]}`,
		`{"supportedInterfaces":[{"url":"http://agent.example/","protocolBinding":"JSONRPC","protocolVersion":"1.0"}]}`, `{"supportedInterfaces":[null]}`, `[]`,
	} {
		f.Add([]byte(seed))
	}
	guard, err := netguard.New(netguard.Options{})
	if err != nil {
		f.Fatal(err)
	}
	c := New(Options{Guard: guard})
	a := molecule.Agent{ID: "a", URL: "http://10.0.0.1:8000/", URLOwner: molecule.URLOwnerOperator}
	f.Fuzz(func(t *testing.T, body []byte) {
		var k card
		if json.Unmarshal(body, &k) != nil {
			return
		}
		ep, failed := c.choose(a, &k)
		if failed != nil {
			return
		}
		if _, err := guard.CheckURL(ep.url); err != nil && ep.stored != "10.0.0.1:8000" {
			t.Errorf("%q is chosen: %v", ep.url, err)
		}
		if !spoken(ep.binding) || ep.version != v1 && ep.version != v03 || strings.TrimSpace(ep.url) == "" {
			t.Errorf("chosen: %+v", ep)
		}
	})
}
