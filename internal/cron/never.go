package cron

import (
	"fmt"
	"time"
)

// fires reports whether the calendar has a day that is due: in one of the years
// of a list, else in a leap or common year that starts on any weekday. Any 28
// years without a skipped leap day hold these 14 kinds.
func (s *spec) fires() bool {
	from, to := 2000, 2027
	if !s.everyYear {
		from, to = minYear, maxYear
	}
	for y := from; y <= to; y++ {
		if !s.everyYear && !s.years.has(y) {
			continue
		}
		first := yearStart(y)
		for m := 1; m <= 12; m++ {
			if s.daysOf(y, m, first) != 0 {
				return true
			}
			first += int64(lengthOf(y, m))
		}
	}
	return false
}

// never is the error about an expression without a due day.
func never(s *spec, fields []field) error {
	at := fields[0]
	for _, f := range fields {
		if f.kind == day {
			at = f
		}
	}
	return at.errorf(span{0, len(at.text)}, "it never fires, %s", s.whyNever()).
		WithHint("choose a day that the month has, or leave the month *")
}

// whyNever says why an expression without a due day has none.
func (s *spec) whyNever() string {
	months, longest := []string(nil), 0
	for m := 1; m <= 12; m++ {
		if s.months>>m&1 == 0 {
			continue
		}
		months = append(months, time.Month(m).String())
		for y := minYear; y <= maxYear; y++ {
			if s.everyYear || s.years.has(y) {
				longest = max(longest, lengthOf(y, m))
			}
		}
	}
	all := *s
	all.weekdays, all.week, all.bothDays, all.nth = 0, 0, false, [6]uint8{}
	if all.fires() {
		return "the day and the weekday never meet"
	}
	verb, in := "has", ""
	if len(months) > 1 {
		verb = "have"
	}
	if !s.everyYear && s.months == 1<<2 && longest == 28 {
		in = " in " + s.yearsText()
	}
	return fmt.Sprintf("%s %s %d days at most%s", join(months), verb, longest, in)
}

// proveIn refuses an expression whose every slot falls into a gap of the zone.
// The rules of a zone are settled behind 2037, and what a list of years holds
// can be looked at as a whole.
func (s *spec) proveIn(loc *time.Location, canonical string) error {
	if s.once || s.interval > 0 || s.late {
		return nil
	}
	from := yearStart(2038) * daySecs
	if !s.everyYear {
		from = yearStart(minYear)*daySecs - maxShift
	}
	if _, ok := s.next(from, loc); ok {
		return nil
	}
	err := pointAt(canonical, span{0, len(canonical)}, "it never fires, the clock in %s jumps over each of its times", loc)
	if s.grid {
		return err.WithHint("choose a time that the clock shows, with no * or */ as minute or hour")
	}
	return err.WithHint("choose a time that the clock shows, or the DST policy vixie")
}
