package sqlite

import (
	"context"
	"encoding/json"
	"sort"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// The tables of what happened, in the order it did. The newest rows stay, so
// that an id is never given twice.
const (
	tableEvents          = "events"
	tableSubsystemEvents = "subsystem_events"
	newestKept           = 1000
)

// EventsBefore returns the id of the newest event that may go: it is from before
// an instant, or at least most newer ones are there; 0 when none may.
func (db *DB) EventsBefore(ctx context.Context, before time.Time, most int) (int64, error) {
	return db.passed(ctx, tableEvents, before, most)
}

// PruneEvents removes up to n of the oldest events, none above upTo.
func (db *DB) PruneEvents(ctx context.Context, upTo int64, n int) (int, time.Duration, error) {
	return db.prunePassed(ctx, tableEvents, upTo, n)
}

// SubsystemEventsBefore is EventsBefore of the transitions of subsystems.
func (db *DB) SubsystemEventsBefore(ctx context.Context, before time.Time, most int) (int64, error) {
	return db.passed(ctx, tableSubsystemEvents, before, most)
}

// PruneSubsystemEvents is PruneEvents of the transitions of subsystems.
func (db *DB) PruneSubsystemEvents(ctx context.Context, upTo int64, n int) (int, time.Duration, error) {
	return db.prunePassed(ctx, tableSubsystemEvents, upTo, n)
}

// passed finds the newest row of a table that may go. Ids are in the order of
// time, so that halving finds it; after a jump of the clock it is about there.
func (db *DB) passed(ctx context.Context, table string, before time.Time, most int) (int64, error) {
	low, err := db.number(ctx, `SELECT COALESCE(MIN(id), 0) FROM `+table)
	if err != nil || low == 0 {
		return 0, err
	}
	high, err := db.number(ctx, `SELECT MAX(id) FROM `+table)
	if err != nil {
		return 0, err
	}
	at, failed := stamp(before), error(nil)
	old := sort.Search(int(high-low)+1, func(i int) bool {
		n, err := db.number(ctx, `SELECT at >= ? FROM `+table+` WHERE id >= ? ORDER BY id LIMIT 1`, at, low+int64(i))
		if err != nil {
			failed = err
		}
		return n != 0
	})
	upTo := min(max(low+int64(old)-1, high-int64(most)), high-newestKept)
	if upTo < low {
		upTo = 0
	}
	return upTo, failed
}

func (db *DB) prunePassed(ctx context.Context, table string, upTo int64, n int) (int, time.Duration, error) {
	return db.slice(ctx, func(ctx context.Context, tx *Tx) (int, error) {
		return tx.remove(ctx, `DELETE FROM `+table+` WHERE id <= MIN(?1, (SELECT MIN(id) FROM `+table+`) + ?2 - 1)`, upTo, n)
	})
}

const (
	sqlOldIncidents = `SELECT id FROM incidents WHERE closed_at < ? ORDER BY closed_at LIMIT ?`
	sqlBareAgents   = `
		SELECT id FROM agents WHERE removed_at < ? AND NOT EXISTS (SELECT 1 FROM runs WHERE agent_id = agents.id)
			AND NOT EXISTS (SELECT 1 FROM schedules WHERE agent_id = agents.id)
			AND NOT EXISTS (SELECT 1 FROM activities WHERE agent_id = agents.id)
			AND NOT EXISTS (SELECT 1 FROM agents child WHERE child.parent_id = agents.id)
		ORDER BY removed_at LIMIT ?`
	sqlBareSchedules = `
		SELECT id FROM schedules WHERE removed_at < ? AND NOT EXISTS (SELECT 1 FROM runs WHERE schedule_id = schedules.id)
		ORDER BY removed_at LIMIT ?`
	sqlOldRollups = `SELECT 1 FROM rollups WHERE span = ? AND start < ? LIMIT ?`
)

// PruneIncidents removes up to n incidents that were closed before an instant.
func (db *DB) PruneIncidents(ctx context.Context, before time.Time, n int) (int, time.Duration, error) {
	return db.pruneFound(ctx, sqlOldIncidents, before, n, `DELETE FROM incidents WHERE id IN (SELECT value FROM json_each(?))`)
}

// PruneAgents removes up to n agents that were removed before an instant and
// that nothing names any more, with what is kept of their states.
func (db *DB) PruneAgents(ctx context.Context, before time.Time, n int) (int, time.Duration, error) {
	return db.pruneFound(ctx, sqlBareAgents, before, n,
		`DELETE FROM agent_transitions WHERE agent_id IN (SELECT value FROM json_each(?))`,
		`DELETE FROM agents WHERE id IN (SELECT value FROM json_each(?)) AND removed_at IS NOT NULL`)
}

// pruneFound removes by their ids what a reader finds, so that the writer is not
// held while nothing is there to be removed. The last statement counts.
func (db *DB) pruneFound(ctx context.Context, find string, before time.Time, n int, remove ...string) (int, time.Duration, error) {
	rows, err := db.query(ctx, find, stamp(before), n)
	ids, err := all(rows, err, scanText)
	if err != nil || len(ids) == 0 {
		return 0, 0, err
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return 0, 0, err
	}
	return db.slice(ctx, func(ctx context.Context, tx *Tx) (n int, err error) {
		for _, text := range remove {
			if n, err = tx.remove(ctx, text, string(list)); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
}

// PruneRollups removes up to n rollups of a span that began before an instant.
func (db *DB) PruneRollups(ctx context.Context, span molecule.Span, before time.Time, n int) (int, time.Duration, error) {
	if there, err := db.number(ctx, sqlOldRollups, string(span), stamp(before), 1); err != nil || there == 0 {
		return 0, 0, err
	}
	return db.slice(ctx, func(ctx context.Context, tx *Tx) (int, error) {
		return tx.remove(ctx, `
			DELETE FROM rollups WHERE (schedule_id, span, start, outcome) IN (
				SELECT schedule_id, span, start, outcome FROM rollups WHERE span = ? AND start < ? LIMIT ?)`,
			string(span), stamp(before), n)
	})
}

// PruneSchedules removes up to n rows of the first schedule that was removed
// before an instant and has no run left: its rollups and then itself.
func (db *DB) PruneSchedules(ctx context.Context, before time.Time, n int) (int, time.Duration, error) {
	id, err := db.first(ctx, sqlBareSchedules, stamp(before), 1)
	if err != nil || id == "" {
		return 0, 0, err
	}
	return db.slice(ctx, func(ctx context.Context, tx *Tx) (int, error) {
		sums, err := tx.remove(ctx, `
			DELETE FROM rollups WHERE (schedule_id, span, start, outcome) IN (
				SELECT schedule_id, span, start, outcome FROM rollups WHERE schedule_id = ? LIMIT ?)`, id, n)
		if err != nil || sums == n {
			return sums, err
		}
		self, err := tx.remove(ctx, `DELETE FROM schedules WHERE id = ? AND removed_at IS NOT NULL`, id)
		return sums + self, err
	})
}
