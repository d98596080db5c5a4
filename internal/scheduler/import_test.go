package scheduler_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/scheduler"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// imports asks for schedules and ends the test when it is refused.
func (p *plant) imports(specs ...molecule.ScheduleSpec) molecule.ImportResult {
	p.t.Helper()
	result, err := p.service.ImportSchedules(p.t.Context(), molecule.ScheduleImport{Schedules: specs, Update: true})
	if err != nil {
		p.t.Fatal(err)
	}
	return result
}

// stored reads a schedule.
func (p *plant) stored(name string) molecule.Schedule {
	p.t.Helper()
	s, err := p.service.Schedule(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func TestImport_schedulesFireOnTheirSlots(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		sqlitetest.Agent(t, p.db, "a")
		time.Sleep(10 * time.Second) // the loop waits for something to do
		p.imports(molecule.ScheduleSpec{Name: "s", Agent: "a", Cron: "* * * * *", Prompt: "work"})
		time.Sleep(3*time.Minute - 5*time.Second)
		runs := p.runs("s")
		if len(runs) != 3 {
			t.Fatalf("%d runs in three minutes", len(runs))
		}
		for _, r := range runs {
			if !r.StartedAt.Equal(r.Slot) || r.Outcome != molecule.OutcomeOK {
				t.Errorf("slot %v started %v, %s", r.Slot, r.StartedAt, r.Outcome)
			}
		}
		covered(t, runs)
	})
}

func TestImport_againMovesASlotOnlyWhenWhatSaysWhenChanges(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		sqlitetest.Agent(t, p.db, "a")
		spec := molecule.ScheduleSpec{Name: "s", Agent: "a", Cron: "@every 1h", Prompt: "work", Policy: molecule.Policy{Jitter: molecule.Duration(20 * time.Minute)}}
		p.imports(spec)
		before := p.stored("s")
		for _, step := range []struct {
			what   string
			change func()
			moves  bool
		}{
			{"nothing", func() {}, false},
			{"another prompt", func() { spec.Prompt = "work more" }, false},
			{"the policy of now in other words", func() { spec.CatchUp, spec.DST, spec.TZ = molecule.CatchUpLatest, "vixie", "UTC" }, false},
			{"another policy", func() { spec.Overlap = molecule.OverlapAllow }, false},
			{"another phase", func() { spec.Phase = molecule.Duration(10 * time.Minute) }, true},
			{"a like expression", func() { spec.Cron = "@every 60m" }, false},
			{"another expression", func() { spec.Cron = "@every 7m" }, true},
		} {
			time.Sleep(time.Second)
			step.change()
			p.imports(spec)
			after := p.stored("s")
			if moved := !after.NextSlot.Equal(before.NextSlot) || !after.DueAt.Equal(before.DueAt); moved != step.moves {
				t.Errorf("%s: the slot was %v, due %v, and is %v, due %v", step.what, before.NextSlot, before.DueAt, after.NextSlot, after.DueAt)
			}
			before = after
		}
	})
}

func TestImport_doesNotTouchWhatIsAsItShouldBe(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.add("made", "fired", "paused", "broken", "over")
		past := molecule.Now().Add(-time.Second)
		time.Sleep(70 * time.Second)
		if _, err := p.service.PauseSchedule(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.service.UpdateSchedule(t.Context(), "over", molecule.ScheduleUpdate{Until: &past}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.db.UpdateSchedule(t.Context(), "broken", molecule.EventScheduleError, func(s *molecule.Schedule) error {
			s.State, s.Reason, s.NextSlot = molecule.ScheduleError, "quarantined", time.Time{}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		var specs []molecule.ScheduleSpec
		before := make(map[string]molecule.Schedule)
		for _, name := range []string{"made", "fired", "paused", "broken", "over"} {
			before[name] = p.stored(name)
			specs = append(specs, before[name].Spec())
		}
		if result := p.imports(specs...); result.Unchanged != len(specs) {
			t.Errorf("importing what was exported changed %+v", result.Updated)
		}
		specs[2].Paused = nil // a file that says nothing of it overrules nobody
		if result := p.imports(specs...); result.Unchanged != len(specs) {
			t.Errorf("without a word about it, being paused was changed: %+v", result.Updated)
		}
		for name, want := range before {
			if diff := cmp.Diff(p.stored(name), want); diff != "" {
				t.Errorf("%s was touched (-after +before):\n%s", name, diff)
			}
		}
	})
}

func TestImport_pausesAndResumes(t *testing.T) {
	t.Parallel()
	onPlant(t, fine, func(t *testing.T, p *plant) {
		p.add("a")
		spec := p.stored("a").Spec()
		paused := true
		spec.Paused, spec.Cron = &paused, "*/2 * * * *"
		result := p.imports(spec)
		if diff := cmp.Diff(result.Updated, []molecule.ScheduleChange{{Name: "a", Fields: []string{"cron", "paused"}}}); diff != "" {
			t.Errorf("(-got +want):\n%s", diff)
		}
		if s := p.stored("a"); s.State != molecule.SchedulePaused || !s.NextSlot.IsZero() || s.Description != "every 2 minutes, UTC" {
			t.Errorf("it is %s with slot %v, %s", s.State, s.NextSlot, s.Description)
		}
		time.Sleep(time.Hour)
		paused = false
		p.imports(spec)
		if s := p.stored("a"); s.State != molecule.ScheduleActive || !s.NextSlot.After(molecule.Now()) {
			t.Errorf("it is %s with slot %v", s.State, s.NextSlot)
		}
		time.Sleep(5 * time.Minute)
		runs := p.runs("a")
		if len(runs) != 2 || runs[0].Outcome != molecule.OutcomeOK {
			t.Errorf("in five minutes it ran %d times", len(runs))
		}
	})
}

// TestImport_thatTakesLongIsNoStuckWriter lets each pace of a change take six
// seconds, where a tick may take ten.
func TestImport_thatTakesLongIsNoStuckWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := world{behave: fine, idle: true}.start(t, dir)
		sqlitetest.Agent(t, p.db, "a")
		specs := make([]molecule.ScheduleSpec, 1_500)
		for i := range specs {
			specs[i] = molecule.ScheduleSpec{Name: fmt.Sprintf("s%04d", i), Agent: "a", Cron: "@yearly", Prompt: "work"}
		}
		p.imports(specs...)
		var ids []string
		for i := range specs {
			ids = append(ids, p.stored(specs[i].Name).ID)
		}
		began := time.Now()
		changed := 0
		err := p.db.ImportSchedules(t.Context(), nil, ids, func(s *molecule.Schedule) (bool, error) {
			if changed++; changed%500 == 1 {
				time.Sleep(6 * time.Second)
			}
			s.Prompt = "work more"
			return true, nil
		})
		if took := time.Since(began); err != nil || changed != len(ids) || took < 18*time.Second {
			t.Errorf("it changed %d in %v: %v", changed, took, err)
		}
		if err := p.stop(); err != nil {
			t.Error(err)
		}
		if p.recorded("store-writer", molecule.SubsystemStuck) {
			t.Error("the writer was taken for stuck")
		}
		if err := p.db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestImport_exportedSpecsAreTheSameAgain imports whatever is valid, reads what
// an export would say, and imports that: nothing may differ.
func TestImport_exportedSpecsAreTheSameAgain(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	for _, name := range []string{"a", "b"} {
		sqlitetest.Agent(t, db, name)
	}
	if err := db.PutCalendar(t.Context(), &molecule.Calendar{Name: "holidays", Days: []molecule.DayRange{{From: "2099-12-25", To: "2099-12-25"}}}); err != nil {
		t.Fatal(err)
	}
	service := scheduler.NewService(scheduler.ServiceOptions{Store: db})
	rapid.Check(t, func(rt *rapid.T) {
		spec := drawSpec(rt)
		in := molecule.ScheduleImport{Schedules: []molecule.ScheduleSpec{spec}, Update: true}
		if _, err := service.ImportSchedules(t.Context(), in); err != nil {
			rt.Fatalf("%v: %+v", err, spec)
		}
		stored, err := service.Schedule(t.Context(), spec.Name)
		if err != nil {
			rt.Fatal(err)
		}
		in.Schedules[0] = stored.Spec()
		result, err := service.ImportSchedules(t.Context(), in)
		if err != nil || result.Unchanged != 1 {
			rt.Fatalf("the second import says %+v, %v\nof %+v", result, err, in.Schedules[0])
		}
		again, err := service.Schedule(t.Context(), spec.Name)
		if diff := cmp.Diff(again, stored); err != nil || diff != "" {
			rt.Fatalf("%v, it was touched (-after +before):\n%s", err, diff)
		}
	})
}

// drawSpec draws a schedule that is valid, in whatever words.
func drawSpec(t *rapid.T) molecule.ScheduleSpec {
	s := molecule.ScheduleSpec{
		Name: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "name"), Agent: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "agent"),
		Cron: rapid.SampledFrom([]string{"@daily", "0 0 * * *", "00 08 * * monday", "@every 90s", "@at 2099-01-01T00:00:00Z", "CRON_TZ=Asia/Tokyo 0 8 * * *"}).Draw(t, "cron"),
		DST:  rapid.SampledFrom([]string{"", "vixie", "skip"}).Draw(t, "dst"), Seconds: rapid.Bool().Draw(t, "seconds"),
		Prompt:  rapid.SampledFrom([]string{"p", "q\n"}).Draw(t, "prompt"),
		Timeout: molecule.Duration(rapid.SampledFrom([]time.Duration{0, 20 * time.Minute, time.Hour}).Draw(t, "timeout")),
		Paused:  rapid.Ptr(rapid.Bool(), true).Draw(t, "paused"),
		Policy: molecule.Policy{
			Overlap: rapid.SampledFrom([]molecule.Overlap{"", molecule.OverlapSkip, molecule.OverlapQueue}).Draw(t, "overlap"),
			Resend:  rapid.SampledFrom([]molecule.Resend{"", molecule.ResendNever, molecule.ResendSafe}).Draw(t, "resend"),
			Retries: rapid.Ptr(rapid.IntRange(0, 3), true).Draw(t, "retries"), MaxRuns: rapid.IntRange(0, 2).Draw(t, "max runs"),
			Exclusions: rapid.SampledFrom([][]string{nil, {}, {"holidays"}}).Draw(t, "exclusions"),
			Budget:     rapid.SampledFrom([]*molecule.Budget{nil, {}, {Runs: 3}}).Draw(t, "budget"),
		},
	}
	if s.Cron == "@every 90s" {
		s.Phase = molecule.Duration(rapid.IntRange(0, 3).Draw(t, "phase")) * molecule.Duration(time.Second)
	}
	if rapid.Bool().Draw(t, "all") {
		s.CatchUp, s.CatchUpMax = molecule.CatchUpAll, rapid.SampledFrom([]int{0, 3, molecule.DefaultCatchUp}).Draw(t, "catch up max")
	}
	if rapid.Bool().Draw(t, "jitters") {
		s.Jitter, s.JitterMode = molecule.Duration(time.Minute), rapid.SampledFrom([]molecule.JitterMode{"", molecule.JitterOffset, molecule.JitterSpread}).Draw(t, "jitter mode")
	}
	if rapid.Bool().Draw(t, "ends") {
		s.Until = time.Date(2199, 1, 1, 0, 0, 0, 0, time.FixedZone("x", 3600))
	}
	return s
}
