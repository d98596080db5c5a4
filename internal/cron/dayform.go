package cron

import (
	"fmt"
	"strconv"
	"strings"
)

// Of the forms L, L-3, LW, 15W, FRIL and FRI#2 a set keeps what to look for in
// each month, because which day it is differs from month to month.

// hasForm reports whether text, in upper case, may be one of these forms: no
// number and no name of the field holds such a letter.
func (f field) hasForm(upper string) bool {
	switch f.kind {
	case day:
		return strings.Contains(upper, "#") ||
			strings.ContainsAny(upper, "LW") && strings.Trim(upper, "0123456789LW-/") == ""
	case weekday:
		return strings.Contains(upper, "#") || strings.HasSuffix(upper, "L") ||
			strings.HasSuffix(upper, "W") && strings.Trim(upper, "0123456789LW") == ""
	}
	return false
}

// readForm reads one of these forms into s and returns its canonical text.
func (f field) readForm(s *set, sp span) (string, error) {
	text := f.text[sp.from:sp.to]
	upper := strings.ToUpper(text)
	if body, _, stepped := strings.Cut(upper, "/"); stepped {
		return "", f.errorf(sp, "%q: a step cannot stand behind %s", text, body)
	}
	if f.kind == day {
		return f.readDayForm(s, upper, sp)
	}
	if before, n, ok := strings.Cut(upper, "#"); ok {
		return f.readNth(s, before, n, sp)
	}
	return f.readLast(s, strings.TrimSuffix(upper, "L"), sp)
}

// readDayForm reads L, L-3, LW or 15W.
func (f field) readDayForm(s *set, upper string, sp span) (string, error) {
	text := f.text[sp.from:sp.to]
	n, isNumber := atoi(strings.Trim(upper, "L-W"))
	before, fromEnd := atoi(strings.TrimPrefix(upper, "L-"))
	number := span{sp.from + strings.IndexAny(upper, "0123456789"), sp.to}
	switch {
	case upper == "L":
		s.last |= 1
		return upper, nil
	case upper == "LW" || upper == "WL":
		s.near |= 1
		return "LW", nil
	case fromEnd && before >= 1 && before <= 30:
		s.last |= 1 << before
		return "L-" + strconv.Itoa(before), nil
	case fromEnd && before == 0:
		return "", f.errorf(number, "0 is out of range 1-30, did you mean L?")
	case fromEnd:
		return "", f.errorf(number, "%d is out of range 1-30, did you mean L-30?", before)
	case isNumber && strings.HasSuffix(upper, "W") && !strings.ContainsAny(upper, "L-"):
		number.to = sp.to - 1
		if _, err := f.value(upper[:len(upper)-1], number); err != nil {
			return "", err
		}
		s.near |= 1 << n
		return strconv.Itoa(n) + "W", nil
	}
	return "", f.errorf(sp, "%q is not a day%s", text, dayFormFix(upper, n, isNumber))
}

// dayFormFix says what may have been meant by a form that does not exist.
func dayFormFix(upper string, n int, isNumber bool) string {
	switch {
	case strings.Contains(upper, "#"):
		return ", the n-th weekday of a month belongs in the field weekday"
	case upper == "W":
		return ", did you mean 15W or LW?"
	case isNumber && !strings.Contains(upper, "W") && n >= 1 && n <= 30:
		return fmt.Sprintf(", did you mean L-%d?", n)
	case isNumber && !strings.ContainsAny(upper, "L-") && n >= 1 && n <= 31:
		return fmt.Sprintf(", did you mean %dW?", n)
	case strings.Contains(upper, "W"):
		return ", W stands behind one day as in 15W, or in LW"
	}
	return ", the forms are L, L-3, LW and 15W"
}

// readNth reads FRI#2.
func (f field) readNth(s *set, before, text string, sp span) (string, error) {
	v, err := f.single(before, "#"+text, span{sp.from, sp.from + len(before)})
	if err != nil {
		return "", err
	}
	n, ok := atoi(text)
	if number := (span{sp.to - len(text), sp.to}); !ok || n < 1 || n > 5 {
		if len(text) == 0 {
			number = sp
		}
		fix := f.word(before, v) + "#5 or " + f.word(before, v) + "L"
		if n < 1 {
			fix = f.word(before, v) + "#1"
		}
		return "", f.errorf(number, "%q is not within 1-5, did you mean %s?", text, fix)
	}
	s.nth[n] |= 1 << (v % 7)
	return f.word(before, v) + "#" + strconv.Itoa(n), nil
}

// readLast reads FRIL.
func (f field) readLast(s *set, before string, sp span) (string, error) {
	if before == "" {
		return "", f.errorf(sp, "L needs a weekday before it, did you mean SATL here or L in the field day?")
	}
	if strings.HasSuffix(before, "W") {
		return "", f.errorf(sp, "%q is not a weekday, W belongs in the field day", f.text[sp.from:sp.to])
	}
	v, err := f.single(before, "L", span{sp.from, sp.from + len(before)})
	if err != nil {
		return "", err
	}
	s.nth[0] |= 1 << (v % 7)
	return f.word(before, v) + "L", nil
}

// single reads the one weekday that may stand before # or L.
func (f field) single(text, mark string, sp span) (int, error) {
	if from, to, ranged := strings.Cut(text, "-"); ranged && from != "" && to != "" {
		return 0, f.errorf(sp, "%s stands behind one weekday, did you mean %s%s?", mark, from, mark)
	}
	if text == "" {
		return 0, f.errorf(sp, "%s needs a weekday before it, did you mean MON%s?", mark, mark)
	}
	return f.value(text, sp)
}
