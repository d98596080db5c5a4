package audit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/audit"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// trail makes a sound trail of n rows.
func trail(n int) []molecule.AuditRow {
	var rows []molecule.AuditRow
	var prev molecule.Digest
	for i := range n {
		row := audit.Link(molecule.AuditRow{
			ID: int64(i + 1), At: time.Date(2026, 4, 14, 14, 21, i, 0, time.UTC), Principal: "uid:1000", Source: "socket",
			Action: "schedule.created", Object: "schedule/hello", Result: molecule.AuditDone, RequestID: "r",
		}, prev)
		prev = row.Hash
		rows = append(rows, row)
	}
	return rows
}

func walk(rows []molecule.AuditRow, heads ...molecule.AuditHead) molecule.AuditVerdict {
	w := audit.NewWalk(heads)
	for _, r := range rows {
		if !w.Step(r) {
			break
		}
	}
	return w.End()
}

func head(r molecule.AuditRow) molecule.AuditHead {
	return molecule.AuditHead{ID: r.ID, At: r.At, Hash: r.Hash}
}

func TestWalk_findsASoundTrailSound(t *testing.T) {
	t.Parallel()
	rows := trail(10)
	got := walk(rows, head(rows[9]), head(rows[2]))
	if !got.Sound || got.Rows != 10 || got.Head != head(rows[9]) {
		t.Errorf("got %+v", got)
	}
	if got := walk(nil); !got.Sound || got.Rows != 0 {
		t.Errorf("a trail without rows: got %+v", got)
	}
}

func TestWalk_findsWhatWasDoneToATrail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(rows []molecule.AuditRow) []molecule.AuditRow
		bad  int64
		says string
	}{
		"edited": {func(r []molecule.AuditRow) []molecule.AuditRow { r[4].Principal = "uid:0"; return r }, 5, "is not what was written"},
		"edited and hashed anew": {func(r []molecule.AuditRow) []molecule.AuditRow {
			r[4].Object = "schedule/other"
			r[4] = audit.Link(r[4], r[3].Hash)
			return r
		}, 6, "does not follow"},
		"dropped":       {func(r []molecule.AuditRow) []molecule.AuditRow { return slices.Delete(r, 4, 5) }, 5, "rows 5 to 5 are missing"},
		"first dropped": {func(r []molecule.AuditRow) []molecule.AuditRow { return r[1:] }, 1, "rows 1 to 1 are missing"},
		"dropped and numbered anew": {func(r []molecule.AuditRow) []molecule.AuditRow {
			r = slices.Delete(r, 4, 5)
			for i := range r {
				r[i].ID = int64(i + 1)
			}
			return r
		}, 5, "does not follow"},
		"reordered": {func(r []molecule.AuditRow) []molecule.AuditRow { r[4], r[5] = r[5], r[4]; return r }, 5, "missing"},
		"contents swapped": {func(r []molecule.AuditRow) []molecule.AuditRow {
			r[4], r[5] = r[5], r[4]
			r[4].ID, r[5].ID = 5, 6
			return r
		}, 5, "does not follow"},
		"repeated":    {func(r []molecule.AuditRow) []molecule.AuditRow { return slices.Insert(r, 4, r[3]) }, 4, "comes behind row 4"},
		"end cut off": {func(r []molecule.AuditRow) []molecule.AuditRow { return r[:8] }, 9, "ends with row 8"},
		"written anew as a whole": {func(r []molecule.AuditRow) []molecule.AuditRow {
			var prev molecule.Digest
			for i := range r {
				r[i].Principal = "uid:0"
				r[i] = audit.Link(r[i], prev)
				prev = r[i].Hash
			}
			return r
		}, 10, "another one than the head"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows := trail(10)
			kept := head(rows[9])
			got := walk(c.do(rows), kept)
			if got.Sound || got.BadID != c.bad || !strings.Contains(got.Reason, c.says) {
				t.Errorf("got %+v, want row %d and a reason that says %q", got, c.bad, c.says)
			}
		})
	}
}

func TestLink_coversEveryField(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 8, 16)
		row := molecule.AuditRow{
			ID: rapid.Int64Range(1, 9).Draw(t, "id"), At: time.UnixMilli(rapid.Int64Range(0, 9).Draw(t, "at")), Principal: text.Draw(t, "principal"),
			Source: text.Draw(t, "source"), Action: text.Draw(t, "action"), Object: text.Draw(t, "object"),
			Result: molecule.AuditResult(text.Draw(t, "result")), Reason: text.Draw(t, "reason"), RequestID: text.Draw(t, "request"),
		}
		linked := audit.Link(row, molecule.Digest{1})
		other := linked
		switch rapid.IntRange(0, 9).Draw(t, "field") {
		case 0:
			other.ID++
		case 1:
			other.At = other.At.Add(time.Millisecond)
		case 2:
			other.Principal += "x"
		case 3: // what two fields hold together stays the same
			other.Source, other.Action = other.Source+"x", strings.TrimPrefix(other.Action, "x")
		case 4:
			other.Action += "x"
		case 5:
			other.Object += "x"
		case 6:
			other.Result += "x"
		case 7:
			other.Reason += "x"
		case 8:
			other.RequestID += "x"
		case 9:
			other.Prev[31]++
		}
		if audit.Link(other, other.Prev).Hash == linked.Hash {
			t.Errorf("%+v and %+v have one hash", linked, other)
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	rows := trail(1000)
	b.ReportAllocs()
	for b.Loop() {
		if !walk(rows).Sound {
			b.Fatal("not sound")
		}
	}
	b.ReportMetric(float64(b.N*len(rows))/b.Elapsed().Seconds(), "rows/s")
}
