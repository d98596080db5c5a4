package molecule

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxPromptBytes is the largest prompt a schedule or a run may carry.
const MaxPromptBytes = 256 << 10

// named reports whether s is 1 to max of A-Z a-z 0-9 . _ - and begins with a
// letter or digit. It is no regular expression: compiling one at start costs
// every command a tenth of its time.
func named(s string, max int) bool {
	if s == "" || len(s) > max {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// IsID reports whether s is a whole id in the form of a UUID, in lower case.
func IsID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		digit := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if dash != (c == '-') || !dash && !digit {
			return false
		}
	}
	return true
}

// ValidateName refuses a name that an operator could not type, quote or grep,
// and one that looks like an id, which would hide what has that id. what is the
// noun for the message, such as "agent".
func ValidateName(what, name string) error {
	if IsID(name) {
		return Errorf(Invalid, "%s name %q looks like an id", what, name).WithHint("choose another name")
	}
	if named(name, 64) {
		return nil
	}
	return Errorf(Invalid, "%s name %q is not valid", what, clip(name, 80)).
		WithHint("use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit")
}

// ValidateRole refuses a role that does not fit on a line.
func ValidateRole(role string) error {
	if role == strings.TrimSpace(role) && role != "" && utf8.RuneCountInString(role) <= 128 && Printable(role) {
		return nil
	}
	return Errorf(Invalid, "role %q is not valid", clip(role, 80)).
		WithHint("use 1 to 128 characters on one line, without blanks at the ends")
}

// Printable reports whether s is UTF-8 without control characters.
func Printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// ValidateOrgID refuses an organisation id that no edge can send.
func ValidateOrgID(id string) error {
	if named(id, 128) {
		return nil
	}
	return Errorf(Invalid, "organisation id %q is not valid", clip(id, 80)).
		WithHint("use 1 to 128 of A-Z a-z 0-9 . _ - and begin with a letter or digit")
}

// ValidatePrompt refuses a prompt that is blank, too large or not UTF-8.
func ValidatePrompt(prompt string) error {
	switch {
	case len(prompt) > MaxPromptBytes:
		return Errorf(TooLarge, "prompt is %d bytes, the most is %d", len(prompt), MaxPromptBytes).
			WithHint("put the text in a file the agent can read and name the file in the prompt")
	case !utf8.ValidString(prompt):
		return Errorf(Invalid, "prompt is not valid UTF-8 (byte %d)", invalidAt(prompt)).
			WithHint("convert it first, for example: iconv -t UTF-8 FILE")
	case strings.TrimSpace(prompt) == "":
		return Errorf(Invalid, "prompt is empty").WithHint("give --prompt TEXT, --prompt @FILE or --prompt -")
	}
	return nil
}

// invalidAt returns the offset of the first byte that is not UTF-8.
func invalidAt(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return len(s)
}

// Excerpt returns at most max runes of s, the last one an ellipsis when
// something was cut. Bytes that are not UTF-8 become U+FFFD.
func Excerpt(s string, max int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return clip(s, max)
}

func clip(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	return string([]rune(s)[:max-1]) + "…"
}

// OldestID returns what the id of every row made at t or later is not less
// than: a UUID of version 7 begins with its milliseconds.
func OldestID(t time.Time) string {
	ms := uint64(max(t.UnixMilli(), 0))
	return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
}
