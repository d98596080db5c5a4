package inbox_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// lapse lets every lease run out and the subsystem notice it.
func lapse() {
	time.Sleep(molecule.ActivityLease + 30*time.Second)
	synctest.Wait()
}

func TestActivities_areHandedOutOnceAndReadOnByCursor(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		for i := range 4 {
			r.message(a, fmt.Sprint(i))
		}
		rows := r.ask(a, "")
		r.want("the first question", rows, "0", "1", "2", "3")
		r.want("the same again", r.ask(a, ""))
		r.message(a, "4")
		r.want("what is new", r.ask(a, ""), "4")
		r.want("behind the second", r.ask(a, rows[1].ID), "2", "3", "4")
		last := r.ask(a, rows[3].ID)
		r.want("behind the fourth", last, "4")
		r.want("behind the last", r.ask(a, last[0].ID))
		r.want("behind the first, once more", r.ask(a, rows[0].ID), "1", "2", "3", "4")
		lapse()
		r.want("what was read comes no more", r.ask(a, ""))
	})
}

func TestActivities_whatWasLostOnTheWayComesAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		r.message(a, "lost")
		r.ask(a, "") // and the answer never arrived
		r.message(a, "next")
		next := r.ask(a, "")
		r.want("what is new", next, "next")
		r.want("reading on", r.ask(a, next[0].ID))
		lapse()
		again := r.ask(a, next[0].ID)
		r.want("behind what it read", again, "lost")
		if again[0].Attempt != 2 {
			t.Errorf("it is handed out for the time %d, want 2", again[0].Attempt)
		}
		r.want("and then nothing", r.ask(a, again[0].ID))
	})
}

func TestActivities_aLongTaskIsNotGivenTwice(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		r.message(a, "long")
		rows := r.ask(a, "")
		r.message(a, "meanwhile")
		lapse() // it works on the first for longer than a lease
		r.want("behind the long one", r.ask(a, rows[0].ID), "meanwhile")
	})
}

func TestActivities_aRunIsHandedOutTwiceOnlyWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	for _, resend := range []molecule.Resend{"", molecule.ResendSafe} {
		t.Run("resend "+string(resend), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				a := r.agent("a")
				run := r.prompt(a, "work", time.Hour, func(run *molecule.Run) { run.Policy.Resend = resend })
				r.want("the first time", r.ask(a, ""), run.MessageID)
				lapse()
				rows := r.ask(a, "")
				if resend == molecule.ResendSafe {
					r.want("again", rows, run.MessageID)
				} else {
					r.want("again", rows)
				}
				r.says(a, "hello")
				r.wantRun(run.ID, molecule.RunFinished, molecule.OutcomeOK, "hello")
			})
		})
	}
}

func TestActivities_areNotHandedOutForEver(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		r.message(a, "deadly")
		for range molecule.MaxHandOuts {
			r.want("again", r.ask(a, ""), "deadly")
			lapse()
		}
		r.want("no more", r.ask(a, ""))
	})
}

func TestActivities_anOperatorWhoReadsTakesNothingAway(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		r.message(a, "0")
		for range 2 {
			rows, err := r.Activities(t.Context(), molecule.ActivityFilter{AgentID: a.ID})
			if err != nil {
				t.Fatal(err)
			}
			r.want("an operator", rows, "0")
		}
		r.want("the agent", r.ask(a, ""), "0")
	})
}

func TestPost_refusesWhatDoesNotFit(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		var posting sync.WaitGroup // together, so that they share commits
		for range molecule.MaxInbox {
			posting.Go(func() {
				if err := r.Post(r.Context(), &molecule.Activity{AgentID: a.ID, Message: []byte(`{}`)}); err != nil {
					t.Error(err)
				}
			})
		}
		posting.Wait()
		more := molecule.Activity{AgentID: a.ID}
		if err := r.Post(t.Context(), &more); molecule.CodeOf(err) != molecule.Unavailable {
			t.Errorf("one too many: %v", err)
		}
		rows := r.ask(a, "")
		if len(rows) != molecule.MaxActivities {
			t.Fatalf("it got %d rows, want %d", len(rows), molecule.MaxActivities)
		}
		r.ask(a, rows[0].ID) // it has read one
		if err := r.Post(t.Context(), &more); err != nil {
			t.Errorf("when there is room: %v", err)
		}
		nobody := molecule.Activity{AgentID: "0199aaaa-0000-7000-8000-000000000001"}
		if err := r.Post(t.Context(), &nobody); molecule.CodeOf(err) != molecule.NotFound {
			t.Errorf("to nobody: %v", err)
		}
	})
}

func TestHandOut_givesNoMoreThanFitsIntoAnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		large := make([]byte, 3<<20)
		for i := range large {
			large[i] = 'x'
		}
		large[0], large[len(large)-1] = '"', '"'
		for i := range 4 {
			row := molecule.Activity{AgentID: a.ID, MessageID: fmt.Sprint(i), Message: large}
			if err := r.Post(t.Context(), &row); err != nil {
				t.Fatal(err)
			}
		}
		rows := r.ask(a, "")
		r.want("at first", rows, "0", "1")
		r.want("then", r.ask(a, rows[1].ID), "2", "3")
	})
}

func TestArrivals_tellOfWhatComes(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		told := func(c <-chan struct{}) bool {
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		first := r.Arrivals(a.ID)
		if told(first) {
			t.Error("before anything came")
		}
		r.message(a, "0")
		if !told(first) {
			t.Error("a message was not told")
		}
		r.ask(a, "")
		lapsed := r.Arrivals(a.ID)
		lapse()
		if !told(lapsed) {
			t.Error("what comes again was not told")
		}
	})
}

// TestInbox_losesNothing lets an agent ask, lose answers, die and come back with
// or without what it remembered, in any order, and holds that it is given every
// message.
func TestInbox_losesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		checks := 0
		// Without the deadline of a test, which a bubble has none of.
		rapid.Check(struct{ testing.TB }{t}, func(t *rapid.T) {
			checks++
			a := r.agent(fmt.Sprint("a", checks))
			sent, seen, cursor := 0, map[string]bool{}, ""
			read := func() {
				for _, row := range r.ask(a, cursor) {
					seen[row.MessageID], cursor = true, row.ID
				}
			}
			steps := rapid.SliceOfN(rapid.SampledFrom([]string{"post", "ask", "ask", "lose", "forget", "wait"}), 1, 25).Draw(t, "steps")
			for _, step := range steps {
				switch step {
				case "post":
					r.message(a, fmt.Sprint(sent))
					sent++
				case "ask":
					read()
				case "lose":
					r.ask(a, cursor)
				case "forget":
					cursor = ""
				case "wait":
					lapse()
				}
			}
			for range 3 {
				lapse()
				read()
			}
			if len(seen) != sent {
				t.Fatalf("it has seen %d of %d", len(seen), sent)
			}
		})
	})
}
