package term

import (
	"io"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
)

// Field is one line of a record.
type Field struct {
	Title string
	Cell  Cell
}

// Record is one object, a line for each field. Blank fields are left out on a
// terminal and kept in a pipe.
type Record []Field

// Write writes the record to w.
func (r Record) Write(w io.Writer, l Layout) error {
	var b strings.Builder
	if l.Pipe {
		for _, f := range r {
			b.WriteString(f.Title + "\t" + f.Cell.text(l) + "\n")
		}
	} else {
		r.lines(&b, l)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// lines writes aligned titles and values; a value may wrap, it is not cut.
func (r Record) lines(b *strings.Builder, l Layout) {
	r = slices.DeleteFunc(slices.Clone(r), func(f Field) bool { return f.Cell.text(l) == "" })
	width := 0
	for _, f := range r {
		width = max(width, lipgloss.Width(f.Title))
	}
	for _, f := range r {
		b.WriteString(l.Palette.Paint(Title, f.Title))
		b.WriteString(strings.Repeat(" ", width-lipgloss.Width(f.Title)))
		b.WriteString(gap + l.Palette.Paint(f.Cell.Tone, f.Cell.text(l)) + "\n")
	}
}
