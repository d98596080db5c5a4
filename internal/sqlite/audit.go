package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/molecule-ai/molecli/internal/audit"
	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	auditColumns   = `SELECT id, at, principal, source, action, object, result, reason, request_id, prev, hash FROM audit`
	sqlAuditHead   = `SELECT id, at, hash FROM audit ORDER BY id DESC LIMIT 1`
	sqlInsertAudit = `
		INSERT INTO audit (id, at, principal, source, action, object, result, reason, request_id, prev, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// asker is on whose behalf a change is made. The zero asker is the daemon
// itself, whose own work is no matter of the audit trail.
type asker struct{ principal, source, request string }

// askerOf returns who asks in ctx.
func askerOf(ctx context.Context) asker {
	p := molecule.PrincipalFrom(ctx)
	if p.Name == "" || p.Name == molecule.Daemon().Name {
		return asker{}
	}
	return asker{p.Name, p.Source, molecule.RequestIDFrom(ctx)}
}

// audit adds a row for a change that somebody asked for; none for the daemon's
// own. It is part of the change: without its row nothing is done.
func (tx *Tx) audit(ctx context.Context, action, object string) error {
	if tx.asker == (asker{}) {
		return nil
	}
	return insertAudit(ctx, tx, molecule.AuditRow{
		At: tx.Now, Principal: tx.asker.principal, Source: tx.asker.source, RequestID: tx.asker.request,
		Action: action, Object: object, Result: molecule.AuditDone, Reason: tx.reason,
	})
}

func insertAudit(ctx context.Context, tx *Tx, row molecule.AuditRow) error {
	rows, err := tx.query(ctx, sqlAuditHead)
	heads, err := all(rows, err, scanHead)
	if err != nil {
		return fmt.Errorf("read the head of the audit trail: %w", err)
	}
	var last molecule.AuditHead
	if len(heads) > 0 {
		last = heads[0]
	}
	row.ID = last.ID + 1
	row = audit.Link(row, last.Hash)
	_, err = tx.exec(ctx, sqlInsertAudit, row.ID, stamp(row.At), row.Principal, row.Source, row.Action, row.Object,
		string(row.Result), row.Reason, row.RequestID, row.Prev[:], row.Hash[:])
	if err != nil {
		return fmt.Errorf("add to the audit trail: %w", err)
	}
	return nil
}

func scanHead(r rowScanner, h *molecule.AuditHead) error {
	return r.Scan(&h.ID, instant{&h.At}, digest{&h.Hash})
}

func scanAudit(r rowScanner, a *molecule.AuditRow) error {
	return r.Scan(&a.ID, instant{&a.At}, &a.Principal, &a.Source, &a.Action, &a.Object, &a.Result, &a.Reason, &a.RequestID,
		digest{&a.Prev}, digest{&a.Hash})
}

// AppendAudit adds a row of what was refused: nothing else was committed with
// it.
func (db *DB) AppendAudit(ctx context.Context, row molecule.AuditRow) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		row.At = tx.Now
		return insertAudit(ctx, tx, row)
	})
}

// AuditHead returns the newest row of the trail; a zero one when there is none.
func (db *DB) AuditHead(ctx context.Context) (molecule.AuditHead, error) {
	rows, err := db.query(ctx, sqlAuditHead)
	heads, err := all(rows, err, scanHead)
	if err != nil || len(heads) == 0 {
		return molecule.AuditHead{}, err
	}
	return heads[0], nil
}

// Audit returns a page of the trail, newest first.
func (db *DB) Audit(ctx context.Context, f molecule.AuditFilter) (molecule.Page[molecule.AuditRow], error) {
	var none molecule.Page[molecule.AuditRow]
	before := int64(1 << 62)
	if f.Cursor != "" {
		id, err := strconv.ParseInt(f.Cursor, 10, 64)
		if err != nil || id < 1 {
			return none, molecule.Errorf(molecule.Invalid, "the cursor is not valid").WithHint("take it from next of the page before")
		}
		before = id
	}
	where, args := ` WHERE id < ?`, []any{before}
	add := func(column, value string) {
		switch n := len(value); {
		case n == 0:
		case value[n-1] == '.' || value[n-1] == '/':
			where += ` AND ` + column + ` >= ? AND ` + column + ` < ?`
			args = append(args, value, value[:n-1]+string(value[n-1]+1))
		default:
			where += ` AND ` + column + ` = ?`
			args = append(args, value)
		}
	}
	add("principal", f.Principal)
	add("action", f.Action)
	add("object", f.Object)
	add("result", string(f.Result))
	limit := molecule.ClampLimit(f.Limit)
	rows, err := db.query(ctx, auditColumns+where+` ORDER BY id DESC LIMIT ?`, append(args, limit+1)...)
	found, err := all(rows, err, scanAudit)
	if err != nil {
		return none, err
	}
	return page(found, limit, func(r molecule.AuditRow) string { return strconv.FormatInt(r.ID, 10) }), nil
}

// verifySlice is how many rows are read at once: a reader that stays in one
// statement for long keeps the log of the database from being cut.
const verifySlice = 20_000

// VerifyAudit walks the whole trail as it is stored, and looks for each of the
// heads in it.
func (db *DB) VerifyAudit(ctx context.Context, heads []molecule.AuditHead) (molecule.AuditVerdict, error) {
	w := audit.NewWalk(heads)
	last, sound := int64(-1<<62), true
	for sound {
		rows, err := db.query(ctx, auditColumns+` WHERE id > ? ORDER BY id LIMIT ?`, last, verifySlice)
		if err != nil {
			return molecule.AuditVerdict{}, err
		}
		n, err := verifyRows(rows, w, &last, &sound)
		if err != nil {
			return molecule.AuditVerdict{}, err
		}
		if n < verifySlice {
			break
		}
	}
	return w.End(), nil
}

// verifyRows walks along rows and returns how many there were. A row that cannot
// be read is one that was changed.
func verifyRows(rows *sql.Rows, w *audit.Walk, last *int64, sound *bool) (n int, err error) {
	defer rows.Close() //nolint:errcheck // an error of reading shows in rows.Err
	for rows.Next() {
		var row molecule.AuditRow
		if err := scanAudit(rows, &row); err != nil {
			row.Hash = molecule.Digest{} // fits nothing
		}
		n, *last = n+1, row.ID
		if *sound = w.Step(row); !*sound {
			return n, nil
		}
	}
	return n, translate(rows.Err())
}

// digest scans a hash.
type digest struct{ to *molecule.Digest }

// Scan implements sql.Scanner.
func (d digest) Scan(src any) error {
	raw, ok := src.([]byte)
	if !ok || len(raw) != len(d.to) {
		return fmt.Errorf("a hash is no %d bytes", len(d.to))
	}
	copy(d.to[:], raw)
	return nil
}
