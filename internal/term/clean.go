package term

import (
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
)

// Clean makes s fit for one cell: line breaks and tabs become blanks, and
// whatever could move the cursor, change colours or reorder the line is gone.
func Clean(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case unprintable(r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// CleanText is Clean for text of several lines: it keeps line breaks and tabs.
func CleanText(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unprintable(r) {
			return -1
		}
		return r
	}, s)
}

// unprintable reports whether r is a control character or one of the format
// characters that reorder or hide text.
func unprintable(r rune) bool {
	switch {
	case unicode.IsControl(r), r == '\u2028', r == '\u2029':
		return true
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\u200e', r == '\u200f', r == '\ufeff':
		return true
	}
	return false
}

// Cut shortens s to at most width columns; an ellipsis says that it did.
func Cut(s string, width int) string {
	if width <= 0 || lipgloss.Width(s) <= width {
		return s
	}
	end := 0
	for i := range s {
		if lipgloss.Width(s[:i]) > width-1 {
			break
		}
		end = i
	}
	return s[:end] + "…"
}

// Wrap breaks s at blanks into lines of at most width columns. A word that is
// wider has a line of its own; a width that is no width breaks nothing.
func Wrap(s string, width int) []string {
	if width <= 0 || lipgloss.Width(s) <= width {
		return []string{s}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case lipgloss.Width(line)+1+lipgloss.Width(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
