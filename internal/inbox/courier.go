package inbox

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	// lookAgain is how often the store is asked for a reply that nobody told of.
	lookAgain = 15 * time.Second
	// closing bounds what is stored once the deadline has passed.
	closing = 5 * time.Second

	handlePrefix = "inbox "
)

// Deliver puts a run into the inbox of its agent and returns what the agent
// replies, or what became of it when ctx has ended.
func (s *Service) Deliver(ctx context.Context, d molecule.Delivery) molecule.Reply {
	id, noted := strings.CutPrefix(d.Run.Handle, handlePrefix)
	if !noted {
		id = uuid.NewString()
		// Noted before it exists: the next process then finds it, or makes it.
		if err := d.Note(handlePrefix + id); err != nil {
			return molecule.Reply{Failure: molecule.FailShutdown, Detail: "its place in the inbox could not be noted"}
		}
	}
	post := &molecule.Activity{
		ID: id, AgentID: d.Agent.ID, SourceID: s.address, TargetID: d.Agent.ID, Method: "message/send",
		Summary: molecule.Excerpt(firstLine(d.Text), 120), MessageID: d.Run.MessageID, RunID: d.Run.ID,
		Once: d.Run.Policy.Resend != molecule.ResendSafe,
	}
	for err := s.Post(ctx, post); err != nil; err = s.Post(ctx, post) {
		if code := molecule.CodeOf(err); code == molecule.NotFound {
			return molecule.Reply{Failure: molecule.FailUnreachable, Detail: "the agent was removed"}
		}
		if molecule.Sleep(ctx, time.Second) != nil {
			return s.end(ctx, id)
		}
	}
	return s.await(ctx, id)
}

// await returns the reply to a row.
func (s *Service) await(ctx context.Context, id string) molecule.Reply {
	defer s.forget(id)
	for {
		told := s.listen(s.replies, id)
		if fate, err := s.store.ActivityFate(ctx, id); err == nil && fate.Answer != nil {
			return replyOf(*fate.Answer)
		}
		look := time.NewTimer(lookAgain)
		select {
		case <-told:
		case <-look.C:
		case <-ctx.Done():
			look.Stop()
			return s.end(ctx, id)
		}
		look.Stop()
	}
}

// forget drops the channel of a row nobody waits for any more.
func (s *Service) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.replies, id)
}

// end says what a delivery came to whose context has ended. When the daemon
// stops the row stays, and the next process waits for its reply.
func (s *Service) end(ctx context.Context, id string) molecule.Reply {
	cause := context.Cause(ctx)
	r := molecule.Reply{Failure: molecule.FailShutdown}
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		r.Failure = molecule.FailDeadline
	case errors.Is(cause, molecule.ErrRunCanceled):
		r.Failure = molecule.FailCanceled
	default:
		return r
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer done()
	fate, err := s.store.CloseActivity(ctx, id)
	switch {
	case err != nil:
		// The reaper closes it, once its run has ended.
		s.log.WarnContext(ctx, "close a row of the inbox", "id", id, "err", err)
	case fate.Answer != nil:
		return replyOf(*fate.Answer) // it came with the deadline
	}
	if r.Answered = fate.HandedOut; !r.Answered {
		r.Detail = "it did not ask for its work"
	}
	return r
}

// replyOf returns an answer as the facts that are judged.
func replyOf(a molecule.Answer) molecule.Reply {
	return molecule.Reply{Parts: a.Parts, Usage: a.Usage, Answered: true}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}
