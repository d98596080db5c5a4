// Package textfile is what files that people write have in common: YAML that is
// parsed no deeper than is good for the parser, and a line shown with a caret where
// something is wrong with it. It knows no format of ours.
package textfile

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// Place is a part of a line. Line and Column count from 1, Column and Width in
// characters; a Column of 0 is the whole line, and the zero Place is nowhere.
type Place struct{ Line, Column, Width int }

// PlaceOf returns where a token stands; of one that goes over lines, the first.
func PlaceOf(t *token.Token) Place {
	value, _, _ := strings.Cut(t.Value, "\n")
	width := utf8.RuneCountInString(value)
	if t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType {
		width += 2
	}
	return Place{Line: t.Position.Line, Column: t.Position.Column, Width: width}
}

// maxShown is how much of a long line is shown, in characters.
const maxShown = 100

// Point returns a line, or the part of it around a column, and below it a caret
// that is as wide as the place.
func Point(line string, p Place) string {
	all := []rune(Printable(line))
	from := max(0, min(p.Column-1-maxShown/2, len(all)-maxShown))
	to := min(len(all), from+maxShown)
	width := max(1, min(p.Width, to-(p.Column-1)))
	return string(all[from:to]) + "\n" + strings.Repeat(" ", max(p.Column-1-from, 0)) + "^" + strings.Repeat("~", width-1)
}

// Printable returns s with a blank for each tab and a question mark for whatever
// else a terminal would act upon, so that a caret below it stands where it should.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
}
