package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// slice makes one small change that only removes. It returns how many rows went
// and how long the writer was held for them, the commit aside.
func (db *DB) slice(ctx context.Context, change func(ctx context.Context, tx *Tx) (int, error)) (n int, held time.Duration, err error) {
	err = db.update(ctx, func(ctx context.Context, tx *Tx) error {
		began := time.Now()
		n, err = change(ctx, tx)
		held = time.Since(began)
		return err
	})
	if err != nil {
		return 0, held, err
	}
	return n, held, nil
}

// remove runs one statement that removes rows and returns how many went.
func (tx *Tx) remove(ctx context.Context, text string, args ...any) (int, error) {
	res, err := tx.exec(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

func scanText(r rowScanner, s *string) error  { return r.Scan(s) }
func scanNumber(r rowScanner, n *int64) error { return r.Scan(n) }

// number runs a statement on a reader that returns one number.
func (db *DB) number(ctx context.Context, text string, args ...any) (int64, error) {
	rows, err := db.query(ctx, text, args...)
	found, err := all(rows, err, scanNumber)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0], nil
}

// first runs a statement on a reader and returns the one text it finds; "" when
// there is none.
func (db *DB) first(ctx context.Context, text string, args ...any) (string, error) {
	rows, err := db.query(ctx, text, args...)
	found, err := all(rows, err, scanText)
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0], nil
}

const (
	sqlNthRun       = `SELECT id FROM runs ORDER BY id DESC LIMIT 1 OFFSET ?`
	sqlNthLooseRun  = `SELECT id FROM runs WHERE schedule_id IS NULL ORDER BY id DESC LIMIT 1 OFFSET ?`
	sqlAgentBudgets = `SELECT budget FROM agents WHERE budget IS NOT NULL`
	behindEveryID   = "g" // behind every hexadecimal digit
	sqlOverfull     = `
		WITH RECURSIVE next(id) AS (
			SELECT MIN(schedule_id) FROM runs WHERE schedule_id > ?1
			UNION ALL
			SELECT (SELECT MIN(schedule_id) FROM runs WHERE schedule_id > next.id) FROM next WHERE next.id IS NOT NULL
			LIMIT ?2)
		SELECT next.id, COALESCE(CASE WHEN s.removed_at IS NULL
				THEN (SELECT id FROM runs WHERE schedule_id = next.id ORDER BY id DESC LIMIT 1 OFFSET ?3)
				ELSE '` + behindEveryID + `' END, ''),
			(SELECT MIN(id) FROM runs WHERE schedule_id = next.id), s.policy
		FROM next JOIN schedules s ON s.id = next.id`
	sqlRepeated = `EXISTS (SELECT 1 FROM runs q WHERE q.retry_of = runs.id AND q.retry_of <> '')`
)

// NthRun returns the id of the run that has n newer ones; "" when there are no
// more than n.
func (db *DB) NthRun(ctx context.Context, n int) (string, error) { return db.first(ctx, sqlNthRun, n) }

// NthLooseRun is NthRun among the runs that no schedule has.
func (db *DB) NthLooseRun(ctx context.Context, n int) (string, error) {
	return db.first(ctx, sqlNthLooseRun, n)
}

// AgentBudgets returns the budgets of all agents that have one.
func (db *DB) AgentBudgets(ctx context.Context) ([]molecule.Budget, error) {
	rows, err := db.query(ctx, sqlAgentBudgets)
	return all(rows, err, func(r rowScanner, b *molecule.Budget) error { return r.Scan(object[molecule.Budget]{b}) })
}

// Overfull looks at up to n schedules behind one, in the order of their ids,
// and returns those that have more than keep runs, the oldest of them below the
// id. One that was removed keeps none. last is the id to go on behind; "" when
// there are no more.
func (db *DB) Overfull(ctx context.Context, after string, n, keep int, below string) (found []molecule.Overfull, last string, err error) {
	type look struct {
		molecule.Overfull
		oldest string
	}
	rows, err := db.query(ctx, sqlOverfull, after, n, keep)
	looks, err := all(rows, err, func(r rowScanner, l *look) error {
		var p string
		if err := r.Scan(&l.ScheduleID, &l.UpTo, &l.oldest, &p); err != nil {
			return err
		}
		var own molecule.Policy
		if json.Unmarshal([]byte(p), &own) != nil { // nobody knows what it says of a budget
			own.Budget = &molecule.Budget{Runs: 1, Window: molecule.Duration(molecule.MaxBudgetWindow)}
		}
		l.Budget = own.Budget
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	for _, l := range looks {
		if l.UpTo != "" && l.oldest < below {
			found = append(found, l.Overfull)
		}
	}
	if len(looks) == n {
		last = looks[n-1].ScheduleID
	}
	return found, last, nil
}

// sqlPrunable reads what may go. Whatever is open, or repeated by a run that
// stays, is not among it.
func sqlPrunable() string {
	return `
		SELECT id FROM runs
		WHERE schedule_id IS ?1 AND id > ?2 AND id <= ?3 AND id < ?4 AND state = 'finished'
			AND (id < ?5 OR outcome IN (` + ordinary() + `)) AND NOT ` + sqlRepeated + `
		ORDER BY id LIMIT ?6`
}

// ordinary lists the outcomes that are, as SQL.
func ordinary() string {
	var list []string
	for _, o := range molecule.Outcomes() {
		if o.Ordinary() {
			list = append(list, "'"+string(o)+"'")
		}
	}
	return strings.Join(list, ", ")
}

// PrunableRuns returns the ids of up to n runs that may go, oldest first.
func (db *DB) PrunableRuns(ctx context.Context, p molecule.Prunable, n int) ([]string, error) {
	var schedule any
	if p.ScheduleID != "" {
		schedule = p.ScheduleID
	}
	rows, err := db.query(ctx, sqlPrunable(), schedule, p.After, p.UpTo, p.Ordinary, p.Others, n)
	return all(rows, err, scanText)
}

const sqlStillPrunable = `
	SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?)) AND state = 'finished' AND NOT ` + sqlRepeated

// PruneRuns removes those of the runs that are over and that no other repeats,
// with their attempts. What they come to is added to the rollups of their
// schedules in the same transaction.
func (db *DB) PruneRuns(ctx context.Context, ids []string) (int, time.Duration, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return 0, 0, err
	}
	return db.slice(ctx, func(ctx context.Context, tx *Tx) (int, error) {
		rows, err := tx.query(ctx, sqlStillPrunable, string(list))
		sure, err := all(rows, err, scanText)
		if err != nil || len(sure) == 0 {
			return 0, err
		}
		list, err := json.Marshal(sure)
		if err != nil {
			return 0, err
		}
		for _, text := range []string{
			sqlRollUp,
			`DELETE FROM run_attempts WHERE run_id IN (SELECT value FROM json_each(?))`,
			`DELETE FROM runs WHERE id IN (SELECT value FROM json_each(?))`,
		} {
			if _, err := tx.exec(ctx, text, string(list)); err != nil {
				return 0, fmt.Errorf("prune runs from %s on: %w", sure[0], err)
			}
		}
		return len(sure), nil
	})
}
