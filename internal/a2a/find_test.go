package a2a_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// eachFaceOf1 runs a test in bubbles with the faces that can be asked for a list.
func eachFaceOf1(t *testing.T, test func(t *testing.T, f a2atest.Face)) {
	t.Helper()
	for _, binding := range []string{a2atest.JSONRPC, a2atest.REST} {
		f := a2atest.Face{Version: a2atest.V1, Binding: binding}
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, f) })
		})
	}
}

func TestDeliver_adoptsTheTaskOfASendThatWasCutOff(t *testing.T) {
	t.Parallel()
	eachFaceOf1(t, func(t *testing.T, f a2atest.Face) {
		takes := a2atest.TakesAndCuts(oddID, stage(molecule.TaskWorking, ""), stage(molecule.TaskCompleted, "", "the report"))
		r := offline(t, a2atest.New(f).Holds("another").On(a2atest.Send, takes).On(a2atest.List, a2atest.Tasks()))
		sameReply(t, r.deliver(t, time.Hour), task(molecule.TaskCompleted, "", "the report"))
		r.asked(t, a2atest.Card, a2atest.Send, a2atest.List, a2atest.Get)
		if diff := cmp.Diff(r.notes, []string{handleOf(r, f, oddID)}); diff != "" {
			t.Errorf("noted (-got +want):\n%s", diff)
		}
	})
}

func TestDeliver_looksMoreThanOnceForATaskThatIsBeingMade(t *testing.T) {
	t.Parallel()
	eachFaceOf1(t, func(t *testing.T, f a2atest.Face) {
		none := a2atest.Result(`{"tasks":[],"totalSize":0,"pageSize":100,"nextPageToken":""}`)
		takes := a2atest.TakesAndCuts("t", stage(molecule.TaskCompleted, "", "late"))
		r := offline(t, a2atest.New(f).On(a2atest.Send, takes).On(a2atest.List, a2atest.Cuts(), none, a2atest.Tasks()))
		sameReply(t, r.deliver(t, time.Hour), task(molecule.TaskCompleted, "", "late"))
		r.asked(t, a2atest.Card, a2atest.Send, a2atest.List, a2atest.List, a2atest.List, a2atest.Get)
	})
}

func TestDeliver_takesNoOtherTaskForItsOwn(t *testing.T) {
	t.Parallel()
	eachFaceOf1(t, func(t *testing.T, f a2atest.Face) {
		agent := a2atest.New(f).Holds("another", stage(molecule.TaskCompleted, "", "not ours"))
		r := offline(t, agent.On(a2atest.Send, a2atest.Cuts()).On(a2atest.List, a2atest.Tasks()))
		sameReply(t, r.deliver(t, time.Hour), fails(molecule.FailBroken, 0, "says why"))
		r.asked(t, a2atest.Card, a2atest.Send, a2atest.List, a2atest.List, a2atest.List)
	})
}

func TestDeliver_looksForNothingWhereNobodyListsTasks(t *testing.T) {
	t.Parallel()
	eachFaceOffline(t, func(t *testing.T, f a2atest.Face) {
		r := offline(t, a2atest.New(f).On(a2atest.Send, a2atest.Cuts()))
		sameReply(t, r.deliver(t, time.Hour), fails(molecule.FailBroken, 0, "says why"))
		want := []a2atest.Op{a2atest.Card, a2atest.Send}
		if f.Version == a2atest.V1 { // where it can be asked for, once
			want = append(want, a2atest.List)
		}
		r.asked(t, want...)
	})
}

func TestDeliver_looksNoLongerThanTheDeadline(t *testing.T) {
	t.Parallel()
	eachFaceOf1(t, func(t *testing.T, f a2atest.Face) {
		r := offline(t, a2atest.New(f).On(a2atest.Send, a2atest.Cuts()).On(a2atest.List, a2atest.Tasks()))
		began := time.Now()
		sameReply(t, r.deliver(t, 1500*time.Millisecond), fails(molecule.FailBroken, 0, "says why"))
		if took := time.Since(began); took > 1500*time.Millisecond {
			t.Errorf("it took %s", took)
		}
	})
}
