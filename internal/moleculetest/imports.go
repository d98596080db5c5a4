package moleculetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// fullSpec says everything that can be said about a schedule.
func fullSpec(name string) molecule.ScheduleSpec {
	return molecule.ScheduleSpec{
		Name: name, Agent: "echo", Cron: "0 0 8 1 1 *", TZ: "Europe/Berlin", DST: "both", Seconds: true, Prompt: "say <hello>\nor not",
		Timeout: molecule.Duration(5 * time.Minute), Paused: ptr(true),
		Policy: molecule.Policy{
			CatchUp: molecule.CatchUpAll, CatchUpMax: 3, CatchUpWindow: molecule.Duration(time.Hour), Overlap: molecule.OverlapQueue,
			Jitter: molecule.Duration(time.Minute), JitterMode: molecule.JitterSpread, Retries: ptr(0), Resend: molecule.ResendSafe,
			Budget: &molecule.Budget{Runs: 4, Tokens: 5, CostUSD: 0.5, Window: molecule.Duration(time.Hour)}, Exclusions: []string{"holidays"},
			MaxRuns: 7, Until: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC),
		},
	}
}

func imports(t *testing.T, s Services) {
	ctx := s.context(t)
	a := upper(t, s)
	must(t, s.Calendars.PutCalendar(ctx, &molecule.Calendar{Name: "holidays", Days: []molecule.DayRange{{From: "2026-12-25", To: "2026-12-25"}}}))
	hand := molecule.Schedule{Name: "plain", Agent: "echo", Cron: "0 0 1 1 *", Prompt: "p"}
	specs := []molecule.ScheduleSpec{
		{Name: "plain", Agent: "echo", Cron: "@yearly", Prompt: "p"}, fullSpec("full"),
		{Name: "every", Agent: a.ID, Cron: "@every 8760h", Phase: molecule.Duration(time.Hour), Prompt: "p"},
	}
	in := molecule.ScheduleImport{Schedules: specs}

	in.DryRun = true
	result, err := s.Schedules.ImportSchedules(ctx, in)
	must(t, err)
	same(t, "what would be imported", result, molecule.ImportResult{Created: []string{"plain", "full", "every"}})
	_, err = s.Schedules.Schedule(ctx, "plain")
	wantCode(t, err, molecule.NotFound, "a schedule that was only to be tried")

	in.DryRun = false
	result, err = s.Schedules.ImportSchedules(ctx, in)
	must(t, err)
	same(t, "what was imported", result, molecule.ImportResult{Created: []string{"plain", "full", "every"}})
	plain, err := s.Schedules.Schedule(ctx, "plain")
	must(t, err)
	must(t, s.Schedules.RemoveSchedule(ctx, "plain"))
	must(t, s.Schedules.CreateSchedule(ctx, &hand))
	plain.ID, plain.ActiveSince, plain.CreatedAt, plain.UpdatedAt = hand.ID, hand.ActiveSince, hand.CreatedAt, hand.UpdatedAt
	same(t, "a schedule imported, and the same made by itself", plain, hand)

	full, err := s.Schedules.Schedule(ctx, "full")
	must(t, err)
	same(t, "what is exported of what was imported", full.Spec(), specs[1])
	if full.State != molecule.SchedulePaused || !full.NextSlot.IsZero() || full.Description == "" {
		t.Errorf("a schedule imported as paused is %s with slot %v, %q", full.State, full.NextSlot, full.Description)
	}
	every, err := s.Schedules.Schedule(ctx, "every")
	must(t, err)
	if every.Agent != "echo" || every.NextSlot.Unix()%3600 != 0 {
		t.Errorf("the interval is imported as %+v", every)
	}
}

func importsAgain(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	same1 := molecule.ScheduleSpec{Name: "same", Agent: "echo", Cron: "0 0 1 1 *", TZ: "UTC", Prompt: "p"}
	text, when, paused := same1, same1, same1
	text.Name, when.Name, paused.Name = "text", "when", "paused"
	in := molecule.ScheduleImport{Schedules: []molecule.ScheduleSpec{same1, text, when, paused}}
	_, err := s.Schedules.ImportSchedules(ctx, in)
	must(t, err)
	_, err = s.Schedules.PauseSchedule(ctx, "paused")
	must(t, err)
	before := byName(t, s)
	_, err = s.Schedules.ImportSchedules(ctx, in)
	wantCode(t, err, molecule.Conflict, "names in use")
	last, err := s.Events.LastEventID(ctx)
	must(t, err)

	in.Update = true
	result, err := s.Schedules.ImportSchedules(ctx, in)
	must(t, err)
	same(t, "an import that changes nothing", result, molecule.ImportResult{Unchanged: 4})
	same(t, "the schedules after an import that changes nothing", byName(t, s), before)
	if now, err := s.Events.LastEventID(ctx); err != nil || now != last {
		t.Errorf("an import that changes nothing is event %d (%v)", now, err)
	}

	in.Schedules[1].Prompt, in.Schedules[1].Overlap = "q", molecule.OverlapAllow
	in.Schedules[2].Cron = "0 0 2 1 *"
	in.Schedules[3].Paused = ptr(false)
	result, err = s.Schedules.ImportSchedules(ctx, in)
	must(t, err)
	same(t, "an import that changes three", result, molecule.ImportResult{Unchanged: 1, Updated: []molecule.ScheduleChange{
		{Name: "text", Fields: []string{"prompt", "overlap"}}, {Name: "when", Fields: []string{"cron"}}, {Name: "paused", Fields: []string{"paused"}},
	}})
	after := byName(t, s)
	same(t, "the schedule that did not change", after["same"], before["same"])
	same(t, "the slot of a schedule that got another prompt", after["text"].NextSlot, before["text"].NextSlot)
	if after["text"].Prompt != "q" || after["when"].NextSlot.Equal(before["when"].NextSlot) || after["paused"].State != molecule.ScheduleActive {
		t.Errorf("after the import they are %+v", after)
	}
	page, err := s.Events.Events(ctx, molecule.EventFilter{After: last})
	must(t, err)
	var told []string
	for _, e := range page.Items {
		told = append(told, e.Type+" "+e.Subject)
	}
	same(t, "how the import is told", told, []string{
		"schedule.updated schedule/text", "schedule.updated schedule/when", "schedule.updated schedule/paused", "schedules.imported schedules",
	})
}

// byName returns every schedule.
func byName(t *testing.T, s Services) map[string]molecule.Schedule {
	t.Helper()
	page, err := s.Schedules.Schedules(s.context(t), molecule.ScheduleFilter{})
	must(t, err)
	all := make(map[string]molecule.Schedule)
	for _, sched := range page.Items {
		all[sched.Name] = sched
	}
	return all
}

func importFaults(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	yearly(t, s, "taken")
	good := molecule.ScheduleSpec{Name: "good", Agent: "echo", Cron: "0 8 * * *", Prompt: "p"}
	cases := []struct {
		name   string
		change func(*molecule.ScheduleSpec)
		field  string
		code   molecule.Code
	}{
		{"taken", func(*molecule.ScheduleSpec) {}, "name", molecule.Conflict},
		{"no spaces", func(*molecule.ScheduleSpec) {}, "name", molecule.Invalid},
		{"good", func(*molecule.ScheduleSpec) {}, "name", molecule.Invalid}, // a second time
		{"nobody", func(s *molecule.ScheduleSpec) { s.Agent = "nobody" }, "agent", molecule.NotFound},
		{"unsaid", func(s *molecule.ScheduleSpec) { s.Agent = "" }, "agent", molecule.Invalid},
		{"friday", func(s *molecule.ScheduleSpec) { s.Cron = "0 8 * * FRY" }, "cron", molecule.Invalid},
		{"never", func(s *molecule.ScheduleSpec) { s.Cron = "0 0 30 2 *" }, "cron", molecule.Invalid},
		{"past", func(s *molecule.ScheduleSpec) { s.Cron = "@at 2001-01-01T00:00:00Z" }, "cron", molecule.Invalid},
		{"zone", func(s *molecule.ScheduleSpec) { s.TZ = "Europe/Berln" }, "cron", molecule.Invalid},
		{"ended", func(s *molecule.ScheduleSpec) { s.Until = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }, "cron", molecule.Invalid},
		{"blank", func(s *molecule.ScheduleSpec) { s.Prompt = " " }, "prompt", molecule.Invalid},
		{"calendar", func(s *molecule.ScheduleSpec) { s.Exclusions = []string{"nothing"} }, "exclusions", molecule.NotFound},
		{"overlap", func(s *molecule.ScheduleSpec) { s.Overlap = "pile" }, "overlap", molecule.Invalid},
		{"window", func(s *molecule.ScheduleSpec) { s.CatchUp = molecule.CatchUpWindow }, "catch_up", molecule.Invalid},
		{"budget", func(s *molecule.ScheduleSpec) { s.Budget = &molecule.Budget{Runs: -1} }, "budget", molecule.Invalid},
		{"week", func(s *molecule.ScheduleSpec) { s.Timeout = molecule.Duration(7 * 24 * time.Hour) }, "timeout", molecule.Invalid},
	}
	in := molecule.ScheduleImport{Schedules: []molecule.ScheduleSpec{good}}
	type fault struct {
		Index       int
		Name, Field string
		Code        molecule.Code
	}
	var want []fault
	for i, c := range cases {
		bad := good
		bad.Name = c.name
		c.change(&bad)
		in.Schedules = append(in.Schedules, bad)
		want = append(want, fault{i + 1, c.name, c.field, c.code})
	}
	_, err := s.Schedules.ImportSchedules(ctx, in)
	wantCode(t, err, molecule.Invalid, "an import of faults of several codes")
	refused, ok := errors.AsType[*molecule.FaultyImport](err)
	if !ok {
		t.Fatalf("an import with faults is refused with %v, which names none", err)
	}
	var got []fault
	for _, f := range refused.Faults {
		got = append(got, fault{f.Index, f.Name, f.Field, f.Code})
		if f.Message == "" || f.Hint == "" && !strings.Contains(f.Message, "must be between") {
			t.Errorf("%s is refused because %q, and the way out is %q", f.Name, f.Message, f.Hint)
		}
	}
	if diff := cmp.Diff(got, want); diff != "" || refused.Total != len(want) {
		t.Errorf("faults, %d in all (-got +want):\n%s", refused.Total, diff)
	}
	_, err = s.Schedules.Schedule(ctx, "good")
	wantCode(t, err, molecule.NotFound, "the good one beside faults")

	in.SkipInvalid = true
	result, err := s.Schedules.ImportSchedules(ctx, in)
	must(t, err)
	if len(result.Faults) != len(want) || result.Skipped != len(want) {
		t.Errorf("%d of %d faults are told", len(result.Faults), result.Skipped)
	}
	result.Faults, result.Skipped = nil, 0
	same(t, "what is imported beside faults", result, molecule.ImportResult{Created: []string{"good"}})
}
