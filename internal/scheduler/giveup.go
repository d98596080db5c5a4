package scheduler

import (
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// giveUp notes in sched that slots came while it was as before, that they have
// no row yet, and that nobody will fire them because of why.
func (s *Service) giveUp(sched *molecule.Schedule, before molecule.Schedule, now time.Time, why string) error {
	grid, come := s.unconsumed(before, now)
	if !come {
		return nil
	}
	last, _ := grid.before(now.Add(time.Nanosecond)) // there is one: it has come
	rows, err := grid.rows(last, why)
	sched.GivenUp = append(sched.GivenUp, rows...)
	return err
}

// keepPassed lets the newest slot that came while the schedule was as before
// fire as any other, though the schedule has another expression by now; the
// loop has not come to it, or it waits for its jitter. Those before it are given
// up.
func (s *Service) keepPassed(sched *molecule.Schedule, before molecule.Schedule, now time.Time) error {
	grid, come := s.unconsumed(before, now)
	if !come {
		return nil
	}
	newest, _ := grid.before(now.Add(time.Nanosecond))
	if older, found := grid.before(newest); found {
		rows, err := grid.rows(older, "the schedule was changed before it fired")
		if err != nil {
			return err
		}
		sched.GivenUp = append(sched.GivenUp, rows...)
	}
	spec, err := s.specs.of(*sched)
	if err != nil {
		return err
	}
	sched.NextSlot, sched.DueAt = newest, dueTime(spec, *sched, newest)
	return nil
}

// unconsumed reports whether slots of a schedule have come that have no row yet,
// and returns them. An expression that cannot be read has none that could be
// named.
func (s *Service) unconsumed(sched molecule.Schedule, now time.Time) (grid slots, come bool) {
	if sched.State != molecule.ScheduleActive || sched.NextSlot.IsZero() || sched.NextSlot.After(now) {
		return slots{}, false
	}
	spec, err := s.specs.of(sched)
	return slots{Schedule: spec, of: sched}, err == nil
}
