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

	mu     sync.Mutex
	kept   map[string]*sql.Stmt
	wanted map[string]struct{} // asked for in a transaction and not kept yet
}

func newStatements(pool *sql.DB) *statements {
	return &statements{pool: pool, kept: make(map[string]*sql.Stmt), wanted: make(map[string]struct{})}
}

// stmt returns the prepared form of text for the pool, or for a transaction
// when there is one.
func (s *statements) stmt(ctx context.Context, tx *sql.Tx, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	kept := s.kept[text]
	if kept == nil && tx != nil {
		s.wanted[text] = struct{}{}
	}
	s.mu.Unlock()
	switch {
	case kept != nil && tx != nil:
		return tx.StmtContext(ctx, kept), nil
	case kept != nil:
		return kept, nil
	case tx == nil:
		return s.prepare(ctx, text)
	}
	// The pool's only connection is this transaction's: preparing on the pool
	// would wait for itself. This one is closed with the transaction, and
	// keepWanted makes one that stays.
	st, err := tx.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	return st, nil
}

// keepWanted prepares what earlier transactions asked for. Call it between
// transactions.
func (s *statements) keepWanted(ctx context.Context) error {
	s.mu.Lock()
	var texts []string
	for text := range s.wanted {
		texts = append(texts, text)
	}
	clear(s.wanted)
	s.mu.Unlock()
	for _, text := range texts {
		if _, err := s.prepare(ctx, text); err != nil {
			return err
		}
	}
	return nil
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

// close closes what was kept.
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
