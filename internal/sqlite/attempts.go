package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// The row of a run tells all of its only attempt, which is what most runs have.
// An attempt has a row of its own when another followed it, or it follows one.

var sqlStartRuns = manyRows(4, `
	UPDATE runs SET state = 'started', started_at = COALESCE(started_at, v.column2), deadline = v.column3, attempt = v.column4
	FROM (VALUES ROWS) v
	WHERE id = v.column1 AND outcome IS NULL`)

const (
	sqlStartAttempt = `
		INSERT INTO run_attempts (run_id, number, started_at) VALUES (?, ?, ?)
		ON CONFLICT (run_id, number) DO NOTHING`
	sqlEndFirstAttempt = `
		INSERT INTO run_attempts (run_id, number, started_at, ended_at, outcome, reason)
		SELECT id, 1, started_at, ?2, ?3, ?4 FROM runs WHERE id = ?1 AND started_at IS NOT NULL
		ON CONFLICT (run_id, number) DO NOTHING`
	sqlEndAttempt = `UPDATE run_attempts SET ended_at = ?, outcome = ?, reason = ? WHERE run_id = ? AND number = ?`
	sqlAttempts   = `
		SELECT number, started_at, ended_at, outcome, reason FROM run_attempts WHERE run_id = ? ORDER BY number`
)

// start is that an attempt of a run begins.
type start struct {
	run               molecule.Run
	started, deadline time.Time
	attempt           int
}

// StartRun notes that an attempt of r begins. A run that has ended is a
// Conflict.
func (db *DB) StartRun(ctx context.Context, r molecule.Run, started, deadline time.Time, attempt int) error {
	s := &start{run: r, started: started, deadline: deadline, attempt: attempt}
	return db.do(ctx, &job{start: s, change: func(ctx context.Context, tx *Tx) error {
		return startRuns(ctx, tx, []*start{s})
	}})
}

// errNotAll says that a statement for several rows left some of them alone; one
// by one they will tell why.
var errNotAll = errors.New("a run is not open")

// startRuns notes that attempts of different runs begin.
func startRuns(ctx context.Context, tx *Tx, starts []*start) error {
	args := make([]any, 0, len(starts)*sqlStartRuns.columns)
	for _, s := range starts {
		args = append(args, s.run.ID, stamp(s.started), stamp(s.deadline), s.attempt)
	}
	changed, err := tx.execMany(ctx, &sqlStartRuns, args)
	if err == nil && changed < len(starts) {
		err = errNotAll
		if len(starts) == 1 {
			err = notOpen(ctx, tx, starts[0].run.ID)
		}
	}
	if err != nil {
		return err
	}
	for _, s := range starts {
		if s.attempt > 1 {
			if _, err := tx.exec(ctx, sqlStartAttempt, s.run.ID, s.attempt, stamp(s.started)); err != nil {
				return err
			}
			continue
		}
		r, err := knownRun(ctx, tx, s.run.ID, &s.run)
		if err != nil {
			return err
		}
		r.State = molecule.RunStarted
		if err := runEvent(ctx, tx, molecule.EventRunStarted, r); err != nil {
			return err
		}
	}
	return nil
}

// FinishAttempt ends an attempt that another will follow.
func (db *DB) FinishAttempt(ctx context.Context, id string, a molecule.Attempt) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		if a.Number == 1 {
			_, err := tx.exec(ctx, sqlEndFirstAttempt, id, stamp(a.EndedAt), string(a.Outcome), a.Reason)
			return err
		}
		return endAttempt(ctx, tx, id, a)
	})
}

// endAttempt ends an attempt that has a row of its own.
func endAttempt(ctx context.Context, tx *Tx, id string, a molecule.Attempt) error {
	_, err := tx.exec(ctx, sqlEndAttempt, stamp(a.EndedAt), string(a.Outcome), a.Reason, id, a.Number)
	return err
}

// attemptsOf returns the attempts of r, the first one first.
func attemptsOf(ctx context.Context, q querier, r molecule.Run) ([]molecule.Attempt, error) {
	rows, err := q.query(ctx, sqlAttempts, r.ID)
	found, err := all(rows, err, func(s rowScanner, a *molecule.Attempt) error {
		return s.Scan(&a.Number, instant{&a.StartedAt}, instant{&a.EndedAt}, &a.Outcome, &a.Reason)
	})
	if err != nil || len(found) > 0 || r.Attempt == 0 {
		return found, err
	}
	only := molecule.Attempt{Number: r.Attempt, StartedAt: r.StartedAt}
	if r.State == molecule.RunFinished {
		only.EndedAt, only.Outcome, only.Reason = r.EndedAt, r.Outcome, r.Reason
	}
	return []molecule.Attempt{only}, nil
}
