package scheduler_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// span is a stretch of time in which a schedule has the slots of one expression:
// those behind from, up to to.
type span struct {
	spec     cron.Schedule
	from, to time.Time
	until    time.Time
	open     bool
}

// begin opens a span.
func (s *simulation) begin(sched molecule.Schedule) {
	s.t.Helper()
	spec, err := cron.Parse(sched.Cron, cron.Options{TZ: sched.TZ, DST: cron.DST(sched.DST)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.spans[sched.Name] = append(s.spans[sched.Name], span{spec: spec, from: sched.ActiveSince, until: sched.Until, open: true})
}

// end closes the open span, if any, with the slots that came until now or were
// claimed early.
func (s *simulation) end(name string, now time.Time) {
	all := s.spans[name]
	if len(all) > 0 && all[len(all)-1].open {
		last := &all[len(all)-1]
		last.open, last.to = false, now
	}
}

// settled closes the span of a schedule that came to its end by itself.
func (s *simulation) settled(name string) {
	sched := s.read(name)
	if sched.State == molecule.ScheduleFinished || sched.State == molecule.ScheduleError {
		s.end(name, sched.LastSlot)
	}
	if sched.State == molecule.ScheduleActive && !sched.NextSlot.After(sched.LastSlot) {
		s.t.Errorf("%s: the next slot %v is not behind the last %v", name, sched.NextSlot, sched.LastSlot)
	}
}

// slots returns what a span should have.
func (s span) slots(t *testing.T) (all []time.Time) {
	t.Helper()
	for at := s.from; ; {
		next, err := s.spec.Next(at)
		if errors.Is(err, cron.ErrNoSlot) || next.After(s.to) || !s.until.IsZero() && next.After(s.until) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all, at = append(all, next), next
	}
}

// verify wants each slot in exactly one row, and nothing else in any, and every
// run ended.
func (s *simulation) verify() {
	s.t.Helper()
	history := s.history()
	slots := 0
	for _, name := range s.names {
		covered := make(map[time.Time]int)
		for _, span := range s.spans[name] {
			for _, slot := range span.slots(s.t) {
				covered[slot] = 0
			}
		}
		slots += len(covered)
		expected := slices.SortedFunc(maps.Keys(covered), time.Time.Compare)
		for _, r := range history[name] {
			if r.State != molecule.RunFinished {
				s.t.Errorf("%s: the run of %v has no end: %s", name, r.Slot, r.State)
			}
			if r.Trigger != molecule.TriggerCron && r.Trigger != molecule.TriggerCatchUp {
				continue
			}
			to, n := latest(r.Slot, r.SlotTo), 0
			for _, slot := range expected {
				if !slot.Before(r.Slot) && !slot.After(to) {
					covered[slot]++
					n++
				}
			}
			if n != r.Slots {
				s.t.Errorf("%s: the row of %v to %v (%s: %s) says %d slots and covers %d", name, r.Slot, to, r.Outcome, r.Reason, r.Slots, n)
			}
		}
		for _, slot := range expected {
			if covered[slot] != 1 {
				s.t.Errorf("%s: the slot %v is in %d rows", name, slot, covered[slot])
			}
		}
	}
	for _, bad := range s.asked.bad {
		s.t.Error(bad)
	}
	if s.t.Failed() {
		for _, line := range s.log {
			s.t.Log(line)
		}
	}
	s.t.Logf("%d slots of %d schedules", slots, len(s.names))
}
