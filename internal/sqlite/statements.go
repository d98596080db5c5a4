package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// statements prepares each text once for the readers and keeps it. All texts
// are constants of this package, so there are few.
type statements struct {
	pool *sql.DB

	mu   sync.Mutex
	kept map[string]*sql.Stmt
}

func newStatements(pool *sql.DB) *statements {
	return &statements{pool: pool, kept: make(map[string]*sql.Stmt)}
}

// stmt returns the prepared form of text.
func (s *statements) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	kept := s.kept[text]
	s.mu.Unlock()
	if kept != nil {
		return kept, nil
	}
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
