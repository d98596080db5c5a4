package sqlite

import (
	"context"
	"fmt"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// pace is a part of a change.
type pace func(ctx context.Context, tx *Tx) error

// walk is a change that takes long: one transaction, of which each pace is a
// tick of the writer. It shows that it goes on by what it has done, and no
// change, however large, looks like a writer that is stuck.
type walk struct {
	ctx    context.Context // of the caller; only asked whether it still waits, and for whom
	paces  []pace
	answer chan error // buffered 1, so that the writer never waits
}

// updateInPaces is update for a change that takes long. Other changes wait for
// its end.
func (db *DB) updateInPaces(ctx context.Context, paces []pace) error {
	w := &walk{ctx: ctx, paces: paces, answer: make(chan error, 1)}
	select {
	case db.walks <- w:
	case <-db.closed:
		return errClosed()
	case <-ctx.Done():
		return errNotAccepting(ctx)
	}
	return <-w.answer
}

// walk makes a change pace by pace and answers its caller.
func (db *DB) walk(ctx context.Context, p *pen, beat *supervised.Beat, w *walk) {
	if err := p.begin(ctx); err != nil {
		w.answer <- fmt.Errorf("begin: %w", translate(err))
		return
	}
	tx := &Tx{Now: molecule.Now(), pen: p, asker: askerOf(w.ctx)}
	seal := func(_ context.Context, tx *Tx) error { return db.seal(context.WithoutCancel(ctx), tx) }
	for _, do := range append(w.paces[:len(w.paces):len(w.paces)], seal) {
		if err := takePace(ctx, beat, w, tx, do); err != nil {
			p.rollback(context.WithoutCancel(ctx))
			w.answer <- translate(err)
			return
		}
	}
	w.answer <- nil
	db.signal(tx)
}

// takePace makes one pace in a tick of its own, unless nobody waits for it any
// more. That a pace fails is no failure of the writer.
func takePace(ctx context.Context, beat *supervised.Beat, w *walk, tx *Tx, do pace) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	var result error
	err := beat.Tick(ctx, func(ctx context.Context) error {
		if result = ctx.Err(); result == nil {
			result = supervised.Guard(func() error { return do(context.WithoutCancel(ctx), tx) })
		}
		return nil
	})
	if err != nil {
		return err
	}
	return result
}
