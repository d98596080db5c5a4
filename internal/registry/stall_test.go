package registry_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// wentBad returns whether an agent was ever doubted.
func wentBad(steps []molecule.AgentState) bool {
	for _, s := range steps {
		if !s.Fine() {
			return true
		}
	}
	return false
}

func TestStall_ofTheProcessIsNobodysSilence(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		all := r.crowd(10, r.poll)
		r.deaf.Store(true)
		r.db.reads.close() // as if it were stopped
		time.Sleep(20 * time.Minute)
		r.db.reads.open()
		r.deaf.Store(false)
		// Some beat at once, some have lost their pace.
		r.beats(20*time.Second, 40*time.Second, all[:5]...)
		r.beats(20*time.Second, 10*time.Minute, all...)
		for _, a := range all {
			if wentBad(r.steps(a)) {
				t.Errorf("%s: %v", a.Name, r.steps(a))
			}
		}
		same(t, "incidents", r.incidents(), []string(nil))
	})
}

func TestStall_ofTheProcessHidesNoDeath(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		all := r.crowd(10, r.poll)
		r.deaf.Store(true)
		r.db.reads.close()
		time.Sleep(20 * time.Minute)
		r.db.reads.open()
		r.deaf.Store(false)
		r.beats(20*time.Second, 2*time.Minute, all[1:]...)
		r.want("two minutes behind it", "a00", molecule.AgentOffline)
		same(t, "states", r.tally(), molecule.AgentCounts{Online: 9, Offline: 1})
	})
}

func TestStall_ofTheStoreIsNobodysSilence(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		all := r.crowd(10, r.poll)
		r.db.writes.close()
		r.deaf.Store(true) // requests wait for the store
		time.Sleep(10 * time.Minute)
		r.deaf.Store(false)
		r.db.writes.open()
		r.beats(20*time.Second, 10*time.Minute, all...)
		for _, a := range all {
			if wentBad(r.steps(a)) {
				t.Errorf("%s: %v", a.Name, r.steps(a))
			}
		}
	})
}

func TestStall_doesNotTeachAPace(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		all := r.crowd(10, r.poll)
		r.deaf.Store(true)
		r.db.reads.close()
		time.Sleep(80 * time.Second) // below the limit: it would be taken for a slow pace
		r.db.reads.open()
		r.deaf.Store(false)
		r.beats(20*time.Second, 3*time.Minute, all...)
		r.beats(20*time.Second, 2*time.Minute, all[1:]...)
		r.want("its limit is what it was", "a00", molecule.AgentOffline)
	})
}

func TestRestart_callsNobodyOfflineAndFindsTheDead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := watch(t, dir)
		all := r.crowd(10, r.poll)
		dead, unwell := all[0], all[1]
		r.beats(20*time.Second, 40*time.Second, all[1:]...) // the dead is silent for a minute
		r.beat(unwell, molecule.Vitals{ErrorRate: 0.8})
		time.Sleep(past)
		seen := molecule.Agent{ID: unwell.ID}
		r.m.Seen(&seen)
		r.stop()
		time.Sleep(15 * time.Minute)

		r = watch(t, dir)
		time.Sleep(past)
		again := molecule.Agent{ID: unwell.ID}
		r.m.Seen(&again)
		if !again.LastSeen.Equal(seen.LastSeen) || seen.LastSeen.IsZero() {
			t.Errorf("it was seen %v, and behind the restart %v", seen.LastSeen, again.LastSeen)
		}
		r.want("what it said is remembered", unwell.Name, molecule.AgentDegraded)
		r.beat(unwell, molecule.Vitals{ErrorRate: 0.3})
		time.Sleep(past)
		r.want("and so is that it was bad", unwell.Name, molecule.AgentDegraded)
		time.Sleep(50 * time.Second)
		same(t, "states within the minute of grace", r.tally(), molecule.AgentCounts{Online: 8, Degraded: 1, Suspect: 1})
		r.beats(20*time.Second, 2*time.Minute, all[1:]...)
		same(t, "states behind it", r.tally(), molecule.AgentCounts{Online: 9, Offline: 1})
		same(t, "what became of the dead", r.steps(dead), states("online", "suspect", "offline"))
		r.stop()
	})
}

func TestRestart_raisesNoIncidentAgainAndEndsWhatIsOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := watch(t, dir)
		all := r.crowd(10, r.poll)
		r.beats(20*time.Second, 3*time.Minute, all[2:]...)
		want := []string{"agent_offline agent/a00 open", "agent_offline agent/a01 open"}
		same(t, "incidents", r.incidents(), want)
		r.stop()

		r = watch(t, dir)
		r.beats(20*time.Second, 5*time.Minute, all[2:]...)
		same(t, "incidents behind a restart", r.incidents(), want)
		r.beats(20*time.Second, time.Minute, all...)
		same(t, "incidents when they are back", r.incidents(), []string{"agent_offline agent/a00", "agent_offline agent/a01"})
		r.stop()
	})
}

func TestRestart_goesOnWithAHold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := watch(t, dir)
		all := r.crowd(10, r.poll)
		time.Sleep(3 * time.Minute)
		same(t, "states", r.tally(), molecule.AgentCounts{Unknown: 10})
		r.stop()
		r = watch(t, dir)
		time.Sleep(5 * time.Minute)
		same(t, "states behind a restart", r.tally(), molecule.AgentCounts{Unknown: 10})
		same(t, "incidents", r.incidents(), []string{"agents_silent agents/silent open"})
		r.beats(20*time.Second, time.Minute, all...)
		same(t, "incidents when all are back", r.incidents(), []string{"agents_silent agents/silent"})
		r.stop()
	})
}

func TestRestart_takesARequestThatWasQuicker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := watch(t, dir)
		a := r.poll("a")
		r.stop()
		r = watch(t, dir)
		r.beat(a, molecule.Vitals{ActiveTasks: 3}) // before the rows are read
		r.m.Heard(time.Now(), "0198c0de-0000-7000-8000-00000000dead", molecule.RequestPoll)
		time.Sleep(5 * time.Second)
		r.want("heard before it was known", "a", molecule.AgentOnline)
		time.Sleep(5 * time.Minute) // the other has no row, and is forgotten
		if got := r.m.Arrivals("0198c0de-0000-7000-8000-00000000dead"); got != nil {
			t.Errorf("of an agent that is none, %v is known", got)
		}
		r.stop()
	})
}
