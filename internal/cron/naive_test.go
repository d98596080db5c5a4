package cron_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// naive is an expression read in the plainest way: a list of what each field
// covers, and for a date a look at the calendar. It shares nothing with the
// package but the language.
type naive struct {
	seconds []int
	minutes [60]bool
	hours   [24]bool
	days    []string // members of the list, as written
	months  [13]bool
	weekday []string
	years   []int // nil: every year
	both    bool  // day and weekday must both fit
	grid    bool
}

// readNaive reads five fields, six that end in years, or six and seven that
// begin with seconds.
func readNaive(tb testing.TB, expr string) naive {
	tb.Helper()
	words := strings.Fields(strings.ToUpper(expr))
	n := naive{seconds: []int{0}}
	if last := words[len(words)-1]; len(words) > 5 && len(last) >= 4 && strings.Trim(last[:4], "0123456789") == "" {
		n.years = spread(tb, last, 1970, 2099)
		words = words[:len(words)-1]
	} else if len(words) == 7 {
		words = words[:6]
	}
	if len(words) == 6 {
		n.seconds = spread(tb, words[0], 0, 59)
		words = words[1:]
	}
	for _, v := range spread(tb, words[0], 0, 59) {
		n.minutes[v] = true
	}
	for _, v := range spread(tb, words[1], 0, 23) {
		n.hours[v] = true
	}
	for _, v := range spread(tb, words[3], 1, 12) {
		n.months[v] = true
	}
	n.days, n.weekday = strings.Split(words[2], ","), strings.Split(words[4], ",")
	open := func(word string) bool { return strings.HasPrefix(word, "*") || word == "?" }
	n.both = open(words[2]) || open(words[4])
	n.grid = open(words[0]) || open(words[1])
	return n
}

// spread lists, in order, what a field covers.
func spread(tb testing.TB, text string, lo, hi int) []int {
	tb.Helper()
	var list []int
	for _, word := range strings.Split(text, ",") {
		body, stepText, stepped := strings.Cut(word, "/")
		step := 1
		if stepped {
			step = number(tb, stepText)
		}
		from, to, ranged := strings.Cut(body, "-")
		a, b := lo, hi
		if body != "*" && body != "?" {
			a = number(tb, from)
			switch {
			case ranged:
				b = number(tb, to)
			case !stepped:
				b = a
			}
		}
		if b < a {
			b += hi - lo + 1
		}
		for v := a; v <= b; v += step {
			list = append(list, (v-lo)%(hi-lo+1)+lo)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// number reads a number or the name of a month or weekday.
func number(tb testing.TB, text string) int {
	tb.Helper()
	if len(text) >= 3 {
		for m := time.January; m <= time.December; m++ {
			if strings.HasPrefix(strings.ToUpper(m.String()), text) {
				return int(m)
			}
		}
		for d := time.Sunday; d <= time.Saturday; d++ {
			if strings.HasPrefix(strings.ToUpper(d.String()), text) {
				return int(d)
			}
		}
	}
	v, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatalf("%q is no number: %v", text, err)
	}
	return v
}

// dueOn reports whether a date is due.
func (n *naive) dueOn(tb testing.TB, date time.Time) bool {
	if !n.months[date.Month()] || n.years != nil && !slices.Contains(n.years, date.Year()) {
		return false
	}
	day := slices.ContainsFunc(n.days, func(word string) bool { return fitsDay(tb, word, date) })
	weekday := slices.ContainsFunc(n.weekday, func(word string) bool { return fitsWeekday(tb, word, date) })
	if n.both {
		return day && weekday
	}
	return day || weekday
}

func fitsDay(tb testing.TB, word string, date time.Time) bool {
	tb.Helper()
	inMonth := func(days int) bool { return date.AddDate(0, 0, days).Month() == date.Month() }
	working := date.Weekday() >= time.Monday && date.Weekday() <= time.Friday
	switch {
	case word == "L":
		return !inMonth(1)
	case word == "LW":
		for ahead := 1; inMonth(ahead); ahead++ {
			if w := date.AddDate(0, 0, ahead).Weekday(); w != time.Saturday && w != time.Sunday {
				return false
			}
		}
		return working
	case strings.HasPrefix(word, "L-"):
		n := number(tb, word[2:])
		return inMonth(n) && !inMonth(n+1)
	case strings.HasSuffix(word, "W"):
		// The nearest of the working days of the month.
		n := number(tb, strings.TrimSuffix(word, "W"))
		if !inMonth(n - date.Day()) {
			return false
		}
		for away := range 3 {
			for _, d := range []int{n - away, n + away} {
				if w := date.AddDate(0, 0, d-date.Day()).Weekday(); inMonth(d-date.Day()) && w != time.Saturday && w != time.Sunday {
					return d == date.Day()
				}
			}
		}
		return false
	}
	return slices.Contains(spread(tb, word, 1, 31), date.Day())
}

func fitsWeekday(tb testing.TB, word string, date time.Time) bool {
	tb.Helper()
	name, nth, counted := strings.Cut(word, "#")
	switch {
	case counted:
		return number(tb, name)%7 == int(date.Weekday()) && (date.Day()-1)/7+1 == number(tb, nth)
	case strings.HasSuffix(word, "L"):
		return number(tb, strings.TrimSuffix(word, "L"))%7 == int(date.Weekday()) && date.AddDate(0, 0, 7).Month() != date.Month()
	case strings.HasPrefix(word, "0-7"):
		return slices.Contains(spread(tb, strings.Replace(word, "0-7", "*", 1), 0, 6), int(date.Weekday()))
	}
	return slices.Contains(spread(tb, word, 0, 6), int(date.Weekday()))
}
