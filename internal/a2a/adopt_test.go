package a2a_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// oddID is a task id that has to be escaped wherever it is put.
const oddID = "a b/c%20é"

func TestDeliver_adoptsTheTaskOfAnEarlierProcess(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		agent := a2atest.New(f).Holds(oddID, stage(molecule.TaskWorking, ""), stage(molecule.TaskCompleted, "", "the report"))
		r := offline(t, agent)
		r.delivery.Run.Handle = handleOf(r, f, oddID)
		sameReply(t, r.deliver(t, time.Hour), task(molecule.TaskCompleted, "", "the report"))
		r.asked(t, a2atest.Get, a2atest.Get)
		if path := r.agent.Requests()[0].Path; f.Binding == a2atest.REST && !strings.HasSuffix(path, "/tasks/a%20b%2Fc%2520%C3%A9") {
			t.Errorf("got path %s, want the id as one segment of it", path)
		}
	})
}

// handleOf is the handle of a task; they outlive processes and releases, so
// that it is spelled out here.
func handleOf(r *rig, f a2atest.Face, taskID string) string {
	escaped := strings.NewReplacer(" ", "+", "/", "%2F", "%", "%25", "é", "%C3%A9").Replace(taskID)
	return "a2a " + f.Version + " " + f.Binding + " " + escaped + " " + r.agent.URL + f.Path()
}

func TestDeliver_notesAHandleThatTheNextProcessCanRead(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		r := offline(t, a2atest.New(f).On(a2atest.Send, a2atest.TaskNamed(oddID, stage(molecule.TaskWorking, ""))))
		r.deliver(t, 2*time.Second)
		if diff := cmp.Diff(r.notes, []string{handleOf(r, f, oddID)}); diff != "" {
			t.Errorf("noted (-got +want):\n%s", diff)
		}
	})
}

func TestDeliver_asksToCancelWhatItAdopted(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		r := offline(t, a2atest.New(f).Holds("old"))
		r.delivery.Run.Handle = handleOf(r, f, "old")
		sameReply(t, r.deliver(t, 2*time.Second), left(molecule.TaskWorking, "", true))
		r.asked(t, a2atest.Get, a2atest.Cancel)
	})
}

func TestDeliver_losesWhatCannotBeAdopted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, handle string
		answered     bool
	}{
		{"unknown to the agent", "a2a 0.3 JSONRPC old http://agent.test/0.3/json", true},
		{"no handle", "pid 7", false},
		{"too short", "a2a 0.3 JSONRPC old", false},
		{"another version", "a2a 9.9 JSONRPC old http://agent.test/0.3/json", false},
		{"another binding", "a2a 1.0 GRPC old http://agent.test/0.3/json", false},
		{"a task without a name", "a2a 0.3 JSONRPC  http://agent.test/0.3/json", false},
		{"a name that does not decode", "a2a 0.3 JSONRPC %zz http://agent.test/0.3/json", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := offline(t, a2atest.New(a2atest.Faces()...))
				r.delivery.Run.Handle = tt.handle
				sameReply(t, r.deliver(t, time.Hour), molecule.Reply{Failure: molecule.FailLost, Answered: tt.answered, Detail: "says why"})
				if n := len(r.agent.Requests(a2atest.Send)); n > 0 {
					t.Errorf("sent %d times, want never: it may run already", n)
				}
			})
		})
	}
}

func TestDeliver_keepsTheClassOfAnAdoptedAgent(t *testing.T) {
	t.Parallel()
	r := online(t, a2atest.New(a2atest.Faces()...))
	r.delivery.Agent.URLOwner = molecule.URLOwnerAgent // the operator took the URL back
	r.delivery.Run.Handle = handleOf(r, a2atest.Face{Version: a2atest.V1, Binding: a2atest.JSONRPC}, "old")
	sameReply(t, r.deliver(t, time.Minute), fails(molecule.FailUnsafe, 0, "says why"))
	r.asked(t)
}

func TestDeliver_asksNobodyForATaskAtNoURL(t *testing.T) {
	t.Parallel()
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		r := online(t, a2atest.New(f))
		r.delivery.Run.Handle = "a2a " + f.Version + " " + f.Binding + " old http://%zz/"
		if got := r.deliver(t, time.Minute); got.Failure == "" || got.Answered {
			t.Errorf("got %+v, want a failure without an answer", got)
		}
		r.asked(t)
	})
}
