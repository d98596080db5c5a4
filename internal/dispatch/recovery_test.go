package dispatch_test

import (
	"context"
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
)

// left is what an earlier process left behind of one run.
type left struct {
	kind    molecule.AgentKind
	attempt int    // 0: claimed and never sent
	handle  string // of what it started
	waiting bool   // the agent had asked for input
	removed bool   // the agent, meanwhile
}

// leave stores one run in dir as an earlier process left it. It was sent at
// the present and has ten minutes.
func leave(t *testing.T, dir string, l left) string {
	t.Helper()
	ctx := t.Context()
	sqlitetest.Seed(t, dir)
	db, err := sqlite.Open(ctx, dir, sqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	stop := sqlitetest.Write(db)
	defer func() {
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	a := molecule.Agent{Name: "a", Kind: l.kind, State: molecule.AgentPending, MaxConcurrent: 1}
	must(t, db.CreateAgent(ctx, &a))
	r := claimed(a, "work", 10*time.Minute)
	must(t, db.CreateRun(ctx, &r))
	if l.attempt > 0 {
		now := molecule.Now()
		must(t, db.StartRun(ctx, r, now, now.Add(10*time.Minute), l.attempt))
	}
	if l.handle != "" {
		must(t, db.SetRunHandle(ctx, r.ID, l.handle))
	}
	if l.waiting {
		must(t, db.SetRunWaiting(ctx, r.ID, molecule.RunWaiting, "which?", time.Time{}))
	}
	if l.removed {
		must(t, db.RemoveAgent(ctx, "a"))
	}
	return r.ID
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDispatcher_takesOverWhatAnEarlierProcessLeft(t *testing.T) {
	t.Parallel()
	type delivered struct {
		Handle, Text string
		Attempt      int
	}
	stale := func(context.Context, molecule.Run, time.Time) string { return "its window passed" }
	fresh := func(context.Context, molecule.Run, time.Time) string { return "" }
	cases := []struct {
		name   string
		left   left
		stale  func(context.Context, molecule.Run, time.Time) string
		want   molecule.Outcome
		reason string
		sent   []delivered
	}{
		{"never sent", left{kind: molecule.AgentPush}, fresh, "ok", "", []delivered{{"", "work", 1}}},
		{"never sent, and nobody judges its age", left{kind: molecule.AgentPush}, nil, "ok", "", []delivered{{"", "work", 1}}},
		{"never sent, and too late now", left{kind: molecule.AgentPush}, stale, "missed", "its window passed", nil},
		{"being sent", left{kind: molecule.AgentPush, attempt: 1}, fresh, "unknown", "the daemon stopped while it was being sent", nil},
		{"sent, and its task is known", left{kind: molecule.AgentPush, attempt: 1, handle: "task"}, stale, "ok", "", []delivered{{"task", "work", 1}}},
		{"sent at the second try", left{kind: molecule.AgentPush, attempt: 2, handle: "task"}, fresh, "ok", "", []delivered{{"task", "work", 2}}},
		{"waiting for input", left{kind: molecule.AgentPush, attempt: 1, handle: "task", waiting: true}, fresh, "ok", "", []delivered{{"task", "work", 1}}},
		{"a command that was not started", left{kind: molecule.AgentExec, attempt: 1}, fresh, "ok", "", []delivered{{"", "work", 1}}},
		{"a command that was", left{kind: molecule.AgentExec, attempt: 1, handle: "group"}, fresh, "ok", "", []delivered{{"group", "work", 1}}},
		{"never sent, and its agent is gone", left{kind: molecule.AgentPush, removed: true}, fresh, "blocked", "the agent was removed", nil},
		{"sent, and its agent is gone", left{kind: molecule.AgentPush, attempt: 1, handle: "task", removed: true}, fresh, "blocked", "the agent was removed", nil},
		{"being sent, and its agent is gone", left{kind: molecule.AgentPush, attempt: 1, removed: true}, fresh, "unknown", "the daemon stopped while it was being sent", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				id := leave(t, dir, c.left)
				time.Sleep(time.Minute) // while nobody was there
				var got []delivered
				courier := deliver(func(ctx context.Context, d molecule.Delivery) molecule.Reply {
					got = append(got, delivered{d.Run.Handle, d.Text, d.Attempt})
					if until, ok := ctx.Deadline(); c.left.attempt > 0 && (!ok || time.Until(until) > 9*time.Minute) {
						t.Errorf("it is given %v more, a minute of its ten is over", time.Until(until))
					}
					return says("done")
				})
				b := newBench(t, dir, molecule.AgentPush, courier, func(o *dispatch.Options) {
					o.Couriers[molecule.AgentExec] = courier
					o.Stale = c.stale
				})
				time.Sleep(time.Second)
				synctest.Wait() // the race detector takes no sleep for an order
				r := b.run(id)
				if r.Outcome != c.want || r.Reason != c.reason {
					t.Errorf("the run is %s %q because %q, want %q because %q", r.State, r.Outcome, r.Reason, c.want, c.reason)
				}
				if diff := cmp.Diff(got, c.sent); diff != "" {
					t.Errorf("deliveries (-got +want):\n%s", diff)
				}
				b.close()
			})
		})
	}
}

func TestDispatcher_blocksARunOfAKindNobodyHereCanCall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir, molecule.AgentPush, hang)
		id := b.send(b.agent("a", molecule.AgentExec, 1), "work")
		time.Sleep(time.Second)
		if r := b.run(id); r.Outcome != molecule.OutcomeBlocked || r.Reason != "agents of kind exec cannot be reached" {
			t.Errorf("the run is %s %q because %q", r.State, r.Outcome, r.Reason)
		}
		b.close()
	})
}

func TestDispatcher_asksAtOnceForATaskWhoseDeadlinePassed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		id := leave(t, dir, left{kind: molecule.AgentPush, attempt: 1, handle: "task"})
		time.Sleep(time.Hour)
		b := newBench(t, dir, molecule.AgentPush, func(ctx context.Context, d molecule.Delivery) molecule.Reply {
			if ctx.Err() == nil {
				t.Error("a run whose deadline passed has time again")
			}
			return molecule.Reply{Failure: molecule.FailDeadline, Answered: true}
		})
		time.Sleep(time.Second)
		if r := b.run(id); r.Outcome != molecule.OutcomeTimeout {
			t.Errorf("the run is %s %q", r.State, r.Outcome)
		}
		b.close()
	})
}

func TestDispatcher_takesOverALostHandOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir, molecule.AgentPush, func(context.Context, molecule.Delivery) molecule.Reply { return says("hi") })
		r := claimed(b.agent("a", molecule.AgentPush, 1), "work", time.Minute)
		must(t, b.db.CreateRun(t.Context(), &r)) // and nobody is told
		time.Sleep(31 * time.Second)
		if got := b.run(r.ID); got.Outcome != molecule.OutcomeOK {
			t.Errorf("the run nobody held is %s %q", got.State, got.Outcome)
		}
		b.close()
	})
}

// ailing is a store that fails its first calls of some methods.
type ailing struct {
	dispatch.Store
	mu   sync.Mutex
	left map[string]int // failures by method; below zero: for good
	with error
}

func (s *ailing) fail(method string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left[method] == 0 {
		return nil
	}
	s.left[method]--
	return s.with
}

func (s *ailing) Recipients(ctx context.Context, ids []string) ([]molecule.Agent, error) {
	if err := s.fail("Recipients"); err != nil {
		return nil, err
	}
	return s.Store.Recipients(ctx, ids)
}

func (s *ailing) OpenRuns(ctx context.Context, limit int) ([]molecule.Run, error) {
	if err := s.fail("OpenRuns"); err != nil {
		return nil, err
	}
	return s.Store.OpenRuns(ctx, limit)
}

func (s *ailing) StartRun(ctx context.Context, r molecule.Run, started, deadline time.Time, attempt int) error {
	if err := s.fail("StartRun"); err != nil {
		return err
	}
	return s.Store.StartRun(ctx, r, started, deadline, attempt)
}

func (s *ailing) FinishAttempt(ctx context.Context, id string, a molecule.Attempt) error {
	if err := s.fail("FinishAttempt"); err != nil {
		return err
	}
	return s.Store.FinishAttempt(ctx, id, a)
}

func (s *ailing) SetRunHandle(ctx context.Context, id, handle string) error {
	if err := s.fail("SetRunHandle"); err != nil {
		return err
	}
	return s.Store.SetRunHandle(ctx, id, handle)
}

func (s *ailing) SetRunWaiting(
	ctx context.Context, id string, state molecule.RunState, reason string, deadline time.Time,
) error {
	if err := s.fail("SetRunWaiting"); err != nil {
		return err
	}
	return s.Store.SetRunWaiting(ctx, id, state, reason, deadline)
}

func (s *ailing) FinishRun(ctx context.Context, f molecule.Finish) (molecule.Run, error) {
	if err := s.fail("FinishRun"); err != nil {
		return molecule.Run{}, err
	}
	return s.Store.FinishRun(ctx, f)
}

func TestDispatcher_losesNothingWhenTheStoreIsInTrouble(t *testing.T) {
	t.Parallel()
	busy := molecule.Errorf(molecule.Unavailable, "the store is busy")
	broken := molecule.Errorf(molecule.Internal, "no such column")
	cases := []struct {
		name   string
		method string
		times  int
		with   error
		want   molecule.Outcome
		reason string
		told   int // how often somebody was told of an end
	}{
		{"reading the agent", "Recipients", 4, busy, "ok", "", 1},
		{"starting", "StartRun", 4, busy, "ok", "", 1},
		{"starting, by timeout", "StartRun", 2, context.DeadlineExceeded, "ok", "", 1},
		{"ending an attempt", "FinishAttempt", 4, busy, "ok", "", 1},
		{"noting a handle", "SetRunHandle", 4, busy, "ok", "", 1},
		{"noting that it waits", "SetRunWaiting", 1, busy, "ok", "", 1},
		{"ending", "FinishRun", 10, busy, "ok", "", 1},
		{"reading open runs", "OpenRuns", 1, broken, "ok", "", 1},
		{"an agent that cannot be read", "Recipients", 2, broken, "unknown", "the delivery broke: no such column", 1},
		{"a run that cannot be started", "StartRun", 1, broken, "unknown", "the delivery broke: start run: no such column", 1},
		{"an attempt that cannot be ended", "FinishAttempt", 1, broken, "unknown", "the delivery broke: finish attempt: no such column", 1},
		{"an end that cannot be stored", "FinishRun", -1, broken, "", "", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				told := 0
				courier := func(_ context.Context, d molecule.Delivery) molecule.Reply {
					if d.Attempt == 1 {
						return molecule.Reply{Failure: molecule.FailUnreachable}
					}
					if err := d.Note("task"); err != nil {
						t.Errorf("note: %v", err)
					}
					d.Waiting("which?")
					return says("done")
				}
				b := newBench(t, dir, molecule.AgentPush, courier, func(o *dispatch.Options) {
					o.Store = &ailing{Store: o.Store, left: map[string]int{c.method: c.times}, with: c.with}
					o.Finished = func(molecule.Run) { told++ }
				})
				id := b.send(b.agent("a", molecule.AgentPush, 1), "work")
				time.Sleep(time.Minute)
				synctest.Wait() // the race detector takes no sleep for an order
				if r := b.run(id); r.Outcome != c.want || r.Outcome != "" && r.Reason != c.reason {
					t.Errorf("the run is %s %q because %q, want %q because %q", r.State, r.Outcome, r.Reason, c.want, c.reason)
				}
				if told != c.told {
					t.Errorf("its end was told %d times, want %d", told, c.told)
				}
				b.close()
			})
		})
	}
}

func TestDispatcher_stopsThoughTheStoreNeverRecovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir, molecule.AgentPush, func(context.Context, molecule.Delivery) molecule.Reply { return says("hi") },
			func(o *dispatch.Options) {
				o.Store = &ailing{
					Store: o.Store, left: map[string]int{"FinishRun": -1},
					with: molecule.Errorf(molecule.Unavailable, "the disk is full"),
				}
			})
		id := b.send(b.agent("a", molecule.AgentPush, 1), "work")
		time.Sleep(time.Minute)
		began := time.Now()
		b.stop()
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if r := b.run(id); r.State != molecule.RunStarted {
			t.Errorf("the run is %s %q, it belongs to the next start", r.State, r.Outcome)
		}
		if err := b.db.Close(); err != nil {
			t.Error(err)
		}
	})
}
