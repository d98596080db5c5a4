package sqlite

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSchema_isWrittenDownAsOneFile compares schema.sql with what the
// migrations make. UPDATE_SCHEMA=1 writes it anew, to be reviewed.
func TestSchema_isWrittenDownAsOneFile(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), t.TempDir(), Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.query(t.Context(), `
		SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'
		ORDER BY tbl_name, type DESC, name`)
	parts, err := all(rows, err, func(r rowScanner, s *string) error { return r.Scan(s) })
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	got := "-- The newest schema, made by TestSchema_isWrittenDownAsOneFile. Do not edit.\n\n" +
		strings.Join(parts, ";\n\n") + ";\n"
	if os.Getenv("UPDATE_SCHEMA") != "" {
		if err := os.WriteFile("schema.sql", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("schema.sql")
	if diff := cmp.Diff(got, string(want)); err != nil || diff != "" {
		t.Errorf("schema.sql is not what the migrations make (-got +want), %v:\n%s", err, diff)
	}
}
