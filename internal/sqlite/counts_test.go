package sqlite_test

import (
	"errors"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// TestCounts_followEveryChangeOfASchedule: the active ones are not counted again
// for each question.
func TestCounts_followEveryChangeOfASchedule(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	state := func(name string, to molecule.ScheduleState, slot time.Time) func() error {
		return func() error {
			_, err := db.UpdateSchedule(t.Context(), name, molecule.EventScheduleUpdated, func(s *molecule.Schedule) error {
				s.State, s.NextSlot = to, slot
				return nil
			})
			return err
		}
	}
	later := noon.Add(time.Hour)
	steps := []struct {
		name   string
		change func() error
		onTime int
	}{
		{"none yet", func() error { return nil }, 0},
		{"made", func() error { sqlitetest.Schedule(t, db, "echo", "a", later); return nil }, 1},
		{"another", func() error { sqlitetest.Schedule(t, db, "echo", "b", noon); return nil }, 2},
		{"paused", state("a", molecule.SchedulePaused, time.Time{}), 1},
		{"resumed", state("a", molecule.ScheduleActive, later), 2},
		{"claimed", func() error { _, err := db.ClaimDue(t.Context(), noon, noon, 9, fireOnce); return err }, 2},
		{"put into error", func() error {
			_, err := db.ClaimDue(t.Context(), later, later, 1, func(molecule.Due) (molecule.Claim, error) {
				return molecule.Claim{}, errors.New("no such zone")
			})
			return err
		}, 1},
		{"removed", func() error { return db.RemoveSchedule(t.Context(), "a", nil) }, 0},
	}
	for _, s := range steps {
		if err := s.change(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		for range 2 {
			if _, got, err := db.Counts(t.Context(), noon); err != nil || got.OnTime != s.onTime {
				t.Errorf("%s: %d schedules are on time, %v; want %d", s.name, got.OnTime, err, s.onTime)
			}
		}
	}
}
