package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/a2a"
	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

// wired is an answer to a prompt as an agent writes it, and what it is worth.
type wired struct {
	name   string
	answer func(w http.ResponseWriter, r *http.Request, id string)
	want   molecule.Outcome
	said   string // the reply that is kept
	within time.Duration
}

// soon is the deadline of a run whose agent will not answer in time.
const soon = 200 * time.Millisecond

// body answers 200 with a text in which $ID is the id of the question.
func body(text string) func(http.ResponseWriter, *http.Request, string) { return status(200, text) }

// result answers with a whole JSON-RPC answer.
func result(text string) func(http.ResponseWriter, *http.Request, string) {
	return body(`{"jsonrpc":"2.0","id":$ID,"result":` + text + `}`)
}

func status(code int, text string) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, _ *http.Request, id string) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", "/elsewhere") // matters to redirects only
		w.WriteHeader(code)
		_, _ = io.WriteString(w, strings.ReplaceAll(text, "$ID", id)) // who asks may be gone
	}
}

// breakOff promises more than it sends.
func breakOff(w http.ResponseWriter, _ *http.Request, _ string) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0"`)
}

// hangUp closes the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request, string) { panic(http.ErrAbortHandler) }

// stayAway says nothing as long as somebody waits.
func stayAway(_ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() }

// serve runs an agent with a card whose answer to a prompt is given.
func serve(t *testing.T, card string, c wired) molecule.Agent {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, strings.ReplaceAll(card, "$URL", server.URL)) // who asks may be gone
			return
		}
		var asked struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Errorf("a question that is no JSON: %v", err)
		}
		if !strings.Contains(strings.ToLower(asked.Method), "send") {
			status(200, `{"jsonrpc":"2.0","id":$ID,"error":{"code":-32002,"message":"Task cannot be canceled"}}`)(w, r, string(asked.ID))
			return
		}
		c.answer(w, r, string(asked.ID))
	}))
	t.Cleanup(server.Close)
	return molecule.Agent{ID: c.name, Name: "peer", Kind: molecule.AgentPush, URL: server.URL, URLOwner: molecule.URLOwnerOperator}
}

// judgeWire delivers a prompt to an agent and judges what comes back.
func judgeWire(t *testing.T, card string, c wired) dispatch.Verdict {
	t.Helper()
	guard, err := netguard.New(netguard.Options{Local: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.CloseIdle)
	agent := serve(t, card, c)
	within := c.within
	if within == 0 {
		within = time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return dispatch.Judge(a2a.New(a2a.Options{Guard: guard}).Deliver(ctx, molecule.Delivery{
		Agent: agent, Text: "work", Attempt: 1,
		Run:     molecule.Run{ID: "r", MessageID: "0198c0de-0000-7000-8000-000000000001", Slot: time.Unix(0, 0)},
		Note:    func(string) error { return nil },
		Waiting: func(string) {},
	}), usual)
}

// judgeAll holds the answers of one dialect against the table.
func judgeAll(t *testing.T, card string, cases []wired) {
	t.Helper()
	for _, c := range append(cases, anyDialect()...) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := judgeWire(t, card, c)
			got := []string{string(v.Outcome), v.Reply}
			if diff := cmp.Diff(got, []string{string(c.want), c.said}); diff != "" {
				t.Errorf("outcome and reply, because %q (-got +want):\n%s", v.Reason, diff)
			}
		})
	}
}

// anyDialect are answers that are the same in both.
func anyDialect() []wired {
	const oops = `{"jsonrpc":"2.0","id":$ID,"error":{"code":%d,"message":"%s"}}`
	return []wired{
		{name: "method not found", answer: body(fmt.Sprintf(oops, -32601, "Method not found")), want: "rpc_error"},
		{name: "internal error", answer: body(fmt.Sprintf(oops, -32603, "model overloaded")), want: "rpc_error"},
		{name: "an error with its status", answer: status(500, fmt.Sprintf(oops, -32603, "model overloaded")), want: "http_error"},
		{name: "unauthorized", answer: status(401, `{"detail":"Not authenticated"}`), want: "auth_refused"},
		{name: "forbidden", answer: status(403, `<h1>403</h1>`), want: "auth_refused"},
		{name: "too many requests", answer: status(429, `{"error":"slow down"}`), want: "http_error"},
		{name: "a gateway in between", answer: status(502, `<html>Bad Gateway</html>`), want: "http_error"},
		{name: "busy", answer: status(503, ``), want: "http_error"},
		{name: "not found", answer: status(404, `{"detail":"Not Found"}`), want: "http_error"},
		{name: "a redirect", answer: status(307, ``), want: "http_error"},
		{name: "a login page", answer: body(`<!doctype html><title>Sign in</title>`), want: "protocol_error"},
		{name: "nothing", answer: body(``), want: "protocol_error"},
		{name: "null", answer: body(`null`), want: "protocol_error"},
		{name: "half an object", answer: body(`{"jsonrpc":"2.0","id":$ID,"result":{"kind":"mess`), want: "protocol_error"},
		{name: "a stream", answer: body("data: {\"jsonrpc\":\"2.0\",\"id\":$ID,\"result\":{}}\n\n"), want: "protocol_error"},
		{name: "no result", answer: body(`{"jsonrpc":"2.0","id":$ID}`), want: "protocol_error"},
		{name: "a null result", answer: result(`null`), want: "protocol_error"},
		{name: "an empty result", answer: result(`{}`), want: "protocol_error"},
		{name: "a text for a result", answer: result(`"done"`), want: "protocol_error"},
		{name: "a list of answers", answer: body(`[{"jsonrpc":"2.0","id":$ID,"result":{}}]`), want: "protocol_error"},
		{name: "a bare text of another API", answer: body(`{"response":"done","status":"ok"}`), want: "protocol_error"},
		{name: "Latin-1", answer: body("{\"jsonrpc\":\"2.0\",\"id\":$ID,\"result\":\"caf\xe9\"}"), want: "protocol_error"},
		{name: "without end", answer: body(strings.Repeat(" ", 10<<20+1)), want: "protocol_error"},
		{name: "broken off", answer: breakOff, want: "unknown"},
		{name: "hung up", answer: hangUp, want: "unknown"},
		{name: "silence", answer: stayAway, want: "timeout", within: soon},
	}
}

func TestJudge_whatAgentsOf03Send(t *testing.T) {
	t.Parallel()
	const card = `{"protocolVersion":"0.3.0","name":"peer","url":"$URL","preferredTransport":"JSONRPC","skills":[]}`
	const message = `{"kind":"message","messageId":"m","role":"agent","parts":%s}`
	const completed = `{"kind":"task","id":"t","contextId":"c","status":{"state":"completed"},"artifacts":[{"artifactId":"a","parts":%s}]}`
	const atRest = `{"kind":"task","id":"t","contextId":"c","status":{"state":"%s","message":{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"%s"}]}}}`
	judgeAll(t, card, []wired{
		{name: "a message", answer: result(fmt.Sprintf(message, `[{"kind":"text","text":"hello"}]`)), want: "ok", said: "hello"},
		{name: "a message of older parts", answer: result(fmt.Sprintf(message, `[{"type":"text","text":"hello"}]`)), want: "ok", said: "hello"},
		{name: "a message without a kind", answer: result(`{"messageId":"m","role":"agent","parts":[{"text":"hello"}]}`), want: "ok", said: "hello"},
		{name: "a message of two parts", answer: result(fmt.Sprintf(message, `[{"kind":"text","text":"a"},{"kind":"text","text":"b"}]`)), want: "ok", said: "a\nb"},
		{name: "a task with an artifact", answer: result(fmt.Sprintf(completed, `[{"kind":"text","text":"hello"}]`)), want: "ok", said: "hello"},
		{name: "a task with a status message", answer: result(fmt.Sprintf(atRest, "completed", "hello")), want: "ok", said: "hello"},
		{name: "data", answer: result(fmt.Sprintf(completed, `[{"kind":"data","data":{"rows":3}}]`)), want: "ok"},
		{name: "a file", answer: result(fmt.Sprintf(completed, `[{"kind":"file","file":{"name":"a.pdf","uri":"https://a.example/a.pdf"}}]`)), want: "ok"},
		{name: "silent", answer: result(fmt.Sprintf(message, `[{"kind":"text","text":"[SILENT]\nnothing"}]`)), want: "quiet", said: "[SILENT]\nnothing"},
		{name: "silent as data", answer: result(fmt.Sprintf(completed, `[{"kind":"data","data":{"molecule/outcome":"quiet"}}]`)), want: "quiet"},
		{name: "a failure by its own word", answer: result(fmt.Sprintf(atRest, "completed", "[CRON_FAILURE]")), want: "declared_failure", said: "[CRON_FAILURE]"},
		{name: "a severe audit", answer: result(fmt.Sprintf(completed, `[{"kind":"data","data":{"audit_summary":{"severity":"critical"}}}]`)), want: "declared_failure"},
		{name: "no artifact", answer: result(`{"kind":"task","id":"t","status":{"state":"completed"}}`), want: "empty"},
		{name: "an artifact without parts", answer: result(fmt.Sprintf(completed, `[]`)), want: "empty"},
		{name: "an artifact of null", answer: result(fmt.Sprintf(completed, `[{"kind":"data","data":null}]`)), want: "empty"},
		{name: "an empty text", answer: result(fmt.Sprintf(message, `[{"kind":"text","text":""}]`)), want: "empty"},
		{name: "parts that are null", answer: result(fmt.Sprintf(message, `null`)), want: "empty"},
		{name: "a placeholder", answer: result(fmt.Sprintf(message, `[{"kind":"text","text":"(no response generated)"}]`)), want: "empty", said: "(no response generated)"},
		{name: "history only", answer: result(`{"kind":"task","id":"t","status":{"state":"completed"},"history":[{"kind":"message","role":"agent","messageId":"h","parts":[{"kind":"text","text":"thinking"}]}]}`), want: "empty"},
		{name: "our own words as status", answer: result(`{"kind":"task","id":"t","status":{"state":"completed","message":{"role":"user","messageId":"h","parts":[{"kind":"text","text":"work"}]}}}`), want: "empty"},
		{name: "our own message", answer: result(`{"kind":"message","messageId":"m","role":"user","parts":[{"kind":"text","text":"work"}]}`), want: "protocol_error"},
		{name: "failed", answer: result(fmt.Sprintf(atRest, "failed", "no model")), want: "failed", said: "no model"},
		{name: "rejected", answer: result(fmt.Sprintf(atRest, "rejected", "not mine")), want: "rejected", said: "not mine"},
		{name: "canceled", answer: result(`{"kind":"task","id":"t","status":{"state":"canceled"}}`), want: "canceled"},
		{name: "working on", answer: result(`{"kind":"task","id":"t","status":{"state":"working"}}`), want: "timeout", within: soon},
		{name: "asks back", answer: result(fmt.Sprintf(atRest, "input-required", "which?")), want: "timeout", within: soon},
		{name: "wants a login", answer: result(fmt.Sprintf(atRest, "auth-required", "log in")), want: "timeout", within: soon},
		{name: "the state unknown", answer: result(fmt.Sprintf(atRest, "unknown", "hello")), want: "protocol_error"},
		{name: "a state of 1.0", answer: result(fmt.Sprintf(atRest, "TASK_STATE_COMPLETED", "hello")), want: "protocol_error"},
		{name: "a task without an id", answer: result(`{"kind":"task","status":{"state":"completed","message":{"role":"agent","parts":[{"kind":"text","text":"hello"}]}}}`), want: "protocol_error"},
		{name: "an answer to another question", answer: body(`{"jsonrpc":"2.0","id":"other","result":` + fmt.Sprintf(message, `[{"kind":"text","text":"hello"}]`) + `}`), want: "protocol_error"},
		{name: "an error beside a result", answer: body(`{"jsonrpc":"2.0","id":$ID,"error":{"code":-32000,"message":"no"},"result":` + fmt.Sprintf(message, `[{"kind":"text","text":"hello"}]`) + `}`), want: "rpc_error"},
	})
}

func TestJudge_whatAgentsOf10Send(t *testing.T) {
	t.Parallel()
	const card = `{"name":"peer","supportedInterfaces":[{"url":"$URL","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],"skills":[]}`
	const message = `{"message":{"messageId":"m","role":"ROLE_AGENT","parts":%s}}`
	const completed = `{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"},"artifacts":[{"artifactId":"a","parts":%s}]}}`
	const atRest = `{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_%s","message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"%s"}]}}}}`
	judgeAll(t, card, []wired{
		{name: "a message", answer: result(fmt.Sprintf(message, `[{"text":"hello"}]`)), want: "ok", said: "hello"},
		{name: "a message with a media type", answer: result(fmt.Sprintf(message, `[{"text":"# hello","mediaType":"text/markdown"}]`)), want: "ok", said: "# hello"},
		{name: "a message of two parts", answer: result(fmt.Sprintf(message, `[{"text":"a"},{"text":"b"}]`)), want: "ok", said: "a\nb"},
		{name: "a task with an artifact", answer: result(fmt.Sprintf(completed, `[{"text":"hello"}]`)), want: "ok", said: "hello"},
		{name: "a task with a status message", answer: result(fmt.Sprintf(atRest, "COMPLETED", "hello")), want: "ok", said: "hello"},
		{name: "data", answer: result(fmt.Sprintf(completed, `[{"data":{"rows":3},"mediaType":"application/json"}]`)), want: "ok"},
		{name: "a list as data", answer: result(fmt.Sprintf(completed, `[{"data":[1,2]}]`)), want: "ok"},
		{name: "a file", answer: result(fmt.Sprintf(completed, `[{"url":"https://a.example/a.pdf","filename":"a.pdf"}]`)), want: "ok"},
		{name: "silent", answer: result(fmt.Sprintf(message, `[{"text":"[SILENT]\nnothing"}]`)), want: "quiet", said: "[SILENT]\nnothing"},
		{name: "silent as data", answer: result(fmt.Sprintf(completed, `[{"data":{"molecule/outcome":"quiet"}}]`)), want: "quiet"},
		{name: "a failure by its own word", answer: result(fmt.Sprintf(atRest, "COMPLETED", "[CRON_FAILURE]")), want: "declared_failure", said: "[CRON_FAILURE]"},
		{name: "a severe audit", answer: result(fmt.Sprintf(completed, `[{"data":{"audit_summary":{"severity":"critical"}}}]`)), want: "declared_failure"},
		{name: "no artifact", answer: result(`{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}}`), want: "empty"},
		{name: "an artifact without parts", answer: result(fmt.Sprintf(completed, `[]`)), want: "empty"},
		{name: "an empty text", answer: result(fmt.Sprintf(message, `[{"text":""}]`)), want: "empty"},
		{name: "a blank text", answer: result(fmt.Sprintf(message, `[{"text":" \n"}]`)), want: "empty"},
		{name: "a placeholder", answer: result(fmt.Sprintf(message, `[{"text":"(no response generated)"}]`)), want: "empty", said: "(no response generated)"},
		{name: "history only", answer: result(`{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"},"history":[{"messageId":"h","role":"ROLE_AGENT","parts":[{"text":"thinking"}]}]}}`), want: "empty"},
		{name: "our own words as status", answer: result(`{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED","message":{"messageId":"h","role":"ROLE_USER","parts":[{"text":"work"}]}}}}`), want: "empty"},
		{name: "our own message", answer: result(`{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"work"}]}}`), want: "protocol_error"},
		{name: "failed", answer: result(fmt.Sprintf(atRest, "FAILED", "no model")), want: "failed", said: "no model"},
		{name: "rejected", answer: result(fmt.Sprintf(atRest, "REJECTED", "not mine")), want: "rejected", said: "not mine"},
		{name: "canceled", answer: result(`{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_CANCELED"}}}`), want: "canceled"},
		{name: "working on", answer: result(`{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}`), want: "timeout", within: soon},
		{name: "asks back", answer: result(fmt.Sprintf(atRest, "INPUT_REQUIRED", "which?")), want: "timeout", within: soon},
		{name: "wants a login", answer: result(fmt.Sprintf(atRest, "AUTH_REQUIRED", "log in")), want: "timeout", within: soon},
		{name: "the state unspecified", answer: result(fmt.Sprintf(atRest, "UNSPECIFIED", "hello")), want: "protocol_error"},
		{name: "a state of 0.3", answer: result(`{"task":{"id":"t","contextId":"c","status":{"state":"completed","message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"hello"}]}}}}`), want: "protocol_error"},
		{name: "an answer in 0.3", answer: result(`{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"hello"}]}`), want: "protocol_error"},
		{name: "a task without an id", answer: result(`{"task":{"status":{"state":"TASK_STATE_COMPLETED","message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"hello"}]}}}}`), want: "protocol_error"},
		{name: "an answer to another question", answer: body(`{"jsonrpc":"2.0","id":"other","result":` + fmt.Sprintf(message, `[{"text":"hello"}]`) + `}`), want: "protocol_error"},
		{name: "an error beside a result", answer: body(`{"jsonrpc":"2.0","id":$ID,"error":{"code":-32000,"message":"no"},"result":` + fmt.Sprintf(message, `[{"text":"hello"}]`) + `}`), want: "rpc_error"},
	})
}
