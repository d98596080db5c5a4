package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// view is how one noun is shown.
type view[T any] struct {
	noun    string // plural, for messages
	name    func(T) string
	columns []column[T]
	record  func(T) term.Record // of show; nil makes one of the columns
	empty   string              // what to do when there is none
}

// column is one column of a list.
type column[T any] struct {
	term.Column
	wide bool // only with -o wide
	cell func(T) term.Cell
}

// list writes rows in the face that is asked for.
func (v view[T]) list(p *printer, items []T) error {
	if err := v.sort(p.config.Sort, items); err != nil {
		return err
	}
	switch p.config.Output {
	case outJSON, outYAML:
		return p.encode(molecule.Page[T]{Items: append([]T{}, items...)})
	case outJSONL, outName:
		for _, item := range items {
			if err := v.one(p, item); err != nil {
				return err
			}
		}
		return nil
	}
	if len(items) == 0 && !p.layout.Pipe {
		p.note("no %s", v.noun)
		if v.empty != "" {
			p.note("try: %s", v.empty)
		}
		return nil
	}
	return v.table(p, items).Write(p.Out, p.layout)
}

// table lays items out; columns for -o wide are left out of others.
func (v view[T]) table(p *printer, items []T) term.Table {
	var t term.Table
	shown := slices.DeleteFunc(slices.Clone(v.columns), func(c column[T]) bool {
		return c.wide && p.config.Output != outWide
	})
	for _, c := range shown {
		t.Columns = append(t.Columns, c.Column)
	}
	for _, item := range items {
		row := make([]term.Cell, len(shown))
		for j, c := range shown {
			row[j] = c.cell(item)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// one writes a single object in the face that is asked for.
func (v view[T]) one(p *printer, item T) error {
	switch {
	case p.config.Output == outName:
		return p.line("%s", v.name(item))
	case p.structured():
		return p.encode(item)
	case v.record != nil:
		return v.record(item).Write(p.Out, p.layout)
	}
	var r term.Record
	for _, c := range v.columns {
		r = append(r, term.Field{Title: c.Title, Cell: c.cell(item)})
	}
	return r.Write(p.Out, p.layout)
}

// sort orders items by a column, "-name" descending; "" keeps the order.
func (v view[T]) sort(by string, items []T) error {
	if by == "" {
		return nil
	}
	name, descending := strings.CutPrefix(by, "-")
	var titles []string
	for _, c := range v.columns {
		title := sortKey(c.Title)
		if title != sortKey(name) {
			titles = append(titles, title)
			continue
		}
		slices.SortStableFunc(items, func(a, b T) int {
			if descending {
				a, b = b, a
			}
			return compareCells(c.cell(a), c.cell(b))
		})
		return nil
	}
	return molecule.Errorf(molecule.Invalid, "%s cannot be sorted by %q", v.noun, name).
		WithHint("use one of: %s", strings.Join(titles, ", "))
}

// sortKey returns a column's title the way it is typed: "LAST TICK" is
// last_tick.
func sortKey(title string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(title))
}

// compareCells orders by instant and then by text, numbers by their size.
func compareCells(a, b term.Cell) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	if c := cmp.Compare(digits(a.Text), digits(b.Text)); c != 0 && digits(a.Text) > 0 && digits(b.Text) > 0 {
		return c
	}
	return strings.Compare(a.Text, b.Text)
}

// digits returns how many digits s is made of, 0 when it is no number: of two
// numbers without leading zeros the longer is the larger.
func digits(s string) int {
	if strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0
	}
	return len(s)
}

// collect reads pages until limit rows are there; limit 0 reads all. more says
// that there are rows behind them.
func collect[T any](ctx context.Context, limit int, page func(ctx context.Context, limit int, cursor string) (molecule.Page[T], error)) (items []T, more bool, err error) {
	cursor := ""
	for {
		ask := molecule.MaxLimit
		if limit > 0 {
			ask = min(limit-len(items), ask)
		}
		got, err := page(ctx, ask, cursor)
		if err != nil {
			return nil, false, err
		}
		items = append(items, got.Items...)
		if got.Next == "" || len(got.Items) == 0 {
			return items, false, nil
		}
		if limit > 0 && len(items) >= limit {
			return items[:limit], true, nil
		}
		cursor = got.Next
	}
}

// listPages reads and writes a list.
func listPages[T any](ctx context.Context, s *session, v view[T], page func(ctx context.Context, limit int, cursor string) (molecule.Page[T], error)) error {
	return listShort(ctx, s, func(func(string) string) view[T] { return v }, page)
}

// listShort reads and writes a list whose names are ids: a table on a screen
// shows as much of each as tells it apart. show makes the view, with what
// shortens an id, or nil.
func listShort[T any](
	ctx context.Context, s *session, show func(short func(string) string) view[T],
	page func(ctx context.Context, limit int, cursor string) (molecule.Page[T], error),
) error {
	if err := show(nil).sort(s.config.Sort, nil); err != nil {
		return err // before anybody is asked
	}
	items, more, err := collect(ctx, s.config.Limit, page)
	if err != nil {
		return err
	}
	var short func(string) string
	if !s.layout.Pipe && s.config.Output == outTable {
		short = shortIDs(namesOf(items, show(nil).name))
	}
	if err := show(short).list(s.printer, items); err != nil {
		return err
	}
	if more {
		s.note("there are more than %d: see --limit", s.config.Limit)
	}
	return nil
}

// shortIDs returns a function that shortens ids to what tells them apart, at
// least eight characters.
func shortIDs(ids []string) func(string) string {
	n, seen := 8, map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	for {
		prefixes, longest := map[string]bool{}, 0
		for id := range seen {
			prefixes[id[:min(n, len(id))]] = true
			longest = max(longest, len(id))
		}
		if len(prefixes) == len(seen) || n >= longest {
			return func(id string) string { return id[:min(n, len(id))] }
		}
		n++
	}
}

// fields is what a list can be narrowed by, each by a flag of its own and by
// --filter.
type fields map[string]*string

// flags defines a flag for each field.
func (fs fields) flags(cmd *cobra.Command) {
	for name, into := range fs {
		cmd.Flags().StringVar(into, name, "", "only rows with this "+name)
	}
}

// read takes --filter into the fields.
func (fs fields) read(given []string) error {
	known := slices.Sorted(maps.Keys(fs))
	for _, f := range given {
		key, value, ok := strings.Cut(f, "=")
		into := fs[key]
		if !ok || into == nil {
			return molecule.Errorf(molecule.Invalid, "filter %q is not valid", f).
				WithHint("write KEY=VALUE with one of: %s", strings.Join(known, ", "))
		}
		*into = value
	}
	return nil
}
