package dispatch_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

type deliver func(ctx context.Context, d molecule.Delivery) molecule.Reply

func (f deliver) Deliver(ctx context.Context, d molecule.Delivery) molecule.Reply { return f(ctx, d) }

func says(text string) molecule.Reply {
	return molecule.Reply{Answered: true, Exit: &molecule.Exit{}, Parts: []molecule.Part{{Text: text}}}
}

// bench is a dispatcher on a real store.
type bench struct {
	t    *testing.T
	db   *sqlite.DB
	d    *dispatch.Dispatcher
	stop func()
}

// newBench starts a dispatcher on the store of dir. Call it inside a bubble.
func newBench(
	t *testing.T, dir string, kind molecule.AgentKind, f deliver, tweaks ...func(*dispatch.Options),
) *bench {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sqlitetest.Seed(t, dir)
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, db: db}
	o := dispatch.Options{
		Store: db, Couriers: map[molecule.AgentKind]dispatch.Courier{kind: f}, Drain: 20 * time.Second, Log: log,
	}
	for _, tweak := range tweaks {
		tweak(&o)
	}
	b.d = dispatch.New(o)
	s := supervised.New(supervised.Options{Log: log})
	if err := errors.Join(
		s.Add(supervised.Spec{Name: "store-writer", Run: db.RunWriter, Every: 30 * time.Second}),
		s.Add(supervised.Spec{Name: "dispatcher", Run: b.d.Run, Every: 30 * time.Second, StopGrace: time.Minute}),
	); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("supervisor: %v", err)
		}
	})
	b.stop = func() {
		cancel()
		parts.Wait()
	}
	return b
}

// close stops the dispatcher and closes the store.
func (b *bench) close() {
	b.t.Helper()
	b.stop()
	if err := b.db.Close(); err != nil {
		b.t.Error(err)
	}
}

// agent stores an agent of a kind with n places.
func (b *bench) agent(name string, kind molecule.AgentKind, n int) molecule.Agent {
	b.t.Helper()
	a := molecule.Agent{Name: name, Kind: kind, State: molecule.AgentPending, MaxConcurrent: n}
	if err := b.db.CreateAgent(b.t.Context(), &a); err != nil {
		b.t.Fatal(err)
	}
	return a
}

// send stores a run and hands it over.
func (b *bench) send(a molecule.Agent, prompt string) string {
	b.t.Helper()
	return b.sendWithin(a, prompt, 10*time.Minute)
}

// sendWithin is send with a time limit for the run.
func (b *bench) sendWithin(a molecule.Agent, prompt string, limit time.Duration) string {
	b.t.Helper()
	r := claimed(a, prompt, limit)
	if err := b.db.CreateRun(b.t.Context(), &r); err != nil {
		b.t.Fatal(err)
	}
	b.d.Enqueue([]molecule.Run{r})
	return r.ID
}

// claimed is a run as it is recorded before it is sent.
func claimed(a molecule.Agent, prompt string, limit time.Duration) molecule.Run {
	return molecule.Run{
		AgentID: a.ID, Agent: a.Name, Trigger: molecule.TriggerManual, State: molecule.RunClaimed,
		Slot: time.Now(), Prompt: prompt, Timeout: molecule.Duration(limit), MessageID: "m",
	}
}

func (b *bench) run(id string) molecule.Run {
	b.t.Helper()
	r, err := b.db.Run(context.WithoutCancel(b.t.Context()), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func TestDispatcher_endsOneRunWhenACourierPanics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir, molecule.AgentPush, func(_ context.Context, d molecule.Delivery) molecule.Reply {
			if d.Text == "boom" {
				panic("a courier's mistake")
			}
			return says(d.Text)
		})
		a := b.agent("a", molecule.AgentPush, 1)
		bad, good := b.send(a, "boom"), b.send(a, "fine")
		time.Sleep(time.Second)
		if r := b.run(bad); r.Outcome != molecule.OutcomeUnknown || r.Reason != "the delivery broke: panic: a courier's mistake" {
			t.Errorf("the run that panicked is %s: %s", r.Outcome, r.Reason)
		}
		if r := b.run(good); r.Outcome != molecule.OutcomeOK {
			t.Errorf("the run behind it is %s", r.Outcome)
		}
		b.close()
	})
}

func TestDispatcher_keepsAnAgentToItsPlaces(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name          string
		places, runs  int
		wantAtOnce    int
		wantAllWithin time.Duration
	}{
		{"one place", 1, 4, 1, 4 * time.Second},
		{"three places", 3, 9, 3, 4 * time.Second},
		{"more places than runs", 10, 5, 5, 2 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var now, most int
				b := newBench(t, dir, molecule.AgentPush, func(context.Context, molecule.Delivery) molecule.Reply {
					mu.Lock()
					now++
					most = max(most, now)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					now--
					mu.Unlock()
					return says("done")
				})
				a := b.agent("a", molecule.AgentPush, c.places)
				var ids []string
				for range c.runs {
					ids = append(ids, b.send(a, "work"))
				}
				time.Sleep(c.wantAllWithin + 100*time.Millisecond)
				synctest.Wait() // the race detector takes no sleep for an order
				for _, id := range ids {
					if r := b.run(id); r.Outcome != molecule.OutcomeOK {
						t.Errorf("a run is %q after %v", r.Outcome, c.wantAllWithin)
					}
				}
				if most != c.wantAtOnce {
					t.Errorf("%d at once, want %d", most, c.wantAtOnce)
				}
				b.close()
			})
		})
	}
}

func TestDispatcher_triesAgainAsTheTableSays(t *testing.T) {
	t.Parallel()
	unreachable := molecule.Reply{Failure: molecule.FailUnreachable}
	busy := molecule.Reply{Answered: true, HTTPStatus: 503, RetryAfter: 30 * time.Second}
	rpc := molecule.Reply{Answered: true, HTTPStatus: 200, RPCError: &molecule.RPCError{Code: -32601}}
	cases := []struct {
		name    string
		replies []molecule.Reply
		want    []molecule.Outcome
	}{
		{"reached at the third try", []molecule.Reply{unreachable, unreachable, says("hi")}, []molecule.Outcome{"unreachable", "unreachable", "ok"}},
		{"never reached", []molecule.Reply{unreachable, unreachable, unreachable, unreachable, says("too late")}, []molecule.Outcome{"unreachable", "unreachable", "unreachable", "unreachable"}},
		{"busy, then not", []molecule.Reply{busy, says("hi")}, []molecule.Outcome{"http_error", "ok"}},
		{"another dialect", []molecule.Reply{rpc, says("hi")}, []molecule.Outcome{"rpc_error", "ok"}},
		{"an error is one twice", []molecule.Reply{rpc, rpc, says("too late")}, []molecule.Outcome{"rpc_error", "rpc_error"}},
		{"broken is never sent again", []molecule.Reply{{Failure: molecule.FailBroken}, says("too late")}, []molecule.Outcome{"unknown"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				n := 0
				b := newBench(t, dir, molecule.AgentPush, func(context.Context, molecule.Delivery) molecule.Reply {
					n++
					return c.replies[n-1]
				})
				id := b.send(b.agent("a", molecule.AgentPush, 1), "work")
				time.Sleep(5 * time.Minute)
				var got []molecule.Outcome
				r := b.run(id)
				for _, a := range r.Attempts {
					got = append(got, a.Outcome)
				}
				if diff := cmp.Diff(got, c.want); diff != "" {
					t.Errorf("attempts (-got +want):\n%s", diff)
				}
				if r.Outcome != c.want[len(c.want)-1] {
					t.Errorf("the run ended %s", r.Outcome)
				}
				b.close()
			})
		})
	}
}

func TestDispatcher_stopsInOrder(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		kind  molecule.AgentKind
		note  bool
		takes time.Duration
		state molecule.RunState
		want  molecule.Outcome
	}{
		{"a command in time", molecule.AgentExec, true, 10 * time.Second, molecule.RunFinished, molecule.OutcomeOK},
		{"a command that takes too long", molecule.AgentExec, true, time.Hour, molecule.RunFinished, molecule.OutcomeCanceled},
		{"a task that goes on without us", molecule.AgentPush, true, time.Hour, molecule.RunStarted, ""},
		{"work that an agent has to ask for", molecule.AgentPoll, true, time.Hour, molecule.RunStarted, ""},
		{"a prompt that was being sent", molecule.AgentPush, false, time.Hour, molecule.RunFinished, molecule.OutcomeUnknown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, dir, c.kind, func(ctx context.Context, d molecule.Delivery) molecule.Reply {
					if c.note {
						if err := d.Note("handle"); err != nil {
							t.Errorf("note: %v", err)
						}
					}
					select {
					case <-time.After(c.takes):
						return says("done")
					case <-ctx.Done():
						return molecule.Reply{Failure: molecule.FailShutdown}
					}
				})
				id := b.send(b.agent("a", c.kind, 1), "work")
				time.Sleep(time.Second)
				began := time.Now()
				b.stop()
				if took := time.Since(began); took > 21*time.Second {
					t.Errorf("stopping took %v", took)
				}
				if r := b.run(id); r.State != c.state || r.Outcome != c.want {
					t.Errorf("the run is %s %q (%s), want %s %q", r.State, r.Outcome, r.Reason, c.state, c.want)
				}
				if err := b.db.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestDispatcher_blocksARunWhoseAgentIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBench(t, dir, molecule.AgentPush, func(context.Context, molecule.Delivery) molecule.Reply {
			<-release
			return says("hi")
		})
		a := b.agent("a", molecule.AgentPush, 1)
		b.send(a, "first")
		second := b.send(a, "second")
		time.Sleep(time.Second)
		if err := b.db.RemoveAgent(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		close(release)
		time.Sleep(time.Second)
		if r := b.run(second); r.Outcome != molecule.OutcomeBlocked {
			t.Errorf("the run is %q", r.Outcome)
		}
		b.close()
	})
}

func TestDispatcher_notesThatAnAgentWaits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir, molecule.AgentPush, func(ctx context.Context, d molecule.Delivery) molecule.Reply {
			d.Waiting("which colour?")
			<-ctx.Done()
			return molecule.Reply{Failure: molecule.FailDeadline, Answered: true, Task: molecule.TaskInputRequired}
		})
		id := b.send(b.agent("a", molecule.AgentPush, 1), "paint")
		time.Sleep(time.Second)
		if r := b.run(id); r.State != molecule.RunWaiting || r.Reason != "which colour?" {
			t.Errorf("the run is %s because %q", r.State, r.Reason)
		}
		time.Sleep(10 * time.Minute)
		if r := b.run(id); r.Outcome != molecule.OutcomeTimeout {
			t.Errorf("the run ended %q", r.Outcome)
		}
		b.close()
	})
}
