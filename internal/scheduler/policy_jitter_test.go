package scheduler_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// moved returns by how much each slot of a schedule that has fired was moved.
func (p *plant) moved(name string) []time.Duration {
	p.t.Helper()
	var all []time.Duration
	for _, r := range p.bySlot(name) {
		if r.State == molecule.RunClaimed && r.DueAt.After(time.Now()) {
			continue // claimed early, and held
		}
		if by := r.StartedAt.Sub(r.DueAt); by != 0 || r.Outcome != molecule.OutcomeOK {
			p.t.Errorf("%s: the slot %v, due at %v, started %v later and ended %s", name, r.Slot, r.DueAt, by, r.Outcome)
		}
		all = append(all, r.DueAt.Sub(r.Slot))
	}
	return all
}

// jittered makes schedules that fire so often and returns how much their slots
// were moved in half a day with a restart in the middle.
func jittered(t *testing.T, cron string, policy molecule.Policy, names ...string) map[string][]time.Duration {
	t.Helper()
	all := make(map[string][]time.Duration)
	calm.on(t, func(t *testing.T, p *plant) {
		for _, name := range names {
			p.agent(name, molecule.AgentExec, 1)
			p.schedule(molecule.Schedule{Name: name, Cron: cron, Policy: policy})
		}
		pass(6*hours - time.Minute)
		before := make(map[string]time.Time)
		for _, name := range names {
			s, err := p.service.Schedule(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			before[name] = s.DueAt
		}
		*p = *calm.restart(p, 0)
		for _, name := range names {
			s, err := p.service.Schedule(t.Context(), name)
			if err != nil || !s.DueAt.Equal(before[name]) {
				t.Errorf("%s: a restart moved its next slot from %v to %v (%v)", name, before[name], s.DueAt, err)
			}
		}
		pass(6*hours + time.Minute)
		for _, name := range names {
			p.wantCovered(name)
			all[name] = p.moved(name)
		}
	})
	return all
}

func TestPolicyJitter_zero(t *testing.T) {
	t.Parallel()
	got := jittered(t, "0 */3 * * *", molecule.Policy{}, "a")
	if diff := cmp.Diff(got, map[string][]time.Duration{"a": {0, 0, 0, 0}}); diff != "" {
		t.Errorf("moved by (-got +want):\n%s", diff)
	}
}

func TestPolicyJitter_offset(t *testing.T) {
	t.Parallel()
	window := time.Hour
	all := jittered(t, "0 */2 * * *", molecule.Policy{Jitter: molecule.Duration(window)}, "a", "b", "c")
	differ := make(map[time.Duration]bool)
	for name, moved := range all {
		if len(moved) < 5 {
			t.Fatalf("%s fired %d times", name, len(moved))
		}
		for _, by := range moved {
			if by != moved[0] || by < 0 || by >= window {
				t.Errorf("%s was moved by %v, want the same within %v for each slot", name, moved, window)
			}
		}
		differ[moved[0]] = true
	}
	if len(differ) < 2 {
		t.Errorf("three schedules were moved by the same: %v", all)
	}
}

func TestPolicyJitter_spread(t *testing.T) {
	t.Parallel()
	window := time.Hour
	all := jittered(t, "0 */2 * * *", molecule.Policy{Jitter: molecule.Duration(window), JitterMode: molecule.JitterSpread}, "a", "b")
	for name, moved := range all {
		differ := make(map[time.Duration]bool)
		for _, by := range moved {
			differ[by] = true
			if by < 0 || by >= window {
				t.Errorf("%s was moved by %v, want less than %v", name, by, window)
			}
		}
		if len(differ) != len(moved) || len(moved) < 5 {
			t.Errorf("%s was moved by %v, want another time for each slot", name, moved)
		}
	}
}

// TestPolicyJitter_staysBeforeTheNextSlot, however long it may be.
func TestPolicyJitter_staysBeforeTheNextSlot(t *testing.T) {
	t.Parallel()
	for _, mode := range []molecule.JitterMode{molecule.JitterOffset, molecule.JitterSpread} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			policy := molecule.Policy{Jitter: molecule.Duration(24 * time.Hour), JitterMode: mode}
			for name, moved := range jittered(t, "0,7 * * * *", policy, "a", "b") {
				for i, by := range moved {
					period := 7 * time.Minute // from the hour to seven past
					if i%2 == 0 {             // the first slot is the one at seven past
						period = 53 * time.Minute
					}
					if by < 0 || by >= period {
						t.Errorf("%s: slot %d was moved by %v, the next is %v behind it", name, i, by, period)
					}
				}
			}
		})
	}
}
