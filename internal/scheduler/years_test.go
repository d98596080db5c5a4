package scheduler_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// almanac is a schedule whose slots over the years are known from a walk through
// time, minute by minute, that shares nothing with the clock of the daemon.
type almanac struct {
	name, cron, tz string
	dst            cron.DST
	star           bool                   // keeps the grid of real time
	when           func(c time.Time) bool // whether it names this time of the clock on the wall
}

// clockAt names a time of each day.
func clockAt(hour, minute int) func(time.Time) bool {
	return func(c time.Time) bool { return c.Hour() == hour && c.Minute() == minute }
}

// almanacs are what fires in the test of ten years: in both halves of the world,
// in zones that skip a midnight and that change by half an hour. Clocks change
// on Sundays there.
func almanacs() []almanac {
	sundays := func(when func(time.Time) bool) func(time.Time) bool {
		return func(c time.Time) bool { return c.Weekday() == time.Sunday && when(c) }
	}
	return []almanac{
		{name: "berlin", cron: "30 2 * * *", tz: "Europe/Berlin", when: clockAt(2, 30)},
		{name: "berlin-skip", cron: "30 2 * * SUN", tz: "Europe/Berlin", dst: cron.DSTSkip, when: sundays(clockAt(2, 30))},
		{name: "berlin-both", cron: "30 2 * * SUN", tz: "Europe/Berlin", dst: cron.DSTBoth, when: sundays(clockAt(2, 30))},
		{name: "berlin-grid", cron: "*/30 2 * * SUN", tz: "Europe/Berlin", star: true, when: sundays(func(c time.Time) bool {
			return c.Minute()%30 == 0 && c.Hour() == 2
		})},
		{name: "santiago", cron: "0 0 * * *", tz: "America/Santiago", when: clockAt(0, 0)},
		{name: "santiago-weekly", cron: "0 0 * * SUN", tz: "America/Santiago", when: sundays(clockAt(0, 0))},
		{name: "santiago-monthly", cron: "30 0 1-7 * ?", tz: "America/Santiago", when: func(c time.Time) bool { return clockAt(0, 30)(c) && c.Day() <= 7 }},
		{name: "lord-howe", cron: "15 2 * * *", tz: "Australia/Lord_Howe", when: clockAt(2, 15)},
		{name: "lord-howe-both", cron: "45 1 * * SUN", tz: "Australia/Lord_Howe", dst: cron.DSTBoth, when: sundays(clockAt(1, 45))},
	}
}

// walk returns the slots in (from, to].
func (a almanac) walk(t *testing.T, from, to time.Time) []time.Time {
	t.Helper()
	loc, err := time.LoadLocation(a.tz)
	if err != nil {
		t.Fatal(err)
	}
	civil := func(at time.Time) time.Time { // what the clock on the wall shows
		_, offset := at.In(loc).Zone()
		return at.Add(time.Duration(offset) * time.Second)
	}
	var slots []time.Time
	shown := civil(from) // the furthest that it has shown
	for at := from.Add(time.Minute); !at.After(to); at = at.Add(time.Minute) {
		now := civil(at)
		due := a.when(now) && (a.star || a.dst == cron.DSTBoth || now.After(shown))
		for c := shown.Add(time.Minute); c.Before(now) && !a.star && a.dst != cron.DSTSkip; c = c.Add(time.Minute) {
			due = due || a.when(c) // the clock jumped over it
		}
		if now.After(shown) {
			shown = now
		}
		if due {
			slots = append(slots, at)
		}
	}
	return slots
}

// TestTenYears_fireEverySlotOnce runs nine schedules through the loop, the
// dispatcher and the store, and holds each row against a walk through the same
// time: half a year with a change in each zone, or with MOLECULE_SIMULATE=all ten
// years.
func TestTenYears_fireEverySlotOnce(t *testing.T) {
	t.Parallel()
	began := time.Now() // outside of the bubble: time that really passes
	calm.on(t, func(t *testing.T, p *plant) {
		from := time.Now().UTC()
		to := from.AddDate(0, 6, 0)
		if everything() {
			to = from.AddDate(10, 0, 0)
		}
		all := almanacs()
		for _, a := range all {
			p.agent(a.name, molecule.AgentExec, 1)
			p.schedule(molecule.Schedule{Name: a.name, Cron: a.cron, TZ: a.tz, DST: string(a.dst)})
		}
		pass(to.Sub(from))
		fired := 0
		history := p.history()
		for _, a := range all {
			var got []time.Time
			for _, r := range history[a.name] {
				if r.Outcome != molecule.OutcomeOK || r.Trigger != molecule.TriggerCron || !r.StartedAt.Equal(r.Slot) {
					t.Errorf("%s: the slot %v started at %v, %s %s", a.name, r.Slot, r.StartedAt, r.Trigger, r.Outcome)
				}
				got = append(got, r.Slot)
			}
			fired += len(got)
			if diff := cmp.Diff(got, a.walk(t, from, to)); diff != "" {
				t.Errorf("%s (-fired +walked):\n%s", a.name, diff)
			}
		}
		t.Logf("%d slots of %d days", fired, int(to.Sub(from).Hours()/24))
	})
	t.Logf("in %v", time.Since(began).Round(10*time.Millisecond))
}
