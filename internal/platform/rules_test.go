package platform

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestStatusOf_knowsEveryState(t *testing.T) {
	t.Parallel()
	want := map[molecule.AgentState]string{
		molecule.AgentPending: "provisioning", molecule.AgentOnline: "online", molecule.AgentDegraded: "degraded",
		molecule.AgentSuspect: "online", molecule.AgentOffline: "offline", molecule.AgentPaused: "paused",
		molecule.AgentRemoved: "removed", molecule.AgentUnknown: "degraded",
	}
	for _, row := range molecule.AgentStates() {
		if got := statusOf(molecule.Agent{Kind: molecule.AgentPoll, State: row.State}); got != want[row.State] || got == "" {
			t.Errorf("%s is told as %q, want %q", row.State, got, want[row.State])
		}
	}
	waiting := molecule.Agent{Kind: molecule.AgentPush, State: molecule.AgentPending}
	if got := statusOf(waiting); got != "offline" {
		t.Errorf("one that waits for its URL is told as %q", got)
	}
	waiting.State = molecule.AgentPaused
	if got := statusOf(waiting); got != "paused" {
		t.Errorf("one that waits for its URL and is paused is told as %q", got)
	}
}

func TestWriteError_neverSays429(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		status int
		after  string
		body   string
	}{
		{molecule.Errorf(molecule.RateLimited, "slow down"), 503, "1", `{"error":"slow down"}`},
		{molecule.Errorf(molecule.Unavailable, "busy"), 503, "1", `{"error":"busy"}`},
		{molecule.Errorf(molecule.Invalid, "bad").WithHint("good"), 400, "", `{"error":"bad"}`},
		{molecule.Errorf(molecule.UnsafeURL, "bad"), 400, "", `{"error":"bad"}`},
		{molecule.Errorf(molecule.TooLarge, "big"), 413, "", `{"error":"big"}`},
		{molecule.Errorf(molecule.Unauthenticated, "who"), 401, "", `{"error":"who"}`},
		{molecule.Errorf(molecule.Forbidden, "no"), 403, "", `{"error":"no"}`},
		{molecule.Errorf(molecule.Gone, "gone"), 410, "", `{"error":"gone"}`},
		{errors.New("the password is x"), 500, "", `{"error":"internal error"}`},
		{refuse(http.StatusPaymentRequired, "spent <%d>", 1), 402, "", `{"error":"spent <1>"}`},
		{notThere("paused"), 503, "", `{"error":"workspace is paused","status":"paused"}`},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		writeError(w, tt.err)
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("Retry-After") != tt.after {
			t.Errorf("%v is told as %d %q %s, want %d %q %s", tt.err, w.Code, w.Header().Get("Retry-After"), w.Body, tt.status, tt.after, tt.body)
		}
	}
}

func TestSlurp_takesExactlyTheLimit(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]molecule.Code{maxBody: "", maxBody + 1: molecule.TooLarge} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(strings.Repeat(" ", size)))
		got, err := slurp(httptest.NewRecorder(), call{Request: r}, maxBody)
		if err != nil && molecule.CodeOf(err) != want || err == nil && (want != "" || len(got) != size) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.MultiReader(strings.NewReader("{"), broken{}))
	if _, err := slurp(httptest.NewRecorder(), call{Request: r}, maxBody); molecule.CodeOf(err) != molecule.Invalid {
		t.Errorf("a body that breaks off: %v", err)
	}
}

// broken is a body that breaks off.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestReadMessage_addsWhatIsMissing(t *testing.T) {
	t.Parallel()
	const whole = `{"id":"1","jsonrpc":"2.0","method":"message/send","params":{"message":{"kind":"message","messageId":"m","parts":[{"kind":"text","text":"x"}],"role":"user"}}}`
	for name, in := range map[string]string{
		"all of it":             whole,
		"parts by type":         `{"jsonrpc":"2.0","id":"1","method":"message/send","params":{"message":{"role":"user","messageId":"m","parts":[{"type":"text","text":"x","kind":"text"}]}}}`,
		"parts by member":       `{"jsonrpc":"2.0","id":"1","method":"SendMessage","params":{"message":{"role":"ROLE_USER","messageId":"m","parts":[{"text":"x"}]}}}`,
		"no method":             `{"id":"1","params":{"message":{"messageId":"m","parts":[{"text":"x"}]}}}`,
		"params alone":          `{"id":"1","message":{"messageId":"m","role":"user","parts":[{"text":"x"}]}}`,
		"the message alone":     `{"id":"1","messageId":"m","role":"user","parts":[{"text":"x"}]}`,
		"a role nobody has":     `{"id":"1","messageId":"m","role":"system","parts":[{"text":"x"}]}`,
		"in a task of its own":  `{"id":"1","messageId":"m","taskId":"t","role":"user","parts":[{"text":"x"}]}`,
		"with what it will say": `{"id":"1","message":{"messageId":"m","role":"user","parts":[{"text":"x","metadata":{"n":1.50}}]},"configuration":{"blocking":true}}`,
	} {
		got, err := readMessage([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := whole
		switch name {
		case "parts by type":
			want = strings.Replace(whole, `"text":"x"`, `"text":"x","type":"text"`, 1)
		case "the message alone", "a role nobody has":
			want = strings.Replace(whole, `{"kind":"message"`, `{"id":"1","kind":"message"`, 1)
		case "in a task of its own":
			want = strings.Replace(strings.Replace(whole, `{"kind":"message"`, `{"id":"1","kind":"message"`, 1), `"role":"user"`, `"role":"user","taskId":"t"`, 1)
		case "with what it will say":
			want = strings.Replace(whole, `{"kind":"text","text":"x"}`, `{"kind":"text","metadata":{"n":1.50},"text":"x"}`, 1)
		}
		if diff := cmp.Diff(string(got.raw), want); diff != "" {
			t.Errorf("%s is passed on as (-got +want):\n%s", name, diff)
		}
	}
}

func TestReadMessage_findsWhatItIsAReplyTo(t *testing.T) {
	t.Parallel()
	const in = `{"id":"rpc","method":"message/send","params":{"message":{"taskId":"task","contextId":"context","referenceTaskIds":["r1","r2"],
		"parts":[{"text":"x"}],"metadata":{"in_reply_to":"m1","runId":"m2","activity_id":7,"usage":{"input_tokens":3,"cost_usd":0.5}}}}}`
	got, err := readMessage([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.names(), []string{"rpc", "task", "context", "r1", "r2", "m1", "m2"}); diff != "" {
		t.Errorf("names (-got +want):\n%s", diff)
	}
	tokens, cost := int64(3), 0.5
	want := molecule.Answer{Parts: []molecule.Part{{Text: "x"}}, Usage: &molecule.Usage{InputTokens: &tokens, CostUSD: &cost}}
	if diff := cmp.Diff(got.answer(), want); diff != "" {
		t.Errorf("answer (-got +want):\n%s", diff)
	}
}

func TestReadMessage_takesDataForAnAnswer(t *testing.T) {
	t.Parallel()
	got, err := readMessage([]byte(`{"message":{"parts":[{"data":{"molecule/outcome":"quiet"}},{"kind":"data","data":[1]},{"file":{"uri":"u"}},{"kind":"text","text":""}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := molecule.Answer{Parts: []molecule.Part{
		{Data: map[string]any{"molecule/outcome": "quiet"}}, {Data: map[string]any{"value": []any{1.0}}}, {File: "file"},
	}}
	if diff := cmp.Diff(got.answer(), want); diff != "" {
		t.Errorf("answer (-got +want):\n%s", diff)
	}
}
