package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// pen is the one connection that writes, and the statements it has prepared. It
// belongs to the goroutine of RunWriter. A transaction of the pool would cost
// more than what is written: for each query a goroutine, and a statement bound
// anew.
type pen struct {
	pool *sql.DB
	conn *sql.Conn // nil: not taken yet, or thrown away
	kept map[string]*sql.Stmt
}

// begin begins a transaction that nobody else can be in. ctx bounds only how
// long the connection is waited for.
func (p *pen) begin(ctx context.Context) error {
	if p.conn == nil {
		conn, err := p.pool.Conn(ctx)
		if err != nil {
			return err
		}
		p.conn, p.kept = conn, make(map[string]*sql.Stmt)
	}
	return p.run(context.WithoutCancel(ctx), "BEGIN IMMEDIATE")
}

// commit ends the transaction. On an error nothing of it was written.
func (p *pen) commit(ctx context.Context) error { return p.run(ctx, "COMMIT") }

// rollback undoes the transaction. When that fails, because SQLite has done so
// by itself or because of something worse, the next one gets a new connection.
func (p *pen) rollback(ctx context.Context) {
	if p.run(ctx, "ROLLBACK") == nil {
		return
	}
	// ErrBadConn tells the pool to close it, with its statements.
	_ = p.conn.Raw(func(any) error { return driver.ErrBadConn }) // returns that error
	p.conn = nil
}

func (p *pen) run(ctx context.Context, text string) error {
	st, err := p.stmt(ctx, text)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(ctx)
	return err
}

// stmt returns the prepared form of text, one of the constants of this package.
func (p *pen) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if st := p.kept[text]; st != nil {
		return st, nil
	}
	st, err := p.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	p.kept[text] = st
	return st, nil
}

// close gives the connection back.
func (p *pen) close() error {
	if p.conn == nil {
		return nil
	}
	var err error
	for _, st := range p.kept {
		err = errors.Join(err, st.Close())
	}
	return errors.Join(err, p.conn.Close())
}
