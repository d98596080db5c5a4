package a2a_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/molecule-ai/molecli/internal/a2a"
	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

const messageID = "0198c0de-0000-7000-8000-000000000001"

// rig is a client, an agent, and one delivery from the one to the other.
type rig struct {
	agent    *a2atest.Agent
	client   *a2a.Client
	delivery molecule.Delivery
	wire     *a2atest.Wire // of a rig that is offline

	notes []string // handles, as they were noted
	waits []string // reasons, as they were told
}

// online makes a rig over loopback, with a guard that lets agents be there. The
// agent's URL is the operator's.
func online(t *testing.T, agent *a2atest.Agent) *rig {
	t.Helper()
	guard, err := netguard.New(netguard.Options{Local: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.CloseIdle)
	return newRig(agent.Start(t), guard)
}

// offline makes a rig inside a bubble, where hours pass at once.
func offline(t *testing.T, agent *a2atest.Agent) *rig {
	t.Helper()
	wire := agent.Offline(t)
	r := newRig(agent, wire)
	r.wire = wire
	return r
}

func newRig(agent *a2atest.Agent, guard a2a.Guard) *rig {
	r := &rig{agent: agent, client: a2a.New(a2a.Options{Guard: guard})}
	r.delivery = molecule.Delivery{
		Agent: molecule.Agent{ID: "agent-1", Name: "peer", Kind: molecule.AgentPush, URL: agent.URL, URLOwner: molecule.URLOwnerOperator},
		Run: molecule.Run{
			ID: "run-1", MessageID: messageID, Schedule: "nightly", Trigger: molecule.TriggerCron,
			Slot:     time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC),
			Deadline: time.Date(2026, 1, 2, 3, 10, 0, 0, time.UTC),
		},
		Text:    "Write the report.",
		Attempt: 1,
		Note: func(handle string) error {
			r.notes = append(r.notes, handle)
			return nil
		},
		Waiting: func(reason string) { r.waits = append(r.waits, reason) },
	}
	return r
}

// deliver delivers with a deadline, unless it is zero.
func (r *rig) deliver(t *testing.T, deadline time.Duration) molecule.Reply {
	t.Helper()
	ctx := t.Context()
	if deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, deadline)
		defer cancel()
	}
	return r.client.Deliver(ctx, r.delivery)
}

// eachFace runs a test in both dialects over both bindings.
func eachFace(t *testing.T, test func(t *testing.T, f a2atest.Face)) {
	t.Helper()
	for _, f := range a2atest.Faces() {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			test(t, f)
		})
	}
}

// sameReply compares replies. What a detail says depends on who found out, so
// only that there is one is compared.
func sameReply(t *testing.T, got, want molecule.Reply) {
	t.Helper()
	if diff := cmp.Diff(got, want, cmpopts.IgnoreFields(molecule.Reply{}, "Detail")); diff != "" {
		t.Errorf("reply (-got +want):\n%s\ndetail: %s", diff, got.Detail)
	}
	if (got.Detail == "") != (want.Detail == "") {
		t.Errorf("got detail %q, want %q", got.Detail, want.Detail)
	}
}

// asked compares what the agent was asked for, in order.
func (r *rig) asked(t *testing.T, want ...a2atest.Op) {
	t.Helper()
	if diff := cmp.Diff(r.agent.Asked(), want); diff != "" {
		t.Errorf("asked (-got +want):\n%s", diff)
	}
}

func says(texts ...string) molecule.Reply {
	r := molecule.Reply{HTTPStatus: 200, Answered: true}
	for _, text := range texts {
		r.Parts = append(r.Parts, molecule.Part{Text: text})
	}
	return r
}

func task(state molecule.TaskState, status string, texts ...string) molecule.Reply {
	r := says(texts...)
	r.Task = state
	if status != "" {
		r.StatusText = status
		r.Parts = append(r.Parts, molecule.Part{Text: status})
	}
	return r
}

func fails(f molecule.Failure, status int, detail string) molecule.Reply {
	return molecule.Reply{Failure: f, HTTPStatus: status, Answered: status != 0, Detail: detail}
}

// closedURL returns a URL at which nobody listens any more.
func closedURL(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return s.URL
}
