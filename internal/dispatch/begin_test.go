package dispatch_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// early is how long before they are due the runs of these tests are handed over.
const early = 400 * time.Millisecond

// readier is a courier that can make deliveries ready.
type readier struct {
	deliver
	ready func(ctx context.Context, d molecule.Delivery, begin func() error) molecule.Reply
}

// DeliverReady implements [dispatch.Readier].
func (r readier) DeliverReady(ctx context.Context, d molecule.Delivery, begin func() error) molecule.Reply {
	return r.ready(ctx, d, begin)
}

// newReadyBench is newBench with a courier that can make deliveries ready.
func newReadyBench(t *testing.T, dir string, r readier, tweaks ...func(*dispatch.Options)) *bench {
	t.Helper()
	return newBench(t, dir, molecule.AgentPush, r.deliver, append(tweaks, func(o *dispatch.Options) {
		o.Couriers[molecule.AgentPush] = r
	})...)
}

// sendEarly stores a run that is due after early, and hands it over.
func (b *bench) sendEarly(a molecule.Agent, prompt string) string {
	b.t.Helper()
	r := claimed(a, prompt, time.Minute)
	r.DueAt = molecule.Now().Add(early)
	if err := b.db.CreateRun(b.t.Context(), &r); err != nil {
		b.t.Fatal(err)
	}
	b.d.Enqueue([]molecule.Run{r})
	return r.ID
}

// never is a delivery that is not to be made.
func never(t *testing.T) deliver {
	return func(_ context.Context, d molecule.Delivery) molecule.Reply {
		t.Errorf("%s was delivered as if it had not been made ready", d.Text)
		return says(d.Text)
	}
}

func TestDispatcher_makesADeliveryReadyAndBeginsItWhenItIsDue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		start := molecule.Now()
		var b *bench
		b = newReadyBench(t, dir, readier{deliver: never(t), ready: func(_ context.Context, d molecule.Delivery, begin func() error) molecule.Reply {
			if before := time.Since(start); before >= early/2 {
				t.Errorf("it was made ready after %v, it is due after %v", before, early)
			}
			if r := b.run(d.Run.ID); r.State != molecule.RunClaimed {
				t.Errorf("the run is %s before it begins", r.State)
			}
			if d.Run.Deadline.IsZero() || d.Run.Attempt != 1 {
				t.Errorf("the message would say attempt %d, deadline %v", d.Run.Attempt, d.Run.Deadline)
			}
			for range 2 { // as a second connection would
				if err := begin(); err != nil {
					t.Error(err)
				}
			}
			if at := time.Since(start); at != early {
				t.Errorf("it began after %v, it is due after %v", at, early)
			}
			if r := b.run(d.Run.ID); r.State != molecule.RunStarted {
				t.Errorf("the run is %s when it begins", r.State)
			}
			return says(d.Text)
		}})
		id := b.sendEarly(b.agent("a", molecule.AgentPush, 1), "work")
		time.Sleep(time.Second)
		r := b.run(id)
		if r.Outcome != molecule.OutcomeOK || !r.StartedAt.Equal(r.DueAt) || r.Attempt != 1 {
			t.Errorf("the run ended %q after attempt %d, started at %v, due at %v", r.Outcome, r.Attempt, r.StartedAt, r.DueAt)
		}
		b.close()
	})
}

func TestDispatcher_deliversWhenItIsDueWhatCouldNotBeMadeReady(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		start := molecule.Now()
		b := newReadyBench(t, dir, readier{
			ready: func(context.Context, molecule.Delivery, func() error) molecule.Reply {
				return molecule.Reply{Failure: molecule.FailUnreachable, Detail: "it starts in a moment"}
			},
			deliver: func(_ context.Context, d molecule.Delivery) molecule.Reply {
				if at := time.Since(start); at != early {
					t.Errorf("it was delivered after %v, it is due after %v", at, early)
				}
				return says(d.Text)
			},
		})
		id := b.sendEarly(b.agent("a", molecule.AgentPush, 1), "work")
		time.Sleep(time.Second)
		if r := b.run(id); r.Outcome != molecule.OutcomeOK || r.Attempt != 1 {
			t.Errorf("the run ended %q after attempt %d: %s", r.Outcome, r.Attempt, r.Reason)
		}
		b.close()
	})
}

func TestDispatcher_beginsNothingThatIsCanceledOrStoppedBeforeItIsDue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		cut     func(b *bench, id string)
		outcome molecule.Outcome
	}{
		{name: "canceled", cut: func(b *bench, id string) { b.d.Cancel(id, "not today") }, outcome: molecule.OutcomeCanceled},
		{name: "stopped", cut: func(b *bench, _ string) { b.stop() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				b := newReadyBench(t, dir, readier{deliver: never(t), ready: func(_ context.Context, d molecule.Delivery, begin func() error) molecule.Reply {
					if err := begin(); err == nil {
						t.Error("the agent would be told")
					}
					return molecule.Reply{Failure: molecule.FailShutdown}
				}}, func(o *dispatch.Options) { o.Drain = 0 })
				id := b.sendEarly(b.agent("a", molecule.AgentPush, 1), "work")
				time.Sleep(early / 4)
				tt.cut(b, id)
				time.Sleep(time.Second)
				if r := b.run(id); r.Outcome != tt.outcome {
					t.Errorf("the run is %s %q: %s", r.State, r.Outcome, r.Reason)
				}
				b.stop()
				if err := b.db.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// crowd counts deliveries that are on their way at one time.
type crowd struct {
	mu        sync.Mutex
	now, most int
}

// stay is a delivery that takes d.
func (c *crowd) stay(d time.Duration) deliver {
	return func(_ context.Context, of molecule.Delivery) molecule.Reply {
		c.add(1)
		defer c.add(-1)
		time.Sleep(d)
		return says(of.Text)
	}
}

func (c *crowd) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += n
	c.most = max(c.most, c.now)
}

// peak returns how many there were at most.
func (c *crowd) peak() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

func TestDispatcher_sendsOutSoManyAtOneMomentAndLetsNoneBeHeldUp(t *testing.T) {
	t.Parallel()
	const runs = 200
	for _, tt := range []struct {
		name  string
		takes time.Duration
		most  int
	}{
		{name: "agents that answer at once leave their places to the next", takes: time.Millisecond, most: 64},
		{name: "agents that are slow hold nobody up", takes: 10 * time.Second, most: runs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var c crowd
				b := newBench(t, dir, molecule.AgentPush, c.stay(tt.takes))
				a := b.agent("a", molecule.AgentPush, runs)
				ids := make([]string, runs)
				for i := range ids {
					ids[i] = b.sendEarly(a, "work")
				}
				time.Sleep(early + time.Second)
				if most := c.peak(); most != tt.most {
					t.Errorf("%d were on their way at once, want %d", most, tt.most)
				}
				time.Sleep(tt.takes)
				for _, id := range ids {
					if r := b.run(id); r.Outcome != molecule.OutcomeOK {
						t.Errorf("a run is %s %q: %s", r.State, r.Outcome, r.Reason)
					}
				}
				b.close()
			})
		})
	}
}
