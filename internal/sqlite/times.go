package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// layout is how an instant is stored: fixed width, so that text order is time
// order.
const layout = "2006-01-02T15:04:05.000Z"

// stamp returns t as it is stored; NULL for the zero time.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(layout)
}

// instant scans a stored instant; NULL is the zero time.
type instant struct{ t *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(src any) error {
	*i.t = time.Time{}
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		t, err := time.Parse(layout, v)
		if err != nil {
			return fmt.Errorf("%q is not an instant", v)
		}
		*i.t = t
		return nil
	default:
		return fmt.Errorf("%T is not an instant", src)
	}
}

// lenient scans an instant that may be damaged, and keeps what was wrong.
type lenient struct {
	t   *time.Time
	bad *error
}

// Scan implements sql.Scanner.
func (l lenient) Scan(src any) error {
	*l.bad = instant{l.t}.Scan(src)
	return nil
}

// object stores and scans a value as JSON; NULL is the zero value.
type object[T any] struct{ v *T }

// Scan implements sql.Scanner.
func (o object[T]) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), o.v)
	case []byte:
		return json.Unmarshal(v, o.v)
	default:
		return fmt.Errorf("%T is not JSON", src)
	}
}

// text returns v as JSON; NULL for nil.
func text[T any](v *T) (any, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// all scans every row and closes rows.
func all[T any](rows *sql.Rows, err error, scan func(rowScanner, *T) error) (_ []T, result error) {
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := rows.Close(); result == nil {
			result = translate(cerr)
		}
	}()
	var items []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, translate(rows.Err())
}

// texts returns the first column of every row.
func texts(ctx context.Context, q querier, query string, args ...any) ([]string, error) {
	rows, err := q.query(ctx, query, args...)
	return all(rows, err, func(r rowScanner, s *string) error { return r.Scan(s) })
}
