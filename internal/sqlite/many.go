package sqlite

import (
	"context"
	"strings"
)

// chunks are how many rows one statement takes at once, the largest first. What
// a statement costs beside its rows is several times what a row costs.
var chunks = [...]int{64, 16, 4, 1}

// many is a statement that takes any number of rows.
type many struct {
	columns int
	texts   [len(chunks)]string // for each of chunks
}

// manyRows makes a statement of text, in which ROWS stands for rows of so many
// placeholders.
func manyRows(columns int, text string) many {
	m := many{columns: columns}
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	for i, n := range chunks {
		m.texts[i] = strings.Replace(text, "ROWS", row+strings.Repeat(", "+row, n-1), 1)
	}
	return m
}

// execMany runs m for the rows in args, one behind the other, and returns how
// many rows of the table it changed.
func (tx *Tx) execMany(ctx context.Context, m *many, args []any) (int, error) {
	changed := 0
	for i, n := range chunks {
		for size := n * m.columns; len(args) >= size; args = args[size:] {
			res, err := tx.exec(ctx, m.texts[i], args[:size]...)
			if err != nil {
				return changed, err
			}
			of, err := res.RowsAffected()
			if err != nil {
				return changed, err
			}
			changed += int(of)
		}
	}
	return changed, nil
}
