package sqlite

import (
	"context"
	"encoding/base64"
	"regexp"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// table is what a ref of a noun is looked up in.
type table struct {
	noun  string // agent
	byRef string // finds id and name by name or id prefix; empty name: only ids
	list  string // the command that shows what there is
}

var (
	agentTable = table{noun: "agent", list: "molecli agent list", byRef: `
		SELECT id, name FROM agents
		WHERE removed_at IS NULL AND (name = ?1 OR (id >= ?2 AND id < ?2 || 'g'))
		ORDER BY name = ?1 DESC, id LIMIT 6`}
	scheduleTable = table{noun: "schedule", list: "molecli schedule list", byRef: `
		SELECT id, name FROM schedules
		WHERE removed_at IS NULL AND (name = ?1 OR (id >= ?2 AND id < ?2 || 'g'))
		ORDER BY name = ?1 DESC, id LIMIT 6`}
	runTable = table{noun: "run", list: "molecli run list", byRef: `
		SELECT id, id FROM runs WHERE ?1 = ?1 AND id >= ?2 AND id < ?2 || 'g' ORDER BY id LIMIT 6`}
)

// idPrefix is what the beginning of a UUID looks like.
var idPrefix = regexp.MustCompile(`^[0-9a-f][0-9a-f-]*$`)

// named is a row found by a ref.
type named struct{ id, name string }

// resolve returns the id of the one row that ref means: the one of that name,
// or the only one whose id begins with it.
func (t table) resolve(ctx context.Context, q querier, ref string) (string, error) {
	prefix := strings.ToLower(ref)
	if !idPrefix.MatchString(prefix) {
		prefix = "~" // behind every id
	}
	rows, err := q.query(ctx, t.byRef, ref, prefix)
	found, err := all(rows, err, func(r rowScanner, n *named) error { return r.Scan(&n.id, &n.name) })
	if err != nil {
		return "", err
	}
	switch {
	case len(found) == 0:
		return "", t.notFound(ref)
	case len(found) == 1, found[0].name == ref, found[0].id == prefix:
		return found[0].id, nil
	}
	var names []string
	for _, f := range found {
		names = append(names, f.name)
	}
	return "", molecule.Errorf(molecule.Invalid, "%s %q is ambiguous", t.noun, ref).
		WithHint("it may be %s; give the name or more of the id", strings.Join(names, ", "))
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
