package dispatch_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// hang answers when it is told to stop, and not before.
func hang(ctx context.Context, _ molecule.Delivery) molecule.Reply {
	<-ctx.Done()
	return molecule.Reply{Failure: molecule.FailDeadline}
}

// notes keeps what a courier was asked to deliver, and when.
type notes struct {
	mu  sync.Mutex
	all []molecule.Delivery
	at  []time.Time
}

func (n *notes) add(d molecule.Delivery) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all, n.at = append(n.all, d), append(n.at, time.Now())
	return len(n.all)
}

func (n *notes) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.all)
}

// pauses returns the time between one delivery and the next.
func (n *notes) pauses() []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []time.Duration
	for i := 1; i < len(n.at); i++ {
		all = append(all, n.at[i].Sub(n.at[i-1]))
	}
	return all
}

func TestDispatcher_startsTwoWhileFortyHang(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir, molecule.AgentPush, func(ctx context.Context, d molecule.Delivery) molecule.Reply {
			if d.Text == "hang" {
				return hang(ctx, d)
			}
			return says(d.Text)
		})
		var agents []molecule.Agent
		for i := range 42 {
			agents = append(agents, b.agent(fmt.Sprintf("agent-%02d", i), molecule.AgentPush, 1))
		}
		for _, a := range agents[2:] {
			b.send(a, "hang")
			b.send(a, "behind it")
		}
		time.Sleep(time.Minute)
		first, second := b.send(agents[0], "work"), b.send(agents[1], "work")
		time.Sleep(100 * time.Millisecond)
		for _, id := range []string{first, second} {
			if r := b.run(id); r.Outcome != molecule.OutcomeOK {
				t.Errorf("a run of an agent that works is %s %q", r.State, r.Outcome)
			}
		}
		if queued, active := b.d.Load(); queued != 40 || active != 40 {
			t.Errorf("%d wait and %d are on their way, want 40 and 40", queued, active)
		}
		b.close()
	})
}

func TestDispatcher_pausesBetweenAttempts(t *testing.T) {
	t.Parallel()
	unreachable := molecule.Reply{Failure: molecule.FailUnreachable}
	busy := func(after time.Duration) molecule.Reply {
		return molecule.Reply{Answered: true, HTTPStatus: 503, RetryAfter: after}
	}
	cases := []struct {
		name  string
		reply molecule.Reply
		limit time.Duration
		want  []time.Duration // at least; and up to a fifth more
	}{
		{"nobody there", unreachable, 10 * time.Minute, []time.Duration{time.Second, 5 * time.Second, 25 * time.Second}},
		{"nobody there, and little time", unreachable, 10 * time.Second, []time.Duration{time.Second, 5 * time.Second}},
		{"nobody there, and no time", unreachable, time.Second, nil},
		{"busy for a while", busy(90 * time.Second), 3 * time.Minute, []time.Duration{90 * time.Second}},
		{"busy for too long", busy(time.Hour), 10 * time.Minute, nil},
		{"busy again and again", busy(2 * time.Second), 10 * time.Minute, []time.Duration{
			2 * time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second,
		}},
		{"busy and does not say how long", busy(0), time.Minute, []time.Duration{time.Second, 5 * time.Second, 25 * time.Second}},
		{"told not to come back", molecule.Reply{Answered: true, HTTPStatus: 404}, 10 * time.Minute, nil},
		{"failed", molecule.Reply{Answered: true, HTTPStatus: 200, Task: molecule.TaskFailed}, 10 * time.Minute, nil},
		{"refused", molecule.Reply{Failure: molecule.FailUnsafe}, 10 * time.Minute, nil},
		{"hung", molecule.Reply{Failure: molecule.FailDeadline}, 10 * time.Minute, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var n notes
				b := newBench(t, dir, molecule.AgentPush, func(_ context.Context, d molecule.Delivery) molecule.Reply {
					n.add(d)
					return c.reply
				})
				began := molecule.Now()
				id := b.sendWithin(b.agent("a", molecule.AgentPush, 1), "work", c.limit)
				time.Sleep(c.limit)
				got := n.pauses()
				if len(got) != len(c.want) {
					t.Fatalf("pauses of %v, want %v", got, c.want)
				}
				for i, pause := range got {
					if pause < c.want[i] || pause > c.want[i]*6/5+10*time.Millisecond {
						t.Errorf("pause %d took %v, want %v and up to a fifth more", i+1, pause, c.want[i])
					}
				}
				if r := b.run(id); r.State != molecule.RunFinished || r.EndedAt.After(began.Add(c.limit)) {
					t.Errorf("the run is %s and ended %v after it began", r.State, r.EndedAt.Sub(began))
				}
				b.close()
			})
		})
	}
}

func TestDispatcher_sendsTheSameMessageInEachAttempt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var n notes
		b := newBench(t, dir, molecule.AgentPush, func(_ context.Context, d molecule.Delivery) molecule.Reply {
			n.add(d)
			if err := d.Note("task"); err != nil { // of an attempt that comes to nothing
				t.Errorf("note: %v", err)
			}
			return molecule.Reply{Failure: molecule.FailUnreachable}
		})
		b.send(b.agent("a", molecule.AgentPush, 1), "work")
		time.Sleep(time.Minute)
		synctest.Wait() // the race detector takes no sleep for an order
		type sent struct {
			Attempt                 int
			Message, Text, HandleOf string
		}
		var got, want []sent
		for i, d := range n.all {
			got = append(got, sent{d.Attempt, d.Run.MessageID, d.Text, d.Run.Handle})
			want = append(want, sent{i + 1, "m", "work", ""})
		}
		if diff := cmp.Diff(got, want); diff != "" || len(got) != 4 {
			t.Errorf("%d attempts (-got +want):\n%s", len(got), diff)
		}
		b.close()
	})
}

func TestDispatcher_givesEveryAttemptTheDeadlineOfTheRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		began := molecule.Now()
		b := newBench(t, dir, molecule.AgentPush, func(ctx context.Context, d molecule.Delivery) molecule.Reply {
			if d.Attempt < 3 {
				return molecule.Reply{Failure: molecule.FailUnreachable}
			}
			return hang(ctx, d)
		})
		id := b.sendWithin(b.agent("a", molecule.AgentPush, 1), "work", time.Minute)
		time.Sleep(time.Minute + time.Second)
		r := b.run(id)
		if r.Outcome != molecule.OutcomeHung {
			t.Errorf("the run is %q: %s", r.Outcome, r.Reason)
		}
		if took := r.EndedAt.Sub(began); took != time.Minute {
			t.Errorf("the run took %v, its limit is a minute", took)
		}
		b.close()
	})
}

func TestDispatcher_triesNoMoreOnceItStops(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var n notes
		b := newBench(t, dir, molecule.AgentPush, func(_ context.Context, d molecule.Delivery) molecule.Reply {
			n.add(d)
			return molecule.Reply{Answered: true, HTTPStatus: 429, RetryAfter: 5 * time.Minute}
		})
		a := b.agent("a", molecule.AgentPush, 1)
		onItsWay, behind := b.send(a, "work"), b.send(a, "more work")
		time.Sleep(time.Second)
		began := time.Now()
		b.stop()
		synctest.Wait()
		if took := time.Since(began); took > 21*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if r := b.run(onItsWay); r.Outcome != molecule.OutcomeHTTPError || len(n.all) != 1 {
			t.Errorf("the run is %s %q after %d attempts", r.State, r.Outcome, len(n.all))
		}
		if r := b.run(behind); r.State != molecule.RunClaimed {
			t.Errorf("the run behind it is %s %q, it belongs to the next start", r.State, r.Outcome)
		}
		if err := b.db.Close(); err != nil {
			t.Error(err)
		}
	})
}
