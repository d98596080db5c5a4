package scheduler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// why explains a slot of the first of January 2000, and wants each of words in what
// is said of it.
func (p *plant) why(name, clock string, words ...string) {
	p.t.Helper()
	at, err := time.Parse(time.RFC3339, "2000-01-01T"+clock+"Z")
	if err != nil {
		p.t.Fatal(err)
	}
	e, err := p.service.ExplainSlot(p.t.Context(), name, at)
	if err != nil {
		p.t.Fatal(err)
	}
	said := e.Why + "\n" + strings.Join(e.Story, "\n")
	for _, w := range words {
		if !strings.Contains(said, w) {
			p.t.Errorf("of %s it says\n%s\nwant %q", clock, said, w)
		}
	}
}

func TestWhy_aSkippedSlotNamesTheRunItMet(t *testing.T) {
	t.Parallel()
	onPlant(t, takes(90*time.Second), func(_ *testing.T, p *plant) {
		p.overlapping(molecule.OverlapSkip, 3)
		pass(2*time.Minute + 10*time.Second)
		first := p.bySlot("a")[0]
		p.why("a", "00:02:00", "it was skipped", "that is run "+first.ID+" of 2000-01-01T00:01:00Z, which still is")
		pass(time.Minute)
		p.why("a", "00:02:00", "which ended 30s behind this slot as ok", "nothing was sent")
		p.why("a", "00:01:00", "it ran and ended as ok", "attempt 1 started, 0s behind due", "ended as ok after 1m30s", "overlap skip")
	})
}

func TestWhy_aRunThatWaitsNamesWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	world{behave: hang}.on(t, func(t *testing.T, p *plant) {
		p.overlapping(molecule.OverlapQueue, 1)
		p.schedule(molecule.Schedule{Name: "b", Cron: "2 0 1 1 *", Agent: "a"})
		pass(2*time.Minute + 10*time.Second)
		first := p.bySlot("a")[0]
		p.why("a", "00:02:00", "it waits for the end of the run before it, "+first.ID)
		p.why("b", "00:02:00", "it waits for a place at agent a; one is taken by the run of schedule a", first.ID)
		p.why("a", "00:01:00", "it is under way for 1m10s, until 2000-01-01T00:21:00Z at most")
	})
}

func TestWhy_anInstantWithoutARowIsToldWhatItIs(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.overlapping(molecule.OverlapSkip, 1)
		pass(90 * time.Second)
		p.why("a", "00:01:30", "no slot of this schedule is then", "the slot before it is 2000-01-01T00:01:00Z", "the slot behind it is 2000-01-01T00:02:00Z")
		p.why("a", "00:02:00", "it is still to come")
		p.why("a", "00:00:00", "its slots are counted since")
		if _, err := p.service.PauseSchedule(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		p.why("a", "00:02:00", "the schedule is paused, so it has no slots", "to have slots again: molecli schedule resume a")
	})
}

func TestUpdateSchedule_whatSaysNothingBesideTheNewValueGoes(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.schedule(molecule.Schedule{Name: "a", Cron: "@every 1h", Phase: molecule.Duration(5 * time.Minute), Policy: molecule.Policy{
			CatchUp: molecule.CatchUpAll, CatchUpMax: 7, Jitter: molecule.Duration(time.Minute), JitterMode: molecule.JitterSpread,
		}})
		s := p.update("a", molecule.ScheduleUpdate{Cron: ptr("0 8 * * *"), CatchUp: ptr(molecule.CatchUpNone), Jitter: ptr(molecule.Duration(0))})
		if s.Phase != 0 || s.CatchUpMax != 0 || s.JitterMode != "" {
			t.Errorf("left over are phase %s, catch-up max %d, jitter mode %q", s.Phase, s.CatchUpMax, s.JitterMode)
		}
		_, err := p.service.UpdateSchedule(t.Context(), "a", molecule.ScheduleUpdate{Phase: ptr(molecule.Duration(time.Minute))})
		if molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("a phase that would be ignored: %v", err)
		}
	})
}

func TestBudget_isWrittenAsItBounds(t *testing.T) {
	t.Parallel()
	tests := map[string]molecule.Budget{
		"":                           {},
		"3 runs in 1h":               {Runs: 3, Window: molecule.Duration(time.Hour)},
		"10 tokens, 0.50 USD in 24h": {Tokens: 10, CostUSD: 0.5},
	}
	for want, b := range tests {
		if got := b.String(); got != want {
			t.Errorf("%+v is written %q, want %q", b, got, want)
		}
	}
}
