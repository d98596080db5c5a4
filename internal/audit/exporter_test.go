package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/audit"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// note adds a row to the trail of db.
func note(t *testing.T, db *sqlite.DB) molecule.AuditHead {
	t.Helper()
	if err := db.AppendAudit(t.Context(), molecule.AuditRow{Principal: "uid:1", Action: "GET /v1/audit", Result: molecule.AuditRefused}); err != nil {
		t.Fatal(err)
	}
	h, err := db.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func readHeads(t *testing.T, file string) (heads []molecule.AuditHead) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var h molecule.AuditHead
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	return heads
}

func TestExporter_keepsEachNewHeadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := sqlitetest.Open(t)
		file := filepath.Join(t.TempDir(), "heads")
		var posted []string
		var down atomic.Bool
		e := &audit.Exporter{Store: db, Every: time.Hour, File: file, Post: func(_ context.Context, body []byte) error {
			if down.Load() {
				return errors.New("down")
			}
			posted = append(posted, string(body))
			return nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1) // one answer, sent by the one that runs
		go func() {
			ended <- supervised.RunWithRecover(ctx, supervised.Spec{Name: "audit-exporter", Every: 2 * time.Hour, Run: e.Run})
		}()
		defer func() { stop(); <-ended }()
		synctest.Wait()
		if got := readHeads(t, file); got != nil {
			t.Errorf("an empty trail has the heads %v", got)
		}
		first := note(t, db)
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff(readHeads(t, file), []molecule.AuditHead{first}); diff != "" {
			t.Errorf("after an hour (-got +want):\n%s", diff)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if got := readHeads(t, file); len(got) != 1 || len(posted) != 1 {
			t.Errorf("a head that did not move was exported again: %v, %v", got, posted)
		}
		down.Store(true)
		second := note(t, db)
		time.Sleep(time.Hour)
		down.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(posted) != 2 || !strings.Contains(posted[1], second.Hash.String()) {
			t.Errorf("what failed was not tried again: %v", posted)
		}
		verdict, err := audit.NewService(db).VerifyAudit(t.Context(), readHeads(t, file))
		if err != nil || !verdict.Sound || verdict.Head != second {
			t.Errorf("the trail is %+v, %v", verdict, err)
		}
	})
}

func TestService_refusesWhatIsNoFilterAndNoHead(t *testing.T) {
	t.Parallel()
	s := audit.NewService(sqlitetest.Open(t))
	if _, err := s.Audit(t.Context(), molecule.AuditFilter{Result: "denied"}); molecule.CodeOf(err) != molecule.Invalid {
		t.Errorf("a result that is none: got error %v", err)
	}
	if _, err := s.VerifyAudit(t.Context(), []molecule.AuditHead{{}}); molecule.CodeOf(err) != molecule.Invalid {
		t.Errorf("a head that is none: got error %v", err)
	}
}
