package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// at is an instant of the day that these tests are about.
func at(clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", "2026-03-04 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

// brief writes a claim as its rows, one a word, and the next slot.
func brief(c molecule.Claim) string {
	var rows []string
	for _, r := range c.Runs {
		what := string(r.State)
		if r.Outcome != "" {
			what = string(r.Outcome)
		}
		rows = append(rows, fmt.Sprintf("%s/%s@%s+%d", what, r.Trigger, r.Slot.Format("15:04"), r.Slots))
	}
	return strings.Join(append(rows, "next@"+c.NextSlot.Format("02T15:04")), " ")
}

func due(expr, next string, open int) molecule.Due {
	return molecule.Due{
		Schedule: molecule.Schedule{
			ID: "s", Cron: expr, TZ: "UTC", NextSlot: at(next), State: molecule.ScheduleActive, Timeout: molecule.Duration(time.Minute),
		},
		OpenRuns: open,
	}
}

func TestPlan_coversEachSlotThatPassed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, now string
		due       molecule.Due
		want      string
	}{
		{"on the slot", "10:00:00", due("*/5 * * * *", "10:00:00", 0), "claimed/cron@10:00+1 next@04T10:05"},
		{"five seconds late is on time", "10:00:05", due("*/5 * * * *", "10:00:00", 0), "claimed/cron@10:00+1 next@04T10:05"},
		{"six seconds late catches up", "10:00:06", due("*/5 * * * *", "10:00:00", 0), "claimed/catch_up@10:00+1 next@04T10:05"},
		{"the run before is open", "10:00:00", due("*/5 * * * *", "10:00:00", 1), "skipped_overlap/cron@10:00+1 next@04T10:05"},
		{"two slots passed", "10:07:00", due("*/5 * * * *", "10:00:00", 0), "missed/cron@10:00+1 claimed/catch_up@10:05+1 next@04T10:10"},
		{"an hour of slots passed", "11:02:00", due("*/5 * * * *", "10:00:00", 0), "missed/cron@10:00+12 claimed/catch_up@11:00+1 next@04T11:05"},
		{"passed and the run before is open", "11:02:00", due("*/5 * * * *", "10:00:00", 2), "missed/cron@10:00+12 skipped_overlap/catch_up@11:00+1 next@04T11:05"},
		{"a daily slot half a day ago", "20:00:00", due("0 8 * * *", "08:00:00", 0), "claimed/catch_up@08:00+1 next@05T08:00"},
		{"at the last instant of its period", "10:04:59", due("*/5 * * * *", "10:00:00", 0), "claimed/catch_up@10:00+1 next@04T10:05"},
		{"the expression changed under its slot", "10:00:30", due("0 8 * * *", "10:00:00", 0), "claimed/catch_up@10:00+1 next@05T08:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := planner{now: at(tt.now), specs: newSpecs()}
			c, err := p.plan(tt.due)
			if err != nil || c.State != molecule.ScheduleActive {
				t.Fatalf("%s: %v", c.State, err)
			}
			if diff := cmp.Diff(brief(c), tt.want); diff != "" {
				t.Errorf("claim (-got +want):\n%s", diff)
			}
		})
	}
}

func TestPlan_missesASlotThatIsADayOld(t *testing.T) {
	t.Parallel()
	d := due("0 8 * * 1", "08:00:00", 0)
	p := planner{now: d.Schedule.NextSlot.Add(24*time.Hour + time.Second), specs: newSpecs()}
	c, err := p.plan(d)
	if err != nil || len(c.Runs) != 1 || c.Runs[0].Outcome != molecule.OutcomeMissed || c.Runs[0].Reason == "" {
		t.Errorf("got %s, %v; want one missed row with its reason", brief(c), err)
	}
}

func TestPlan_refusesARowItCannotRead(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{"", "every full moon", "0 0 30 2 *"} {
		p := planner{now: at("10:00:00"), specs: newSpecs()}
		if c, err := p.plan(due(expr, "10:00:00", 0)); molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("%q: got %s, %v", expr, brief(c), err)
		}
	}
}

func TestPlan_moveOnAndCoverEverySlotOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		expr := rapid.SampledFrom([]string{"* * * * *", "*/7 * * * *", "13 */2 * * *", "0 8 * * *", "30 2 * * 0"}).Draw(t, "cron")
		zone := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe"}).Draw(t, "tz")
		specs := newSpecs()
		spec, err := specs.of(molecule.Schedule{Cron: expr, TZ: zone})
		if err != nil {
			t.Fatal(err)
		}
		from := at("00:00:00").Add(time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(t, "from")))
		first, err := spec.Next(from)
		if err != nil {
			t.Fatal(err)
		}
		now := first.Add(time.Duration(rapid.Int64Range(0, int64(72*time.Hour)).Draw(t, "late")))
		p := planner{now: now, specs: specs}
		c, err := p.plan(molecule.Due{Schedule: molecule.Schedule{Cron: expr, TZ: zone, NextSlot: first}})
		if err != nil {
			t.Fatal(err)
		}
		if !c.NextSlot.After(now) {
			t.Fatalf("the next slot %v is not behind %v", c.NextSlot, now)
		}
		covered := 0
		for _, r := range c.Runs {
			covered += r.Slots
		}
		want, err := spec.CountBetween(first, now, maxCounted)
		if err != nil || covered != want {
			t.Fatalf("%d of %d slots are covered, %v", covered, want, err)
		}
	})
}

func TestSlotMessageID_isTheSlotsOwn(t *testing.T) {
	t.Parallel()
	space := messageSpace("org")
	id := slotMessageID(space, "s", at("10:00:00"))
	if again := slotMessageID(space, "s", at("10:00:00").In(time.FixedZone("X", 3600))); again != id {
		t.Errorf("the same slot in another zone has %s and %s", id, again)
	}
	others := map[string]string{
		"another slot":         slotMessageID(space, "s", at("10:01:00")),
		"another schedule":     slotMessageID(space, "t", at("10:00:00")),
		"another organisation": slotMessageID(messageSpace("other"), "s", at("10:00:00")),
	}
	for what, other := range others {
		if other == id {
			t.Errorf("%s has the same id", what)
		}
	}
}
