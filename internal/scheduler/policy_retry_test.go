package scheduler_test

import (
	"context"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// replies answers with one reply after the other, and with the last for good.
func replies(all ...molecule.Reply) behaviour {
	return func(_ context.Context, d molecule.Delivery) molecule.Reply {
		return all[min(d.Attempt, len(all))-1]
	}
}

var (
	nobody = molecule.Reply{Failure: molecule.FailUnreachable} // never written
	broken = molecule.Reply{Failure: molecule.FailBroken}      // never written
	done   = molecule.Reply{                                   // never written
		Answered: true, HTTPStatus: 200, Task: molecule.TaskCompleted, Parts: []molecule.Part{{Text: "done"}},
	}
)

// once lets a push agent be asked for one slot by a policy and returns what
// became of it.
func once(t *testing.T, w world, timeout time.Duration, policy molecule.Policy) (r molecule.Run) {
	t.Helper()
	w.on(t, func(t *testing.T, p *plant) {
		p.agent("a", molecule.AgentPush, 1)
		p.schedule(molecule.Schedule{Name: "a", Cron: "0 * * * *", Timeout: molecule.Duration(timeout), Policy: policy})
		pass(hours + 58*time.Minute)
		r = p.whole(p.bySlot("a")[0].ID)
	})
	return r
}

// whole reads a run with its attempts.
func (p *plant) whole(id string) molecule.Run {
	p.t.Helper()
	r, err := p.db.Run(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// wantAttempts compares how often a run was tried and how it ended.
func wantAttempts(t *testing.T, r molecule.Run, n int, o molecule.Outcome) {
	t.Helper()
	if len(r.Attempts) != n || r.Outcome != o {
		t.Errorf("it was tried %d times and ended as %s (%s), want %d and %s", len(r.Attempts), r.Outcome, r.Reason, n, o)
	}
}

func TestPolicyRetry_byOutcome(t *testing.T) {
	t.Parallel()
	busy := molecule.Reply{Answered: true, HTTPStatus: 503}
	tests := []struct {
		name    string
		replies []molecule.Reply
		tried   int
		want    molecule.Outcome
	}{
		{"unreachable three times more", []molecule.Reply{nobody}, 4, molecule.OutcomeUnreachable},
		{"unreachable until it is there", []molecule.Reply{nobody, nobody, done}, 3, molecule.OutcomeOK},
		{"busy five times more", []molecule.Reply{busy}, 6, molecule.OutcomeHTTPError},
		{"an error of its protocol once more", []molecule.Reply{{Answered: true, HTTPStatus: 200, RPCError: &molecule.RPCError{Code: -32603}}}, 2, molecule.OutcomeRPCError},
		{"not found is final", []molecule.Reply{{Answered: true, HTTPStatus: 404}, done}, 1, molecule.OutcomeHTTPError},
		{"failed is final", []molecule.Reply{{Answered: true, HTTPStatus: 200, Task: molecule.TaskFailed}, done}, 1, molecule.OutcomeFailed},
		{"not an answer is final", []molecule.Reply{{Answered: true, HTTPStatus: 200, Failure: molecule.FailNotJSON}, done}, 1, molecule.OutcomeProtocolError},
		{"nobody knows is final", []molecule.Reply{broken, done}, 1, molecule.OutcomeUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := once(t, world{behave: replies(tt.replies...), calm: true}, time.Hour, molecule.Policy{})
			wantAttempts(t, r, tt.tried, tt.want)
		})
	}
}

func TestPolicyRetry_atMost(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 5} {
		policy := molecule.Policy{Retries: &n}
		wantAttempts(t, once(t, world{behave: replies(nobody), calm: true}, 50*time.Minute, policy), n+1, molecule.OutcomeUnreachable)
		// It allows no attempt that the outcome is not worth.
		failed := molecule.Reply{Answered: true, HTTPStatus: 200, Task: molecule.TaskFailed}
		wantAttempts(t, once(t, world{behave: replies(failed), calm: true}, 50*time.Minute, policy), 1, molecule.OutcomeFailed)
	}
}

// TestPolicyRetry_isExponentialInsideTheDeadline: one second, five, 25, 125, each
// up to a fifth longer, and none that would begin behind the deadline.
func TestPolicyRetry_isExponentialInsideTheDeadline(t *testing.T) {
	t.Parallel()
	ten := 10
	tests := []struct {
		timeout time.Duration
		pauses  []time.Duration
	}{
		{4 * time.Minute, []time.Duration{time.Second, 5 * time.Second, 25 * time.Second, 125 * time.Second}},
		{20 * time.Second, []time.Duration{time.Second, 5 * time.Second}},
		{time.Second, nil},
	}
	for _, tt := range tests {
		r := once(t, world{behave: replies(nobody), calm: true}, tt.timeout, molecule.Policy{Retries: &ten})
		wantAttempts(t, r, len(tt.pauses)+1, molecule.OutcomeUnreachable)
		for i, want := range tt.pauses {
			if pause := r.Attempts[i+1].StartedAt.Sub(r.Attempts[i].EndedAt); pause < want || pause > want*6/5+time.Millisecond {
				t.Errorf("with %v the pause %d was %v, want %v and up to a fifth more", tt.timeout, i+1, pause, want)
			}
		}
		if r.EndedAt.After(r.Slot.Add(tt.timeout)) {
			t.Errorf("with %v it ended %v behind its slot", tt.timeout, r.EndedAt.Sub(r.Slot))
		}
	}
}

func TestPolicyResend_never(t *testing.T) {
	t.Parallel()
	w := world{behave: replies(broken, done), calm: true}
	wantAttempts(t, once(t, w, time.Hour, molecule.Policy{Resend: molecule.ResendNever}), 1, molecule.OutcomeUnknown)
}

// TestPolicyResend_safe: the agent knows a message when it comes again.
func TestPolicyResend_safe(t *testing.T) {
	t.Parallel()
	ids := make(map[string]int)
	w := world{calm: true, behave: func(ctx context.Context, d molecule.Delivery) molecule.Reply {
		ids[d.Run.MessageID]++
		return replies(broken, done)(ctx, d)
	}}
	wantAttempts(t, once(t, w, time.Hour, molecule.Policy{Resend: molecule.ResendSafe}), 2, molecule.OutcomeOK)
	for id, n := range ids {
		if id == "" || n != 2 || len(ids) != 1 {
			t.Errorf("message ids and how often each was sent: %v", ids)
		}
	}
	w.behave = replies(broken)
	wantAttempts(t, once(t, w, time.Hour, molecule.Policy{Resend: molecule.ResendSafe}), 2, molecule.OutcomeUnknown)
}

// TestPolicyResend_whenTheDaemonStops while a prompt is being sent, and nobody
// can say whether it arrived.
func TestPolicyResend_whenTheDaemonStops(t *testing.T) {
	t.Parallel()
	tests := []struct {
		resend molecule.Resend
		tried  int
		want   molecule.Outcome
	}{
		{molecule.ResendNever, 1, molecule.OutcomeUnknown},
		{molecule.ResendSafe, 2, molecule.OutcomeOK},
	}
	for _, tt := range tests {
		t.Run(string(tt.resend), func(t *testing.T) {
			t.Parallel()
			sent := make(map[string]int)
			w := world{calm: true, behave: func(ctx context.Context, d molecule.Delivery) molecule.Reply {
				sent[d.Run.MessageID]++
				if d.Attempt == 1 {
					<-ctx.Done()
					return stopped(ctx)
				}
				return done
			}}
			w.on(t, func(t *testing.T, p *plant) {
				p.agent("a", molecule.AgentPush, 1)
				p.schedule(molecule.Schedule{Name: "a", Cron: "0 * * * *", Policy: molecule.Policy{Resend: tt.resend}})
				pass(hours + time.Minute)
				*p = *w.restart(p, time.Minute)
				pass(time.Minute)
				r := p.whole(p.bySlot("a")[0].ID)
				wantAttempts(t, r, tt.tried, tt.want)
				if sent[r.MessageID] != tt.tried || len(sent) != 1 {
					t.Errorf("message ids and how often each was sent: %v", sent)
				}
			})
		})
	}
}
