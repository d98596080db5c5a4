package sqlite

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

var sqlEndRuns = manyRows(6, `
	UPDATE runs SET state = 'finished', outcome = v.column2, reason = v.column3, reply = v.column4, usage = v.column5,
		ended_at = v.column6
	FROM (VALUES ROWS) v
	WHERE id = v.column1 AND outcome IS NULL`)

// end is that a run ends.
type end struct {
	finish molecule.Finish
	run    molecule.Run // as it is when it has ended
}

// FinishRun ends a run, its last attempt, and takes the outcome into its
// schedule and its agent. A run that has ended already is a Conflict.
func (db *DB) FinishRun(ctx context.Context, f molecule.Finish) (molecule.Run, error) {
	e := &end{finish: f}
	err := db.do(ctx, &job{end: e, change: func(ctx context.Context, tx *Tx) error {
		return endRuns(ctx, tx, []*end{e})
	}})
	return e.run, err
}

// endRuns ends different runs.
func endRuns(ctx context.Context, tx *Tx, ends []*end) error {
	if len(ends) == 0 {
		return nil
	}
	if err := storeEnds(ctx, tx, ends); err != nil {
		return err
	}
	if err := settleSchedules(ctx, tx, ends); err != nil {
		return err
	}
	if err := settleAgents(ctx, tx, ends); err != nil {
		return err
	}
	for _, e := range ends {
		if err := runEvent(ctx, tx, molecule.EventRunFinished, e.run); err != nil {
			return err
		}
	}
	return nil
}

// storeEnds writes how runs and their last attempts ended.
func storeEnds(ctx context.Context, tx *Tx, ends []*end) error {
	args := make([]any, 0, len(ends)*sqlEndRuns.columns)
	for _, e := range ends {
		var err error
		f := e.finish
		if e.run, err = knownRun(ctx, tx, f.RunID, f.Run); err != nil {
			return err
		}
		r := &e.run
		r.State, r.Outcome, r.Reason, r.Reply, r.Usage = molecule.RunFinished, f.Outcome, f.Reason, f.Reply, f.Usage
		r.EndedAt = f.EndedAt.UTC().Truncate(time.Millisecond)
		usage, err := text(r.Usage)
		if err != nil {
			return err
		}
		args = append(args, r.ID, string(r.Outcome), r.Reason, r.Reply, usage, stamp(r.EndedAt))
	}
	changed, err := tx.execMany(ctx, &sqlEndRuns, args)
	if err == nil && changed < len(ends) {
		err = errNotAll
		if len(ends) == 1 {
			err = notOpen(ctx, tx, ends[0].run.ID)
		}
	}
	if err != nil {
		return err
	}
	for _, e := range ends {
		if r := e.run; r.Attempt > 1 {
			err := endAttempt(ctx, tx, r.ID, molecule.Attempt{Number: r.Attempt, EndedAt: r.EndedAt, Outcome: r.Outcome, Reason: r.Reason})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
