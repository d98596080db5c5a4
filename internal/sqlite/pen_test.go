package sqlite

import (
	"log/slog"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// TestPen_startsAnewWhenATransactionWasUndoneBehindItsBack holds what SQLite
// does when a disk is full: the transaction is gone before we undo it.
func TestPen_startsAnewWhenATransactionWasUndoneBehindItsBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db, err := Open(ctx, t.TempDir(), Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p := &pen{pool: db.writer}
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := p.begin(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.run(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	p.rollback(ctx)
	if err := p.begin(ctx); err != nil {
		t.Fatalf("begin after it: %v", err)
	}
	if err := prove(ctx, &Tx{Now: molecule.Now(), pen: p}); err != nil {
		t.Fatalf("write after it: %v", err)
	}
	if err := p.commit(ctx); err != nil {
		t.Fatalf("commit after it: %v", err)
	}
	var proofs int
	if err := db.reader.QueryRowContext(ctx, "SELECT COUNT(*) FROM writer_proof").Scan(&proofs); err != nil || proofs != 1 {
		t.Errorf("%d proofs were stored, %v; want 1", proofs, err)
	}
}
