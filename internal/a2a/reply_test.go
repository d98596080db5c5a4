package a2a_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// answers are what an agent may answer to a send at once, and the facts that
// have to be told of it: the same in every dialect and binding.
func answers() map[string]struct {
	act  a2atest.Act
	want molecule.Reply
} {
	type answer = struct {
		act  a2atest.Act
		want molecule.Reply
	}
	const whatever = "says why"
	status := func(code int, after time.Duration) molecule.Reply {
		return molecule.Reply{HTTPStatus: code, Answered: true, RetryAfter: after}
	}
	stage := func(s molecule.TaskState, says string, artifacts ...string) a2atest.Act {
		return a2atest.Task(a2atest.Stage{State: s, Says: says, Artifacts: artifacts})
	}
	return map[string]answer{
		"message":                    {a2atest.Says("hello"), says("hello")},
		"empty message":              {a2atest.Says(""), says()},
		"blank message":              {a2atest.Says(" \n"), says(" \n")},
		"completed":                  {a2atest.Completes("one", "two"), task(molecule.TaskCompleted, "", "one", "two")},
		"completed, in its status":   {stage(molecule.TaskCompleted, "all well"), task(molecule.TaskCompleted, "all well")},
		"completed, in both":         {stage(molecule.TaskCompleted, "b", "a"), task(molecule.TaskCompleted, "b", "a")},
		"completed with nothing":     {a2atest.Completes(), task(molecule.TaskCompleted, "")},
		"failed":                     {stage(molecule.TaskFailed, "no disk"), task(molecule.TaskFailed, "no disk")},
		"rejected":                   {stage(molecule.TaskRejected, "not mine"), task(molecule.TaskRejected, "not mine")},
		"canceled":                   {stage(molecule.TaskCanceled, ""), task(molecule.TaskCanceled, "")},
		"unauthorised":               {a2atest.Status(401, ""), status(401, 0)},
		"too many":                   {a2atest.Status(429, "7"), status(429, 7*time.Second)},
		"unavailable":                {a2atest.Status(503, "120"), status(503, 2*time.Minute)},
		"retry after a past date":    {a2atest.Status(503, "Fri, 02 Jan 2026 03:04:05 GMT"), status(503, 0)},
		"retry after a negative":     {a2atest.Status(503, "-5"), status(503, 0)},
		"retry after nonsense":       {a2atest.Status(503, "soon"), status(503, 0)},
		"retry after the end of all": {a2atest.Status(503, "9223372036854775807"), status(503, 24*time.Hour)},
		"retry after more than that": {a2atest.Status(503, "99999999999999999999"), status(503, 24*time.Hour)},
		"server error":               {a2atest.Status(500, ""), status(500, 0)},
		"redirect":                   {a2atest.Redirects("/elsewhere"), status(http.StatusTemporaryRedirect, 0)},
		"no content":                 {a2atest.Status(204, ""), fails(molecule.FailNotJSON, 204, "")},
		"empty body":                 {a2atest.Body(""), fails(molecule.FailNotJSON, 200, "")},
		"a page":                     {a2atest.Body("<html>welcome</html>"), fails(molecule.FailNotJSON, 200, "")},
		"two answers":                {a2atest.Body(`{}{}`), fails(molecule.FailNotJSON, 200, "")},
		"Latin-1":                    {a2atest.Body("{\"text\":\"caf\xe9\"}"), fails(molecule.FailNotUTF8, 200, "")},
		"a list":                     {a2atest.Body(`[]`), fails(molecule.FailShape, 200, whatever)},
		"neither task nor message":   {a2atest.Result(`{"hello":1}`), fails(molecule.FailShape, 200, whatever)},
		"a number":                   {a2atest.Result(`7`), fails(molecule.FailShape, 200, whatever)},
		"null":                       {a2atest.Result(`null`), fails(molecule.FailShape, 200, whatever)},
		"unknown state":              {stage("pondering", ""), fails(molecule.FailShape, 200, whatever)},
		"no state":                   {stage("", ""), fails(molecule.FailShape, 200, whatever)},
		"connection cut":             {a2atest.Cuts(), fails(molecule.FailBroken, 0, whatever)},
		"connection cut midway":      {a2atest.CutsMidway(), fails(molecule.FailBroken, 200, whatever)},
	}
}

func TestDeliver_tellsWhatTheAnswerWas(t *testing.T) {
	t.Parallel()
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		for name, tt := range answers() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := online(t, a2atest.New(f).On(a2atest.Send, tt.act))
				r.delivery.Run.Policy.Resend = molecule.ResendSafe // else what was cut off is looked for
				sameReply(t, r.deliver(t, time.Minute), tt.want)
				r.asked(t, a2atest.Card, a2atest.Send) // nothing twice, and nowhere else
				if len(r.notes)+len(r.waits) > 0 {
					t.Errorf("noted %q and waited for %q, want neither", r.notes, r.waits)
				}
			})
		}
	})
}

func TestDeliver_readsTenMebibytesAndNoByteMore(t *testing.T) {
	t.Parallel()
	const limit = 10 << 20
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		r := online(t, a2atest.New(f).On(a2atest.Send, a2atest.Size(limit), a2atest.Size(limit+1)))
		sameReply(t, r.deliver(t, time.Minute), says("done"))
		sameReply(t, r.deliver(t, time.Minute), fails(molecule.FailTooLarge, 200, "more than 10485760 bytes"))
	})
}

func TestDeliver_tellsAnRPCError(t *testing.T) {
	t.Parallel()
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		r := online(t, a2atest.New(f).On(a2atest.Send, a2atest.RPCError(-32603, strings.Repeat("é", 400))))
		want := molecule.Reply{HTTPStatus: 200, Answered: true, RPCError: &molecule.RPCError{Code: -32603, Message: strings.Repeat("é", 299) + "…"}}
		if f.Binding == a2atest.REST {
			want.HTTPStatus, want.RPCError.Code = 400, 400 // errors are statuses there
		}
		sameReply(t, r.deliver(t, time.Minute), want)
	})
}

func TestDeliver_refusesTheAnswerToAnotherRequest(t *testing.T) {
	t.Parallel()
	for version, result := range map[string]string{
		a2atest.V1:  `{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"done"}]}}`,
		a2atest.V03: `{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"done"}]}`,
	} {
		for name, id := range map[string]string{"another id": `"id":"other",`, "no id": ``, "a null id": `"id":null,`} {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				f := a2atest.Face{Version: version, Binding: a2atest.JSONRPC}
				r := online(t, a2atest.New(f).On(a2atest.Send, a2atest.Body(`{"jsonrpc":"2.0",`+id+`"result":`+result+`}`)))
				sameReply(t, r.deliver(t, time.Minute), fails(molecule.FailShape, 200, "it answers another request"))
			})
		}
	}
}

func TestDeliver_tellsThatNobodyListens(t *testing.T) {
	t.Parallel()
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		r := online(t, a2atest.New(f))
		r.delivery.Agent.URL = closedURL(t)
		got := r.deliver(t, time.Minute)
		sameReply(t, got, fails(molecule.FailUnreachable, 0, "connection refused"))
		if strings.Contains(got.Detail, "http://") {
			t.Errorf("got detail %q, want it without the URL", got.Detail)
		}
		r.asked(t)
	})
}

func TestDeliver_callsNothingUnsafe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, url string
		owner     molecule.URLOwner
	}{
		{"this machine by address", "http://127.0.0.1:8080", molecule.URLOwnerAgent},
		{"credentials of the platform", "http://169.254.169.254/latest", molecule.URLOwnerAgent},
		{"the same by the operator", "http://169.254.169.254/latest", molecule.URLOwnerOperator},
		{"nobody's", "http://127.0.0.1:8080", ""},
		{"no URL", "http://bad host/", molecule.URLOwnerAgent},
		{"another scheme", "file:///etc/passwd", molecule.URLOwnerOperator},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := online(t, a2atest.New())
			r.delivery.Agent.URL, r.delivery.Agent.URLOwner = tt.url, tt.owner
			sameReply(t, r.deliver(t, time.Minute), fails(molecule.FailUnsafe, 0, "says why"))
		})
	}
}
