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
// every day, Europe/Berlin". It names the policy for changes of the clock when
// that is not the default and may matter.
func (s Schedule) Describe() string {
	switch {
	case s.spec == nil:
		return ""
	case s.spec.once:
		return "once, at " + time.Unix(s.spec.at, 0).In(s.loc).Format("15:04:05 on Monday 2006-01-02") + ", " + s.tz
	case s.spec.interval > 0:
		return s.spec.intervalText()
	}
	text := s.spec.times()
	switch dates := s.spec.dates(); {
	case dates != "":
		text += dates
	case s.spec.hours != full(hour): // "every minute" needs no "every day"
		text += ", every day"
	}
	if !s.spec.everyYear {
		text += " in " + s.spec.yearsText()
	}
	text += ", " + s.tz
	if s.dst != DSTVixie {
		text += ", DST policy " + string(s.dst)
	}
	return text
}

// intervalText says what @every means.
func (s *spec) intervalText() string {
	var parts []string
	rest := s.interval
	for _, unit := range []struct {
		name string
		size int64
	}{{"hour", hourSecs}, {"minute", minuteSecs}, {"second", 1}} {
		n := rest / unit.size
		rest -= n * unit.size
		switch {
		case n == 1:
			parts = append(parts, "1 "+unit.name)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, unit.name))
		}
	}
	text := "every " + strings.TrimPrefix(join(parts), "1 ")
	if len(parts) > 1 {
		text = "every " + join(parts)
	}
	return text + " of real time, counted from " + time.Unix(s.phase, 0).UTC().Format(time.RFC3339)
}

// full returns the bits of a field that covers everything.
func full(field int) uint64 {
	b := &allBounds[field]
	return 1<<(b.top+1) - 1<<b.min
}

// times says at which times of day.
func (s *spec) times() string {
	every := s.hours == full(hour)
	count := bits.OnesCount64(s.seconds) * bits.OnesCount64(s.minutes) * bits.OnesCount64(s.hours)
	if !every && count <= maxTimes {
		return "at " + join(s.clockTimes())
	}
	if s.seconds != 1 {
		return s.secondsText()
	}
	n, stepped := evenStep(s.hours, 24)
	switch {
	case every && s.minutes == 1:
		return "every hour on the hour"
	case stepped && s.minutes == 1:
		return fmt.Sprintf("every %d hours from 00:00", n)
	}
	return s.minutesText()
}

// clockTimes lists the times of day one by one.
func (s *spec) clockTimes() []string {
	var clock []string
	for _, h := range members(s.hours) {
		for _, m := range members(s.minutes) {
			for _, sec := range members(s.seconds) {
				text := fmt.Sprintf("%02d:%02d:%02d", h, m, sec)
				if s.seconds == 1 {
					text = text[:5]
				}
				clock = append(clock, text)
			}
		}
	}
	return clock
}

// secondsText says at which seconds of which minutes.
func (s *spec) secondsText() string {
	of := " of every minute" + s.ofHours()
	n, stepped := evenStep(s.minutes, 60)
	switch {
	case s.minutes == full(minute):
		return s.steps(second, of)
	case stepped:
		of = fmt.Sprintf(" of every %s minute", ordinal(n))
	default:
		of = " of " + listed("minute", s.minutes)
	}
	if s.hours == full(hour) {
		return s.steps(second, of+" of every hour")
	}
	return s.steps(second, of+s.ofHours())
}

// minutesText says at which minutes of which hours.
func (s *spec) minutesText() string {
	if s.hours == full(hour) {
		return s.steps(minute, " of every hour")
	}
	return s.steps(minute, s.ofHours())
}

// ofHours says of which hours, "" for all.
func (s *spec) ofHours() string {
	n, stepped := evenStep(s.hours, 24)
	switch {
	case s.hours == full(hour):
		return ""
	case stepped:
		return fmt.Sprintf(" of every %s hour from 00:00", ordinal(n))
	}
	return " of " + listed("hour", s.hours)
}

// steps says which of the seconds or minutes; of says of what. "every 15
// minutes" needs no "of every hour".
func (s *spec) steps(field int, of string) string {
	set, name := s.minutes, allBounds[field].name
	if field == second {
		set = s.seconds
	}
	short := strings.TrimPrefix(strings.TrimPrefix(of, " of every hour"), " of every minute")
	n, stepped := evenStep(set, 60)
	switch {
	case set == full(field):
		return "every " + name + short
	case stepped:
		return fmt.Sprintf("every %d %ss", n, name) + short
	}
	return "at " + listed(name, set) + of
}

// listed returns "minute 5" or "minutes 5, 10 and 20 to 30".
func listed(noun string, set uint64) string {
	if bits.OnesCount64(set) > 1 {
		noun += "s"
	}
	return noun + " " + join(runs(members(set), strconv.Itoa))
}

// yearsText lists the years, or says that they are evenly spaced.
func (s *spec) yearsText() string {
	var list []int
	for y, ok := s.years.next(0); ok; y, ok = s.years.next(y) {
		list = append(list, y)
	}
	if len(list) > maxTimes {
		first, step := list[0], list[1]-list[0]
		even := step > 1
		for i, y := range list {
			even = even && y == first+i*step
		}
		if even {
			return fmt.Sprintf("every %s year from %d to %d", ordinal(step), first, list[len(list)-1])
		}
	}
	return join(runs(list, strconv.Itoa))
}

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

func ordinal(n int) string {
	switch n {
	case 1:
		return "1st"
	case 2:
		return "2nd"
	case 3:
		return "3rd"
	case 21, 31:
		return strconv.Itoa(n) + "st"
	case 22:
		return "22nd"
	case 23:
		return "23rd"
	}
	return strconv.Itoa(n) + "th"
}
