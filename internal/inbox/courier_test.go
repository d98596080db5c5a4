package inbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestDeliver_aReplyClosesTheRun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		run := r.prompt(a, "say hello\nand more", time.Minute)
		rows := r.ask(a, "")
		want := []molecule.Activity{{
			AgentID: a.ID, Type: molecule.ActivityReceive, SourceID: r.ReplyAddress(), TargetID: a.ID, Method: "message/send",
			Summary: "say hello", Status: "ok", MessageID: run.MessageID, Text: "say hello\nand more", RunID: run.ID, Once: true, Attempt: 1,
		}}
		if diff := cmp.Diff(rows, want, cmpopts.IgnoreFields(molecule.Activity{}, "ID", "CreatedAt")); diff != "" {
			t.Fatalf("handed out (-got +want):\n%s", diff)
		}
		time.Sleep(10 * time.Second)
		if got := r.says(a, "hello"); got != run.ID {
			t.Errorf("the reply closed %q, want %q", got, run.ID)
		}
		r.wantRun(run.ID, molecule.RunFinished, molecule.OutcomeOK, "hello")
		if got := r.says(a, "and again"); got != "" {
			t.Errorf("a second reply closed %q", got)
		}
	})
}

func TestDeliver_theReplyIsJudged(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]molecule.Outcome{
		"[SILENT]": molecule.OutcomeQuiet, "[CRON_FAILURE]\nno disk": molecule.OutcomeDeclaredFailure, " \n": molecule.OutcomeEmpty,
	} {
		t.Run(string(want), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				a := r.agent("a")
				run := r.prompt(a, "work", time.Minute)
				r.ask(a, "")
				r.says(a, said)
				if got := r.ended(run.ID).Outcome; got != want {
					t.Errorf("%q is judged %s, want %s", said, got, want)
				}
			})
		})
	}
}

func TestDeliver_handedOutAndNeverAnsweredIsATimeout(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		run := r.prompt(a, "work", time.Minute)
		rows := r.ask(a, "")
		r.ask(a, rows[0].ID) // it goes on asking, and says nothing
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		r.wantRun(run.ID, molecule.RunFinished, molecule.OutcomeTimeout, "the deadline passed")
		if got := r.says(a, "too late", run.ID); got != "" {
			t.Errorf("a late reply closed %q", got)
		}
		r.wantRun(run.ID, molecule.RunFinished, molecule.OutcomeTimeout, "the deadline passed")
		r.want("from the beginning", r.ask(a, ""))
	})
}

func TestDeliver_neverAskedForIsHungAndNotHandedOutLater(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		run := r.prompt(a, "work", time.Minute)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		r.wantRun(run.ID, molecule.RunFinished, molecule.OutcomeHung, "it did not ask for its work")
		r.want("after the deadline", r.ask(a, ""))
	})
}

func TestDeliver_aCanceledRunIsWithdrawn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		run := r.prompt(a, "work", time.Minute)
		if !r.d.Cancel(run.ID, "canceled by uid:0") {
			t.Fatal("it is not held")
		}
		synctest.Wait()
		r.wantRun(run.ID, molecule.RunFinished, molecule.OutcomeCanceled, "canceled by uid:0")
		r.want("afterwards", r.ask(a, ""))
	})
}

func TestDeliver_aRestartInTheMiddleLosesNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		before bool // it asks for its work before the restart
		reply  func(first, second *rig, a molecule.Agent, run molecule.Run)
	}{
		{"asked for afterwards", false, func(_, second *rig, a molecule.Agent, _ molecule.Run) {
			second.want("after the restart", second.ask(a, ""), second.ended(openRun(second, a)).MessageID)
			second.says(a, "hello")
		}},
		{"answered afterwards", true, func(_, second *rig, a molecule.Agent, _ molecule.Run) { second.says(a, "hello") }},
		{"answered by name", true, func(_, second *rig, a molecule.Agent, run molecule.Run) { second.says(a, "hello", run.ID) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				first := start(t, dir)
				a := first.agent("a")
				run := first.prompt(a, "work", time.Hour)
				if tt.before {
					first.ask(a, "")
				}
				first.close()
				second := start(t, dir)
				time.Sleep(20 * time.Second) // it looks for what was left
				tt.reply(first, second, a, run)
				synctest.Wait()
				second.wantRun(run.ID, molecule.RunFinished, molecule.OutcomeOK, "hello")
				second.close()
			})
		})
	}
}

// TestDeliver_makesTheRowThatWasOnlyNoted is the daemon killed between noting
// where the work will be and putting it there.
func TestDeliver_makesTheRowThatWasOnlyNoted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		first := start(t, dir)
		a := first.agent("a")
		run := molecule.Run{
			AgentID: a.ID, Agent: a.Name, Trigger: molecule.TriggerManual, State: molecule.RunClaimed,
			Slot: time.Now(), Prompt: "work", Timeout: molecule.Duration(time.Hour), MessageID: "m",
		}
		if err := first.db.CreateRun(t.Context(), &run); err != nil {
			t.Fatal(err)
		}
		if err := first.db.StartRun(t.Context(), run, time.Now(), time.Now().Add(time.Hour), 1); err != nil {
			t.Fatal(err)
		}
		if err := first.db.SetRunHandle(t.Context(), run.ID, "inbox 0199aaaa-0000-7000-8000-000000000001"); err != nil {
			t.Fatal(err)
		}
		first.close()
		second := start(t, dir)
		time.Sleep(20 * time.Second)
		rows := second.ask(a, "")
		second.want("after the restart", rows, "m")
		if rows[0].ID != "0199aaaa-0000-7000-8000-000000000001" {
			t.Errorf("its row is %s", rows[0].ID)
		}
		second.says(a, "hello")
		second.wantRun(run.ID, molecule.RunFinished, molecule.OutcomeOK, "hello")
		second.close()
	})
}

// openRun returns the run of an agent that has not ended.
func openRun(r *rig, a molecule.Agent) string {
	r.Helper()
	page, err := r.db.Runs(r.Context(), molecule.RunFilter{Agent: a.ID, Open: true})
	if err != nil || len(page.Items) != 1 {
		r.Fatalf("open runs: %v, %v", page.Items, err)
	}
	return page.Items[0].ID
}

func TestAnswer_namesOrFollowsTheRun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		one, two := r.prompt(a, "one", time.Hour), r.prompt(a, "two", time.Hour)
		if got := r.says(a, "before it has anything"); got != "" {
			t.Errorf("a reply to nothing closed %q", got)
		}
		rows := r.ask(a, "")
		r.want("both", rows, one.MessageID, two.MessageID)
		for _, name := range []string{two.ID, rows[1].ID, two.MessageID} {
			other := r.agent("other-" + name[:8])
			if got := r.says(other, "not mine", name); got != "" {
				t.Errorf("another agent closed %q", got)
			}
		}
		if got := r.says(a, "2", "a name nobody knows", two.MessageID); got != two.ID {
			t.Errorf("the named one: %q, want %q", got, two.ID)
		}
		if got := r.says(a, "1", "a name nobody knows"); got != one.ID {
			t.Errorf("the one in hand: %q, want %q", got, one.ID)
		}
		r.wantRun(one.ID, molecule.RunFinished, molecule.OutcomeOK, "1")
		r.wantRun(two.ID, molecule.RunFinished, molecule.OutcomeOK, "2")
	})
}

func TestAnswer_thatClosesNothingIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		r.says(a, "the disk is full")
		page, err := r.db.Events(t.Context(), molecule.EventFilter{Types: []string{molecule.EventAgentSaid}})
		if err != nil || len(page.Items) != 1 || page.Items[0].Subject != "agent/a" {
			t.Fatalf("events: %+v, %v", page.Items, err)
		}
		r.want("its own words are no work", r.ask(a, ""))
	})
}

func TestDeliver_waitsForAnAgentThatIsOffline(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.agent("a")
		r.believe(a, molecule.AgentOffline)
		run := r.prompt(a, "work", time.Hour)
		if got := r.ended(run.ID).State; got != molecule.RunAway {
			t.Errorf("the run is %s", got)
		}
		r.want("while it is called offline", r.ask(a, ""))
		r.believe(a, molecule.AgentOnline)
		r.d.Returned(a.ID)
		synctest.Wait()
		r.want("when it is known to be there", r.ask(a, ""), run.MessageID)
	})
}

// believe sets the state of an agent.
func (r *rig) believe(a molecule.Agent, state molecule.AgentState) {
	r.Helper()
	_, err := r.db.SetAgentState(r.Context(), a.ID, func(a *molecule.Agent) error {
		a.State = state
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
}
