package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// maxBatch is how many changes share one commit.
const maxBatch = 256

// Tx is a change in progress. Now is its one time, in UTC and milliseconds.
type Tx struct {
	Now    time.Time
	pen    *pen
	asker  asker               // whose change this is
	reason string              // he gave for it
	events int                 // so far
	counts bool                // a schedule was made, removed or changed
	told   []any               // events that are not written yet, as rows of sqlInsertEvents
	agents []molecule.AgentRow // as they are after changes a watcher has to know
}

// exec runs one statement that returns no rows.
func (tx *Tx) exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	st, err := tx.pen.stmt(ctx, text)
	if err != nil {
		return nil, translate(err)
	}
	res, err := st.ExecContext(ctx, args...)
	return res, translate(err)
}

// query runs one statement that returns rows.
func (tx *Tx) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	st, err := tx.pen.stmt(ctx, text)
	if err != nil {
		return nil, translate(err)
	}
	rows, err := st.QueryContext(ctx, args...)
	return rows, translate(err)
}

// querier is a transaction or the pool of readers.
type querier interface {
	query(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// query runs one statement on a reader.
func (db *DB) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	st, err := db.reads.stmt(ctx, text)
	if err != nil {
		return nil, translate(err)
	}
	rows, err := st.QueryContext(ctx, args...)
	return rows, translate(err)
}

// job is one queued change. Exactly one answer is sent.
type job struct {
	ctx    context.Context // of the caller; only asked whether it still waits, and for whom
	change func(ctx context.Context, tx *Tx) error
	start  *start     // not nil: it is what change stores, and others may be stored with it
	end    *end       // the same
	answer chan error // buffered 1, so that the writer never waits
	done   bool
}

// finish answers j once.
func (j *job) finish(err error) {
	if !j.done {
		j.done = true
		j.answer <- err
	}
}

// update queues change and returns when it is on disk, or why it is not. When
// another of its batch fails, change is run again in a new transaction. The
// context given to change never ends: one that may costs a goroutine for each
// statement, and a caller that goes away must not interrupt one, which would undo
// the changes of others.
func (db *DB) update(ctx context.Context, change func(ctx context.Context, tx *Tx) error) error {
	return db.do(ctx, &job{change: change})
}

// do queues j and returns its answer.
func (db *DB) do(ctx context.Context, j *job) error {
	j.ctx, j.answer = ctx, make(chan error, 1)
	select {
	case <-db.closed:
		return errClosed()
	default:
	}
	select {
	case db.jobs <- j:
	case <-db.closed:
		return errClosed()
	case <-ctx.Done():
		return errNotAccepting(ctx)
	}
	// Taken: from here on only the answer tells what became of it.
	return <-j.answer
}

func errNotAccepting(ctx context.Context) error {
	return molecule.Errorf(molecule.Unavailable, "the store is not accepting writes").
		WithHint("molecli liveness shows why").WithCause(ctx.Err())
}

func errClosed() error { return molecule.Errorf(molecule.Unavailable, "the store is closed") }

// RunWriter is the subsystem store-writer: it commits what is queued until ctx
// ends, and when nothing is queued proves with a write that it could.
func (db *DB) RunWriter(ctx context.Context, beat *supervised.Beat) (err error) {
	p := &pen{pool: db.writer}
	defer func() { err = errors.Join(err, p.close()) }()
	reminder := beat.C()
	for {
		var batch []*job
		select {
		case <-ctx.Done():
			return nil
		case j := <-db.jobs:
			runtime.Gosched() // whoever can run brings a job of its own, or has more urgent things to do
			batch = db.gather(j)
		case w := <-db.walks:
			db.walk(ctx, p, beat, w)
			continue
		case <-reminder:
		}
		err := beat.Tick(ctx, func(ctx context.Context) error {
			if len(batch) == 0 {
				batch = []*job{{ctx: ctx, change: prove, answer: make(chan error, 1)}}
			}
			return db.commit(ctx, p, batch)
		})
		for _, j := range batch { // those that commit did not come to
			j.finish(molecule.Errorf(molecule.Unavailable, "the store could not write").
				WithHint("molecli liveness shows why").WithCause(err))
		}
		if err != nil && ctx.Err() == nil {
			db.log.ErrorContext(ctx, "commit", "jobs", len(batch), "err", err)
		}
	}
}

// prove writes the time.
func prove(ctx context.Context, tx *Tx) error {
	_, err := tx.exec(ctx, `
		INSERT INTO writer_proof (id, at) VALUES (1, ?)
		ON CONFLICT (id) DO UPDATE SET at = excluded.at`, stamp(tx.Now))
	return err
}

// gather takes what waits, up to maxBatch.
func (db *DB) gather(first *job) []*job {
	batch := []*job{first}
	for len(batch) < maxBatch {
		select {
		case j := <-db.jobs:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// commit runs the changes in one transaction and answers their callers. One
// that fails is undone alone; an error of commit itself is everyone's.
func (db *DB) commit(ctx context.Context, p *pen, batch []*job) error {
	// Hardly a change fails. A savepoint for each would cost all of them.
	err := db.commitWith(ctx, p, batch, runTogether)
	if errors.Is(err, errOneFailed) {
		err = db.commitWith(ctx, p, batch, runAlone)
	}
	return err
}

// errOneFailed says that one change of a batch failed, so that nothing was done.
var errOneFailed = errors.New("one of the changes failed")

// commitWith makes the changes of a batch by means of run, which returns their
// results, or an error when the transaction can no longer be used.
func (db *DB) commitWith(
	tick context.Context, p *pen, batch []*job, run func(tick context.Context, tx *Tx, batch []*job) ([]error, error),
) error {
	ctx := context.WithoutCancel(tick)
	if err := p.begin(tick); err != nil {
		return fmt.Errorf("begin: %w", translate(err))
	}
	tx := &Tx{Now: molecule.Now(), pen: p}
	results, err := run(tick, tx, batch)
	if err != nil {
		p.rollback(ctx)
		return err
	}
	if err := db.seal(ctx, tx); err != nil {
		p.rollback(ctx)
		return err
	}
	for i, j := range batch {
		j.finish(results[i])
	}
	db.signal(tx)
	return nil
}

// seal writes what tx has to tell and commits it.
func (db *DB) seal(ctx context.Context, tx *Tx) error {
	if err := tx.tell(ctx); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	if err := tx.pen.commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", translate(err))
	}
	db.watch.note(tx.agents)
	if tx.counts {
		db.schedules.Add(1)
	}
	if tx.events > 0 {
		db.version.Add(1) // before its callers are answered: one that asks whether something changed has to hear yes
	}
	return nil
}

// signal tells whoever reads Committed what tx has told.
func (db *DB) signal(tx *Tx) {
	if tx.events == 0 {
		return
	}
	select {
	case db.committed <- struct{}{}:
	default: // a signal is waiting already
	}
}

// runTogether makes all changes, those of a kind at once. When one fails,
// nothing of the transaction can be used.
func runTogether(tick context.Context, tx *Tx, batch []*job) ([]error, error) {
	ctx := context.WithoutCancel(tick)
	results := make([]error, len(batch))
	var starts []*start
	var ends []*end
	for i, j := range batch {
		if results[i] = j.ctx.Err(); results[i] != nil {
			continue // nobody waits for it any more
		}
		tx.asker, tx.reason = askerOf(j.ctx), ""
		ours := tx.asker == asker{} // what somebody asked for is told of alone
		switch {
		case tick.Err() != nil:
			return nil, tick.Err()
		case j.start != nil && ours:
			starts = append(starts, j.start)
		case j.end != nil && ours:
			ends = append(ends, j.end)
		case supervised.Guard(func() error { return j.change(ctx, tx) }) != nil:
			return nil, errOneFailed
		}
	}
	tx.asker = asker{}
	err := supervised.Guard(func() error {
		if err := startRuns(ctx, tx, starts); err != nil {
			return err
		}
		return endRuns(ctx, tx, ends)
	})
	if err != nil {
		return nil, errOneFailed
	}
	return results, nil
}

// runAlone makes each change in a savepoint, so that it is undone alone.
func runAlone(tick context.Context, tx *Tx, batch []*job) ([]error, error) {
	ctx := context.WithoutCancel(tick)
	results := make([]error, len(batch))
	for i, j := range batch {
		if tick.Err() != nil {
			return nil, tick.Err()
		}
		if results[i] = j.ctx.Err(); results[i] != nil {
			continue // nobody waits for it any more
		}
		tx.asker, tx.reason = askerOf(j.ctx), ""
		var broken error
		if results[i], broken = tx.apply(ctx, j.change); broken != nil {
			return nil, broken
		}
	}
	return results, nil
}

// apply runs one change in a savepoint, so that it is undone alone. It returns
// what the change returned, and an error of its own when the transaction can no
// longer be used.
func (tx *Tx) apply(ctx context.Context, change func(context.Context, *Tx) error) (result, broken error) {
	if err := tx.tell(ctx); err != nil { // they are not of this change
		return nil, fmt.Errorf("write events: %w", err)
	}
	if _, err := tx.exec(ctx, "SAVEPOINT change"); err != nil {
		return nil, fmt.Errorf("savepoint: %w", err)
	}
	events, agents := tx.events, len(tx.agents)
	result = supervised.Guard(func() error { return change(ctx, tx) })
	if result != nil {
		tx.events, tx.agents, tx.told = events, tx.agents[:agents], tx.told[:0]
		if _, err := tx.exec(ctx, "ROLLBACK TO change"); err != nil {
			return nil, fmt.Errorf("undo change: %w", errors.Join(err, result))
		}
	}
	if _, err := tx.exec(ctx, "RELEASE change"); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	return result, nil
}
