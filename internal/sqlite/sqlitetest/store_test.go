package sqlitetest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

func TestOpen_storesInVirtualTimeToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db := sqlitetest.OpenDir(t, dir)
		a := sqlitetest.Agent(t, db, "echo")
		time.Sleep(time.Hour)
		s := sqlitetest.Schedule(t, db, "echo", "hello", molecule.Now().Add(time.Minute))
		if s.AgentID != a.ID || s.CreatedAt.Sub(a.CreatedAt) != time.Hour {
			t.Errorf("the schedule of %s was made %v after its agent", s.Agent, s.CreatedAt.Sub(a.CreatedAt))
		}
	})
}
