package scheduler_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// overlapping makes an agent with so many places and a schedule of it.
func (p *plant) overlapping(o molecule.Overlap, places int) {
	p.t.Helper()
	p.agent("a", molecule.AgentExec, places)
	p.schedule(molecule.Schedule{Name: "a", Policy: molecule.Policy{Overlap: o}})
}

func TestPolicyOverlap_skip(t *testing.T) {
	t.Parallel()
	onPlant(t, takes(130*time.Second), func(_ *testing.T, p *plant) {
		p.overlapping(molecule.OverlapSkip, 3)
		pass(5*time.Minute + 30*time.Second)
		p.wantTold("a",
			"01T00:01:00 cron ok",
			"01T00:02:00 cron skipped_overlap", "01T00:03:00 cron skipped_overlap",
			"01T00:04:00 cron started",
			"01T00:05:00 cron skipped_overlap")
	})
}

func TestPolicyOverlap_queue(t *testing.T) {
	t.Parallel()
	onPlant(t, takes(130*time.Second), func(_ *testing.T, p *plant) {
		p.overlapping(molecule.OverlapQueue, 3)
		pass(6*time.Minute + 30*time.Second)
		p.wantTold("a",
			"01T00:01:00 cron ok",
			"01T00:02:00 cron ok at 00:03:10", // later than its period, and not missed: it had its turn
			"01T00:03:00 cron skipped_overlap",
			"01T00:04:00 cron started at 00:05:20",
			"01T00:05:00 cron skipped_overlap",
			"01T00:06:00 cron claimed")
	})
}

func TestPolicyOverlap_replace(t *testing.T) {
	t.Parallel()
	// It takes three seconds to stop: the next run begins when it has.
	world{behave: func(ctx context.Context, d molecule.Delivery) molecule.Reply {
		<-ctx.Done()
		time.Sleep(3 * time.Second)
		return stopped(ctx)
	}}.on(t, func(t *testing.T, p *plant) {
		p.overlapping(molecule.OverlapReplace, 3)
		pass(3*time.Minute + 30*time.Second)
		p.wantTold("a", "01T00:01:00 cron canceled", "01T00:02:00 cron canceled at 00:02:03", "01T00:03:00 cron started at 00:03:03")
		first := p.bySlot("a")[0]
		if want := "replaced by the run of 2000-01-01T00:02:00Z"; !strings.HasPrefix(first.Reason, want) {
			t.Errorf("the first says %q, want %q", first.Reason, want)
		}
	})
}

func TestPolicyOverlap_allow(t *testing.T) {
	t.Parallel()
	onPlant(t, takes(130*time.Second), func(_ *testing.T, p *plant) {
		p.overlapping(molecule.OverlapAllow, 3)
		pass(4*time.Minute + 30*time.Second)
		p.wantTold("a", "01T00:01:00 cron ok", "01T00:02:00 cron ok", "01T00:03:00 cron started", "01T00:04:00 cron started")
	})
}

func TestPolicyOverlap_allowWaitsForAPlaceAtTheAgent(t *testing.T) {
	t.Parallel()
	onPlant(t, takes(130*time.Second), func(_ *testing.T, p *plant) {
		p.overlapping(molecule.OverlapAllow, 1)
		pass(5*time.Minute + 30*time.Second)
		p.wantTold("a",
			"01T00:01:00 cron ok", "01T00:02:00 cron ok at 00:03:10", "01T00:03:00 cron started at 00:05:20",
			"01T00:04:00 cron claimed", "01T00:05:00 cron claimed")
	})
}

// TestPolicyOverlap_countsARunByHand: it is a run of the schedule, though no
// slot, so that two never work at the same time unless that is allowed; and it
// is a person's, so that no slot cancels it.
func TestPolicyOverlap_countsARunByHand(t *testing.T) {
	t.Parallel()
	tests := []struct {
		overlap molecule.Overlap
		want    []string
	}{
		{molecule.OverlapSkip, []string{"01T00:00:30 manual ok", "01T00:01:00 cron skipped_overlap", "01T00:02:00 cron skipped_overlap"}},
		{molecule.OverlapQueue, []string{"01T00:00:30 manual ok", "01T00:01:00 cron started at 00:02:40", "01T00:02:00 cron skipped_overlap"}},
		{molecule.OverlapReplace, []string{"01T00:00:30 manual ok", "01T00:01:00 cron canceled", "01T00:02:00 cron started at 00:02:40"}},
		{molecule.OverlapAllow, []string{"01T00:00:30 manual ok", "01T00:01:00 cron started", "01T00:02:00 cron started"}},
	}
	for _, tt := range tests {
		t.Run(string(tt.overlap), func(t *testing.T) {
			t.Parallel()
			onPlant(t, takes(130*time.Second), func(t *testing.T, p *plant) {
				p.overlapping(tt.overlap, 3)
				pass(30 * time.Second)
				if _, err := p.service.TriggerSchedule(t.Context(), "a"); err != nil {
					t.Fatal(err)
				}
				pass(2*time.Minute + 15*time.Second)
				p.wantTold("a", tt.want...)
			})
		})
	}
}
