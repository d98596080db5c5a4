package schedulefile

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// readCanonical reads what WriteYAML writes, and lines of comment between it.
// Anything else is false, and for the reader of YAML: this one says no more than
// that it does not know it.
func readCanonical(text string, readPrompt func(string) (string, error)) ([]Entry, bool) {
	c := canonical{rest: text, order: make(map[string]int)}
	c.skip()
	if more, ok := c.take(head[:len(head)-1]); !ok || more != "" || !strings.HasPrefix(c.rest, first) {
		return nil, text == empty
	}
	for i, key := range keys() {
		c.order[key] = i
	}
	c.order["prompt"] = len(c.order)
	entries := make([]Entry, 0, strings.Count(text, "\n"+first))
	for c.skip(); c.rest != ""; c.skip() {
		line := c.line + 1
		d, ok := c.schedule()
		if !ok || !d.finish(readPrompt, func(string, error) {}) {
			return nil, false
		}
		entries = append(entries, Entry{Spec: d.spec, Line: line})
	}
	return entries, true
}

// canonical is what is left to be read.
type canonical struct {
	rest  string
	line  int            // the last one read
	order map[string]int // of the keys
}

// take returns the next line behind a prefix, if it has that.
func (c *canonical) take(prefix string) (string, bool) {
	body, ok := strings.CutPrefix(c.rest, prefix)
	if !ok {
		return "", false
	}
	line, rest, ended := strings.Cut(body, "\n")
	if !ended {
		return "", false
	}
	c.rest, c.line = rest, c.line+1
	return line, true
}

// skip goes over lines of comment.
func (c *canonical) skip() {
	for {
		blank := len(c.rest) - len(strings.TrimLeft(c.rest, " "))
		if !strings.HasPrefix(c.rest[blank:], "#") {
			return
		}
		if _, ok := c.take(""); !ok {
			return
		}
	}
}

// schedule reads a schedule.
func (c *canonical) schedule() (*draft, bool) {
	d := new(draft)
	line, ok := c.take(first)
	for last := -1; ok; line, ok = c.field() {
		key, value, found := strings.Cut(line, ": ")
		at, known := c.order[key]
		if !found || !known || at <= last || !c.set(d, key, value) {
			return nil, false
		}
		last = at
	}
	return d, c.rest == "" || strings.HasPrefix(c.rest, first)
}

// field returns the next line that has a key of the same schedule.
func (c *canonical) field() (string, bool) {
	c.skip()
	return c.take(next)
}

// set takes a key and its value.
func (c *canonical) set(d *draft, key, value string) bool {
	switch {
	case key == "exclusions":
		return setExclusions(d, value)
	case key == "budget":
		return setBudget(d, value)
	case key == "prompt" && (value == "|" || value == "|-"):
		text, ok := c.block(value == "|")
		return ok && d.set(key, text) == nil
	}
	text, ok := unscalar(value)
	return ok && d.set(key, text) == nil
}

// block reads the lines of a text.
func (c *canonical) block(ended bool) (string, bool) {
	var lines []string
	for {
		line, ok := c.take(deep)
		if !ok {
			if !strings.HasPrefix(c.rest, "\n") {
				break
			}
			c.rest, c.line = c.rest[1:], c.line+1
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 || !blockable(lines) {
		return "", false
	}
	if ended {
		lines = append(lines, "")
	}
	return strings.Join(lines, "\n"), true
}

func setExclusions(d *draft, value string) bool {
	if len(value) < 3 || value[0] != '[' || value[len(value)-1] != ']' {
		return false
	}
	for item := range strings.SplitSeq(value[1:len(value)-1], ", ") {
		name, ok := unscalar(item)
		if !ok || strings.Contains(item, ",") {
			return false
		}
		d.spec.Exclusions = append(d.spec.Exclusions, name)
	}
	return true
}

func setBudget(d *draft, value string) bool {
	if len(value) < 3 || value[0] != '{' || value[len(value)-1] != '}' {
		return false
	}
	seen := ""
	for item := range strings.SplitSeq(value[1:len(value)-1], ", ") {
		key, text, ok := strings.Cut(item, ": ")
		text, known := unscalar(text)
		if !ok || !known || strings.Contains(item, ",") || strings.Contains(seen, key) || d.setBound(key, text) != nil {
			return false
		}
		seen += key + " "
	}
	return true
}

// unscalar returns the text of what scalar and quoted return.
func unscalar(value string) (string, bool) {
	if value == "" {
		return "", false
	}
	if value[0] == '"' {
		return unquote(value)
	}
	letter := value[0] >= 'a' && value[0] <= 'z' || value[0] >= 'A' && value[0] <= 'Z'
	digit := value[0] >= '0' && value[0] <= '9'
	return value, (letter || digit) && plain(value) && !strings.EqualFold(value, "null")
}

// unquote reads a text as quoted writes it, and no other way.
func unquote(value string) (string, bool) {
	if len(value) < 2 || value[len(value)-1] != '"' {
		return "", false
	}
	body := value[1 : len(value)-1]
	if unescaped(body) {
		return body, true
	}
	b := make([]byte, 0, len(body))
	for body != "" {
		if body[0] != '\\' {
			r, n := utf8.DecodeRuneInString(body)
			b, body = utf8.AppendRune(b, r), body[n:]
			continue
		}
		r, n := unescape(body[1:])
		if n == 0 {
			return "", false
		}
		b, body = utf8.AppendRune(b, r), body[1+n:]
	}
	return string(b), quoted(string(b)) == value
}

// unescaped reports whether s has nothing that quoted would write otherwise, as
// most texts have not.
func unescaped(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// unescape reads what stands behind a backslash and returns how long it is; 0
// for what quoted does not write.
func unescape(s string) (r rune, n int) {
	if s == "" {
		return 0, 0
	}
	digits := 0
	switch s[0] {
	case '"', '\\':
		return rune(s[0]), 1
	case 'n':
		return '\n', 1
	case 't':
		return '\t', 1
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	}
	if digits == 0 || len(s) <= digits {
		return 0, 0
	}
	v, err := strconv.ParseUint(s[1:1+digits], 16, 31)
	if err != nil || !utf8.ValidRune(rune(v)) {
		return 0, 0
	}
	return rune(v), 1 + digits
}
