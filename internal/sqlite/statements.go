package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// statements prepares each text once for a pool and keeps it. All texts are
// constants of this package, so there are few.
type statements struct {
	pool *sql.DB
	mu   sync.Mutex
	kept map[string]*sql.Stmt
}

func newStatements(pool *sql.DB) *statements {
	return &statements{pool: pool, kept: make(map[string]*sql.Stmt)}
}

// stmt returns the prepared form of text, which within a transaction of the
// one writing connection comes from that transaction.
func (s *statements) stmt(ctx context.Context, tx *sql.Tx, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	kept := s.kept[text]
	s.mu.Unlock()
	if kept == nil {
		var err error
		if tx != nil {
			// The pool's only connection is this transaction's: preparing on the
			// pool would wait for itself.
			if kept, err = tx.PrepareContext(ctx, text); err != nil {
				return nil, fmt.Errorf("prepare: %w", err)
			}
			return kept, nil // closed with the transaction
		}
		if kept, err = s.prepare(ctx, text); err != nil {
			return nil, err
		}
	}
	if tx != nil {
		return tx.StmtContext(ctx, kept), nil
	}
	return kept, nil
}

// prepare prepares text on the pool and keeps it.
func (s *statements) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	made, err := s.pool.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept := s.kept[text]; kept != nil { // somebody was faster
		return kept, made.Close()
	}
	s.kept[text] = made
	return made, nil
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, st := range s.kept {
		err = errors.Join(err, st.Close())
	}
	clear(s.kept)
	return err
}

// ready reports whether anything was prepared yet.
func (s *statements) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kept) > 0
}
