package supervised

import (
	"fmt"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"pgregory.net/rapid"
)

var schedulerPromise = promise{every: 30 * time.Second, tickLimit: 10 * time.Second, startGrace: 10 * time.Second, slack: hangSlack}

func TestState_followsFromTheEvidence(t *testing.T) {
	t.Parallel()
	const s = time.Second
	tests := []struct {
		name  string
		e     evidence
		now   time.Duration
		want  molecule.SubsystemState
		grace bool
		hang  string
	}{
		{name: "just begun", e: evidence{started: 100 * s}, now: 100 * s, want: "starting", grace: true},
		{name: "at the end of grace", e: evidence{started: 100 * s}, now: 110 * s, want: "starting", grace: true},
		{name: "never ticked", e: evidence{started: 100 * s}, now: 110*s + 1, want: "stuck", hang: "no tick in the first 10s"},
		{name: "in its first tick", e: evidence{started: 100 * s, begun: 101 * s}, now: 109 * s, want: "starting", grace: true},
		{name: "in its first tick, grace is over", e: evidence{started: 100 * s, begun: 105 * s}, now: 114 * s, want: "starting"},
		{name: "in a first tick begun too late", e: evidence{started: 100 * s, begun: 112 * s}, now: 113 * s, want: "stale"},
		{name: "first tick too long", e: evidence{started: 100 * s, begun: 101 * s}, now: 112 * s, want: "stuck", hang: "inside one tick for 11s"},
		{name: "first tick failed", e: evidence{started: 100 * s, tried: 101 * s}, now: 105 * s, want: "starting", grace: true},
		{name: "no tick was good", e: evidence{started: 100 * s, tried: 140 * s}, now: 150 * s, want: "stale"},
		{name: "started again", e: evidence{started: 100 * s, restarts: 1}, now: 101 * s, want: "starting"},

		{name: "good", e: evidence{started: s, tried: 100 * s, ended: 100 * s}, now: 130 * s, want: "healthy"},
		{name: "at the end of two promises", e: evidence{started: s, tried: 100 * s, ended: 100 * s}, now: 160 * s, want: "healthy"},
		{name: "past two promises", e: evidence{started: s, tried: 100 * s, ended: 100 * s}, now: 160*s + 1, want: "stale"},
		{name: "past two promises and silent", e: evidence{started: s, tried: 100 * s, ended: 100 * s}, now: 171 * s, want: "stale", hang: "no tick for 1m11s"},
		{name: "failing for long, but trying", e: evidence{started: s, tried: 990 * s, ended: 100 * s}, now: 1000 * s, want: "stale"},
		{name: "in a tick", e: evidence{started: s, begun: 130 * s, ended: 100 * s}, now: 140 * s, want: "healthy"},
		{name: "in a tick at its limit", e: evidence{started: s, begun: 130 * s, ended: 100 * s}, now: 140*s + 1, want: "stuck"},
		{name: "in a tick past its limit", e: evidence{started: s, begun: 130 * s, ended: 100 * s}, now: 141 * s, want: "stuck", hang: "inside one tick for 11s"},
		{name: "in a tick that a pulse beats for", e: evidence{started: s, begun: 130 * s, ended: 141 * s}, now: 141 * s, want: "stuck", hang: "inside one tick for 11s"},
		{name: "in a tick, stale before it", e: evidence{started: s, begun: 200 * s, ended: 100 * s}, now: 201 * s, want: "stale"},
		{name: "in a tick that outlasts two promises", e: evidence{started: s, begun: 155 * s, ended: 100 * s}, now: 163 * s, want: "healthy"},

		{name: "cancelled", e: evidence{phase: cancelled, started: s, ended: 100 * s}, now: 101 * s, want: "stuck"},
		{name: "waiting", e: evidence{phase: waiting, started: s, ended: 100 * s}, now: 101 * s, want: "backoff"},
		{name: "failed", e: evidence{phase: failed, started: s, ended: 100 * s}, now: 101 * s, want: "failed"},
		{name: "stopped", e: evidence{phase: stopped, started: s}, now: 1000 * s, want: "stopped"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := schedulerPromise.state(tt.e, tt.now); got != tt.want {
				t.Errorf("state is %s, want %s", got, tt.want)
			}
			if got := schedulerPromise.withinGrace(tt.e, tt.now); got != tt.grace {
				t.Errorf("within grace is %t, want %t", got, tt.grace)
			}
			got := ""
			if err := schedulerPromise.hang(tt.e, tt.now); err != nil {
				got = err.Error()
			}
			if got != tt.hang {
				t.Errorf("hang is %q, want %q", got, tt.hang)
			}
		})
	}
}

// Whatever the evidence: there is an answer, a hang is never green, waiting
// makes nothing better, and grace belongs to the first start alone.
func TestState_isTotalAndNeverRecoversByWaiting(t *testing.T) {
	t.Parallel()
	rank := map[molecule.SubsystemState]int{
		"starting": 0, "healthy": 0, "stale": 1, "stuck": 2, "backoff": 3, "failed": 3, "stopped": 3,
	}
	rapid.Check(t, func(t *rapid.T) {
		instant := rapid.OneOf(rapid.Just(time.Duration(0)), rapid.Map(rapid.IntRange(1, 400), func(n int) time.Duration {
			return time.Duration(n) * time.Second
		}))
		p := promise{
			every:      time.Duration(rapid.IntRange(1, 120).Draw(t, "every")) * time.Second,
			tickLimit:  time.Duration(rapid.IntRange(1, 20).Draw(t, "limit")) * time.Second,
			startGrace: time.Duration(rapid.IntRange(1, 20).Draw(t, "grace")) * time.Second,
			slack:      hangSlack,
		}
		e := evidence{
			phase:   phase(rapid.IntRange(int(running), int(stopped)).Draw(t, "phase")),
			started: instant.Draw(t, "started"), begun: instant.Draw(t, "begun"),
			tried: instant.Draw(t, "tried"), ended: instant.Draw(t, "ended"),
			restarts: rapid.IntRange(0, 3).Draw(t, "restarts"),
		}
		now := max(e.started, e.begun, e.tried, e.ended) + instant.Draw(t, "since")
		state := p.state(e, now)
		if _, ok := rank[state]; !ok {
			t.Fatalf("state %q is not one", state)
		}
		if hang := p.hang(e, now); hang != nil && rank[state] == 0 {
			t.Fatalf("%s although %v", state, hang)
		}
		later := p.state(e, now+instant.Draw(t, "wait"))
		if rank[later] < rank[state] {
			t.Fatalf("%s became %s by waiting", state, later)
		}
		if p.withinGrace(e, now) && (state != "starting" || e.restarts > 0) {
			t.Fatalf("grace for %s after %d restarts", state, e.restarts)
		}
	})
}

func TestBackoff_growsToThirtySeconds(t *testing.T) {
	t.Parallel()
	for i, longest := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
		t.Run(fmt.Sprintf("restart %d", i+1), func(t *testing.T) {
			t.Parallel()
			if got := backoff(i+1, 0); got != time.Second {
				t.Errorf("shortest is %s, want 1s", got)
			}
			if got := backoff(i+1, 1); got != longest*time.Second {
				t.Errorf("longest is %s, want %s", got, longest*time.Second)
			}
		})
	}
}

func TestBackoff_staysInItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1<<40).Draw(t, "restarts")
		r := rapid.Float64Range(0, 1).Draw(t, "r")
		got := backoff(n, r)
		if got < time.Second || got > 30*time.Second {
			t.Fatalf("backoff(%d, %g) is %s", n, r, got)
		}
		if next := backoff(n+1, r); next < got {
			t.Fatalf("backoff(%d, %g) is %s, shorter than %s before", n+1, r, next, got)
		}
	})
}
