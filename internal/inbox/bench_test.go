package inbox_test

import (
	"log/slog"
	"testing"

	"github.com/molecule-ai/molecli/internal/inbox"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// BenchmarkActivities_nothingNew is what most questions of most agents come to.
func BenchmarkActivities_nothingNew(b *testing.B) {
	db := sqlitetest.Open(b)
	s := inbox.New(inbox.Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	a := molecule.Agent{Name: "a", Kind: molecule.AgentPoll, State: molecule.AgentOnline, MaxConcurrent: 1}
	if err := db.CreateAgent(b.Context(), &a); err != nil {
		b.Fatal(err)
	}
	row := molecule.Activity{AgentID: a.ID, Message: []byte(`{}`)}
	if err := s.Post(b.Context(), &row); err != nil {
		b.Fatal(err)
	}
	f := molecule.ActivityFilter{AgentID: a.ID, HandOut: true}
	for range 2 {
		if _, err := s.Activities(b.Context(), f); err != nil {
			b.Fatal(err)
		}
		f.After = row.ID
	}
	b.ReportAllocs()
	for b.Loop() {
		rows, err := s.Activities(b.Context(), f)
		if err != nil || len(rows) != 0 {
			b.Fatal(rows, err)
		}
	}
}
