package a2a_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestDeliver_takesOverEveryKindOfPart(t *testing.T) {
	t.Parallel()
	want := []molecule.Part{
		{Text: "text"},
		{Data: map[string]any{"molecule/outcome": "quiet"}},
		{Data: map[string]any{"value": []any{1.0, 2.0}}},
		{File: "https://files.example/a.pdf"},
		{File: "b.txt"},
		{File: "file"},
	}
	for _, tt := range []struct{ name, version, parts string }{
		{"1.0", a2atest.V1, `{"text":"text"},{"text":""},{"data":{"molecule/outcome":"quiet"}},{"data":[1,2]},
			{"url":"https://files.example/a.pdf","filename":"a.pdf"},{"raw":"aGk=","filename":"b.txt"},{"raw":"aGk="}`},
		{"0.3", a2atest.V03, `{"kind":"text","text":"text"},{"kind":"text","text":""},{"kind":"data","data":{"molecule/outcome":"quiet"}},
			{"kind":"data","data":[1,2]},{"kind":"data","data":null},{"kind":"file","file":{"uri":"https://files.example/a.pdf","name":"a.pdf"}},
			{"kind":"file","file":{"bytes":"aGk=","name":"b.txt"}},{"kind":"file","file":{"bytes":"aGk="}}`},
		{"older", a2atest.V03, `{"type":"text","text":"text"},{"type":"data","data":{"molecule/outcome":"quiet"}},{"type":"data","data":[1,2]},
			{"type":"file","file":{"uri":"https://files.example/a.pdf"}},{"type":"file","file":{"name":"b.txt"}},{"type":"file","file":{}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, result := range inMessageAndTask(tt.version, tt.parts) {
				if diff := cmp.Diff(result.deliver(t).Parts, want); diff != "" {
					t.Errorf("parts of %s (-got +want):\n%s", result.text, diff)
				}
			}
		})
	}
}

// result is what an agent of a dialect answers to a send.
type result struct{ version, text string }

func (r result) deliver(t *testing.T) molecule.Reply {
	t.Helper()
	f := a2atest.Face{Version: r.version, Binding: a2atest.JSONRPC}
	return online(t, a2atest.New(f).On(a2atest.Send, a2atest.Result(r.text))).deliver(t, time.Minute)
}

// inMessageAndTask returns results that hold parts: in a message, in an
// artifact, and in the message of a task's status.
func inMessageAndTask(version, parts string) []result {
	role, state, message, task := "agent", "completed", "%", "%"
	if version == a2atest.V1 {
		role, state, message, task = "ROLE_AGENT", "TASK_STATE_COMPLETED", `{"message":%}`, `{"task":%}`
	}
	said := `{"messageId":"m","role":"` + role + `","parts":[` + parts + `]}`
	wrap := func(format, text string) result {
		before, after, _ := strings.Cut(format, "%")
		return result{version, before + text + after}
	}
	return []result{
		wrap(message, said),
		wrap(task, `{"id":"t","contextId":"c","status":{"state":"`+state+`"},"artifacts":[{"artifactId":"a","parts":[`+parts+`]}]}`),
		wrap(task, `{"id":"t","contextId":"c","status":{"state":"`+state+`","message":`+said+`}}`),
	}
}

func TestDeliver_takesNothingForTheAgentsThatIsNot(t *testing.T) {
	t.Parallel()
	shape := fails(molecule.FailShape, 200, "says why")
	for _, tt := range []struct {
		name   string
		result result
		want   molecule.Reply
	}{
		{"our own message, 1.0", result{a2atest.V1, `{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"echo"}]}}`}, shape},
		{"our own message, 0.3", result{a2atest.V03, `{"kind":"message","messageId":"m","role":"user","parts":[{"kind":"text","text":"echo"}]}`}, shape},
		{"nobody's message, 1.0", result{a2atest.V1, `{"message":{"messageId":"m","parts":[{"text":"echo"}]}}`}, shape},
		{"nobody's message, 0.3", result{a2atest.V03, `{"kind":"message","parts":[{"kind":"text","text":"echo"}]}`}, shape},
		{"our message as status, 1.0", result{a2atest.V1, `{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED",
			"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"echo"}]}}}}`}, task(molecule.TaskCompleted, "")},
		{"our message as status, 0.3", result{a2atest.V03, `{"kind":"task","id":"t","status":{"state":"completed",
			"message":{"kind":"message","role":"user","parts":[{"kind":"text","text":"echo"}]}}}`}, task(molecule.TaskCompleted, "")},
		{"a task without an id, 1.0", result{a2atest.V1, `{"task":{"contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}`}, shape},
		{"a task without an id, 0.3", result{a2atest.V03, `{"kind":"task","status":{"state":"working"}}`}, shape},
		{"a task without a status, 1.0", result{a2atest.V1, `{"task":{"id":"t"}}`}, shape},
		{"a task without a status, 0.3", result{a2atest.V03, `{"kind":"task","id":"t"}`}, shape},
		{"a state in the other spelling, 1.0", result{a2atest.V1, `{"task":{"id":"t","status":{"state":"completed"}}}`}, shape},
		{"a state in the other spelling, 0.3", result{a2atest.V03, `{"kind":"task","id":"t","status":{"state":"TASK_STATE_COMPLETED"}}`}, shape},
		{"an update, 1.0", result{a2atest.V1, `{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}}`}, shape},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sameReply(t, tt.result.deliver(t), tt.want)
		})
	}
}

func TestDeliver_readsUsageWhereverItIsReported(t *testing.T) {
	t.Parallel()
	number := func(n int64) *int64 { return &n }
	cost := 0.5
	for _, tt := range []struct {
		name   string
		result result
		want   *molecule.Usage
	}{
		{"beside the message, 1.0", result{a2atest.V1, `{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"x"}]},
			"usage":{"input_tokens":1,"output_tokens":2,"cost_usd":0.5}}`}, &molecule.Usage{InputTokens: number(1), OutputTokens: number(2), CostUSD: &cost}},
		{"in the message, 1.0", result{a2atest.V1, `{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"x"}],
			"metadata":{"usage":{"inputTokens":3}}}}`}, &molecule.Usage{InputTokens: number(3)}},
		{"in the task, 1.0", result{a2atest.V1, `{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"},
			"metadata":{"usage":{"prompt_tokens":4,"completion_tokens":5}}}}`}, &molecule.Usage{InputTokens: number(4), OutputTokens: number(5)}},
		{"in the message, 0.3", result{a2atest.V03, `{"kind":"message","role":"agent","parts":[],"metadata":{"usage":{"outputTokens":6,"cost":0.5}}}`},
			&molecule.Usage{OutputTokens: number(6), CostUSD: &cost}},
		{"in the status, 0.3", result{a2atest.V03, `{"kind":"task","id":"t","status":{"state":"completed",
			"message":{"role":"agent","parts":[],"metadata":{"usage":{"input_tokens":7,"costUsd":0.5}}}}}`}, &molecule.Usage{InputTokens: number(7), CostUSD: &cost}},
		{"no number", result{a2atest.V03, `{"kind":"message","role":"agent","parts":[],"usage":{"input_tokens":"8","output_tokens":1.5}}`}, nil},
		{"no object", result{a2atest.V03, `{"kind":"message","role":"agent","parts":[],"usage":9,"metadata":[]}`}, nil},
		{"none", result{a2atest.V03, `{"kind":"message","role":"agent","parts":[]}`}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.result.deliver(t).Usage, tt.want); diff != "" {
				t.Errorf("usage (-got +want):\n%s", diff)
			}
		})
	}
}
