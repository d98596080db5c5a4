package registry_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// watched runs a test in virtual time, on a rig of its own.
func watched(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := watch(t, dir)
		test(t, r)
		r.stop()
	})
}

// past is a little more than what a sweep and a write take.
const past = 300 * time.Millisecond

func states(all ...molecule.AgentState) []molecule.AgentState { return all }

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("%s (-got +want):\n%s", what, diff)
	}
}

func TestMonitor_believesTheFirstCardOfAnAgentThatNeverSentARequest(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		a := r.push("a")
		time.Sleep(past)
		r.want("its card answered", "a", molecule.AgentOnline)
		time.Sleep(time.Hour)
		same(t, "what became of it in silence", r.steps(a), states("online"))
		same(t, "how often it was asked", r.cards.count("a"), 1)
		same(t, "incidents", r.incidents(), []string(nil))
	})
}

func TestMonitor_looksForOneThatWasNeverThereAndTellsOnce(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		r.cards.set(true, "a")
		a := r.push("a")
		time.Sleep(10 * time.Minute)
		same(t, "what became of it", r.steps(a), states("offline"))
		same(t, "incidents", r.incidents(), []string{"agent_offline agent/a open"})
		r.cards.set(false, "a")
		time.Sleep(70 * time.Second)
		same(t, "what became of it", r.steps(a), states("offline", "online"))
		same(t, "incidents", r.incidents(), []string{"agent_offline agent/a"})
		if n := r.returned.Load(); n != 1 {
			t.Errorf("it returned %d times", n)
		}
	})
}

func TestMonitor_isSuspectFirstAndOfflineOnlyWhenItsCardIsSilentToo(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		a := r.push("a")
		r.beats(20*time.Second, 2*time.Minute, a)
		r.cards.set(true, "a")
		// The last one came 20 s ago.
		time.Sleep(40*time.Second - past)
		r.want("just below twice the gap", "a", molecule.AgentOnline)
		time.Sleep(2 * past)
		r.want("just above", "a", molecule.AgentSuspect)
		same(t, "incidents of a suspicion", r.incidents(), []string(nil))
		time.Sleep(30*time.Second - 2*past)
		r.want("just below the limit", "a", molecule.AgentSuspect)
		time.Sleep(15 * time.Second)
		r.want("above the limit", "a", molecule.AgentOffline)
		same(t, "incidents", r.incidents(), []string{"agent_offline agent/a open"})
		r.beat(a, molecule.Vitals{})
		time.Sleep(past)
		same(t, "what became of it", r.steps(a), states("online", "suspect", "offline", "online"))
		same(t, "incidents", r.incidents(), []string{"agent_offline agent/a"})
	})
}

func TestMonitor_takesTheWordOfACardForOneThatSendsFewRequests(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		a := r.push("a")
		time.Sleep(past)
		r.beat(a, molecule.Vitals{})
		time.Sleep(time.Hour)
		// Once it is looked for; from then on it is asked before it is doubted.
		same(t, "what became of it", r.steps(a), states("online", "suspect", "online"))
		r.cards.set(true, "a")
		time.Sleep(3 * time.Minute)
		same(t, "what became of it", r.steps(a), states("online", "suspect", "online", "suspect", "offline"))
	})
}

func TestMonitor_hasNothingToAskOfOneWithoutAnAddress(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		a, b := r.poll("a"), r.poll("b")
		for range 600 {
			time.Sleep(time.Second)
			r.m.Heard(time.Now(), a.ID, molecule.RequestPoll)
			r.m.Heard(time.Now(), b.ID, molecule.RequestPoll)
		}
		for range 90*10 - 3 { // b goes on
			time.Sleep(100 * time.Millisecond)
			r.m.Heard(time.Now(), b.ID, molecule.RequestPoll)
		}
		r.want("just below the limit", "a", molecule.AgentSuspect)
		time.Sleep(2 * past)
		r.want("just above", "a", molecule.AgentOffline)
		r.want("all the time", "b", molecule.AgentOnline)
		same(t, "what became of b", r.steps(b), states("online"))
	})
}

func TestMonitor_learnsThePaceOfAnAgent(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		slow, never := r.poll("slow"), r.poll("never-seen")
		r.beats(70*time.Second, 30*time.Minute, slow)
		// Its first gap was a suspicion; from then on 70 s are what it takes.
		same(t, "what became of it", r.steps(slow), states("online", "suspect", "online"))
		time.Sleep(70*time.Second - past)
		r.want("twice its gap is not over", "slow", molecule.AgentOnline)
		time.Sleep(2 * past)
		r.want("twice its gap", "slow", molecule.AgentSuspect)
		time.Sleep(70 * time.Second)
		r.want("three times its gap", "slow", molecule.AgentOffline)
		r.want("who never sent a request", "never-seen", molecule.AgentPending)
		_ = never
	})
}

func TestMonitor_waitsForOneThatAnnouncedToBeBusy(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		a, b := r.poll("a"), r.poll("b")
		r.beat(a, molecule.Vitals{BusyUntil: time.Now().Add(20 * time.Minute)})
		r.beat(b, molecule.Vitals{BusyUntil: time.Now().Add(24 * time.Hour)})
		time.Sleep(21*time.Minute - past)
		r.want("a minute behind what it announced", "a", molecule.AgentOnline)
		time.Sleep(2 * past)
		r.want("more than that", "a", molecule.AgentSuspect)
		time.Sleep(10*time.Minute - 2*past)
		r.want("nobody is busy for more than half an hour", "b", molecule.AgentOnline)
		time.Sleep(2 * past)
		r.want("nobody is", "b", molecule.AgentSuspect)
	})
}

func TestMonitor_degradesAnAgentByItsOwnWord(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		a := r.poll("a")
		for _, step := range []struct {
			say  molecule.Vitals
			want molecule.AgentState
		}{
			{molecule.Vitals{}, "online"},
			{molecule.Vitals{ErrorRate: 0.49}, "online"},
			{molecule.Vitals{ErrorRate: 0.5}, "degraded"},
			{molecule.Vitals{ErrorRate: 0.3}, "degraded"},
			{molecule.Vitals{ErrorRate: 0.1}, "degraded"},
			{molecule.Vitals{ErrorRate: 0.09}, "online"},
			{molecule.Vitals{ErrorRate: 7}, "degraded"},
			{molecule.Vitals{ErrorRate: -1}, "online"},
			{molecule.Vitals{RuntimeState: "wedged"}, "degraded"},
			{molecule.Vitals{RuntimeState: "sleepy"}, "degraded"}, // says nothing
			{molecule.Vitals{RuntimeState: "ok"}, "online"},
			{molecule.Vitals{RuntimeState: "sleepy"}, "online"},
			{molecule.Vitals{RuntimeState: "wedged", ErrorRate: 0.6}, "degraded"},
			{molecule.Vitals{ErrorRate: 0.6}, "degraded"},
			{molecule.Vitals{}, "online"},
		} {
			r.beat(a, step.say)
			time.Sleep(past)
			if got := r.state("a"); got != step.want {
				t.Errorf("it says %+v and is %s, want %s", step.say, got, step.want)
			}
		}
	})
}

func TestMonitor_remembersThroughSilenceThatAnAgentDoesBadly(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		a := r.poll("a")
		r.beat(a, molecule.Vitals{ErrorRate: 0.9})
		time.Sleep(5 * time.Minute)
		r.beat(a, molecule.Vitals{ErrorRate: 0.2})
		time.Sleep(past)
		same(t, "what became of it", r.steps(a), states("degraded", "suspect", "offline", "degraded"))
	})
}

func TestMonitor_leavesAPausedAgentAlone(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		a := r.poll("a")
		set := func(s molecule.AgentSign) {
			t.Helper()
			if _, err := r.db.SetAgentState(t.Context(), "a", func(a *molecule.Agent) error { a.State = a.State.After(s); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		r.beats(10*time.Second, time.Minute, a)
		set(molecule.SignPaused)
		time.Sleep(time.Hour)
		r.beats(10*time.Second, time.Minute, a)
		same(t, "what became of it", r.steps(a), states("online", "paused"))
		set(molecule.SignResumed)
		time.Sleep(past)
		same(t, "what became of it", r.steps(a), states("online", "paused", "pending", "online"))
	})
}

func TestMonitor_looksForAnAgentOfWhichARunHung(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		silent, beating := r.push("silent"), r.poll("beating")
		hang := func(a molecule.Agent) {
			t.Helper()
			run := molecule.Run{AgentID: a.ID, Trigger: molecule.TriggerManual, Slot: time.Now(), State: molecule.RunClaimed, Prompt: "p"}
			if err := r.db.CreateRun(t.Context(), &run); err != nil {
				t.Fatal(err)
			}
			if _, err := r.db.FinishRun(t.Context(), molecule.Finish{RunID: run.ID, Outcome: molecule.OutcomeHung, EndedAt: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		r.beat(beating, molecule.Vitals{})
		time.Sleep(time.Second)
		r.cards.set(true, "silent")
		hang(silent)
		hang(beating)
		time.Sleep(past)
		r.want("its requests of before prove nothing", "beating", molecule.AgentSuspect)
		r.beat(beating, molecule.Vitals{})
		time.Sleep(time.Minute + 30*time.Second)
		same(t, "what became of the one that is there", r.steps(beating)[:3], states("online", "suspect", "online"))
		same(t, "what became of the other", r.steps(silent), states("online", "suspect", "offline"))
	})
}

func TestMonitor_givesAnAgentUpThatThreeRunsDidNotReach(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		a := r.push("a")
		time.Sleep(past)
		r.cards.set(true, "a")
		for range molecule.SilentLimit {
			r.want("before the third", "a", molecule.AgentOnline)
			run := molecule.Run{AgentID: a.ID, Trigger: molecule.TriggerManual, Slot: time.Now(), State: molecule.RunClaimed, Prompt: "p"}
			if err := r.db.CreateRun(t.Context(), &run); err != nil {
				t.Fatal(err)
			}
			if _, err := r.db.FinishRun(t.Context(), molecule.Finish{RunID: run.ID, Outcome: molecule.OutcomeUnreachable, EndedAt: time.Now()}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(past)
		}
		same(t, "what became of it", r.steps(a), states("online", "offline"))
	})
}

func TestMonitor_tellsOnceOfAnAgentThatComesAndGoes(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		a := r.poll("a")
		for range 4 {
			r.beats(10*time.Second, 30*time.Second, a)
			time.Sleep(2 * time.Minute) // one of the three minutes is its limit
		}
		same(t, "incidents", r.incidents(), []string{
			"agent_offline agent/a", "agent_offline agent/a", "agent_flapping agent/a open",
		})
		r.beats(10*time.Second, time.Hour, a)
		same(t, "incidents an hour later", r.incidents(), []string{
			"agent_offline agent/a", "agent_offline agent/a", "agent_flapping agent/a",
		})
	})
}

func TestMonitor_movesItsIncidentWithTheName(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		r.cards.set(true, "a", "b")
		r.push("a")
		time.Sleep(5 * time.Minute)
		if _, err := r.db.UpdateAgent(t.Context(), "a", func(a *molecule.Agent) error { a.Name = "b"; return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(past)
		same(t, "incidents", r.incidents(), []string{"agent_offline agent/a", "agent_offline agent/b open"})
		if err := r.db.RemoveAgent(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(past)
		same(t, "incidents", r.incidents(), []string{"agent_offline agent/a", "agent_offline agent/b"})
	})
}
