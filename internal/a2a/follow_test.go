package a2a_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/a2a"
	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// eachFaceOffline runs a test in both dialects over both bindings, each in a
// bubble of its own.
func eachFaceOffline(t *testing.T, test func(t *testing.T, f a2atest.Face)) {
	t.Helper()
	eachFace(t, func(t *testing.T, f a2atest.Face) {
		synctest.Test(t, func(t *testing.T) { test(t, f) })
	})
}

func stage(s molecule.TaskState, says string, artifacts ...string) a2atest.Stage {
	return a2atest.Stage{State: s, Says: says, Artifacts: artifacts}
}

// working is a task that is not done however often one asks.
func working() a2atest.Act { return a2atest.Task(stage(molecule.TaskWorking, "thinking")) }

// left is the reply about a task that a deadline cut off.
func left(state molecule.TaskState, says string, accepted bool) molecule.Reply {
	r := task(state, says)
	r.Failure, r.CancelAccepted = molecule.FailDeadline, &accepted
	return r
}

func TestDeliver_asksForTheTaskUntilItIsOver(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		stages := []a2atest.Stage{stage(molecule.TaskSubmitted, "")}
		stages = append(stages, slices.Repeat([]a2atest.Stage{stage(molecule.TaskWorking, "thinking")}, 6)...)
		stages = append(stages, stage(molecule.TaskCompleted, "", "the report"))
		r := offline(t, a2atest.New(f).On(a2atest.Send, a2atest.Task(stages...)))
		start := time.Now()
		sameReply(t, r.deliver(t, time.Hour), task(molecule.TaskCompleted, "", "the report"))

		var got []time.Duration
		for _, q := range r.agent.Requests(a2atest.Get) {
			got = append(got, q.At.Sub(start)/time.Second)
		}
		if diff := cmp.Diff(got, []time.Duration{1, 3, 7, 15, 30, 45, 60}); diff != "" {
			t.Errorf("seconds of the polls (-got +want):\n%s", diff)
		}
		if len(r.agent.Requests(a2atest.Send)) != 1 || len(r.notes) != 1 {
			t.Errorf("sent %d times and noted %q, want once each", len(r.agent.Requests(a2atest.Send)), r.notes)
		}
	})
}

func TestDeliver_tellsHowATaskEnded(t *testing.T) {
	t.Parallel()
	for _, state := range []molecule.TaskState{molecule.TaskFailed, molecule.TaskRejected, molecule.TaskCanceled} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
				act := a2atest.Task(stage(molecule.TaskWorking, "thinking"), stage(state, "no disk"))
				r := offline(t, a2atest.New(f).On(a2atest.Send, act))
				sameReply(t, r.deliver(t, time.Hour), task(state, "no disk"))
			})
		})
	}
}

func TestDeliver_asksToCancelAtTheDeadline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		cancel a2atest.Act
		want   bool
		longer time.Duration
	}{
		{"accepted", (*a2atest.Call).Usual, true, 0},
		{"refused", a2atest.RPCError(a2atest.TaskNotCancelable, "too late"), false, 0},
		{"unauthorised", a2atest.Status(401, ""), false, 0},
		{"redirected", a2atest.Redirects("/elsewhere"), false, 0},
		{"cut off", a2atest.Cuts(), false, 0},
		{"no answer", a2atest.Hangs(), false, 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
				r := offline(t, a2atest.New(f).On(a2atest.Send, working()).On(a2atest.Cancel, tt.cancel))
				start := time.Now()
				sameReply(t, r.deliver(t, 5*time.Second), left(molecule.TaskWorking, "thinking", tt.want))
				if got := time.Since(start); got != 5*time.Second+tt.longer {
					t.Errorf("it took %s, want 5s and %s", got, tt.longer)
				}
				r.asked(t, a2atest.Card, a2atest.Send, a2atest.Get, a2atest.Get, a2atest.Cancel)
			})
		})
	}
}

func TestDeliver_tellsOnceThatTheAgentWaits(t *testing.T) {
	t.Parallel()
	for _, state := range []molecule.TaskState{molecule.TaskInputRequired, molecule.TaskAuthRequired} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
				r := offline(t, a2atest.New(f).On(a2atest.Send, a2atest.Task(stage(state, "which disk?"))))
				sameReply(t, r.deliver(t, time.Minute), left(state, "which disk?", true))
				if diff := cmp.Diff(r.waits, []string{"which disk?"}); diff != "" {
					t.Errorf("told (-got +want):\n%s", diff)
				}
			})
		})
	}
}

func TestDeliver_goesOnWhenTheAgentGotItsInput(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		r := offline(t, a2atest.New(f).On(a2atest.Send, a2atest.Task(
			stage(molecule.TaskWorking, ""), stage(molecule.TaskInputRequired, "which disk?"),
			stage(molecule.TaskWorking, ""), stage(molecule.TaskCompleted, "", "the report"),
		)))
		sameReply(t, r.deliver(t, time.Hour), task(molecule.TaskCompleted, "", "the report"))
		if diff := cmp.Diff(r.waits, []string{"which disk?"}); diff != "" {
			t.Errorf("told (-got +want):\n%s", diff)
		}
	})
}

func TestDeliver_waitsForAnAnswerUntilTheDeadline(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		r := offline(t, a2atest.New(f).On(a2atest.Send, a2atest.Later(50*time.Minute, a2atest.Says("at last"))))
		sameReply(t, r.deliver(t, time.Hour), says("at last"))
	})
}

func TestDeliver_looksForASignOfLifeAfterTheDeadline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		card   a2atest.Act // after the deadline
		alive  bool
		longer time.Duration
	}{
		{"serves its card", (*a2atest.Call).Usual, true, 0},
		{"says anything", a2atest.Status(500, ""), true, 0},
		{"hangs", a2atest.Hangs(), false, 5 * time.Second},
		{"hangs up", a2atest.Cuts(), false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
				agent := a2atest.New(f).On(a2atest.Send, a2atest.Hangs()).On(a2atest.Card, (*a2atest.Call).Usual, tt.card)
				r := offline(t, agent)
				start := time.Now()
				want := fails(molecule.FailDeadline, 0, "")
				want.CardAnswered = tt.alive
				sameReply(t, r.deliver(t, time.Minute), want)
				if got := time.Since(start); got != time.Minute+tt.longer {
					t.Errorf("it took %s, want 1m and %s", got, tt.longer)
				}
				if n := len(r.agent.Requests(a2atest.Send)); n != 1 {
					t.Errorf("sent %d times, want once", n)
				}
			})
		})
	}
}

func TestDeliver_takesHalfAnAnswerForASignOfLife(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		r := offline(t, a2atest.New(f).On(a2atest.Send, a2atest.HangsMidway()))
		sameReply(t, r.deliver(t, time.Minute), fails(molecule.FailDeadline, 200, ""))
		r.asked(t, a2atest.Card, a2atest.Send)
	})
}

func TestDeliver_leavesTheTaskAloneWhenTheDaemonStops(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		op   a2atest.Op // during which it stops
		send a2atest.Act
		want molecule.Reply
	}{
		{"during the card", a2atest.Card, nil, fails(molecule.FailShutdown, 0, "")},
		{"during the send", a2atest.Send, nil, fails(molecule.FailShutdown, 0, "")},
		{"during a poll", a2atest.Get, working(), func() molecule.Reply {
			r := task(molecule.TaskWorking, "thinking")
			r.Failure = molecule.FailShutdown
			return r
		}()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
				ctx, stop := context.WithCancelCause(t.Context())
				agent := a2atest.New(f)
				if tt.send != nil {
					agent.On(a2atest.Send, tt.send)
				}
				agent.On(tt.op, func(c *a2atest.Call) {
					stop(errors.New("the daemon stops"))
					a2atest.Hangs()(c)
				})
				r := offline(t, agent)
				sameReply(t, r.client.Deliver(ctx, r.delivery), tt.want)
				if n := len(r.agent.Requests(a2atest.Cancel)); n > 0 {
					t.Errorf("asked to cancel %d times, want never", n)
				}
			})
		})
	}
}

func TestDeliver_givesUpATaskItCannotNote(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		r := offline(t, a2atest.New(f).On(a2atest.Send, working()))
		r.delivery.Note = func(string) error { return errors.New("disk full") }
		sameReply(t, r.deliver(t, time.Hour), molecule.Reply{Failure: molecule.FailShutdown, Answered: true, Detail: "its task could not be noted"})
		r.asked(t, a2atest.Card, a2atest.Send, a2atest.Cancel)
	})
}

func TestDeliver_livesThroughPollsThatGoWrong(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]a2atest.Act{
		"unavailable":   a2atest.Status(503, ""),
		"too many":      a2atest.Status(429, "1"),
		"server error":  a2atest.Status(500, ""),
		"cut":           a2atest.Cuts(),
		"cut midway":    a2atest.CutsMidway(),
		"no answer":     a2atest.Hangs(),
		"a late answer": a2atest.Later(11*time.Second, (*a2atest.Call).Usual),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
				r := offline(t, a2atest.New(f).
					On(a2atest.Send, a2atest.Task(stage(molecule.TaskWorking, ""), stage(molecule.TaskCompleted, "", "the report"))).
					On(a2atest.Get, trouble, trouble, (*a2atest.Call).Usual))
				sameReply(t, r.deliver(t, time.Hour), task(molecule.TaskCompleted, "", "the report"))
				r.asked(t, a2atest.Card, a2atest.Send, a2atest.Get, a2atest.Get, a2atest.Get)
			})
		})
	}
}

func TestDeliver_livesThroughAnAgentThatIsAway(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		agent := a2atest.New(f).On(a2atest.Send, a2atest.Task(stage(molecule.TaskWorking, ""), stage(molecule.TaskCompleted, "", "the report")))
		r := offline(t, agent)
		r.delivery.Note = func(string) error {
			r.wire.Unplug()
			time.AfterFunc(10*time.Second, r.wire.Plug)
			return nil
		}
		sameReply(t, r.deliver(t, time.Hour), task(molecule.TaskCompleted, "", "the report"))
		r.asked(t, a2atest.Card, a2atest.Send, a2atest.Get)
	})
}

func TestDeliver_keepsToItsTaskWhateverAPollNames(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		other := func(c *a2atest.Call) {
			c.TaskID = "another"
			c.Usual()
		}
		agent := a2atest.New(f).Holds("another", stage(molecule.TaskWorking, ""))
		agent.On(a2atest.Send, a2atest.Task(stage(molecule.TaskWorking, ""), stage(molecule.TaskCompleted, "", "the report")))
		r := offline(t, agent.On(a2atest.Get, other, (*a2atest.Call).Usual))
		sameReply(t, r.deliver(t, time.Hour), task(molecule.TaskCompleted, "", "the report"))
	})
}

func TestDeliver_endsWithAPollThatCannotGoWell(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		poll a2atest.Act
		want molecule.Reply
	}{
		{"the task is gone", a2atest.RPCError(a2atest.TaskNotFound, "gone"), molecule.Reply{Failure: molecule.FailLost, Answered: true, Detail: "says why"}},
		{"nothing is there", a2atest.Status(404, ""), molecule.Reply{Failure: molecule.FailLost, Answered: true, Detail: "says why"}},
		{"unauthorised", a2atest.Status(401, ""), molecule.Reply{HTTPStatus: 401, Answered: true}},
		{"a page", a2atest.Body("<html>"), fails(molecule.FailNotJSON, 200, "")},
		{"too large", a2atest.Size(10<<20 + 1), fails(molecule.FailTooLarge, 200, "says why")},
		{"nonsense", a2atest.Result(`{"id":7}`), fails(molecule.FailShape, 200, "says why")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
				r := offline(t, a2atest.New(f).On(a2atest.Send, working()).On(a2atest.Get, tt.poll))
				sameReply(t, r.deliver(t, time.Hour), tt.want)
				r.asked(t, a2atest.Card, a2atest.Send, a2atest.Get)
			})
		})
	}
}

// The client is what the daemon hands to its dispatcher.
var _ interface {
	Deliver(context.Context, molecule.Delivery) molecule.Reply
} = (*a2a.Client)(nil)
