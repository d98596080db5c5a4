package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// maxTimes is how many times of day are listed one by one.
const maxTimes = 6

// Describe returns the schedule in plain words, such as "at 06:07 and 18:07,
// every day, Europe/Berlin".
func (s Schedule) Describe() string {
	if s.spec == nil {
		return ""
	}
	times, days := s.spec.times(), s.spec.dates()
	switch {
	case days == "" && s.spec.hours == full(hour):
		return times + ", " + s.tz // "every minute" needs no "every day"
	case days == "":
		return times + ", every day, " + s.tz
	default:
		return times + " " + days + ", " + s.tz
	}
}

// full returns the bits of a field that covers everything.
func full(field int) uint64 {
	b := &allBounds[field]
	return 1<<(b.top+1) - 1<<b.min
}

// times says at which times of day.
func (s *spec) times() string {
	every := s.hours == full(hour)
	if !every && bits.OnesCount64(s.minutes)*bits.OnesCount64(s.hours) <= maxTimes {
		var clock []string
		for _, h := range members(s.hours) {
			for _, m := range members(s.minutes) {
				clock = append(clock, fmt.Sprintf("%02d:%02d", h, m))
			}
		}
		return "at " + join(clock)
	}
	n, stepped := evenStep(s.hours, 24)
	switch {
	case every && s.minutes == 1:
		return "every hour on the hour"
	case every:
		return s.minutesText(" of every hour")
	case stepped && s.minutes == 1:
		return fmt.Sprintf("every %d hours from 00:00", n)
	case stepped:
		return s.minutesText(fmt.Sprintf(" of every %s hour from 00:00", ordinal(n)))
	default:
		return s.minutesText(" of " + plural("hour", s.hours) + " " + join(runs(members(s.hours), strconv.Itoa)))
	}
}

// minutesText says at which minutes of the hours that of names.
func (s *spec) minutesText(of string) string {
	n, stepped := evenStep(s.minutes, 60)
	switch {
	case s.minutes == full(minute):
		return "every minute" + strings.TrimPrefix(of, " of every hour")
	case stepped:
		return fmt.Sprintf("every %d minutes", n) + strings.TrimPrefix(of, " of every hour")
	default:
		return "at " + plural("minute", s.minutes) + " " + join(runs(members(s.minutes), strconv.Itoa)) + of
	}
}

// dates says on which days and in which months; "" for every day.
func (s *spec) dates() string {
	var in string
	if s.months != full(month) {
		in = join(runs(members(s.months), monthName))
	}
	on := s.daysText(in)
	switch {
	case in == "" || strings.HasSuffix(on, in):
		return on
	case on == "":
		return "on every day in " + in
	default:
		return on + " in " + in
	}
}

// daysText says on which days of the months named by in, "" for each month. It
// names the months itself where "day 29 of February" reads better.
func (s *spec) daysText(in string) string {
	byDay, byWeekday := s.days != full(day), s.weekdays != full(weekday)
	if !s.bothDays && (!byDay || !byWeekday) {
		return "" // either is enough, and one of them always fits
	}
	days := "on " + plural("day", s.days) + " " + join(runs(members(s.days), strconv.Itoa)) + " of "
	week := join(runs(members(s.weekdays&^1|s.weekdays&1<<7), weekdayName)) // Sunday last
	switch {
	case byDay && byWeekday && s.bothDays:
		return days + "the month if that is " + strings.ReplaceAll(week, " and ", " or ")
	case byDay && byWeekday:
		return days + "the month and on " + week
	case byDay && in != "":
		return days + in
	case byDay:
		return days + "the month"
	case byWeekday:
		return "on " + week
	}
	return ""
}

func monthName(m int) string { return time.Month(m).String() }

func weekdayName(n int) string { return time.Weekday(n % 7).String() }

// evenStep reports whether set holds 0, n, 2n … below size, with n a divisor
// of size, so that "every n" is true across the end as well.
func evenStep(set uint64, size int) (int, bool) {
	for n := 2; n <= size/2; n++ {
		var want uint64
		for v := 0; v < size; v += n {
			want |= 1 << v
		}
		if size%n == 0 && set == want {
			return n, true
		}
	}
	return 0, false
}

// members returns the values of a set, in order.
func members(set uint64) []int {
	list := make([]int, 0, bits.OnesCount64(set))
	for ; set != 0; set &= set - 1 {
		list = append(list, bits.TrailingZeros64(set))
	}
	return list
}

// runs names the values of an ordered list; three or more in a row become "a
// to b".
func runs(list []int, name func(int) string) []string {
	var out []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if j-i >= 2 {
			out = append(out, name(list[i])+" to "+name(list[j]))
			i = j + 1
			continue
		}
		out = append(out, name(list[i]))
		i++
	}
	return out
}

// join returns "a", "a and b" or "a, b and c".
func join(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " and " + list[last]
}

func plural(noun string, set uint64) string {
	if bits.OnesCount64(set) == 1 {
		return noun
	}
	return noun + "s"
}

func ordinal(n int) string {
	switch n {
	case 2:
		return "2nd"
	case 3:
		return "3rd"
	}
	return strconv.Itoa(n) + "th"
}
