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

// stamp returns t as it is stored; NULL for the zero time. A fire stores a dozen
// instants: writing the layout by hand takes a fifth of what package time takes.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.Format(layout)
	}
	hour, minute, second := t.Clock()
	b := []byte(layout)
	digits(b[0:4], year)
	digits(b[5:7], int(month))
	digits(b[8:10], day)
	digits(b[11:13], hour)
	digits(b[14:16], minute)
	digits(b[17:19], second)
	digits(b[20:23], t.Nanosecond()/int(time.Millisecond))
	return string(b)
}

// digits writes n into b, with zeros before it.
func digits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// parseStamp reads what stamp wrote, and nothing else.
func parseStamp(s string) (t time.Time, ok bool) {
	if len(s) != len(layout) {
		return t, false
	}
	for i, c := range []byte(layout) {
		digit := s[i] >= '0' && s[i] <= '9'
		if digit != (c >= '0' && c <= '9') || !digit && s[i] != c {
			return t, false
		}
	}
	number := func(from, to int) (n int) {
		for _, c := range []byte(s[from:to]) {
			n = 10*n + int(c-'0')
		}
		return n
	}
	year, month, day := number(0, 4), time.Month(number(5, 7)), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	t = time.Date(year, month, day, hour, minute, second, number(20, 23)*int(time.Millisecond), time.UTC)
	_, m, d := t.Date() // others, when there is no such day
	return t, m == month && d == day && hour < 24 && minute < 60 && second < 60
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
		t, ok := parseStamp(v)
		if !ok {
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
