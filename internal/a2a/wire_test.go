package a2a_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/wire"
)

const (
	sentMessage1 = `{"messageId":"` + messageID + `","role":"ROLE_USER","parts":[{"text":"Write the report."}],` + sentMetadata + `}`
	sentMessage0 = `{"kind":"message","messageId":"` + messageID + `","role":"user","parts":[{"kind":"text","text":"Write the report."}],` + sentMetadata + `}`
	sentMetadata = `"metadata":{"molecule/run":{"schedule":"nightly","slot":"2026-01-02T03:00:00Z","attempt":1,"deadline":"2026-01-02T03:10:00Z","trigger":"cron"}}`
	sentMessageR = `{"messageId":"` + messageID + `","role":"ROLE_USER","content":[{"text":"Write the report."}],` + sentMetadata + `}`
	sentParams1  = `{"message":` + sentMessage1 + `,"configuration":{"returnImmediately":true}}`
	sentParams0  = `{"message":` + sentMessage0 + `,"configuration":{"blocking":false}}`
	sentParamsR  = `{"message":` + sentMessageR + `,"configuration":{"blocking":false}}`
	traceOfSend  = "00-0198c0de00007000800000000000" + "0001-SPAN-01"
)

// line is a request as it has to be, "ID" for what is random.
type line struct{ verb, path, body string }

func rpc(method, params string) string {
	return `{"jsonrpc":"2.0","id":"ID","method":"` + method + `","params":` + params + `}`
}

func TestDeliver_writesEachRequestAsTheDialectHasIt(t *testing.T) {
	t.Parallel()
	const task = `{"id":"task-1"}`
	for _, tt := range []struct {
		face              a2atest.Face
		send, get, cancel line
	}{
		{
			face:   a2atest.Face{Version: a2atest.V1, Binding: a2atest.JSONRPC},
			send:   line{"POST", "/1.0/json", rpc("SendMessage", sentParams1)},
			get:    line{"POST", "/1.0/json", rpc("GetTask", task)},
			cancel: line{"POST", "/1.0/json", rpc("CancelTask", task)},
		},
		{
			face:   a2atest.Face{Version: a2atest.V1, Binding: a2atest.REST},
			send:   line{"POST", "/1.0/http/message:send", sentParams1},
			get:    line{"GET", "/1.0/http/tasks/task-1", ""},
			cancel: line{"POST", "/1.0/http/tasks/task-1:cancel", "{}"},
		},
		{
			face:   a2atest.Face{Version: a2atest.V03, Binding: a2atest.JSONRPC},
			send:   line{"POST", "/0.3/json", rpc("message/send", sentParams0)},
			get:    line{"POST", "/0.3/json", rpc("tasks/get", task)},
			cancel: line{"POST", "/0.3/json", rpc("tasks/cancel", task)},
		},
		{
			face:   a2atest.Face{Version: a2atest.V03, Binding: a2atest.REST},
			send:   line{"POST", "/0.3/http/v1/message:send", sentParamsR},
			get:    line{"GET", "/0.3/http/v1/tasks/task-1", ""},
			cancel: line{"POST", "/0.3/http/v1/tasks/task-1:cancel", "{}"},
		},
	} {
		t.Run(tt.face.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := offline(t, a2atest.New(tt.face).On(a2atest.Send, working()))
				r.deliver(t, 2*time.Second)
				r.asked(t, a2atest.Card, a2atest.Send, a2atest.Get, a2atest.Cancel)
				var got []line
				for _, q := range r.agent.Requests(a2atest.Send, a2atest.Get, a2atest.Cancel) {
					got = append(got, line{q.Verb, q.Path, ordered(t, q.Body)})
				}
				want := []line{tt.send, tt.get, tt.cancel}
				for i := range want {
					want[i].body = ordered(t, want[i].body)
				}
				if diff := cmp.Diff(got, want, cmp.AllowUnexported(line{})); diff != "" {
					t.Errorf("requests (-got +want):\n%s", diff)
				}
			})
		})
	}
}

// ordered returns JSON with its members in order and its id replaced.
func ordered(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if m, ok := v.(map[string]any); ok && m["jsonrpc"] != nil {
		if id, ok := m["id"].(string); !ok || id == "" {
			t.Errorf("got id %v, want a string", m["id"])
		}
		m["id"] = "ID"
	}
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestDeliver_sendsNoHeaderButItsOwn(t *testing.T) {
	t.Parallel()
	common := map[string]string{"User-Agent": "Go-http-client/1.1"}
	with := func(pairs ...string) map[string]string {
		h := maps.Clone(common)
		for pair := range slices.Chunk(pairs, 2) {
			h[pair[0]] = pair[1]
		}
		return h
	}
	const version, accept, kind, trace, json = "A2a-Version", "Accept", "Content-Type", "Traceparent", "application/json"
	for _, tt := range []struct {
		face               a2atest.Face
		card, send, others map[string]string
	}{
		{
			face: a2atest.Face{Version: a2atest.V1, Binding: a2atest.JSONRPC},
			card: with(version, "1.0", accept, json),
			send: with(version, "1.0", kind, json, trace, traceOfSend),
		},
		{
			face: a2atest.Face{Version: a2atest.V1, Binding: a2atest.REST},
			card: with(version, "1.0", accept, json),
			send: with(version, "1.0", kind, json, trace, traceOfSend, accept, json),
		},
		{
			face: a2atest.Face{Version: a2atest.V03, Binding: a2atest.JSONRPC},
			card: with(version, "1.0", accept, json), // whoever speaks 1.0 shall say so
			send: with(kind, json, trace, traceOfSend, accept, json),
		},
		{
			face: a2atest.Face{Version: a2atest.V03, Binding: a2atest.REST},
			card: with(version, "1.0", accept, json),
			send: with(kind, json, trace, traceOfSend, accept, json),
		},
	} {
		t.Run(tt.face.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := offline(t, a2atest.New(tt.face).On(a2atest.Send, working()))
				r.deliver(t, 2*time.Second)
				rest := maps.Clone(tt.send)
				delete(rest, trace)
				got := headers(r.agent.Requests())
				if diff := cmp.Diff(got, []map[string]string{tt.card, tt.send, rest, rest}); diff != "" {
					t.Errorf("headers of card, send, get and cancel (-got +want):\n%s", diff)
				}
			})
		})
	}
}

// headers returns the headers of requests, without what the transport counts
// and with the random part of a trace replaced.
func headers(requests []a2atest.Request) []map[string]string {
	span := regexp.MustCompile(`-[0-9a-f]{16}-`)
	var all []map[string]string
	for _, q := range requests {
		h := make(map[string]string)
		for name, values := range q.Header {
			h[name] = span.ReplaceAllString(strings.Join(values, ", "), "-SPAN-")
		}
		delete(h, "Content-Length")
		delete(h, "Accept-Encoding") // the guard's transport asks for none
		all = append(all, h)
	}
	return all
}

func TestDeliver_namesTheDaemonInEveryRequest(t *testing.T) {
	t.Parallel()
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		guard, err := netguard.New(netguard.Options{InstanceID: "instance-1"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(guard.CloseIdle)
		r := newRig(a2atest.New(f).Start(t), guard)
		r.deliver(t, time.Minute)
		r.asked(t, a2atest.Card, a2atest.Send)
		for _, q := range r.agent.Requests() {
			if got := q.Header[http.CanonicalHeaderKey(wire.HeaderInstance)]; !slices.Equal(got, []string{"instance-1"}) {
				t.Errorf("%s: got instance %q, want one, ours", q.Op, got)
			}
		}
	})
}

func TestDeliver_sendsTheSameMessageOnEveryAttempt(t *testing.T) {
	t.Parallel()
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		var ids []string
		r := online(t, a2atest.New(f).On(a2atest.Send,
			func(c *a2atest.Call) { ids = append(ids, c.MessageID); a2atest.Status(503, "1")(c) },
			func(c *a2atest.Call) { ids = append(ids, c.MessageID); a2atest.Says("done")(c) }))
		if got := r.deliver(t, time.Minute); got.HTTPStatus != 503 {
			t.Errorf("first attempt: got status %d, want 503", got.HTTPStatus)
		}
		r.delivery.Attempt = 2
		sameReply(t, r.deliver(t, time.Minute), says("done"))
		if diff := cmp.Diff(ids, []string{messageID, messageID}); diff != "" {
			t.Errorf("message ids (-got +want):\n%s", diff)
		}
		sends := r.agent.Requests(a2atest.Send)
		first, second := sends[0].Header.Get("Traceparent"), sends[1].Header.Get("Traceparent")
		if first[:36] != second[:36] || first == second {
			t.Errorf("got traces %s and %s, want one trace with two spans", first, second)
		}
		if !strings.Contains(sends[1].Body, `"attempt":2`) {
			t.Errorf("got %s, want it to tell the attempt", sends[1].Body)
		}
	})
}

func TestDeliver_makesATraceForAnyMessageID(t *testing.T) {
	t.Parallel()
	r := online(t, a2atest.New(a2atest.Faces()...))
	r.delivery.Run.MessageID = "not-a-uuid"
	sameReply(t, r.deliver(t, time.Minute), says("done"))
	got := r.agent.Requests(a2atest.Send)[0].Header.Get("Traceparent")
	if !regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`).MatchString(got) {
		t.Errorf("got traceparent %q, want one that is valid", got)
	}
}

func TestDeliver_sendsAnyText(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"quotes and markup": "say \"<b>&amp;</b>\" \\ \n\t\x00",
		"beyond ASCII":      "Grüße 日本 🜚 \u2028",
		"a MiB":             strings.Repeat("0123456789abcdef", 1<<16),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFace(t, func(t *testing.T, f a2atest.Face) {
				var got string
				r := online(t, a2atest.New(f).On(a2atest.Send, func(c *a2atest.Call) { got = c.Text; c.Usual() }))
				r.delivery.Text = text
				sameReply(t, r.deliver(t, time.Minute), says("done"))
				if got != text {
					t.Errorf("got %.80q, want %.80q", got, text)
				}
			})
		})
	}
}

func TestDeliver_reportsTheRunAsItIs(t *testing.T) {
	t.Parallel()
	r := online(t, a2atest.New(a2atest.Faces()...))
	r.delivery.Run.Schedule, r.delivery.Run.Trigger = "", molecule.TriggerManual
	somewhere := time.FixedZone("somewhere", 2*60*60)
	r.delivery.Run.Slot, r.delivery.Run.Deadline = r.delivery.Run.Slot.In(somewhere), r.delivery.Run.Deadline.In(somewhere)
	r.deliver(t, time.Minute)
	body := r.agent.Requests(a2atest.Send)[0].Body
	for _, want := range []string{`"slot":"2026-01-02T03:00:00Z"`, `"deadline":"2026-01-02T03:10:00Z"`, `"schedule":""`, `"trigger":"manual"`} {
		if !strings.Contains(body, want) {
			t.Errorf("got %s, want %s in it", body, want)
		}
	}
}
