// Package audit chains the rows of the audit trail: each holds the hash of the
// one before, so that a row that was changed, dropped or moved is found by
// whoever walks along. It keeps nothing and decides nothing.
//
// [Link] makes the hash of a new row, a [Walk] follows a trail. What was cut off
// the end shows only beside a head that was kept elsewhere.
package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Link returns row with its place in the chain: behind prev, which is the zero
// digest for the first.
func Link(row molecule.AuditRow, prev molecule.Digest) molecule.AuditRow {
	row.Prev = prev
	row.Hash = new(hasher).hash(row)
	return row
}

// hasher makes hashes and keeps what it needs for the next.
type hasher struct {
	sha hash.Hash
	buf []byte
}

// hash covers every field of a row but the hash itself. Each text stands behind
// its length, so that no two rows are written alike.
func (h *hasher) hash(row molecule.AuditRow) (d molecule.Digest) {
	if h.sha == nil {
		h.sha = sha256.New()
	}
	b := append(h.buf[:0], "molecule audit 1\x00"...)
	b = append(b, row.Prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(row.ID))
	b = binary.BigEndian.AppendUint64(b, uint64(row.At.UnixMilli()))
	for _, text := range [...]string{
		row.Principal, row.Source, row.Action, row.Object, string(row.Result), row.Reason, row.RequestID,
	} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	h.buf = b
	h.sha.Reset()
	h.sha.Write(b)
	h.sha.Sum(d[:0])
	return d
}

// Walk follows a trail from its first row. The zero Walk is at its beginning.
type Walk struct {
	hasher hasher
	last   molecule.AuditRow
	rows   int64
	heads  []molecule.AuditHead // not met yet, by id
	bad    int64
	why    string
}

// NewWalk returns a walk that has to meet every one of the heads.
func NewWalk(heads []molecule.AuditHead) *Walk {
	w := &Walk{heads: slices.Clone(heads)}
	slices.SortFunc(w.heads, func(a, b molecule.AuditHead) int { return int(a.ID - b.ID) })
	return w
}

// Step looks at the next row and reports whether the trail is sound so far.
func (w *Walk) Step(row molecule.AuditRow) bool {
	switch {
	case w.why != "":
		return false
	case row.ID != w.last.ID+1 && row.ID <= w.last.ID:
		w.fail(row.ID, fmt.Sprintf("row %d comes behind row %d", row.ID, w.last.ID))
	case row.ID != w.last.ID+1:
		w.fail(w.last.ID+1, fmt.Sprintf("rows %d to %d are missing", w.last.ID+1, row.ID-1))
	case row.Prev != w.last.Hash:
		w.fail(row.ID, fmt.Sprintf("row %d does not follow the row before it: one of them was changed or moved", row.ID))
	case row.Hash != w.hasher.hash(row):
		w.fail(row.ID, fmt.Sprintf("row %d is not what was written", row.ID))
	default:
		w.last = row
		w.rows++
		w.meet(row)
	}
	return w.why == ""
}

// meet compares row with the heads of its id.
func (w *Walk) meet(row molecule.AuditRow) {
	for len(w.heads) > 0 && w.heads[0].ID <= row.ID {
		if head := w.heads[0]; head.ID != row.ID || head.Hash != row.Hash {
			w.fail(row.ID, fmt.Sprintf("row %d is another one than the head that was kept at %s", head.ID, head.At.Format(time.RFC3339)))
			return
		}
		w.heads = w.heads[1:]
	}
}

func (w *Walk) fail(id int64, why string) { w.bad, w.why = id, why }

// End returns what was found, once the last row was looked at.
func (w *Walk) End() molecule.AuditVerdict {
	if w.why == "" && len(w.heads) > 0 {
		head := w.heads[len(w.heads)-1]
		w.fail(w.last.ID+1, fmt.Sprintf("the trail ends with row %d, and at %s it went to row %d", w.last.ID, head.At.Format(time.RFC3339), head.ID))
	}
	return molecule.AuditVerdict{
		Sound: w.why == "", Rows: w.rows, BadID: w.bad, Reason: w.why,
		Head: molecule.AuditHead{ID: w.last.ID, At: w.last.At, Hash: w.last.Hash},
	}
}
