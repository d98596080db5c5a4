package moleculetest

import (
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func policies(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	must(t, s.Calendars.PutCalendar(ctx, &molecule.Calendar{Name: "holidays", Days: []molecule.DayRange{{From: "2026-12-25", To: "2026-12-25"}}}))
	retries := 2
	in := molecule.Schedule{
		Name: "careful", Agent: "echo", Cron: "0 8 * * *", Prompt: "p", DST: "skip",
		Policy: molecule.Policy{
			CatchUp: molecule.CatchUpAll, CatchUpMax: 3, Overlap: molecule.OverlapQueue, Resend: molecule.ResendSafe, Retries: &retries,
			Jitter: molecule.Duration(time.Minute), JitterMode: molecule.JitterSpread, Exclusions: []string{"holidays"}, MaxRuns: 7,
			Until: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC), Budget: &molecule.Budget{Runs: 4, Window: molecule.Duration(time.Hour)},
		},
	}
	want := in.Policy
	must(t, s.Schedules.CreateSchedule(ctx, &in))
	same(t, "the policy created", in.Policy, want)
	if late := in.DueAt.Sub(in.NextSlot); late < 0 || late >= time.Minute {
		t.Errorf("with a jitter of a minute the slot is due %v behind itself", late)
	}
	read, err := s.Schedules.Schedule(ctx, "careful")
	must(t, err)
	same(t, "the schedule read back", read, in)

	skip, none, jitter := molecule.OverlapSkip, -1, molecule.Duration(0)
	read, err = s.Schedules.UpdateSchedule(ctx, "careful", molecule.ScheduleUpdate{
		Overlap: &skip, Retries: &none, Jitter: &jitter, Budget: &molecule.Budget{}, Exclusions: &[]string{},
	})
	must(t, err)
	want.Overlap, want.Retries, want.Jitter, want.JitterMode, want.Budget, want.Exclusions = "", nil, 0, "", nil, nil
	same(t, "the policy updated", read.Policy, want)
	same(t, "the slot of an update that concerns no slot", read.NextSlot, in.NextSlot)
	same(t, "when it is due without a jitter", read.DueAt, in.NextSlot)

	past := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	ended, err := s.Schedules.UpdateSchedule(ctx, "careful", molecule.ScheduleUpdate{Until: &past})
	if err != nil || ended.State != molecule.ScheduleFinished || !ended.NextSlot.IsZero() || ended.Reason == "" {
		t.Errorf("a schedule whose slots ended is %s with slot %v because %q (%v)", ended.State, ended.NextSlot, ended.Reason, err)
	}
	_, err = s.Schedules.ResumeSchedule(ctx, "careful")
	wantCode(t, err, molecule.Invalid, "resuming a schedule that has no slot left")
	_, err = s.Schedules.UpdateSchedule(ctx, "careful", molecule.ScheduleUpdate{Exclusions: &[]string{"nothing"}})
	wantCode(t, err, molecule.NotFound, "an exclusion of a calendar nobody knows")
}

func calendars(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	c := molecule.Calendar{Name: "holidays", Days: []molecule.DayRange{{From: "2026-12-24", To: "2027-01-02"}}}
	must(t, s.Calendars.PutCalendar(ctx, &c))
	read, err := s.Calendars.Calendar(ctx, "holidays")
	must(t, err)
	same(t, "the calendar read back", read, c)
	c.Days = append(c.Days, molecule.DayRange{From: "2027-05-01", To: "2027-05-01"})
	must(t, s.Calendars.PutCalendar(ctx, &c))
	list, err := s.Calendars.Calendars(ctx)
	must(t, err)
	same(t, "the calendars", list, []molecule.Calendar{c})

	in := molecule.Schedule{
		Name: "daily", Agent: "echo", Cron: "0 0 * * *", Prompt: "p", Policy: molecule.Policy{Exclusions: []string{"holidays"}},
	}
	must(t, s.Schedules.CreateSchedule(ctx, &in))
	slots, err := s.Schedules.NextSlots(ctx, "daily", 400)
	must(t, err)
	same(t, "how many slots are shown", len(slots), 400)
	for _, slot := range slots {
		if c.Covers(slot) {
			t.Errorf("the next slots have %v, which is excluded", slot)
		}
	}
	wantCode(t, s.Calendars.RemoveCalendar(ctx, "holidays"), molecule.Conflict, "removing a calendar in use")
	must(t, s.Schedules.RemoveSchedule(ctx, "daily"))
	must(t, s.Calendars.RemoveCalendar(ctx, "holidays"))
	_, err = s.Calendars.Calendar(ctx, "holidays")
	wantCode(t, err, molecule.NotFound, "a removed calendar")
	wantCode(t, s.Calendars.RemoveCalendar(ctx, "holidays"), molecule.NotFound, "removing it again")
	wantCode(t, s.Calendars.PutCalendar(ctx, &molecule.Calendar{Name: "empty"}), molecule.Invalid, "a calendar of no days")
}

func cancelAndRetry(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	slow := molecule.Agent{Name: "slow", Exec: &molecule.Exec{Command: "sleep 60"}}
	must(t, s.Agents.CreateAgent(ctx, &slow))
	run, err := s.Runs.StartRun(ctx, molecule.NewRun{Agent: "slow", Prompt: "x"})
	must(t, err)
	_, err = s.Runs.RetryRun(ctx, run.ID)
	wantCode(t, err, molecule.Conflict, "repeating a run that goes on")
	_, err = s.Runs.CancelRun(ctx, run.ID)
	must(t, err)
	done, err := s.Runs.WaitRun(ctx, run.ID)
	if err != nil || done.Outcome != molecule.OutcomeCanceled || !strings.HasPrefix(done.Reason, "canceled by ") {
		t.Errorf("the canceled run ended as %s because %q (%v)", done.Outcome, done.Reason, err)
	}
	_, err = s.Runs.CancelRun(ctx, run.ID)
	wantCode(t, err, molecule.Conflict, "canceling a run that has ended")
	_, err = s.Runs.CancelRun(ctx, "ffffffff")
	wantCode(t, err, molecule.NotFound, "canceling a run nobody knows")

	yearly(t, s, "hello")
	first, err := s.Schedules.TriggerSchedule(ctx, "hello")
	must(t, err)
	_, err = s.Runs.WaitRun(ctx, first.ID)
	must(t, err)
	again, err := s.Runs.RetryRun(ctx, first.ID)
	must(t, err)
	if again.ID == first.ID || again.RetryOf != first.ID || again.Trigger != molecule.TriggerRetry || again.MessageID == first.MessageID {
		t.Errorf("the repeated run is %+v", again)
	}
	done, err = s.Runs.WaitRun(ctx, again.ID)
	if err != nil || strings.TrimSpace(done.Reply) != "SAY HELLO" || done.Schedule != "hello" || done.RetryOf != first.ID {
		t.Errorf("the repeated run ended as %+v (%v)", done, err)
	}
}

func history(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	yearly(t, s, "hello")
	none, err := s.Schedules.ScheduleHistory(ctx, "hello", molecule.HistoryFilter{})
	must(t, err)
	same(t, "the history of nothing", none, molecule.Page[molecule.Period]{})
	for range 3 {
		run, err := s.Schedules.TriggerSchedule(ctx, "hello")
		must(t, err)
		_, err = s.Runs.WaitRun(ctx, run.ID)
		must(t, err)
	}
	for _, by := range []molecule.Span{"", molecule.SpanHour, molecule.SpanDay} {
		page, err := s.Schedules.ScheduleHistory(ctx, "hello", molecule.HistoryFilter{By: by, Since: time.Now().Add(-time.Hour)})
		must(t, err)
		var runs, took int
		for _, p := range page.Items { // more than one when the clock turned meanwhile
			runs += p.Outcomes[molecule.OutcomeOK]
			took += p.Took.Runs
			if p.Runs != p.Slots || p.Lag.Runs != 0 || by == molecule.SpanHour && p.Start.Minute() != 0 || by != molecule.SpanHour && p.Start.Hour() != 0 {
				t.Errorf("by %q a period is %+v", by, p)
			}
		}
		same(t, "how many runs ended well", []int{runs, took}, []int{3, 3})
	}
	later, err := s.Schedules.ScheduleHistory(ctx, "hello", molecule.HistoryFilter{Since: time.Now().Add(48 * time.Hour)})
	must(t, err)
	same(t, "the history of the day after tomorrow", later, none)
	_, err = s.Schedules.ScheduleHistory(ctx, "nothing", molecule.HistoryFilter{})
	wantCode(t, err, molecule.NotFound, "the history of no schedule")
	_, err = s.Schedules.ScheduleHistory(ctx, "hello", molecule.HistoryFilter{By: "week"})
	wantCode(t, err, molecule.Invalid, "a history by weeks")
	_, err = s.Schedules.ScheduleHistory(ctx, "hello", molecule.HistoryFilter{Cursor: "~"})
	wantCode(t, err, molecule.Invalid, "a cursor nobody gave")
}

func explain(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	sched := yearly(t, s, "hello")
	tests := []struct {
		slot time.Time
		why  string
	}{
		{time.Time{}, "it is still to come"},
		{sched.NextSlot, "it is still to come"},
		{sched.NextSlot.Add(time.Hour), "no slot of this schedule is then"},
		{time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), "the schedule was made later"},
	}
	for _, tt := range tests {
		e, err := s.Schedules.ExplainSlot(ctx, "hello", tt.slot)
		if err != nil || !strings.HasPrefix(e.Why, tt.why) || e.Run != nil || len(e.Story) == 0 {
			t.Errorf("slot %v is told as %+v (%v), want %q", tt.slot, e, err, tt.why)
		}
	}
	_, err := s.Schedules.ExplainSlot(ctx, "nothing", time.Time{})
	wantCode(t, err, molecule.NotFound, "the slot of no schedule")
}
