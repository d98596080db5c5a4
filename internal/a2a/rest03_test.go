package a2a_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
)

var rest03 = a2atest.Face{Version: a2atest.V03, Binding: a2atest.REST}

// What agents of 0.3 answer over HTTP+JSON, in each of the spellings that are
// in the field.
func TestDeliver_readsEachSpellingOfHTTPJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		want       molecule.Reply
	}{
		{"a message", `{"message":{"messageId":"m","role":"ROLE_AGENT","content":[{"text":"hi"}]}}`, says("hi")},
		{"a message by its older name", `{"msg":{"messageId":"m","role":"ROLE_AGENT","content":[{"text":"hi"}]}}`, says("hi")},
		{"a message with parts", `{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"hi"}]}}`, says("hi")},
		{"a message as JSON-RPC has it", `{"kind":"message","message_id":"m","role":"agent","parts":[{"kind":"text","text":"hi"}]}`, says("hi")},
		{"our own message", `{"message":{"messageId":"m","role":"ROLE_USER","content":[{"text":"hi"}]}}`, fails(molecule.FailShape, 200, "says why")},
		{"a task", `{"task":{"id":"t","status":{"state":"TASK_STATE_COMPLETED","message":{"role":"ROLE_AGENT","content":[{"text":"b"}]}},
			"artifacts":[{"artifactId":"a","parts":[{"text":"a"}]}]}}`, task(molecule.TaskCompleted, "b", "a")},
		{"a task as JSON-RPC has it", `{"kind":"task","id":"t","status":{"state":"failed","message":{"role":"agent","parts":[{"kind":"text","text":"b"}]}}}`,
			task(molecule.TaskFailed, "b")},
		{"a task that is nothing", `{"task":{"id":"t","status":{"state":"TASK_STATE_UNSPECIFIED"}}}`, fails(molecule.FailShape, 200, "says why")},
		{"a task without a status", `{"task":{"id":"t","status":7,"artifacts":7}}`, fails(molecule.FailShape, 200, "says why")},
		{"parts that are none", `{"message":{"role":"ROLE_AGENT","content":[7,{"text":7}]}}`, fails(molecule.FailShape, 200, "says why")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := online(t, a2atest.New(rest03).On(a2atest.Send, a2atest.Body(tt.body)))
			sameReply(t, r.deliver(t, time.Minute), tt.want)
		})
	}
}

func TestDeliver_unwrapsPartsOfHTTPJSON(t *testing.T) {
	t.Parallel()
	const parts = `[{"text":"text"},{"data":{"data":{"molecule/outcome":"quiet"}}},{"kind":"data","data":{"data":{"a":1}}},
		{"file":{"fileWithUri":"https://files.example/a.pdf","mimeType":"application/pdf"}},{"file":{"fileWithBytes":"aGk="}}]`
	r := online(t, a2atest.New(rest03).On(a2atest.Send,
		a2atest.Body(`{"message":{"messageId":"m","role":"ROLE_AGENT","content":`+parts+`}}`)))
	want := []molecule.Part{
		{Text: "text"},
		{Data: map[string]any{"molecule/outcome": "quiet"}},
		{Data: map[string]any{"data": map[string]any{"a": 1.0}}}, // it names its kind: this is what it says
		{File: "https://files.example/a.pdf"},
		{File: "file"},
	}
	if diff := cmp.Diff(r.deliver(t, time.Minute).Parts, want); diff != "" {
		t.Errorf("parts (-got +want):\n%s", diff)
	}
}

func TestDeliver_tellsAnErrorThatStandsAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		want       *molecule.RPCError
	}{
		{"as the SDK writes it", `{"code":-32602,"message":"message.messageId is required"}`, &molecule.RPCError{Code: -32602, Message: "message.messageId is required"}},
		{"a message only", `{"message":"no"}`, &molecule.RPCError{Message: "no"}},
		{"something else", `{"hello":1}`, nil},
		{"a number", `7`, nil},
		{"null", `null`, nil},
		{"another code", `{"code":"bad"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := online(t, a2atest.New(rest03).On(a2atest.Send, a2atest.StatusBody(400, tt.body)))
			sameReply(t, r.deliver(t, time.Minute), molecule.Reply{HTTPStatus: 400, Answered: true, RPCError: tt.want})
		})
	}
}
