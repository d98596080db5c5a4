package sqlite

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// openTrail opens a store of its own, in the package, so that a test may do to
// its file what nobody should.
func openTrail(t testing.TB) *DB {
	t.Helper()
	db, err := Open(t.Context(), t.TempDir(), Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var writer sync.WaitGroup
	writer.Go(func() {
		_ = supervised.RunWithRecover(ctx, supervised.Spec{Name: "store-writer", Run: db.RunWriter, Every: 30 * time.Second})
	})
	t.Cleanup(func() {
		cancel()
		writer.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// as returns a context in which somebody asks.
func as(ctx context.Context, name string) context.Context {
	p := molecule.Principal{Name: name, Source: "socket", Scopes: []molecule.Scope{molecule.ScopeAdmin}}
	return molecule.WithRequestID(molecule.WithPrincipal(ctx, p), "r-1")
}

func putCalendar(ctx context.Context, t testing.TB, db *DB, name string) error {
	t.Helper()
	day, err := molecule.ParseDayRange("2026-12-25")
	if err != nil {
		t.Fatal(err)
	}
	return db.PutCalendar(ctx, &molecule.Calendar{Name: name, Days: []molecule.DayRange{day}})
}

func TestAudit_hasARowForEachChangeSomebodyAskedFor(t *testing.T) {
	t.Parallel()
	db := openTrail(t)
	for ctx, name := range map[context.Context]string{
		as(t.Context(), "uid:1000"): "asked",
		t.Context():                 "nobody",
		molecule.WithPrincipal(t.Context(), molecule.Daemon()):        "daemon",
		molecule.WithPrincipal(t.Context(), molecule.Principal{}):     "zero",
		molecule.WithRequestID(as(t.Context(), "token:abcd"), "r-22"): "token",
	} {
		if err := putCalendar(ctx, t, db, name); err != nil {
			t.Fatal(err)
		}
	}
	page, err := db.Audit(t.Context(), molecule.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, r := range page.Items {
		got[r.Object] = strings.Join([]string{r.Principal, r.Source, r.Action, string(r.Result), r.RequestID}, " ")
	}
	want := map[string]string{
		"calendar/asked": "uid:1000 socket calendar.stored done r-1", "calendar/token": "token:abcd socket calendar.stored done r-22",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("rows (-got +want):\n%s", diff)
	}
	if v, err := db.VerifyAudit(t.Context(), nil); err != nil || !v.Sound || v.Rows != 2 {
		t.Errorf("the trail is %+v, %v", v, err)
	}
}

func TestAudit_refusesTheChangeWhoseRowCannotBeWritten(t *testing.T) {
	t.Parallel()
	db := openTrail(t)
	tamper(t, db, `CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END`)
	if err := putCalendar(as(t.Context(), "uid:1000"), t, db, "holidays"); err == nil || !strings.Contains(err.Error(), "audit trail") {
		t.Errorf("got error %v, want one about the audit trail", err)
	}
	if _, err := db.Calendar(t.Context(), "holidays"); molecule.CodeOf(err) != molecule.NotFound {
		t.Errorf("the change was made without its row: %v", err)
	}
	if last, err := db.LastEventID(t.Context()); err != nil || last != 0 {
		t.Errorf("event %d tells of it, %v", last, err)
	}
	if err := putCalendar(t.Context(), t, db, "daemons-own"); err != nil {
		t.Errorf("the daemon's own work needs no row: %v", err)
	}
}

func TestAudit_filters(t *testing.T) {
	t.Parallel()
	db := openTrail(t)
	for _, who := range []string{"uid:1", "uid:2"} {
		for _, name := range []string{"a", "b"} {
			if err := putCalendar(as(t.Context(), who), t, db, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	refused := molecule.AuditRow{Principal: "uid:2", Source: "socket", Action: "POST /v1/agents", Object: "/v1/agents", Result: molecule.AuditRefused, Reason: "it lacks a scope"}
	if err := db.AppendAudit(t.Context(), refused); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		f    molecule.AuditFilter
		want []int64
	}{
		"all":         {molecule.AuditFilter{}, []int64{5, 4, 3, 2, 1}},
		"page":        {molecule.AuditFilter{Limit: 2}, []int64{5, 4}},
		"behind":      {molecule.AuditFilter{Limit: 2, Cursor: "4"}, []int64{3, 2}},
		"principal":   {molecule.AuditFilter{Principal: "uid:1"}, []int64{2, 1}},
		"object":      {molecule.AuditFilter{Object: "calendar/a"}, []int64{3, 1}},
		"noun":        {molecule.AuditFilter{Object: "calendar/"}, []int64{4, 3, 2, 1}},
		"action":      {molecule.AuditFilter{Action: "calendar."}, []int64{4, 3, 2, 1}},
		"result":      {molecule.AuditFilter{Result: molecule.AuditRefused}, []int64{5}},
		"all at once": {molecule.AuditFilter{Principal: "uid:2", Object: "calendar/b", Result: molecule.AuditDone}, []int64{4}},
		"none":        {molecule.AuditFilter{Principal: "uid"}, nil},
	} {
		page, err := db.Audit(t.Context(), c.f)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, r := range page.Items {
			got = append(got, r.ID)
		}
		if diff := cmp.Diff(got, c.want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", name, diff)
		}
	}
	if _, err := db.Audit(t.Context(), molecule.AuditFilter{Cursor: "x"}); molecule.CodeOf(err) != molecule.Invalid {
		t.Errorf("a cursor that is none: got error %v", err)
	}
}

// tamper changes the file of db behind its back.
func tamper(t testing.TB, db *DB, statements ...string) {
	t.Helper()
	for _, text := range statements {
		if err := db.update(t.Context(), func(ctx context.Context, tx *Tx) error {
			_, err := tx.exec(ctx, text)
			return err
		}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func TestAudit_isOnlyAddedTo(t *testing.T) {
	t.Parallel()
	db := openTrail(t)
	if err := putCalendar(as(t.Context(), "uid:1"), t, db, "a"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`UPDATE audit SET principal = 'uid:0'`, `DELETE FROM audit`} {
		err := db.update(t.Context(), func(ctx context.Context, tx *Tx) error {
			_, err := tx.exec(ctx, text)
			return err
		})
		if err == nil {
			t.Errorf("%s was done", text)
		}
	}
}

func TestVerifyAudit_findsWhatWasDoneToTheFile(t *testing.T) {
	t.Parallel()
	const free = `DROP TRIGGER audit_unchanged`
	const drop = `DROP TRIGGER audit_undeleted`
	for name, c := range map[string]struct {
		do  []string
		bad int64
	}{
		"edited":                {[]string{free, `UPDATE audit SET principal = 'uid:0' WHERE id = 3`}, 3},
		"edited time":           {[]string{free, `UPDATE audit SET at = '2026-01-01T00:00:00.000Z' WHERE id = 3`}, 3},
		"edited beyond reading": {[]string{free, `UPDATE audit SET at = 'yesterday' WHERE id = 3`}, 3},
		"dropped":               {[]string{drop, `DELETE FROM audit WHERE id = 3`}, 3},
		"reordered":             {[]string{free, `UPDATE audit SET id = -1 WHERE id = 3`, `UPDATE audit SET id = 3 WHERE id = 4`, `UPDATE audit SET id = 4 WHERE id = -1`}, 3},
		"last one dropped":      {[]string{drop, `DELETE FROM audit WHERE id = 5`}, 5},
		"put below the first":   {[]string{free, `UPDATE audit SET id = -7 WHERE id = 3`}, -7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openTrail(t)
			for _, n := range []string{"a", "b", "c", "d", "e"} {
				if err := putCalendar(as(t.Context(), "uid:1000"), t, db, n); err != nil {
					t.Fatal(err)
				}
			}
			head, err := db.AuditHead(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			heads := []molecule.AuditHead{head}
			if v, err := db.VerifyAudit(t.Context(), heads); err != nil || !v.Sound || v.Head != head {
				t.Fatalf("before: %+v, %v", v, err)
			}
			tamper(t, db, c.do...)
			v, err := db.VerifyAudit(t.Context(), heads)
			if err != nil || v.Sound || v.BadID != c.bad || v.Reason == "" {
				t.Errorf("got %+v, %v, want row %d", v, err, c.bad)
			}
		})
	}
}

// BenchmarkVerifyAudit walks a trail as it is stored.
func BenchmarkVerifyAudit(b *testing.B) {
	const rows = 100_000
	db := openTrail(b)
	err := db.update(as(b.Context(), "uid:1000"), func(ctx context.Context, tx *Tx) error {
		for range rows {
			if err := tx.audit(ctx, molecule.EventScheduleUpdated, "schedule/hello"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if v, err := db.VerifyAudit(b.Context(), nil); err != nil || !v.Sound || v.Rows != rows {
			b.Fatalf("%+v, %v", v, err)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}
