package cron

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// The fields, in the order they are written. Of seconds and years either may be
// missing.
const (
	second = iota
	minute
	hour
	day
	month
	weekday
	year
	fieldCount
)

// The years that can be listed.
const (
	minYear = 1970
	maxYear = 2099
)

// bounds says what a field may hold.
type bounds struct {
	name     string
	min, max int // of a value
	top      int // the last value a star covers
	names    []string
	full     []string // names in full
	wraps    bool     // a range may run over the end
}

// allBounds lists the fields in the order they are written.
var allBounds = [fieldCount]bounds{
	{name: "second", min: 0, max: 59, top: 59},
	{name: "minute", min: 0, max: 59, top: 59},
	{name: "hour", min: 0, max: 23, top: 23, wraps: true},
	{name: "day", min: 1, max: 31, top: 31},
	{name: "month", min: 1, max: 12, top: 12, wraps: true,
		names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"},
		full: []string{"JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER",
			"OCTOBER", "NOVEMBER", "DECEMBER"}},
	{name: "weekday", min: 0, max: 7, top: 6, wraps: true,
		names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"},
		full:  []string{"SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"}},
	{name: "year", min: minYear, max: maxYear, top: maxYear},
}

// years are bits for minYear and what follows.
type years [3]uint64

// set is what a field covers.
type set struct {
	bits  uint64   // bit n is set when it covers n; not of years
	years years    // of years; none is every year
	star  bool     // it begins with a star, which changes how days and clocks are read
	last  uint64   // of days: bit n for the n-th before the last
	near  uint64   // of days: bit n for the working day nearest to n, bit 0 for the last one
	nth   [6]uint8 // of weekdays: bit w of nth[n] for the n-th w of a month, of nth[0] for the last
}

// add makes the set cover v.
func (s *set) add(v int) {
	if v >= minYear {
		s.years[(v-minYear)/64] |= 1 << ((v - minYear) % 64)
		return
	}
	s.bits |= 1 << v
}

// field is one field of an expression and where it stands in it.
type field struct {
	*bounds
	kind   int
	number int // as written
	text   string
	line   string // the whole expression
	at     int    // offset of text in line
}

// span is a part of a text.
type span struct{ from, to int }

// item is one member of the list in a field. hi is beyond top when it runs over
// the end.
type item struct {
	lo, hi int
	step   int // 0: none was written
	star   bool
	text   string // canonical
}

// parse returns what the field covers and its canonical text.
func (f field) parse() (set, string, error) {
	var s set
	at := 0
	list := strings.Split(f.text, ",")
	text := make([]string, 0, len(list))
	for i, word := range list {
		sp := span{at, at + len(word)}
		at = sp.to + 1
		if (f.kind == day || f.kind == weekday) && f.hasForm(strings.ToUpper(word)) {
			form, err := f.readForm(&s, sp)
			if err != nil {
				return set{}, "", err
			}
			text = append(text, form)
			continue
		}
		it, err := f.item(sp)
		if err != nil {
			return set{}, "", err
		}
		if it.star && it.step <= 1 && len(list) > 1 {
			return set{}, "", f.errorf(sp, "%q covers everything, the rest of the list says nothing; write * alone", word)
		}
		text = append(text, it.text)
		if f.kind == year && it.text == "*" {
			continue
		}
		for v := it.lo; v <= it.hi; v += max(it.step, 1) {
			s.add(f.wrapped(v))
		}
		s.star = s.star || i == 0 && it.star
	}
	return s, strings.Join(text, ","), nil
}

// wrapped returns the value that v is beyond the end of a field. A weekday of 7
// is Sunday.
func (f field) wrapped(v int) int {
	if v > f.top {
		return v - f.top - 1 + f.min
	}
	return v
}

// item reads one member of the list.
func (f field) item(sp span) (item, error) {
	text := f.text[sp.from:sp.to]
	if text == "" {
		return item{}, f.errorf(span{max(sp.from-1, 0), min(sp.to+1, len(f.text))}, "a member of the list is missing")
	}
	if n, ok := atoi(text); ok && n >= f.min && n <= f.max {
		return item{lo: n, hi: n, text: strconv.Itoa(n)}, nil // what most members are
	}
	if text == "?" && (f.kind == day || f.kind == weekday) {
		text = "*"
	}
	body, stepText, stepped := strings.Cut(text, "/")
	var it item
	var err error
	from, to, ranged := strings.Cut(body, "-")
	switch {
	case body == "*":
		it = item{lo: f.min, hi: f.top, star: true, text: "*"}
	case f.foreign(text) != "":
		return item{}, f.errorf(sp, "%q: %s", text, f.foreign(text))
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
	if text == "" {
		return item{}, f.errorf(span{sp.from, len(f.text)}, "the step has nothing before it, did you mean *%s?", f.text[sp.from:])
	}
	v, err := f.value(text, sp)
	if err != nil {
		return item{}, err
	}
	it := item{lo: v, hi: v, text: f.word(text, v)}
	if stepped {
		it.lo, it.hi = f.wrapped(v), f.top
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
	it := item{lo: lo, hi: hi, text: f.word(from, lo) + "-" + f.word(to, hi)}
	switch {
	case f.kind == weekday && lo > 0 && hi == 0:
		it.hi = 7
	case lo <= hi:
	case f.wraps:
		it.lo = f.wrapped(lo)
		if it.lo > hi {
			it.hi = hi + f.top + 1 - f.min
		}
	default:
		whole := span{sp.from, toAt + len(to)}
		fix := f.rangeText(from, lo, "", f.top) + "," + f.rangeText("", f.min, to, hi)
		if f.kind == year {
			fix = f.rangeText(to, hi, from, lo)
		}
		return item{}, f.errorf(whole, "%q runs backwards, did you mean %s?", f.text[whole.from:whole.to], fix)
	}
	return it, nil
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
			n, it.lo, f.wrapped(it.hi), it.lo, it.lo)
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
	if v, ok := f.named(upper); ok {
		return v, nil
	}
	n, ok := atoi(text)
	switch {
	case text == "":
		return 0, f.errorf(span{max(sp.from-1, 0), min(sp.to+1, len(f.text))}, "one end of the range is missing")
	case !ok:
		return 0, f.errorf(sp, "%q is not %s%s", text, f.noun(), f.suggest(upper))
	case n > f.max:
		fix := f.max
		if n == f.max+1 && f.min == 0 && f.max == f.top {
			fix = 0 // minute 60 and hour 24 are meant to be the next one's 0
		}
		return 0, f.errorf(sp, "%s is out of range %d-%d, did you mean %d?", text, f.min, f.max, fix)
	case n < f.min:
		fix := f.min
		if f.kind == year && n >= 0 && n < 100 {
			fix = 2000 + n
		}
		return 0, f.errorf(sp, "%s is out of range %d-%d, did you mean %d?", text, f.min, f.max, min(fix, f.max))
	}
	return n, nil
}

// named returns the value that a name in upper case stands for.
func (f field) named(upper string) (int, bool) {
	for i, name := range f.names {
		if upper == name || upper == f.full[i] {
			return f.min + i, true
		}
	}
	return 0, false
}

// noun returns the field's name with its article.
func (f field) noun() string {
	if f.kind == hour {
		return "an hour"
	}
	return "a " + f.name
}

// suggest names what an unknown word may have been meant to be.
func (f field) suggest(upper string) string {
	if near := nearest(upper, f.names, 1); near != "" {
		return ", did you mean " + near + "?"
	}
	for kind := range allBounds {
		other := field{bounds: &allBounds[kind]}
		if _, ok := other.named(upper); ok {
			return fmt.Sprintf(", it is a %s (field %d)", other.name, f.number+kind-f.kind)
		}
	}
	if near := nearest(upper, f.full, 2); near != "" {
		return ", did you mean " + near + "?"
	}
	for _, name := range f.names {
		if len(upper) > len(name) && strings.HasPrefix(upper, name) {
			return ", did you mean " + name + "?"
		}
	}
	return fmt.Sprintf(", it must be within %d-%d", f.min, f.max)
}

// foreign says why a form that other crons know is refused; "" when text has no
// such form.
func (f field) foreign(text string) string {
	upper := strings.ToUpper(text)
	switch {
	case upper == "H" || strings.HasPrefix(upper, "H/") || strings.HasPrefix(upper, "H("):
		return "a hashed value (H) is not supported, write the value"
	case upper == "?":
		return "? belongs in a day field only, write *"
	case upper == "L" || upper == "LW":
		return "L belongs in the field day"
	case strings.Contains(upper, "#"):
		return "the n-th weekday of a month (#) belongs in the field weekday"
	}
	return ""
}

// word returns the canonical text of a value that was written as text.
func (f field) word(text string, v int) string {
	if _, ok := atoi(text); ok {
		return strconv.Itoa(v)
	}
	return f.names[v-f.min]
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
	return pointAt(f.line, span{f.at + sp.from, f.at + sp.to}, "field %d (%s): %s", f.number, f.name, fmt.Sprintf(format, args...)).
		WithHint(syntaxHint)
}

// atoi reads a short number without a sign.
func atoi(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
		if i == 4 {
			return 0, false
		}
	}
	return n, s != ""
}
