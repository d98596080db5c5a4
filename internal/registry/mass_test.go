package registry_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// crowd stores n agents that have just been heard.
func (r *rig) crowd(n int, kind func(name string) molecule.Agent) []molecule.Agent {
	r.t.Helper()
	var all []molecule.Agent
	for i := range n {
		all = append(all, kind(fmt.Sprintf("a%02d", i)))
	}
	r.beats(20*time.Second, 2*time.Minute, all...)
	return all
}

// tally counts agents by what is stored of them.
func (r *rig) tally() molecule.AgentCounts {
	r.t.Helper()
	n, _, err := r.db.Counts(r.t.Context(), time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestMass_allSilentIsOneIncidentAndHealsByItself(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		all := append(r.crowd(20, r.push), r.poll("p1"), r.poll("p2"))
		r.beats(20*time.Second, time.Minute, all...)
		r.cards.cut(true)
		time.Sleep(10 * time.Minute)
		same(t, "states in the silence", r.tally(), molecule.AgentCounts{Unknown: 22})
		same(t, "incidents in the silence", r.incidents(), []string{"agents_silent agents/silent open"})
		r.cards.cut(false)
		r.beats(20*time.Second, time.Minute, all...)
		same(t, "states behind it", r.tally(), molecule.AgentCounts{Online: 22})
		same(t, "incidents behind it", r.incidents(), []string{"agents_silent agents/silent"})
	})
}

func TestMass_takesMoreThanFifteenInAHundredAndThreeAtLeast(t *testing.T) {
	for _, c := range []struct {
		of, gone int
		held     bool
	}{{20, 3, false}, {20, 4, true}, {3, 2, false}, {3, 3, true}} {
		t.Run(fmt.Sprintf("%d of %d", c.gone, c.of), func(t *testing.T) {
			watched(t, func(t *testing.T, r *rig) {
				all := r.crowd(c.of, r.poll)
				r.beats(20*time.Second, 3*time.Minute, all[c.gone:]...)
				want := molecule.AgentCounts{Online: c.of - c.gone, Offline: c.gone}
				incidents := c.gone
				if c.held {
					want.Unknown, want.Offline, incidents = c.gone, 0, 1
				}
				same(t, "states", r.tally(), want)
				if got := r.incidents(); len(got) != incidents {
					t.Errorf("incidents are %v, want %d", got, incidents)
				}
			})
		})
	}
}

func TestMass_findsTheDeadAmongThoseThatAreHeldByTheirCards(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		all := r.crowd(20, r.push)
		dead, alive := all[:6], all[6:]
		for _, a := range dead {
			r.cards.set(true, a.Name)
		}
		r.beats(20*time.Second, 90*time.Second+2*time.Minute, alive...)
		same(t, "states", r.tally(), molecule.AgentCounts{Online: 14, Offline: 6})
		same(t, "incidents", r.incidents(), []string{"agents_silent agents/silent open"})
		// Each that comes back leaves it; the last one ends it.
		r.beats(20*time.Second, time.Minute, all[1:]...)
		same(t, "incidents", r.incidents(), []string{"agents_silent agents/silent open"})
		r.beats(20*time.Second, time.Minute, all...)
		same(t, "incidents", r.incidents(), []string{"agents_silent agents/silent"})
		same(t, "states", r.tally(), molecule.AgentCounts{Online: 20})
	})
}

func TestMass_doesNotTakeAnOldQuestionForProof(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		all := r.crowd(20, r.push)
		r.cards.cut(true)
		time.Sleep(5 * time.Minute)
		r.cards.cut(false)
		// Most are heard again at once; the others beat every two minutes, and were
		// asked for in vain while our own network was down.
		r.beats(20*time.Second, time.Minute, all[:12]...)
		r.beats(20*time.Second, time.Minute, all...)
		for _, a := range all {
			for _, s := range r.steps(a) {
				if s == molecule.AgentOffline {
					t.Errorf("%s was called offline: %v", a.Name, r.steps(a))
				}
			}
		}
	})
}

func TestMass_letsGoOneAfterTheOtherWhenNothingProvesAnything(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		r.crowd(20, r.poll)
		time.Sleep(10 * time.Minute)
		before := r.tally()
		time.Sleep(6 * time.Minute)
		between := r.tally()
		time.Sleep(6 * time.Minute)
		same(t, "after ten minutes", before, molecule.AgentCounts{Unknown: 20})
		if between.Offline < 5 || between.Unknown < 5 {
			t.Errorf("after sixteen minutes: %+v, want some of each", between)
		}
		same(t, "in the end", r.tally(), molecule.AgentCounts{Offline: 20})
		same(t, "incidents", r.incidents(), []string{"agents_silent agents/silent open"})
	})
}

func TestMass_believesAnOperator(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		all := r.crowd(5, r.poll)
		time.Sleep(3 * time.Minute)
		r.want("held", "a00", molecule.AgentUnknown)
		if _, err := r.db.SetAgentState(t.Context(), "a00", func(a *molecule.Agent) error {
			a.State = a.State.After(molecule.SignConfirmed)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(past)
		same(t, "what became of it", r.steps(all[0]), states("online", "suspect", "unknown", "offline"))
		same(t, "incidents", r.incidents(), []string{"agents_silent agents/silent open"})
	})
}

func TestMass_saysNothingOfAgentsThatWereNeverThere(t *testing.T) {
	watched(t, func(t *testing.T, r *rig) {
		r.cards.cut(true)
		for i := range 5 {
			r.push(fmt.Sprintf("wrong-%d", i))
		}
		time.Sleep(2 * time.Minute)
		same(t, "states", r.tally(), molecule.AgentCounts{Offline: 5})
	})
}
