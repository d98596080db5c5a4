package scheduler_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// calendar stores a calendar of days such as 2000-01-02..2000-01-03.
func (p *plant) calendar(name string, days ...string) {
	p.t.Helper()
	c := molecule.Calendar{Name: name}
	for _, text := range days {
		d, err := molecule.ParseDayRange(text)
		if err != nil {
			p.t.Fatal(err)
		}
		c.Days = append(c.Days, d)
	}
	if err := p.service.PutCalendar(p.t.Context(), &c); err != nil {
		p.t.Fatal(err)
	}
}

func TestPolicyExclusions_none(t *testing.T) {
	t.Parallel()
	calm.on(t, func(_ *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.calendar("weekend", "2000-01-01..2000-01-02") // nobody names it
		p.schedule(molecule.Schedule{Name: "a", Cron: "0 8 * * *"})
		pass(2 * 24 * hours)
		p.wantTold("a", "01T08:00:00 cron ok", "02T08:00:00 cron ok")
	})
}

func TestPolicyExclusions_datesAndRanges(t *testing.T) {
	t.Parallel()
	calm.on(t, func(t *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.calendar("holidays", "2000-01-02..2000-01-03")
		p.calendar("freeze", "2000-01-05")
		p.schedule(molecule.Schedule{Name: "a", Cron: "0 8 * * *", Policy: molecule.Policy{Exclusions: []string{"holidays", "freeze"}}})
		next, err := p.service.NextSlots(t.Context(), "a", 3)
		want := []time.Time{january(1, 8), january(4, 8), january(6, 8)}
		if diff := cmp.Diff(next, want); err != nil || diff != "" {
			t.Errorf("next slots, %v (-got +want):\n%s", err, diff)
		}
		pass(6 * 24 * hours)
		p.wantTold("a", "01T08:00:00 cron ok", "02T08:00:00 cron blocked", "03T08:00:00 cron blocked", "04T08:00:00 cron ok",
			"05T08:00:00 cron blocked", "06T08:00:00 cron ok")
		if r := p.bySlot("a")[4]; r.Reason != "excluded: 2000-01-05 is in calendar freeze" {
			t.Errorf("the excluded slot says %q", r.Reason)
		}
		p.wantCovered("a")
	})
}

// TestPolicyExclusions_inTheZoneOfTheSchedule: it is the second of January in
// Auckland from 11:00 UTC of the first on.
func TestPolicyExclusions_inTheZoneOfTheSchedule(t *testing.T) {
	t.Parallel()
	calm.on(t, func(_ *testing.T, p *plant) {
		p.calendar("second", "2000-01-02")
		for name, zone := range map[string]string{"utc": "UTC", "auckland": "Pacific/Auckland"} {
			p.agent(name, molecule.AgentExec, 1)
			p.schedule(molecule.Schedule{Name: name, Cron: "0 */6 * * *", TZ: zone, Policy: molecule.Policy{Exclusions: []string{"second"}}})
		}
		pass(36 * hours)
		p.wantTold("utc", "01T06:00:00 cron ok", "01T12:00:00 cron ok", "01T18:00:00 cron ok",
			"02T00:00:00 cron blocked", "02T06:00:00 cron blocked", "02T12:00:00 cron blocked")
		p.wantTold("auckland", "01T05:00:00 cron ok", "01T11:00:00 cron blocked", "01T17:00:00 cron blocked",
			"01T23:00:00 cron blocked", "02T05:00:00 cron blocked", "02T11:00:00 cron ok")
	})
}

// TestPolicyExclusions_afterDowntime: a slot on an excluded day was not missed,
// and does not take the place of one that fires late.
func TestPolicyExclusions_afterDowntime(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		policy molecule.Policy
		want   []string
	}{
		{"latest", molecule.Policy{}, []string{
			"01T08:00:00 cron missed", "02T08:00:00-03T08:00:00x2 cron blocked", "04T08:00:00 cron missed", "05T08:00:00 catch_up blocked",
		}},
		{"none", molecule.Policy{CatchUp: molecule.CatchUpNone}, []string{
			"01T08:00:00 cron missed", "02T08:00:00-03T08:00:00x2 cron blocked", "04T08:00:00 cron missed", "05T08:00:00 cron blocked",
		}},
		{"window", molecule.Policy{CatchUp: molecule.CatchUpWindow, CatchUpWindow: molecule.Duration(30 * hours)}, []string{
			"01T08:00:00 cron missed", "02T08:00:00-03T08:00:00x2 cron blocked", "04T08:00:00 catch_up ok", "05T08:00:00 catch_up blocked",
		}},
		{"all", molecule.Policy{CatchUp: molecule.CatchUpAll, CatchUpMax: 2, CatchUpWindow: molecule.Duration(120 * hours)}, []string{
			"01T08:00:00 catch_up ok", "02T08:00:00 catch_up blocked", "03T08:00:00 catch_up blocked", "04T08:00:00 catch_up ok",
			"05T08:00:00 catch_up blocked",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := calm
			w.on(t, func(t *testing.T, p *plant) {
				p.agent("a", molecule.AgentExec, 1)
				p.calendar("holidays", "2000-01-02..2000-01-03", "2000-01-05")
				tt.policy.Exclusions = []string{"holidays"}
				p.schedule(molecule.Schedule{Name: "a", Cron: "0 8 * * *", Policy: tt.policy})
				*p = *w.restart(p, (4*24+9)*hours)
				pass(2 * time.Minute)
				p.wantTold("a", tt.want...)
				p.wantCovered("a")
				if r := p.bySlot("a")[1]; tt.name == "latest" && r.Reason != "excluded: 2 slots, of which 2000-01-02 is in calendar holidays" {
					t.Errorf("the excluded ones say %q", r.Reason)
				}
			})
		})
	}
}

func TestPolicyExclusions_keepToTheCalendarAsItIsThen(t *testing.T) {
	t.Parallel()
	calm.on(t, func(_ *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 1)
		p.calendar("days", "2000-01-01")
		p.schedule(molecule.Schedule{Name: "a", Cron: "0 8 * * *", Policy: molecule.Policy{Exclusions: []string{"days"}}})
		pass(9 * hours)
		p.calendar("days", "2000-01-02")
		pass(48 * hours)
		p.update("a", molecule.ScheduleUpdate{Exclusions: &[]string{}})
		p.calendar("days", "2000-01-04")
		pass(24 * hours)
		p.wantTold("a", "01T08:00:00 cron blocked", "02T08:00:00 cron blocked", "03T08:00:00 cron ok", "04T08:00:00 cron ok")
	})
}

// january is an hour of a day of January 2000.
func january(day, hour int) time.Time { return time.Date(2000, 1, day, hour, 0, 0, 0, time.UTC) }
