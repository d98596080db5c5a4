package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// plainDaemon answers with JSON on one line.
func plainDaemon(tb testing.TB) *daemon {
	return newDaemon(tb, map[string][]reply{
		"GET /v1/agents":       {{0, molecule.Page[map[string]int]{Items: []map[string]int{{"b": 1, "a": 2}, {"c": 3}}}}},
		"PUT /v1/calendars/x":  {{201, map[string]string{"name": "x"}}},
		"GET /metrics":         {{0, "up 1\n"}},
		"DELETE /v1/agents/no": {refusal(molecule.Conflict, "schedules name it", "remove those first")},
	})
}

func TestAPI_printsTheAnswerInTheFaceThatIsAskedFor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args, want string
	}{
		{"GET /v1/agents", `{"items":[{"a":2,"b":1},{"c":3}]}` + "\n"},
		{"get /v1/agents -o jsonl", `{"a":2,"b":1}` + "\n" + `{"c":3}` + "\n"},
		{"GET /v1/agents -o yaml", "items:\n- a: 2\n  b: 1\n- c: 3\n"},
		{"GET /v1/agents -o json", "{\n  \"items\": [\n    {\n      \"a\": 2,\n      \"b\": 1\n    },\n    {\n      \"c\": 3\n    }\n  ]\n}\n"},
		{"GET /metrics", "up 1\n"},
	}
	for _, tt := range tests {
		got := newHand(t, plainDaemon(t)).run(append([]string{"api"}, strings.Fields(tt.args)...)...)
		if diff := cmp.Diff(got, result{0, tt.want, ""}, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s: got, want:\n%s", tt.args, diff)
		}
	}
	if got := newHand(t, plainDaemon(t)).plain(80).run("api", "GET", "/v1/agents"); !strings.HasPrefix(got.out, "{\n  \"items\"") {
		t.Errorf("on a terminal: got %+v", got)
	}
}

func TestAPI_sendsABodyFromWhereItIs(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(file, []byte(`{"of":"a file"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{`{"of":"words"}`: `{"of":"words"}`, "@" + file: `{"of":"a file"}`, "-": `{"of":"stdin"}`} {
		d := plainDaemon(t)
		h := newHand(t, d)
		h.in = `{"of":"stdin"}`
		got := h.run("api", "PUT", "/v1/calendars/x?dry_run=true", "--body", body)
		if got.status != 0 || got.out != `{"name":"x"}`+"\n" {
			t.Errorf("%s: got %+v", body, got)
		}
		if diff := cmp.Diff(d.questions(), []string{"PUT /v1/calendars/x?dry_run=true " + want}); diff != "" {
			t.Errorf("asked, want:\n%s", diff)
		}
	}
}

func TestAPI_anErrorIsToldLikeAnyOther(t *testing.T) {
	t.Parallel()
	got := newHand(t, plainDaemon(t)).run("api", "DELETE", "/v1/agents/no")
	want := result{wire.ExitConflict, "", "✗ schedules name it\ntry: remove those first\n"}
	if diff := cmp.Diff(got, want, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	got = newHand(t, plainDaemon(t)).run("api", "DELETE", "/v1/agents/no", "-i")
	if got.status != wire.ExitConflict || !strings.HasPrefix(got.out, "HTTP/1.1 409 Conflict\n") || !strings.Contains(got.out, `"code":"conflict"`) {
		t.Errorf("with the head: got %+v", got)
	}
}

func TestAPI_refusesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"STEAL", "/v1/agents"}, `"STEAL" is no method`},
		{[]string{"GET", "v1/agents"}, `"v1/agents" is no path`},
		{[]string{"GET", "@evil.example/"}, "is no path"},
		{[]string{"GET", "/v1/agents#x"}, "is no path"},
		{[]string{"GET", "/v1/a b"}, "is no path"},
		{[]string{"GET", "/v1/agents", "-H", "Accept"}, `"Accept" is no header`},
		{[]string{"GET", "/v1/agents", "-H", "authorization: Bearer x"}, "Authorization is made by molecli itself"},
		{[]string{"GET", "/v1/agents", "-H", "x-molecule-org-id: other"}, "X-Molecule-Org-Id is made by molecli itself"},
		{[]string{"PUT", "/v1/calendars/x", "--body", "@/no/such"}, "cannot be read from /no/such"},
		{[]string{"GET"}, "molecli api needs PATH"},
	}
	for _, tt := range tests {
		d := plainDaemon(t)
		got := newHand(t, d).run(append([]string{"api"}, tt.args...)...)
		if got.status != wire.ExitUsage || got.out != "" || !strings.Contains(got.err, tt.want) || len(d.questions()) > 0 {
			t.Errorf("%q: got %+v and %q, want status 2, %q and no question", tt.args, got, d.questions(), tt.want)
		}
	}
}
