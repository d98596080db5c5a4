package cron

import (
	"math/bits"
	"strings"
	"time"
)

// dates says on which days and in which months, with a blank in front; "" for
// every day.
func (s *spec) dates() string {
	var in string
	if s.months != full(month) {
		in = join(runs(members(s.months), monthName))
	}
	on := s.daysText(in)
	switch {
	case on == "" && in == "":
		return ""
	case on == "":
		return " on every day in " + in
	case in == "" || strings.HasSuffix(on, in):
		return " on " + on
	default:
		return " on " + on + " in " + in
	}
}

// daysText says on which days of the months named by in, "" for each month. It
// names the months itself where "day 29 of February" reads better.
func (s *spec) daysText(in string) string {
	byDay, byWeekday := s.days != full(day), s.weekdays != full(weekday)
	if !s.bothDays && (!byDay || !byWeekday) {
		return "" // either is enough, and one of them always fits
	}
	days, week := s.dayNames(), s.weekdayNames()
	switch {
	case byDay && byWeekday && s.bothDays:
		return join(days) + " of the month if that is " + strings.ReplaceAll(join(week), " and ", " or ")
	case byDay && byWeekday:
		return join(days) + " of the month and on " + join(week)
	case byDay && in != "":
		return join(days) + " of " + in
	case byDay:
		return join(days) + " of the month"
	case byWeekday && (s.nth != [6]uint8{}):
		return join(week) + " of the month"
	case byWeekday:
		return join(week)
	}
	return ""
}

// dayNames lists the days of a month.
func (s *spec) dayNames() []string {
	var names []string
	if s.days != 0 {
		names = append(names, listed("day", s.days))
	}
	if working := s.near &^ 1; working != 0 {
		names = append(names, "the working day nearest to "+strings.ReplaceAll(listed("day", working), " and ", " or "))
	}
	for _, n := range members(s.last) {
		switch n {
		case 0:
			names = append(names, "the last day")
		case 1:
			names = append(names, "the last day but one")
		default:
			names = append(names, "the "+ordinal(n)+" day before the last")
		}
	}
	if s.near&1 != 0 {
		names = append(names, "the last working day")
	}
	return names
}

// weekdayNames lists the weekdays, Sunday last.
func (s *spec) weekdayNames() []string {
	names := runs(members(sundayLast(s.weekdays)), weekdayName)
	for n := 1; n <= 5; n++ {
		for _, w := range members(sundayLast(uint64(s.nth[n]))) {
			names = append(names, "the "+ordinal(n)+" "+weekdayName(w))
		}
	}
	for _, w := range members(sundayLast(uint64(s.nth[0]))) {
		names = append(names, "the last "+weekdayName(w))
	}
	return names
}

func sundayLast(week uint64) uint64 { return week&^1 | week&1<<7 }

func monthName(m int) string { return time.Month(m).String() }

func weekdayName(n int) string { return time.Weekday(n % 7).String() }

// members returns the values of a set, in order.
func members(set uint64) []int {
	list := make([]int, 0, bits.OnesCount64(set))
	for ; set != 0; set &= set - 1 {
		list = append(list, bits.TrailingZeros64(set))
	}
	return list
}
