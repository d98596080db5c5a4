package sqlite

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// lateAfter is how far behind now a slot must be to count as late.
const lateAfter = 30 * time.Second

// tally is how many rows have a state.
type tally struct {
	state string
	n     int
}

// Counts counts agents and schedules by how they do. Every part is answered
// from an index. A schedule that is late and failing counts as both.
func (db *DB) Counts(ctx context.Context, now time.Time) (molecule.AgentCounts, molecule.ScheduleCounts, error) {
	var agents molecule.AgentCounts
	var schedules molecule.ScheduleCounts
	by, err := db.tallies(ctx, `SELECT state, COUNT(*) FROM agents WHERE removed_at IS NULL GROUP BY state`)
	if err != nil {
		return agents, schedules, err
	}
	of := func(s molecule.AgentState) int { return by[string(s)] }
	agents = molecule.AgentCounts{
		Online: of(molecule.AgentOnline), Degraded: of(molecule.AgentDegraded), Suspect: of(molecule.AgentSuspect),
		Offline: of(molecule.AgentOffline), Unknown: of(molecule.AgentUnknown), Pending: of(molecule.AgentPending),
		Paused: of(molecule.AgentPaused),
	}
	by, err = db.tallies(ctx, `
		SELECT state, COUNT(*) FROM schedules WHERE removed_at IS NULL AND state <> 'active' GROUP BY state
		UNION ALL SELECT 'late', COUNT(*) FROM schedules
			WHERE removed_at IS NULL AND state = 'active' AND due_at < ?1
		UNION ALL SELECT 'failing', COUNT(*) FROM schedules
			WHERE removed_at IS NULL AND state = 'active' AND failure_streak > 0
		UNION ALL SELECT 'both', COUNT(*) FROM schedules INDEXED BY schedules_failing
			WHERE removed_at IS NULL AND state = 'active' AND failure_streak > 0 AND due_at < ?1`, stamp(now.Add(-lateAfter)))
	if err != nil {
		return agents, schedules, err
	}
	active, err := db.activeSchedules(ctx)
	if err != nil {
		return agents, schedules, err
	}
	schedules = molecule.ScheduleCounts{
		Late:    by["late"],
		Failing: by["failing"],
		OnTime:  active - by["late"] - by["failing"] + by["both"],
		Paused:  by[string(molecule.SchedulePaused)],
		Error:   by[string(molecule.ScheduleError)],
	}
	return agents, schedules, nil
}

// activeCount is how many schedules were active at a version of the schedules.
type activeCount struct {
	version uint64
	n       int
}

// activeSchedules counts the active schedules. They may be many, and their
// number is the same until one of them is made or changed.
func (db *DB) activeSchedules(ctx context.Context) (int, error) {
	version := db.schedules.Load() // before they are counted
	if c := db.active.Load(); c != nil && c.version == version {
		return c.n, nil
	}
	n, err := db.number(ctx, `SELECT COUNT(*) FROM schedules WHERE removed_at IS NULL AND state = 'active'`)
	if err != nil {
		return 0, err
	}
	db.active.Store(&activeCount{version: version, n: int(n)})
	return int(n), nil
}

func (db *DB) tallies(ctx context.Context, text string, args ...any) (map[string]int, error) {
	rows, err := db.query(ctx, text, args...)
	found, err := all(rows, err, func(r rowScanner, t *tally) error { return r.Scan(&t.state, &t.n) })
	if err != nil {
		return nil, err
	}
	by := make(map[string]int, len(found))
	for _, t := range found {
		by[t.state] = t.n
	}
	return by, nil
}
