package a2a_test

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// passedOn is a request as the platform wire passes it on.
const passedOn = `{"id":"7","jsonrpc":"2.0","method":"message/send","params":{"message":{"kind":"message","messageId":"m-1",` +
	`"metadata":{"own":1},"parts":[{"kind":"text","text":"hi"}],"role":"user"}}}`

// forward passes a request on with a deadline.
func (r *rig) forward(limit time.Duration) molecule.Forwarded {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return r.client.Forward(ctx, r.delivery.Agent, json.RawMessage(passedOn))
}

func TestForward_handsRequestAndAnswerOnAsTheyAre(t *testing.T) {
	t.Parallel()
	face := a2atest.Face{Version: a2atest.V03, Binding: a2atest.JSONRPC}
	r := online(t, a2atest.New(face).On(a2atest.Send, a2atest.Result(`{"kind":"message","role":"agent","messageId":"x","parts":[],"extra":1.50}`)))
	got := r.forward(time.Minute)
	sent := r.agent.Requests(a2atest.Send)
	if len(sent) != 1 || sent[0].Body != passedOn {
		t.Errorf("it was asked %+v", sent)
	}
	if got.Failure != "" || !strings.Contains(string(got.Answer), `"extra":1.50`) {
		t.Errorf("it answers %s, %+v", got.Answer, got)
	}
}

func TestForward_translatesForOtherDialects(t *testing.T) {
	t.Parallel()
	ids := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
	for _, tt := range []struct {
		name string
		act  a2atest.Act
		want string
	}{
		{"a message", a2atest.Says("hello"), `{"id":"7","jsonrpc":"2.0","result":{"kind":"message","messageId":"{id}","parts":[{"kind":"text","text":"hello"}],"role":"agent"}}`},
		{"a task that takes its time", a2atest.Task(stage(molecule.TaskWorking, ""), stage(molecule.TaskCompleted, "", "done")),
			`{"id":"7","jsonrpc":"2.0","result":{"artifacts":[{"artifactId":"reply","parts":[{"kind":"text","text":"done"}]}],"contextId":"task-1","id":"task-1","kind":"task","status":{"state":"completed"}}}`},
		{"a task that asks", a2atest.Task(stage(molecule.TaskInputRequired, "which?")),
			`{"id":"7","jsonrpc":"2.0","result":{"artifacts":[{"artifactId":"reply","parts":[{"kind":"text","text":"which?"}]}],"contextId":"task-1","id":"task-1","kind":"task","status":{"state":"input-required"}}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
				if f.Version == a2atest.V03 && f.Binding == a2atest.JSONRPC {
					return // is handed on as it is
				}
				r := offline(t, a2atest.New(f).On(a2atest.Send, tt.act))
				got := r.forward(time.Hour)
				if diff := cmp.Diff(ids.ReplaceAllString(string(got.Answer), "{id}"), tt.want); diff != "" || got.Failure != "" {
					t.Errorf("%+v (-got +want):\n%s", got, diff)
				}
				sent := r.agent.Requests(a2atest.Send)
				if len(sent) != 1 || !strings.Contains(sent[0].Body, `"hi"`) || !strings.Contains(sent[0].Body, `m-1`) || strings.Contains(sent[0].Body, "molecule/run") {
					t.Errorf("it was asked %+v", sent)
				}
			})
		})
	}
}

func TestForward_tellsWhyThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		act     a2atest.Act
		failure molecule.Failure
		status  int
	}{
		{"an error of HTTP", a2atest.Status(500, ""), "", 500},
		{"no JSON", a2atest.Body("hello"), molecule.FailNotJSON, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachFace(t, func(t *testing.T, f a2atest.Face) {
				got := online(t, a2atest.New(f).On(a2atest.Send, tt.act)).forward(time.Minute)
				if got.Answer != nil || got.Failure != tt.failure || got.Status != tt.status {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		r := online(t, a2atest.New(a2atest.Faces()...))
		r.delivery.Agent.URL = closedURL(t)
		if got := r.forward(time.Minute); got.Answer != nil || got.Failure != molecule.FailUnreachable {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("no end", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := offline(t, a2atest.New(a2atest.Face{Version: a2atest.V1, Binding: a2atest.JSONRPC}).On(a2atest.Send, working()))
			if got := r.forward(time.Minute); got.Answer != nil || got.Failure != molecule.FailDeadline {
				t.Errorf("got %+v", got)
			}
		})
	})
}

func TestForward_handsAnErrorOfTheAgentOn(t *testing.T) {
	t.Parallel()
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		got := online(t, a2atest.New(f).On(a2atest.Send, a2atest.RPCError(-32000, "no"))).forward(time.Minute)
		if f.Binding == a2atest.REST { // an error of REST is a status
			if got.Answer != nil || got.Status < 400 {
				t.Errorf("got %+v", got)
			}
			return
		}
		if !strings.Contains(string(got.Answer), `"message":"no"`) || !strings.Contains(string(got.Answer), `"id":"7"`) {
			t.Errorf("it answers %s, %+v", got.Answer, got)
		}
	})
}
