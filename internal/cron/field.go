package cron

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// The fields, in the order they are written.
const (
	minute = iota
	hour
	day
	month
	weekday
)

// bounds says what a field may hold.
type bounds struct {
	name     string
	min, max int // of a value
	top      int // the last value a star covers
	names    []string
}

// allBounds lists the fields in the order they are written.
var allBounds = [5]bounds{
	{name: "minute", min: 0, max: 59, top: 59},
	{name: "hour", min: 0, max: 23, top: 23},
	{name: "day", min: 1, max: 31, top: 31},
	{name: "month", min: 1, max: 12, top: 12,
		names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{name: "weekday", min: 0, max: 7, top: 6,
		names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

// set is what a field covers: bit n is set when it covers n.
type set struct {
	bits uint64
	star bool // it begins with a star, which changes how days and clocks are read
}

// field is one field of an expression and where it stands in it.
type field struct {
	*bounds
	number int
	text   string
	line   string // the whole expression
	at     int    // offset of text in line
}

// span is a part of a field's text.
type span struct{ from, to int }

// item is one member of the list in a field.
type item struct {
	lo, hi int
	step   int // 0: none was written
	star   bool
	text   string // canonical
}

// parse returns what the field covers and its canonical text.
func (f field) parse() (set, string, error) {
	var s set
	var text []string
	at := 0
	list := strings.Split(f.text, ",")
	for i, word := range list {
		sp := span{at, at + len(word)}
		at = sp.to + 1
		it, err := f.item(sp)
		if err != nil {
			return set{}, "", err
		}
		if it.star && it.step <= 1 && len(list) > 1 {
			return set{}, "", f.errorf(sp, "%q covers everything, the rest of the list says nothing; write * alone", word)
		}
		for v := it.lo; v <= it.hi; v += max(it.step, 1) {
			s.bits |= 1 << v
		}
		s.star = s.star || i == 0 && it.star
		text = append(text, it.text)
	}
	if f.number-1 == weekday { // 7 is Sunday too
		s.bits = (s.bits | s.bits>>7) & 0x7f
	}
	return s, strings.Join(text, ","), nil
}

// item reads one member of the list.
func (f field) item(sp span) (item, error) {
	text := f.text[sp.from:sp.to]
	if text == "" {
		return item{}, f.errorf(span{max(sp.from-1, 0), min(sp.to+1, len(f.text))}, "a member of the list is missing")
	}
	if text == "?" && (f.name == "day" || f.name == "weekday") {
		text = "*"
	}
	body, stepText, stepped := strings.Cut(text, "/")
	var it item
	var err error
	from, to, ranged := strings.Cut(body, "-")
	switch {
	case body == "*":
		it = item{lo: f.min, hi: f.top, star: true, text: "*"}
	case f.unsupported(text) != "":
		return item{}, f.errorf(sp, "%q: %s", text, f.unsupported(text))
	case ranged:
		it, err = f.readRange(from, to, sp)
	default:
		it, err = f.readValue(body, stepped, span{sp.from, sp.from + len(body)})
	}
	if err != nil || !stepped {
		return it, err
	}
	return f.readStep(it, stepText, span{sp.to - len(stepText), sp.to})
}

// readValue reads a single value. One that a step follows begins a range that
// ends where a star does.
func (f field) readValue(text string, stepped bool, sp span) (item, error) {
	v, err := f.value(text, sp)
	if err != nil {
		return item{}, err
	}
	it := item{lo: v, hi: v, text: f.word(text, v)}
	if stepped {
		it.lo, it.hi = v%(f.top+1), f.top
		it.text = f.rangeText(text, it.lo, "", it.hi)
	}
	return it, nil
}

// readRange reads "from-to" at sp. A range that ends with Sunday by name means
// the Sunday behind Saturday.
func (f field) readRange(from, to string, sp span) (item, error) {
	lo, err := f.value(from, span{sp.from, sp.from + len(from)})
	if err != nil {
		return item{}, err
	}
	toAt := sp.from + len(from) + 1
	hi, err := f.value(to, span{toAt, toAt + len(to)})
	if err != nil {
		return item{}, err
	}
	if f.names != nil && strings.EqualFold(to, "SUN") && lo > 0 {
		hi = 7
	}
	if lo > hi {
		whole := span{sp.from, toAt + len(to)}
		fix := f.rangeText("", f.min, to, hi)
		if lo <= f.top {
			fix = f.rangeText(from, lo, "", f.top) + "," + fix
		}
		return item{}, f.errorf(whole, "%q runs backwards, did you mean %s?", f.text[whole.from:whole.to], fix)
	}
	return item{lo: lo, hi: hi, text: f.word(from, lo) + "-" + f.word(to, hi)}, nil
}

// readStep reads the number behind a slash.
func (f field) readStep(it item, text string, sp span) (item, error) {
	n, ok := atoi(text)
	switch {
	case !ok:
		return item{}, f.errorf(sp, "step %q is not a number", text)
	case n == 0:
		return item{}, f.errorf(sp, "the step is 0, it must be at least 1")
	case n > it.hi-it.lo && n > 1:
		return item{}, f.errorf(sp, "a step of %d leaves %d-%d at once and covers %d only, did you mean %d?",
			n, it.lo, it.hi, it.lo, it.lo)
	}
	it.step = n
	if n > 1 {
		it.text += "/" + strconv.Itoa(n)
	}
	return it, nil
}

// value reads a number or a name.
func (f field) value(text string, sp span) (int, error) {
	upper := strings.ToUpper(text)
	for i, name := range f.names {
		if upper == name {
			return f.min + i, nil
		}
	}
	n, ok := atoi(text)
	switch {
	case text == "":
		return 0, f.errorf(span{max(sp.from-1, 0), min(sp.to+1, len(f.text))}, "one end of the range is missing")
	case !ok:
		return 0, f.errorf(sp, "%q is not a %s%s", text, f.name, f.suggest(upper))
	case n > f.max:
		fix := f.max
		if n == f.max+1 && f.min == 0 && f.max == f.top {
			fix = 0 // minute 60 and hour 24 are meant to be the next one's 0
		}
		return 0, f.errorf(sp, "%s is out of range %d-%d, did you mean %d?", text, f.min, f.max, fix)
	case n < f.min:
		return 0, f.errorf(sp, "%s is out of range %d-%d, did you mean %d?", text, f.min, f.max, f.min)
	}
	return n, nil
}

// suggest names what an unknown word may have been meant to be.
func (f field) suggest(upper string) string {
	if near := nearest(upper, f.names, 1); near != "" {
		return ", did you mean " + near + "?"
	}
	for _, name := range f.names {
		if len(upper) > len(name) && strings.HasPrefix(upper, name) {
			return ", did you mean " + name + "?"
		}
	}
	for i := range allBounds {
		for _, name := range allBounds[i].names {
			if upper == name {
				return fmt.Sprintf(", it is a %s (field %d)", allBounds[i].name, i+1)
			}
		}
	}
	return fmt.Sprintf(", it must be within %d-%d", f.min, f.max)
}

// unsupported says why a form that other crons know is refused; "" when text
// has no such form.
func (f field) unsupported(text string) string {
	upper := strings.ToUpper(text)
	switch {
	case strings.Contains(upper, "#"):
		return "the n-th weekday of a month (#) is not supported"
	case upper == "H" || strings.HasPrefix(upper, "H/") || strings.HasPrefix(upper, "H("):
		return "a hashed value (H) is not supported, write the value"
	case upper == "?":
		return "? belongs in a day field only, write *"
	case f.name != "day" && f.name != "weekday":
		return ""
	}
	for _, name := range f.names {
		upper = strings.TrimPrefix(upper, name)
	}
	switch strings.Trim(upper, "0123456789-") {
	case "W", "LW":
		return "the nearest working day (W) is not supported"
	case "L":
		return "the last day of a month (L) is not supported"
	}
	return ""
}

// word returns the canonical text of a value that was written as text.
func (f field) word(text string, v int) string {
	if _, ok := atoi(text); ok {
		return strconv.Itoa(v)
	}
	return strings.ToUpper(text)
}

// rangeText returns a range for a suggestion; an end that was not written is
// shown the way the other one is.
func (f field) rangeText(from string, lo int, to string, hi int) string {
	show := func(v int) string {
		if _, ok := atoi(from + to); ok || f.names == nil {
			return strconv.Itoa(v)
		}
		return f.names[v-f.min]
	}
	if lo == hi {
		return show(lo)
	}
	return show(lo) + "-" + show(hi)
}

// errorf makes an error about a part of the field and shows where it is.
func (f field) errorf(sp span, format string, args ...any) *molecule.Error {
	from, to := f.at+sp.from, min(f.at+sp.to, len(f.line))
	caret := strings.Repeat(" ", utf8.RuneCountInString(f.line[:from])) + "^" +
		strings.Repeat("~", max(utf8.RuneCountInString(f.line[from:to])-1, 0))
	return invalid("field %d (%s): %s\n%s\n%s", f.number, f.name, fmt.Sprintf(format, args...), f.line, caret).
		WithHint(syntaxHint)
}

// atoi reads a short number without a sign.
func atoi(s string) (int, bool) {
	if s == "" || len(s) > 4 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
