package term

import (
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/dustin/go-humanize"
)

// Column is one column of a table.
type Column struct {
	Title string
	// Drop says when the column goes if the line is too wide: the highest goes
	// first, 0 stays.
	Drop int
	// Min, when not 0, says how narrow the column may be cut before any column
	// goes.
	Min int
}

// Cell is one value of a table. The zero Cell is blank.
type Cell struct {
	At   time.Time // when set, written before Text
	Text string
	Tone Tone // on a terminal its symbol stands before Text
}

// Text returns a plain cell.
func Text(s string) Cell { return Cell{Text: s} }

// Toned returns a cell with a meaning.
func Toned(t Tone, s string) Cell { return Cell{Text: s, Tone: t} }

// Size returns a cell that holds a number of bytes.
func Size(bytes int64) Cell { return Cell{Text: humanize.IBytes(uint64(max(bytes, 0)))} }

// When returns a cell that holds an instant.
func When(t time.Time) Cell { return Cell{At: t} }

// Table is rows under titles.
type Table struct {
	Columns []Column
	Rows    [][]Cell
}

// Layout says how a table is written.
type Layout struct {
	Pipe    bool // for a program: tabs, no titles, no colour, nothing cut
	Width   int  // columns a line may take; 0 is no limit
	Palette Palette
	Times   Times
}

// recordsBelow is the width under which a line cannot hold a row.
const recordsBelow = 40

// gap stands between two columns.
const gap = "  "

// Write writes the table to w.
func (t Table) Write(w io.Writer, l Layout) error {
	text := t.texts(l)
	var b strings.Builder
	switch {
	case l.Pipe:
		for _, row := range text {
			b.WriteString(strings.Join(row, "\t"))
			b.WriteByte('\n')
		}
	case l.Width > 0 && l.Width < recordsBelow:
		t.records(&b, l)
	default:
		t.grid(&b, text, l)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// texts returns what stands in each cell.
func (t Table) texts(l Layout) [][]string {
	out := make([][]string, len(t.Rows))
	for i, row := range t.Rows {
		out[i] = make([]string, len(t.Columns))
		for j := range min(len(row), len(t.Columns)) {
			out[i][j] = row[j].text(l)
		}
	}
	return out
}

// text returns what stands in the cell.
func (c Cell) text(l Layout) string {
	s := Clean(c.Text)
	if sym := c.Tone.Symbol(); sym != "" && s != "" && !l.Pipe {
		s = sym + " " + s
	}
	if c.At.IsZero() {
		return s
	}
	return strings.TrimRight(l.Times.Format(c.At)+" "+s, " ")
}

// grid writes aligned columns under their titles.
func (t Table) grid(b *strings.Builder, text [][]string, l Layout) {
	widths := t.widths(text)
	shown := t.fit(widths, l.Width)
	titles := make([]Cell, len(t.Columns))
	heads := make([]string, len(t.Columns))
	for j, c := range t.Columns {
		titles[j], heads[j] = Cell{Tone: Title}, c.Title
	}
	writeLine(b, titles, heads, widths, shown, l.Palette)
	for i, row := range text {
		writeLine(b, t.Rows[i], row, widths, shown, l.Palette)
	}
}

// writeLine writes the shown cells of one row, padded, without blanks behind
// the last one.
func writeLine(b *strings.Builder, row []Cell, text []string, widths, shown []int, p Palette) {
	pad := 0
	for _, j := range shown {
		s := Cut(text[j], widths[j])
		tone := Plain
		if j < len(row) {
			tone = row[j].Tone
		}
		if s != "" {
			b.WriteString(strings.Repeat(" ", pad) + p.Paint(tone, s))
			pad = 0
		}
		pad += widths[j] - lipgloss.Width(s) + len(gap)
	}
	b.WriteByte('\n')
}

// widths returns how wide each column would like to be.
func (t Table) widths(text [][]string) []int {
	out := make([]int, len(t.Columns))
	for j, c := range t.Columns {
		out[j] = lipgloss.Width(c.Title)
		for i := range text {
			out[j] = max(out[j], lipgloss.Width(text[i][j]))
		}
	}
	return out
}

// fit returns which columns are shown on a line of the given width. First the
// columns with a Min are cut, then columns go by Drop; when what must stay is
// still too wide, the widest is cut.
func (t Table) fit(widths []int, width int) []int {
	shown := make([]int, len(t.Columns))
	for j := range shown {
		shown[j] = j
	}
	if width <= 0 {
		return shown
	}
	for {
		least := func(j int) int {
			if m := t.Columns[j].Min; m > 0 {
				return m
			}
			return widths[j]
		}
		cut := append([]int(nil), widths...)
		if narrow(cut, shown, width, least) {
			copy(widths, cut)
			return shown
		}
		n := t.firstToGo(shown)
		if n < 0 {
			narrow(widths, shown, width, func(int) int { return 4 })
			return shown
		}
		shown = append(shown[:n], shown[n+1:]...)
	}
}

// narrow cuts the widest of the shown columns, none below its least width,
// until the line fits; it reports whether it does.
func narrow(widths, shown []int, width int, least func(int) int) bool {
	for lineWidth(widths, shown) > width {
		at := -1
		for _, j := range shown {
			if widths[j] > least(j) && (at < 0 || widths[j] > widths[at]) {
				at = j
			}
		}
		if at < 0 {
			return false
		}
		widths[at]--
	}
	return true
}

// firstToGo returns the place in shown of the column with the highest Drop, -1
// when all must stay.
func (t Table) firstToGo(shown []int) int {
	at, high := -1, 0
	for n, j := range shown {
		if d := t.Columns[j].Drop; d > high {
			at, high = n, d
		}
	}
	return at
}

func lineWidth(widths, shown []int) int {
	n := len(gap) * (len(shown) - 1)
	for _, j := range shown {
		n += widths[j]
	}
	return n
}

// records writes each row as lines of title and value, for screens that are
// too narrow for a line.
func (t Table) records(b *strings.Builder, l Layout) {
	for i, row := range t.Rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		r := Record{}
		for j := range min(len(row), len(t.Columns)) {
			r = append(r, Field{Title: t.Columns[j].Title, Cell: row[j]})
		}
		r.lines(b, l)
	}
}
