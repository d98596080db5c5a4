package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// talkLimit is how long an answer to a message that was passed on may take.
const talkLimit = 10 * time.Minute

// a2a passes a message on to the agent in the path: one that has a URL is
// called, one that asks for its work finds it in its inbox, a command is run.
func (f *Face) a2a(w http.ResponseWriter, c call) error {
	raw, err := slurp(w, c, maxLarge)
	if err != nil {
		return err
	}
	in, err := readMessage(raw)
	if err != nil {
		return err
	}
	source, err := f.sender(c)
	if err != nil {
		return err
	}
	if c.id == f.Inbox.ReplyAddress() {
		return f.replied(w, c, source, in)
	}
	target, err := f.reachable(c, source)
	if err != nil {
		return err
	}
	switch target.Kind {
	case molecule.AgentPush:
		return f.forward(w, c, target, in)
	case molecule.AgentPoll:
		return f.enqueue(w, c, target, source, in)
	default:
		return f.run(w, c, target, in)
	}
}

// sender returns the agent a message is from; "" when an operator sends it in no
// agent's name. A header that names the sender has to agree with the token.
func (f *Face) sender(c call) (string, error) {
	said := c.Header.Get(wire.HeaderSourceWorkspace)
	if said == "" {
		said = c.Header.Get(wire.HeaderWorkspace)
	}
	if said == "" {
		return c.by.AgentID, nil
	}
	said = strings.ToLower(said)
	if err := mayActFor(c, said, molecule.ScopeAgentsWrite); err != nil {
		return "", err
	}
	if c.by.AgentID != "" {
		return said, nil
	}
	_, err := f.present(c, said)
	return said, err
}

// reachable returns the agent in the path when the sender may talk to it and it
// can take a message now.
func (f *Face) reachable(c call, source string) (molecule.Agent, error) {
	a, err := f.present(c, c.id)
	if err != nil {
		return a, err
	}
	if source != "" {
		if err := f.mayTalk(c, source, a.ID); err != nil {
			return a, err
		}
	}
	// One that asks for its work finds the message when it comes back.
	if s := statusOf(a); s == "paused" || s == "offline" && a.Kind != molecule.AgentPoll {
		return a, notThere(s)
	}
	why, err := f.OverBudget(c.Context(), a)
	if err == nil && why != "" {
		err = refuse(http.StatusPaymentRequired, "the budget of the workspace is spent: %s", why)
	}
	return a, err
}

// forward calls an agent and passes its answer back.
func (f *Face) forward(w http.ResponseWriter, c call, target molecule.Agent, in asked) error {
	ctx, cancel := context.WithTimeout(c.Context(), talkLimit)
	defer cancel()
	got := f.Forward.Forward(ctx, target, in.raw)
	if got.Answer != nil {
		w.Header().Set("Content-Type", wire.TypeJSON)
		_, _ = w.Write(got.Answer) // the reader may be gone
		return nil
	}
	if got.Failure == molecule.FailDeadline {
		return refuse(http.StatusBadGateway, "the workspace did not answer in time")
	}
	// Why is for the log only: it tells what is at an address.
	r := refuse(http.StatusBadGateway, "the workspace could not be reached, or gave no answer")
	r.err = r.err.WithCause(fmt.Errorf("%s %d: %s", got.Failure, got.Status, got.Detail))
	return r
}

// enqueue puts a message into the inbox of an agent that asks for its work.
func (f *Face) enqueue(w http.ResponseWriter, c call, target molecule.Agent, source string, in asked) error {
	kept, err := compact(in.message)
	if err != nil {
		return err
	}
	if source == "" {
		source = f.Inbox.ReplyAddress()
	}
	a := molecule.Activity{
		AgentID: target.ID, SourceID: source, TargetID: target.ID, Method: methodSend,
		Summary: molecule.Excerpt(in.message.text(), 120), MessageID: in.message.MessageID, Message: kept,
	}
	if err := f.Inbox.Post(c.Context(), &a); err != nil {
		return err
	}
	return write(w, http.StatusAccepted, struct {
		Queued     bool   `json:"queued"`
		ActivityID string `json:"activity_id"`
		MessageID  string `json:"message_id"`
	}{true, a.ID, a.MessageID})
}

// run has a command answer.
func (f *Face) run(w http.ResponseWriter, c call, target molecule.Agent, in asked) error {
	ctx, cancel := context.WithTimeout(c.Context(), talkLimit)
	defer cancel()
	r, err := f.Runs.StartRun(ctx, molecule.NewRun{Agent: target.ID, Prompt: in.message.text(), Timeout: molecule.Duration(talkLimit)})
	if err == nil {
		r, err = f.Runs.WaitRun(ctx, r.ID)
	}
	if molecule.CodeOf(err) == molecule.Timeout && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return refuse(http.StatusBadGateway, "the workspace did not answer in time")
	}
	if err != nil {
		return err
	}
	if !r.Outcome.Good() {
		return refuse(http.StatusBadGateway, "the workspace ended with %s: %s", r.Outcome, r.Reason)
	}
	return answered(w, in, r.Reply)
}

// replied takes a message to the people and the schedules: a reply.
func (f *Face) replied(w http.ResponseWriter, c call, source string, in asked) error {
	if source == "" {
		return molecule.Errorf(molecule.Invalid, "only a workspace replies to this address")
	}
	if _, err := f.Inbox.Answer(c.Context(), source, in.names(), in.answer()); err != nil {
		return err
	}
	return answered(w, in, "received")
}

// answered answers a message with a text, as an agent of A2A 0.3 would.
func answered(w http.ResponseWriter, in asked, text string) error {
	type result struct {
		Kind      string `json:"kind"`
		Role      string `json:"role"`
		MessageID string `json:"messageId"`
		Parts     []part `json:"parts"`
	}
	return write(w, http.StatusOK, struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  result          `json:"result"`
	}{"2.0", in.id, result{"message", "agent", uuid.NewString(), []part{{Kind: "text", Type: "text", Text: text}}}})
}
