package sqlite

import (
	"context"
	"encoding/base64"
	"regexp"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// table is what a ref of a noun is looked up in. Both texts answer from an
// index: one condition for both would read the whole table.
type table struct {
	noun   string // agent
	list   string // the command that shows what there is
	byName string // id and name of the live row of a name; empty: rows have none
	byID   string // the same of live rows whose id lies in [?1, ?2)
}

var (
	agentTable = table{
		noun: "agent", list: "molecli agent list",
		byName: `SELECT id, name FROM agents WHERE removed_at IS NULL AND name = ?`,
		byID:   `SELECT id, name FROM agents WHERE id >= ? AND id < ? AND removed_at IS NULL ORDER BY id LIMIT 6`,
	}
	scheduleTable = table{
		noun: "schedule", list: "molecli schedule list",
		byName: `SELECT id, name FROM schedules WHERE removed_at IS NULL AND name = ?`,
		byID:   `SELECT id, name FROM schedules WHERE id >= ? AND id < ? AND removed_at IS NULL ORDER BY id LIMIT 6`,
	}
	runTable = table{
		noun: "run", list: "molecli run list",
		byID: `SELECT id, id FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT 6`,
	}
	incidentTable = table{
		noun: "incident", list: "molecli incident list --all",
		byID: `SELECT id, id FROM incidents WHERE id >= ? AND id < ? ORDER BY id LIMIT 6`,
	}
)

// idPrefix is what the beginning of a UUID looks like.
var idPrefix = regexp.MustCompile(`^[0-9a-f][0-9a-f-]*$`)

// named is a row found by a ref.
type named struct{ id, name string }

// resolve returns the id of the one row that ref means: the one of that name,
// or the only one whose id begins with it. A whole id is returned as it is.
func (t table) resolve(ctx context.Context, q querier, ref string) (string, error) {
	if molecule.IsID(ref) {
		return ref, nil
	}
	scan := func(r rowScanner, n *named) error { return r.Scan(&n.id, &n.name) }
	if t.byName != "" {
		rows, err := q.query(ctx, t.byName, ref)
		found, err := all(rows, err, scan)
		if err != nil {
			return "", err
		}
		if len(found) == 1 {
			return found[0].id, nil
		}
	}
	prefix := strings.ToLower(ref)
	if !idPrefix.MatchString(prefix) {
		return "", t.notFound(ref)
	}
	rows, err := q.query(ctx, t.byID, prefix, prefix+"g") // behind every hexadecimal digit
	found, err := all(rows, err, scan)
	if err != nil {
		return "", err
	}
	switch len(found) {
	case 0:
		return "", t.notFound(ref)
	case 1:
		return found[0].id, nil
	}
	var names []string
	for _, f := range found {
		names = append(names, f.name)
	}
	more := "more of the id"
	if t.byName != "" {
		more = "the name or " + more
	}
	return "", molecule.Errorf(molecule.Invalid, "%s %q is ambiguous", t.noun, ref).
		WithHint("it may be %s; give %s", strings.Join(names, ", "), more)
}

func (t table) notFound(ref string) error {
	return molecule.Errorf(molecule.NotFound, "no %s %q", t.noun, molecule.Excerpt(ref, 80)).WithHint("%s", t.list)
}

// rowScanner is a row that can be scanned.
type rowScanner interface{ Scan(dst ...any) error }

// cursor makes the cursor behind the item with the given key.
func cursor(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

// keyOf returns the key a cursor was made of.
func keyOf(cursor string) (string, error) {
	key, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", molecule.Errorf(molecule.Invalid, "the cursor is not valid").WithHint("take it from next of the page before")
	}
	return string(key), nil
}

// page cuts a list that was asked for one row too many.
func page[T any](items []T, limit int, key func(T) string) molecule.Page[T] {
	if len(items) <= limit {
		return molecule.Page[T]{Items: items}
	}
	items = items[:limit]
	return molecule.Page[T]{Items: items, Next: cursor(key(items[limit-1]))}
}
