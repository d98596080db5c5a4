package a2a_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestDeliver_asksForTheCardAgainWhenItLied(t *testing.T) {
	t.Parallel()
	const card, send = a2atest.Card, a2atest.Send
	rpc, rest, both := []string{a2atest.JSONRPC}, []string{a2atest.REST}, []string{a2atest.JSONRPC, a2atest.REST}
	for _, tt := range []struct {
		name string
		act  a2atest.Act
		in   []string // the bindings that have such an answer
		want []a2atest.Op
	}{
		{"method not found", a2atest.RPCError(a2atest.MethodNotFound, "no such method"), rpc, []a2atest.Op{card, send, card, send}},
		{"version not supported", a2atest.RPCError(a2atest.VersionNotSupported, "no"), rpc, []a2atest.Op{card, send, card, send}},
		{"not found", a2atest.Status(404, ""), both, []a2atest.Op{card, send, card, send}},
		{"not found, in JSON", a2atest.RPCError(a2atest.TaskNotFound, "no such path"), rest, []a2atest.Op{card, send, card, send}},
		{"another error", a2atest.RPCError(-32603, "boom"), both, []a2atest.Op{card, send, send}},
		{"busy", a2atest.Status(503, "1"), both, []a2atest.Op{card, send, send}},
		{"cut", a2atest.Cuts(), both, []a2atest.Op{card, send, send}},
		{"answered", a2atest.Says("hello"), both, []a2atest.Op{card, send, send}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachFace(t, func(t *testing.T, f a2atest.Face) {
				if !slices.Contains(tt.in, f.Binding) {
					return
				}
				r := online(t, a2atest.New(f).On(send, tt.act, (*a2atest.Call).Usual))
				r.delivery.Run.Policy.Resend = molecule.ResendSafe // else what was cut off is looked for
				r.deliver(t, time.Minute)
				sameReply(t, r.deliver(t, time.Minute), says("done"))
				r.asked(t, tt.want...)
			})
		})
	}
}

func TestDeliver_followsAnAgentToItsNewDialect(t *testing.T) {
	t.Parallel()
	now, _, old, _ := faces()
	r := online(t, a2atest.New(now, old))
	r.serve(map[string]string{a2atest.CardPath: a2atest.CardOf("$URL", old)})
	sameReply(t, r.deliver(t, time.Minute), says("done"))
	r.serve(map[string]string{a2atest.CardPath: a2atest.CardOf("$URL", now)})
	r.agent.On(a2atest.Send, a2atest.RPCError(a2atest.MethodNotFound, "no method message/send"), (*a2atest.Call).Usual)
	if got := r.deliver(t, time.Minute); got.RPCError == nil {
		t.Errorf("got %+v, want the error it answered", got)
	}
	sameReply(t, r.deliver(t, time.Minute), says("done"))
	if got := r.agent.Requests(a2atest.Send)[2].Path; got != now.Path() {
		t.Errorf("sent to %s, want %s", got, now.Path())
	}
}

func TestDeliver_remembersNothingOfAnotherOwner(t *testing.T) {
	t.Parallel()
	now, _, _, _ := faces()
	r := online(t, a2atest.New(now))
	r.delivery.Agent.URL = r.agent.ByName()
	sameReply(t, r.deliver(t, time.Minute), says("done"))
	r.delivery.Agent.URLOwner = molecule.URLOwnerAgent
	for range 2 { // and not of the refusal either: its card may change
		if got := r.deliver(t, time.Minute); got.Failure != molecule.FailUnsafe {
			t.Errorf("got failure %q, want %q: its card points at an address", got.Failure, molecule.FailUnsafe)
		}
	}
	r.asked(t, a2atest.Card, a2atest.Send, a2atest.Card, a2atest.Card)
}

func TestDeliver_remembersNothingOfAnotherURL(t *testing.T) {
	t.Parallel()
	now, _, old, _ := faces()
	r := online(t, a2atest.New(now, old))
	sameReply(t, r.deliver(t, time.Minute), says("done"))
	r.serve(map[string]string{})
	r.delivery.Agent.URL += old.Path()
	sameReply(t, r.deliver(t, time.Minute), says("done"))
	if got := r.agent.Requests(a2atest.Send)[1].Path; got != old.Path() {
		t.Errorf("sent to %s, want %s", got, old.Path())
	}
}

func TestDeliver_asksForTheCardAgainWhenTheAgentWasAway(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		r := offline(t, a2atest.New(f))
		sameReply(t, r.deliver(t, time.Minute), says("done"))
		r.wire.Unplug()
		sameReply(t, r.deliver(t, time.Minute), fails(molecule.FailUnreachable, 0, "connection refused"))
		r.wire.Plug()
		sameReply(t, r.deliver(t, time.Minute), says("done"))
		r.asked(t, a2atest.Card, a2atest.Send, a2atest.Card, a2atest.Send)
	})
}

func TestDeliver_servesManyAtOnce(t *testing.T) {
	t.Parallel()
	r := online(t, a2atest.New(a2atest.Faces()...).On(a2atest.Send, a2atest.Completes("the report")))
	replies := make([]molecule.Reply, 50)
	var wg sync.WaitGroup
	for i := range replies {
		d := r.delivery
		d.Agent.ID = fmt.Sprintf("agent-%d", i%5)
		wg.Go(func() { replies[i] = r.client.Deliver(t.Context(), d) })
	}
	wg.Wait()
	for _, got := range replies {
		sameReply(t, got, task(molecule.TaskCompleted, "", "the report"))
	}
}
