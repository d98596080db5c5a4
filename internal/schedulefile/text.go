package schedulefile

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

func decimal(n int) string { return strconv.Itoa(n) }

func runes(s string) int { return utf8.RuneCountInString(s) }

// invalidLine returns the number of the first line that is not UTF-8, 0 when
// there is none.
func invalidLine(s string) int {
	if utf8.ValidString(s) {
		return 0
	}
	at := 0
	for line := range strings.Lines(s) {
		if at++; !utf8.ValidString(line) {
			break
		}
	}
	return at
}

// cutWord returns the first word of s, which does not begin with a blank, and
// what stands behind it and the blanks.
func cutWord(s string) (word, rest string) {
	end := strings.IndexAny(s, blanks)
	if end < 0 {
		return s, ""
	}
	return s[:end], strings.TrimLeft(s[end:], blanks)
}

// blanks separate words.
const blanks = " \t"
