package cron

import (
	"fmt"
	"iter"
	"time"
)

// fires reports whether the calendar has a day that is due: in one of the years
// of a list, else in a leap or common year that starts on any weekday.
func (s *spec) fires() bool {
	for y := range s.kinds(2000, minYear) {
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

// kinds yields the years that can differ: of each kind of year, of which there
// are 14, the first behind settled, and before it each year of a list from
// listed on. Any 28 years without a skipped leap day hold all kinds.
func (s *spec) kinds(settled, listed int) iter.Seq[int] {
	return func(yield func(int) bool) {
		var seen [2][7]bool
		y, last := settled, settled+27
		if !s.everyYear {
			y, last = listed, maxYear
		}
		for ; y <= last; y++ {
			if !s.dueIn(y) {
				continue
			}
			kind := &seen[lengthOf(y, 2)-28][(yearStart(y)%7+7)%7]
			if *kind && y >= settled {
				continue
			}
			*kind = y >= settled
			if !yield(y) {
				return
			}
		}
	}
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
		for y := range s.kinds(2000, minYear) {
			longest = max(longest, lengthOf(y, m))
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
	for y := range s.kinds(2038, minYear) {
		begin := yearStart(y)*daySecs - maxShift
		p := periodAt(begin, loc)
		end := yearStart(y+1)*daySecs - 1
		if _, ok := s.nextFrom(p, yearStart(y)*daySecs, end, loc); ok {
			return nil
		}
	}
	err := pointAt(canonical, span{0, len(canonical)}, "it never fires, the clock in %s jumps over each of its times", loc)
	if s.grid {
		return err.WithHint("choose a time that the clock shows, with no * or */ as minute or hour")
	}
	return err.WithHint("choose a time that the clock shows, or the DST policy vixie")
}
