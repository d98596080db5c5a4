package cron

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// spec is a compiled expression: one bit for each value a field covers.
type spec struct {
	minutes, hours, days, months, weekdays uint64

	bothDays bool   // day and weekday must both fit; else one is enough
	fixed    bool   // names times of day instead of a grid of real time
	week     uint64 // weekdays, repeated to the end of the longest month
}

// newSpec makes a spec of the sets of the five fields.
func newSpec(sets [5]set) *spec {
	s := &spec{
		minutes:  sets[minute].bits,
		hours:    sets[hour].bits,
		days:     sets[day].bits,
		months:   sets[month].bits,
		weekdays: sets[weekday].bits,
		bothDays: sets[day].star || sets[weekday].star,
		fixed:    !sets[minute].star && !sets[hour].star,
	}
	for i := 0; i < 42; i += 7 {
		s.week |= s.weekdays << i
	}
	return s
}

// Lengths in seconds or minutes of civil time, which has no leap seconds.
const (
	minuteSecs = 60
	dayMinutes = 24 * 60
	daySecs    = 24 * 60 * 60
)

// nextCivil returns the first due second at or behind c. Both are civil times,
// written as the Unix time they would be in UTC. It reports false when 400
// years, after which the calendar repeats, hold none.
func (s *spec) nextCivil(c int64) (int64, bool) {
	mins := -floorDiv(-c, minuteSecs) // rounded up
	today := floorDiv(mins, dayMinutes)
	now := int(mins - today*dayMinutes)
	y, m, d := dateOf(today)
	first := today - int64(d) + 1
	for last := y + 400; y <= last; {
		for due := s.daysOf(y, m, first) >> d << d; due != 0; due &= due - 1 {
			next := first + int64(bits.TrailingZeros64(due)) - 1
			from := 0
			if next == today {
				from = now
			}
			if at, ok := s.timeOfDay(from); ok {
				return next*daySecs + int64(at)*minuteSecs, true
			}
		}
		first += int64(lengthOf(y, m))
		if m, d = m+1, 1; m > 12 {
			y, m = y+1, 1
		}
	}
	return 0, false
}

// timeOfDay returns the first due minute of a day at or behind from.
func (s *spec) timeOfDay(from int) (int, bool) {
	h, m := from/60, from%60
	if s.hours>>h&1 != 0 {
		if rest := s.minutes >> m; rest != 0 {
			return h*60 + m + bits.TrailingZeros64(rest), true
		}
	}
	rest := s.hours >> (h + 1)
	if rest == 0 {
		return 0, false
	}
	return (h+1+bits.TrailingZeros64(rest))*60 + bits.TrailingZeros64(s.minutes), true
}

// daysOf returns the due days of a month, bit 1 for the first. first is the
// number of its first day, counted from 1970-01-01.
func (s *spec) daysOf(y, m int, first int64) uint64 {
	if s.months>>m&1 == 0 {
		return 0
	}
	const thursday = 4 // 1970-01-01
	monthStarts := int(((first+thursday)%7 + 7) % 7)
	byWeekday := s.week >> monthStarts << 1
	due := s.days | byWeekday
	if s.bothDays {
		due = s.days & byWeekday
	}
	return due & (1<<(lengthOf(y, m)+1) - 2)
}

// dateOf returns the date of a day counted from 1970-01-01.
func dateOf(days int64) (y, m, d int) {
	// Count from 1 March of the year 0: the leap day is then the last of a
	// year, and the lengths of the months before it repeat every five.
	days += 719468
	era := floorDiv(days, 146097)
	ofEra := days - era*146097
	year := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*year + year/4 - year/100)
	mp := (5*ofYear + 2) / 153
	d = int(ofYear-(153*mp+2)/5) + 1
	m = int(mp) + 3
	y = int(year + era*400)
	if m > 12 {
		m, y = m-12, y+1
	}
	return y, m, d
}

// lengthOf returns how many days a month has.
func lengthOf(y, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// period is a stretch of real time in which a zone keeps one offset. All are
// in seconds; a zone without changes has one period without ends.
type period struct {
	start, end int64
	offset     int64
}

// periodAt returns the period of loc that holds the instant unix.
func periodAt(unix int64, loc *time.Location) period {
	t := time.Unix(unix, 0).In(loc)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	p := period{start: math.MinInt64, end: math.MaxInt64, offset: int64(offset)}
	if !start.IsZero() {
		p.start = start.Unix()
	}
	if !end.IsZero() {
		p.end = end.Unix()
	}
	for p.end <= unix {
		// For 31 December of a leap year behind the zone's last listed change,
		// ZoneBounds (Go 1.26) ends the year a day early.
		p.end += daySecs
	}
	return p
}

// maxShift is more than any two offsets ever differ by.
const maxShift = 48 * 60 * 60

// next returns the first due instant behind ref.
//
// It looks for a civil time at or behind low, period by period. Of a fixed
// time a period owns the civil times from where the clock stood when it began:
// those the clock jumped over become its first instant, and those it shows for
// the second time are not its own.
func (s *spec) next(ref int64, loc *time.Location) (int64, bool) {
	p := periodAt(ref, loc)
	low := ref + p.offset + 1
	if s.fixed && p.start > ref-maxShift {
		low = max(low, p.start+periodAt(p.start-1, loc).offset)
	}
	for p.start <= maxUnix {
		c, ok := s.nextCivil(low)
		if !ok {
			return 0, false
		}
		at := c - p.offset
		if at < p.end {
			return max(at, p.start), true
		}
		clock := p.end + p.offset // what it shows when the period ends
		if at-p.end > 2*maxShift && low < clock-maxShift {
			// Far off, and no hour that may be repeated on the way is due.
			p, low = periodAt(at-maxShift, loc), c
			continue
		}
		from := p.end
		p = periodAt(from, loc)
		p.start = from // also where the bounds of two neighbours do not meet
		low = from + p.offset
		if s.fixed {
			low = clock
		}
	}
	return 0, false
}

// whyNever says why an expression without a due day has none.
func (s *spec) whyNever() string {
	months, longest := []string(nil), 0
	for m := 1; m <= 12; m++ {
		if s.months>>m&1 != 0 {
			months = append(months, time.Month(m).String())
			longest = max(longest, lengthOf(2000, m))
		}
	}
	verb := "has"
	if len(months) > 1 {
		verb = "have"
	}
	return fmt.Sprintf("%s %s %d days at most", join(months), verb, longest)
}
