package a2a_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestDeliverReady_tellsTheAgentNothingBeforeItBegins(t *testing.T) {
	t.Parallel()
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		r := online(t, a2atest.New(f).On(a2atest.Send, a2atest.Task(stage(molecule.TaskCompleted, "", "the report"))))
		began := false
		reply := r.client.DeliverReady(t.Context(), r.delivery, func() error {
			if asked := r.agent.Asked(); slices.Contains(asked, a2atest.Send) {
				t.Errorf("the agent was asked %v before the attempt began", asked)
			}
			began = true
			return nil
		})
		sameReply(t, reply, task(molecule.TaskCompleted, "", "the report"))
		if !began {
			t.Error("the attempt never began")
		}
	})
}

func TestDeliverReady_tellsTheAgentNothingWhenItDoesNotBegin(t *testing.T) {
	t.Parallel()
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		r := online(t, a2atest.New(f))
		reply := r.client.DeliverReady(t.Context(), r.delivery, func() error { return errors.New("it was canceled") })
		if reply.Failure == "" || reply.Failure == molecule.FailBroken || reply.Answered {
			t.Errorf("got %+v, want a reply that nothing was sent for", reply)
		}
		if asked := r.agent.Asked(); slices.Contains(asked, a2atest.Send) {
			t.Errorf("the agent was asked %v", asked)
		}
	})
}
