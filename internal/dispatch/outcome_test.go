package dispatch_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// usual are the rules of an operator who set all of them.
var usual = dispatch.Rules{PhantomReplies: []string{"(no response generated)", "No reply."}, SeverityLimit: "high"}

// judged is a row of the outcome table.
type judged struct {
	name  string
	reply molecule.Reply
	want  dispatch.Verdict
}

func (c judged) run(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(dispatch.Judge(c.reply, usual), c.want); diff != "" {
		t.Errorf("verdict (-got +want):\n%s", diff)
	}
}

// task is a task that came to rest in a state, with what its status says.
func task(state molecule.TaskState, status string) molecule.Reply {
	return molecule.Reply{Answered: true, HTTPStatus: 200, Task: state, StatusText: status}
}

// done is a completed task that says these parts.
func done(parts ...molecule.Part) molecule.Reply {
	r := task(molecule.TaskCompleted, "")
	r.Parts = parts
	return r
}

func text(s string) molecule.Part { return molecule.Part{Text: s} }

func data(key string, v any) molecule.Part { return molecule.Part{Data: map[string]any{key: v}} }

func audit(severity any) molecule.Part {
	return data("audit_summary", map[string]any{"severity": severity})
}

// exited is a command that ended.
func exited(code int, signal, stderr, stdout string) molecule.Reply {
	r := molecule.Reply{Answered: true, Exit: &molecule.Exit{Code: code, Signal: signal, Stderr: stderr}}
	if stdout != "" {
		r.Parts = []molecule.Part{{Text: stdout}}
	}
	return r
}

func TestJudge_content(t *testing.T) {
	t.Parallel()
	ok := func(said string) dispatch.Verdict { return dispatch.Verdict{Outcome: "ok", Reply: said} }
	quiet := func(said string) dispatch.Verdict { return dispatch.Verdict{Outcome: "quiet", Reply: said} }
	declared := func(reason, said string) dispatch.Verdict {
		return dispatch.Verdict{Outcome: "declared_failure", Reason: reason, Reply: said}
	}
	blank := dispatch.Verdict{Outcome: "empty", Reason: "completed without saying anything"}
	phantom := func(said string) dispatch.Verdict {
		return dispatch.Verdict{Outcome: "empty", Reason: "the reply is a placeholder for none", Reply: said}
	}
	for _, c := range []judged{
		{"a task that says something", done(text("hello")), ok("hello")},
		{"a message that says something", molecule.Reply{Answered: true, HTTPStatus: 200, Parts: []molecule.Part{text("hello")}}, ok("hello")},
		{"a blank part beside one that is not", done(text(" "), text("hello")), ok(" \nhello")},
		{"data only", done(data("n", 1.0)), ok("")},
		{"a file only", done(molecule.Part{File: "report.pdf"}), ok("")},
		{"a command that prints", exited(0, "", "a warning", "hello\n"), ok("hello\n")},

		{"silent", done(text("[SILENT]")), quiet("[SILENT]")},
		{"silent, then an explanation", done(text("[SILENT]\nnothing new")), quiet("[SILENT]\nnothing new")},
		{"silent behind blank lines and with a carriage return", done(text("\n [SILENT]\r\nnothing")), quiet("\n [SILENT]\r\nnothing")},
		{"silent as data", done(data("molecule/outcome", "quiet")), quiet("")},
		{"silent as data beside text", done(text("hello"), data("molecule/outcome", "quiet")), quiet("hello")},
		{"a silent command", exited(0, "", "", "[SILENT]\n"), quiet("[SILENT]\n")},
		{"silent in a sentence", done(text("[SILENT] is what I say")), ok("[SILENT] is what I say")},
		{"silent on the second line", done(text("hello\n[SILENT]")), ok("hello\n[SILENT]")},
		{"silent in lower case", done(text("[silent]")), ok("[silent]")},
		{"another outcome as data", done(data("molecule/outcome", "loud")), ok("")},
		{"an outcome that is no text", done(data("molecule/outcome", []any{"quiet"})), ok("")},

		{"failed by its own word", done(text("[CRON_FAILURE]")), declared("the agent says that it failed", "[CRON_FAILURE]")},
		{"failed, and says why", done(text("[CRON_FAILURE]\ndisk full")), declared("disk full", "[CRON_FAILURE]\ndisk full")},
		{"a command that failed by its own word", exited(0, "", "", "[CRON_FAILURE]\ndisk full\n"), declared("disk full", "[CRON_FAILURE]\ndisk full\n")},
		{"failure in a sentence", done(text("no [CRON_FAILURE] today")), ok("no [CRON_FAILURE] today")},
		{"severity at the limit", done(text("done"), audit("high")), declared("audit severity high", "done")},
		{"severity above the limit", done(audit("CRITICAL")), declared("audit severity CRITICAL", "")},
		{"severity below the limit", done(text("done"), audit("medium")), ok("done")},
		{"severity nobody knows", done(text("done"), audit("purple")), ok("done")},
		{"severity that is a number", done(text("done"), audit(9.0)), ok("done")},
		{"a summary that is no object", done(data("audit_summary", "high")), ok("")},
		{"quiet and severe in two parts", done(data("molecule/outcome", "quiet"), audit("high")), declared("audit severity high", "")},
		{"silent and severe", done(text("[SILENT]"), audit("high")), declared("audit severity high", "[SILENT]")},

		{"no parts", done(), blank},
		{"a message without parts", molecule.Reply{Answered: true, HTTPStatus: 200}, blank},
		{"white space", done(text(" \n\t"), text("\u00a0")), blank},
		{"nothing that can be seen", done(text("\u200b\ufeff\x00")), blank},
		{"an empty object", done(molecule.Part{Data: map[string]any{}}), blank},
		{"a command that prints nothing", exited(0, "", "", ""), blank},
		{"a command that prints a line feed", exited(0, "", "", "\n"), blank},

		{"a phantom", done(text("(no response generated)")), phantom("(no response generated)")},
		{"a phantom with space around it", done(text("  (no response generated)\n")), phantom("  (no response generated)\n")},
		{"the other phantom", done(text("No reply.")), phantom("No reply.")},
		{"a phantom as artifact and as status", done(text("No reply."), text("No reply.")), phantom("No reply.\nNo reply.")},
		{"a phantom in a sentence", done(text("it said No reply.")), ok("it said No reply.")},
	} {
		t.Run(c.name, c.run)
	}
}

func TestJudge_taskStates(t *testing.T) {
	t.Parallel()
	for _, c := range []judged{
		{"failed", task(molecule.TaskFailed, "no disk"), dispatch.Verdict{Outcome: "failed", Reason: "no disk"}},
		{"failed without a word", task(molecule.TaskFailed, " "), dispatch.Verdict{Outcome: "failed", Reason: "the agent says no more than failed"}},
		{"rejected", task(molecule.TaskRejected, "not my job"), dispatch.Verdict{Outcome: "rejected", Reason: "not my job"}},
		{"rejected without a word", task(molecule.TaskRejected, ""), dispatch.Verdict{Outcome: "rejected", Reason: "the agent says no more than rejected"}},
		{"canceled", task(molecule.TaskCanceled, "by hand"), dispatch.Verdict{Outcome: "canceled", Reason: "by hand"}},
		{"canceled without a word", task(molecule.TaskCanceled, ""), dispatch.Verdict{Outcome: "canceled", Reason: "the agent says no more than canceled"}},
		{"working is no end", task(molecule.TaskWorking, ""), dispatch.Verdict{Outcome: "protocol_error", Reason: `the task ended in state "working"`}},
		{"waiting is no end", task(molecule.TaskInputRequired, ""), dispatch.Verdict{Outcome: "protocol_error", Reason: `the task ended in state "input-required"`}},
		{"a state nobody knows", task("perhaps", "yes"), dispatch.Verdict{Outcome: "protocol_error", Reason: `the task ended in state "perhaps"`}},
		{
			"failed after all its talk",
			molecule.Reply{HTTPStatus: 200, Task: molecule.TaskFailed, Parts: []molecule.Part{text("half")}, StatusText: "broke"},
			dispatch.Verdict{Outcome: "failed", Reason: "broke", Reply: "half"},
		},
	} {
		t.Run(c.name, c.run)
	}
}

func TestJudge_transport(t *testing.T) {
	t.Parallel()
	fails := func(f molecule.Failure, detail string) molecule.Reply {
		return molecule.Reply{Failure: f, Detail: detail}
	}
	yes, no := true, false
	for _, c := range []judged{
		{"refused address", fails(molecule.FailUnsafe, "loopback"), dispatch.Verdict{Outcome: "blocked", Reason: "its address is refused: loopback"}},
		{"unreachable", fails(molecule.FailUnreachable, "connection refused"), dispatch.Verdict{Outcome: "unreachable", Reason: "it could not be reached: connection refused", Retry: true}},
		{"broken", fails(molecule.FailBroken, "EOF"), dispatch.Verdict{Outcome: "unknown", Reason: "the connection broke after the prompt was sent: EOF"}},
		{"lost", fails(molecule.FailLost, ""), dispatch.Verdict{Outcome: "unknown", Reason: "the daemon stopped while it ran"}},
		{"shutdown", fails(molecule.FailShutdown, ""), dispatch.Verdict{Outcome: "canceled", Reason: "shutdown"}},
		{"too large", fails(molecule.FailTooLarge, ""), dispatch.Verdict{Outcome: "protocol_error", Reason: "the reply is too large"}},
		{"not UTF-8", fails(molecule.FailNotUTF8, ""), dispatch.Verdict{Outcome: "protocol_error", Reason: "the reply is not UTF-8"}},
		{"not JSON", fails(molecule.FailNotJSON, ""), dispatch.Verdict{Outcome: "protocol_error", Reason: "the reply is not JSON"}},
		{"not an answer", fails(molecule.FailShape, "wrong id"), dispatch.Verdict{Outcome: "protocol_error", Reason: "the reply is not an answer: wrong id"}},
		{"a failure nobody knows", fails("eaten", ""), dispatch.Verdict{Outcome: "unknown", Reason: "eaten"}},
		{
			"a failure outranks what was said",
			molecule.Reply{Failure: molecule.FailTooLarge, HTTPStatus: 200, Task: molecule.TaskCompleted, Parts: []molecule.Part{text("hello")}},
			dispatch.Verdict{Outcome: "protocol_error", Reason: "the reply is too large"},
		},
		{"never asked for", fails(molecule.FailDeadline, "it did not ask for its work"), dispatch.Verdict{Outcome: "hung", Reason: "it did not ask for its work"}},
		{"nobody there", fails(molecule.FailDeadline, ""), dispatch.Verdict{Outcome: "hung", Reason: "no reply to the prompt nor to a probe of its card"}},
		{"only its card answers", molecule.Reply{Failure: molecule.FailDeadline, CardAnswered: true}, dispatch.Verdict{Outcome: "timeout", Reason: "the deadline passed"}},
		{"works too long", molecule.Reply{Failure: molecule.FailDeadline, Answered: true, StatusText: "step 3"}, dispatch.Verdict{Outcome: "timeout", Reason: "the deadline passed: step 3"}},
		{
			"canceled at the deadline",
			molecule.Reply{Failure: molecule.FailDeadline, Answered: true, CancelAccepted: &yes},
			dispatch.Verdict{Outcome: "timeout", Reason: "the deadline passed; it was told to cancel and agreed"},
		},
		{
			"not to be canceled",
			molecule.Reply{Failure: molecule.FailDeadline, Answered: true, CancelAccepted: &no},
			dispatch.Verdict{Outcome: "timeout", Reason: "the deadline passed; it was told to cancel and did not agree"},
		},
		{
			"waited for input in vain",
			molecule.Reply{Failure: molecule.FailDeadline, Answered: true, Task: molecule.TaskInputRequired, StatusText: "which?", CancelAccepted: &yes},
			dispatch.Verdict{Outcome: "timeout", Reason: "the deadline passed while it waited for input: which?"},
		},
		{
			"waited for a login in vain",
			molecule.Reply{Failure: molecule.FailDeadline, Answered: true, Task: molecule.TaskAuthRequired},
			dispatch.Verdict{Outcome: "timeout", Reason: "the deadline passed while it waited for input"},
		},
	} {
		t.Run(c.name, c.run)
	}
}

func TestJudge_statusAndErrors(t *testing.T) {
	t.Parallel()
	status := func(n int, after time.Duration) molecule.Reply {
		return molecule.Reply{Answered: true, HTTPStatus: n, RetryAfter: after}
	}
	for _, c := range []judged{
		{"unauthorized", status(401, 0), dispatch.Verdict{Outcome: "auth_refused", Reason: "HTTP 401 Unauthorized"}},
		{"forbidden", status(403, time.Minute), dispatch.Verdict{Outcome: "auth_refused", Reason: "HTTP 403 Forbidden"}},
		{"too many requests", status(429, time.Minute), dispatch.Verdict{Outcome: "http_error", Reason: "HTTP 429 Too Many Requests", Retry: true, RetryAfter: time.Minute}},
		{"busy", status(503, 0), dispatch.Verdict{Outcome: "http_error", Reason: "HTTP 503 Service Unavailable", Retry: true}},
		{"a redirect", status(302, 0), dispatch.Verdict{Outcome: "http_error", Reason: "HTTP 302 Found"}},
		{"not found", status(404, time.Minute), dispatch.Verdict{Outcome: "http_error", Reason: "HTTP 404 Not Found"}},
		{"broken", status(500, time.Minute), dispatch.Verdict{Outcome: "http_error", Reason: "HTTP 500 Internal Server Error"}},
		{"a status nobody named", status(599, 0), dispatch.Verdict{Outcome: "http_error", Reason: "HTTP 599"}},
		{
			"a status with a body that says why",
			molecule.Reply{Answered: true, HTTPStatus: 400, RPCError: &molecule.RPCError{Code: -32602, Message: "no parts"}},
			dispatch.Verdict{Outcome: "http_error", Reason: "HTTP 400 Bad Request: no parts"},
		},
		{
			"a status outranks what was said",
			molecule.Reply{Answered: true, HTTPStatus: 500, Task: molecule.TaskCompleted, Parts: []molecule.Part{text("hello")}},
			dispatch.Verdict{Outcome: "http_error", Reason: "HTTP 500 Internal Server Error"},
		},
		{
			"an error of JSON-RPC",
			molecule.Reply{Answered: true, HTTPStatus: 200, RPCError: &molecule.RPCError{Code: -32603, Message: "oops"}},
			dispatch.Verdict{Outcome: "rpc_error", Reason: "JSON-RPC error -32603: oops", Retry: true},
		},
		{
			"an error outranks what was said",
			molecule.Reply{Answered: true, HTTPStatus: 200, RPCError: &molecule.RPCError{Code: 7}, Parts: []molecule.Part{text("hello")}},
			dispatch.Verdict{Outcome: "rpc_error", Reason: "JSON-RPC error 7: ", Retry: true},
		},
		{"exit status 1", exited(1, "", "no such file\n", "half"), dispatch.Verdict{Outcome: "failed", Reason: "exit status 1: no such file", Reply: "half"}},
		{"exit status without a word", exited(7, "", "", ""), dispatch.Verdict{Outcome: "failed", Reason: "exit status 7"}},
		{"killed", exited(-1, "killed", "", ""), dispatch.Verdict{Outcome: "failed", Reason: "ended by signal killed"}},
		{"silent, but exit status 1", exited(1, "", "", "[SILENT]"), dispatch.Verdict{Outcome: "failed", Reason: "exit status 1", Reply: "[SILENT]"}},
	} {
		t.Run(c.name, c.run)
	}
}

func TestJudge_reportsWhatWasSpent(t *testing.T) {
	t.Parallel()
	n := int64(12)
	spent := &molecule.Usage{InputTokens: &n}
	for _, r := range []molecule.Reply{done(text("hi")), done(), task(molecule.TaskFailed, ""), {Failure: molecule.FailBroken}} {
		r.Usage = spent
		if v := dispatch.Judge(r, usual); !cmp.Equal(v.Usage, spent) {
			t.Errorf("%s loses what was spent", v.Outcome)
		}
	}
}

func TestJudge_keepsExcerptsOnly(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 20_000)
	cases := []struct {
		name         string
		reply        molecule.Reply
		reason, said int // runes
	}{
		{"of what was said", done(text(long)), 0, molecule.MaxReplyRunes},
		{"of a status", task(molecule.TaskFailed, long), molecule.MaxReasonRunes, 0},
		{"of a detail", molecule.Reply{Failure: molecule.FailBroken, Detail: long}, molecule.MaxReasonRunes, 0},
		{"of an error", molecule.Reply{HTTPStatus: 200, RPCError: &molecule.RPCError{Message: long}}, molecule.MaxReasonRunes, 0},
		{"of both streams", exited(2, "", long, long), molecule.MaxReasonRunes, molecule.MaxReplyRunes},
		{"of a declared failure", done(text("[CRON_FAILURE]\n" + long)), molecule.MaxReasonRunes, molecule.MaxReplyRunes},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := dispatch.Judge(c.reply, usual)
			if got := utf8.RuneCountInString(v.Reason); got != c.reason || !utf8.ValidString(v.Reason) {
				t.Errorf("the reason has %d runes, want %d", got, c.reason)
			}
			if got := utf8.RuneCountInString(v.Reply); got != c.said || !utf8.ValidString(v.Reply) {
				t.Errorf("the reply has %d runes, want %d", got, c.said)
			}
		})
	}
}

func TestJudge_keepsTheEndOfWhatACommandComplained(t *testing.T) {
	t.Parallel()
	v := dispatch.Judge(exited(1, "", strings.Repeat("chatter\n", 500)+"fatal: disk full\n", ""), usual)
	if !strings.HasPrefix(v.Reason, "exit status 1: ") || !strings.HasSuffix(v.Reason, "\nfatal: disk full") {
		t.Errorf("the reason is %q", v.Reason)
	}
}

func TestJudge_withoutRules(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		rules dispatch.Rules
		reply molecule.Reply
		want  molecule.Outcome
	}{
		{"no phantoms", dispatch.Rules{}, done(text("No reply.")), "ok"},
		{"no limit of severity", dispatch.Rules{}, done(audit("critical")), "ok"},
		{"a limit nobody knows", dispatch.Rules{SeverityLimit: "purple"}, done(text("fine"), audit("low")), "ok"},
		{"the lowest limit", dispatch.Rules{SeverityLimit: "info"}, done(audit("info")), "declared_failure"},
		{"an empty phantom", dispatch.Rules{PhantomReplies: []string{""}}, done(data("n", 1.0)), "ok"},
		{"a phantom with space around it", dispatch.Rules{PhantomReplies: []string{" none\n"}}, done(text("none")), "empty"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if v := dispatch.Judge(c.reply, c.rules); v.Outcome != c.want {
				t.Errorf("judged %s (%s), want %s", v.Outcome, v.Reason, c.want)
			}
		})
	}
}

// anyReply draws replies that no courier would make, too.
func anyReply(t *rapid.T) molecule.Reply {
	word := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", " ", "\n", "\u200b", "[SILENT]", "[CRON_FAILURE]", "[CRON_FAILURE]\nwhy", "No reply.", "hello",
	}))
	value := rapid.OneOf(rapid.Map(word, func(s string) any { return s }), rapid.SampledFrom([]any{
		nil, 1.0, true, []any{"quiet"}, map[string]any{"severity": "critical"}, map[string]any{"severity": 3.0}, "quiet",
	}))
	part := rapid.Custom(func(t *rapid.T) molecule.Part {
		return rapid.OneOf(
			rapid.Map(word, text),
			rapid.Map(word, func(s string) molecule.Part { return molecule.Part{File: s} }),
			rapid.Custom(func(t *rapid.T) molecule.Part {
				key := rapid.SampledFrom([]string{"molecule/outcome", "audit_summary", "other"}).Draw(t, "key")
				return data(key, value.Draw(t, "value"))
			}),
		).Draw(t, "part")
	})
	r := molecule.Reply{
		Failure: rapid.SampledFrom([]molecule.Failure{
			"", "", "", "", molecule.FailUnsafe, molecule.FailUnreachable, molecule.FailBroken, molecule.FailDeadline,
			molecule.FailShutdown, molecule.FailTooLarge, molecule.FailShape, molecule.FailLost, "else",
		}).Draw(t, "failure"),
		Detail:     word.Draw(t, "detail"),
		HTTPStatus: rapid.SampledFrom([]int{0, 200, 200, 200, 204, 302, 401, 429, 500, 503, 999}).Draw(t, "status"),
		Task: rapid.SampledFrom([]molecule.TaskState{
			"", molecule.TaskCompleted, molecule.TaskCompleted, molecule.TaskFailed, molecule.TaskWorking, "else",
		}).Draw(t, "task"),
		StatusText:   word.Draw(t, "status text"),
		Parts:        rapid.SliceOfN(part, 0, 4).Draw(t, "parts"),
		Answered:     rapid.Bool().Draw(t, "answered"),
		CardAnswered: rapid.Bool().Draw(t, "card answered"),
	}
	if rapid.IntRange(0, 4).Draw(t, "an error") == 0 {
		r.RPCError = &molecule.RPCError{Code: rapid.Int().Draw(t, "code"), Message: word.Draw(t, "message")}
	}
	if rapid.IntRange(0, 4).Draw(t, "a command") == 0 {
		r.Exit = &molecule.Exit{
			Code:   rapid.IntRange(-1, 2).Draw(t, "exit"),
			Signal: rapid.SampledFrom([]string{"", "", "killed"}).Draw(t, "signal"),
			Stderr: word.Draw(t, "stderr"),
		}
	}
	return r
}

// failed reports whether anything but the content says that it went wrong.
func failed(r molecule.Reply) bool {
	if r.Exit != nil {
		return r.Failure != "" || r.Exit.Code != 0 || r.Exit.Signal != ""
	}
	return r.Failure != "" || r.HTTPStatus >= 300 || r.RPCError != nil || r.Task != "" && r.Task != molecule.TaskCompleted
}

// saysSomething reports whether a part holds anything.
func saysSomething(parts []molecule.Part) bool {
	for _, p := range parts {
		if strings.Trim(p.Text, " \n\t\u200b") != "" || len(p.Data) > 0 || p.File != "" {
			return true
		}
	}
	return false
}

func TestJudge_isNeverTooKind(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := anyReply(t)
		v := dispatch.Judge(r, usual)
		if v.Outcome.Good() && (failed(r) || !saysSomething(r.Parts)) {
			t.Fatalf("%+v is judged %s", r, v.Outcome)
		}
		if v.Outcome.Good() != (v.Reason == "") {
			t.Fatalf("%s has the reason %q", v.Outcome, v.Reason)
		}
		if v.Retry && !v.Outcome.Failure() {
			t.Fatalf("%s is tried again", v.Outcome)
		}
		if n := utf8.RuneCountInString(v.Reason); n > molecule.MaxReasonRunes || !utf8.ValidString(v.Reason+v.Reply) {
			t.Fatalf("a reason of %d runes: %q", n, v.Reason)
		}
	})
}

func TestBackoff_growsFivefoldAndIsAFifthLongerAtMost(t *testing.T) {
	t.Parallel()
	cases := []struct {
		attempt int
		rnd     float64
		want    time.Duration
	}{
		{1, 0, time.Second},
		{2, 0, 5 * time.Second},
		{3, 0, 25 * time.Second},
		{4, 0, 125 * time.Second},
		{40, 0, 125 * time.Second},
		{1, 0.5, 1100 * time.Millisecond},
		{3, 1, 30 * time.Second},
	}
	for _, c := range cases {
		if got := dispatch.Backoff(c.attempt, c.rnd); got != c.want {
			t.Errorf("Backoff(%d, %v) is %v, want %v", c.attempt, c.rnd, got, c.want)
		}
	}
}

func TestJudge_anAgentCannotGiveItsBudgetBack(t *testing.T) {
	t.Parallel()
	tokens, back, cost := int64(3), int64(-1_000_000), -0.5
	reply := molecule.Reply{Parts: []molecule.Part{{Text: "done"}}}
	for name, tt := range map[string]struct{ said, want *molecule.Usage }{
		"some of it":   {&molecule.Usage{InputTokens: &tokens, OutputTokens: &back, CostUSD: &cost}, &molecule.Usage{InputTokens: &tokens}},
		"all of it":    {&molecule.Usage{InputTokens: &back, OutputTokens: &back, CostUSD: &cost}, nil},
		"none of it":   {&molecule.Usage{OutputTokens: &tokens}, &molecule.Usage{OutputTokens: &tokens}},
		"nothing said": {nil, nil},
	} {
		reply.Usage = tt.said
		if diff := cmp.Diff(dispatch.Judge(reply, dispatch.Rules{}).Usage, tt.want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", name, diff)
		}
	}
}
