package api

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// query reads the parameters of a request and keeps the first error. An
// unknown parameter is one: a filter that is misspelt must not list everything.
type query struct {
	values url.Values
	err    error
}

// newQuery refuses parameters that are not in known.
func newQuery(r *http.Request, known ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.fail("the query string is not valid")
		return q
	}
	for name := range values {
		if !contains(known, name) {
			q.fail("query parameter %q is not known", name)
		}
	}
	return q
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// fail keeps the first error.
func (q *query) fail(format string, args ...any) {
	if q.err == nil {
		q.err = molecule.Errorf(molecule.Invalid, format, args...)
	}
}

func (q *query) text(name string) string { return q.values.Get(name) }

// number reads a whole number that is not negative; 0 when it is absent.
func (q *query) number(name string) int64 {
	s := q.values.Get(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		q.fail("query parameter %s must be a whole number, not %q", name, s)
		return 0
	}
	return n
}

func (q *query) limit() int {
	return molecule.ClampLimit(int(min(q.number("limit"), molecule.MaxLimit)))
}

// flag reads true or false; false when it is absent.
func (q *query) flag(name string) bool {
	s := q.values.Get(name)
	if s == "" {
		return false
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		q.fail("query parameter %s must be true or false, not %q", name, s)
	}
	return b
}

// instant reads an instant as RFC 3339; the zero time when it is absent.
func (q *query) instant(name string) time.Time {
	s := q.values.Get(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		q.fail("query parameter %s must be an instant such as 2026-12-01T08:00:00Z, not %q", name, s)
	}
	return t.UTC()
}

// duration reads a length of time; 0 when it is absent.
func (q *query) duration(name string) time.Duration {
	s := q.values.Get(name)
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		q.fail("query parameter %s must be a duration such as 25s, not %q", name, s)
	}
	return d
}
