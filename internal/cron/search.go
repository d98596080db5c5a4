package cron

import "math/bits"

// spec is a compiled expression: one bit for each value a field covers, or one
// of the two kinds that have no fields.
type spec struct {
	seconds, minutes, hours, days, months, weekdays uint64

	years     years
	everyYear bool
	bothDays  bool // day and weekday must both fit; else one is enough
	grid      bool // names a grid of real time instead of times of day

	week  uint64 // weekdays, repeated to the end of the longest month
	forms bool   // one of the next three is not empty; they are as in set
	last  uint64
	near  uint64
	nth   [6]uint8

	// Where a clock changes.
	late  bool // what it jumps over is due at the end of the gap
	again bool // what it shows again is due again

	interval, phase int64 // of @every, in seconds

	once bool // of @at
	at   int64
}

// newSpec makes a spec of the sets of all fields.
func newSpec(sets [fieldCount]set) *spec {
	s := &spec{
		seconds:   sets[second].bits,
		minutes:   sets[minute].bits,
		hours:     sets[hour].bits,
		days:      sets[day].bits,
		months:    sets[month].bits,
		weekdays:  sets[weekday].bits,
		years:     sets[year].years,
		everyYear: sets[year].years == years{},
		bothDays:  sets[day].star || sets[weekday].star,
		grid:      sets[minute].star || sets[hour].star,
		last:      sets[day].last,
		near:      sets[day].near,
		nth:       sets[weekday].nth,
	}
	s.forms = s.last|s.near != 0 || s.nth != [6]uint8{}
	for i := 0; i < 42; i += 7 {
		s.week |= s.weekdays << i
	}
	return s
}

// follow sets what the policy says about changes of the clock.
func (s *spec) follow(dst DST) {
	s.late = !s.grid && dst != DSTSkip
	s.again = s.grid || dst == DSTBoth
}

// Lengths in seconds of civil time, which has no leap seconds.
const (
	minuteSecs = 60
	hourSecs   = 60 * 60
	daySecs    = 24 * 60 * 60
)

// nextCivil returns the first due second at or behind c. Both are civil times,
// written as the Unix time they would be in UTC. It reports false when 400
// years, after which the calendar repeats, or the listed years hold none.
func (s *spec) nextCivil(c int64) (int64, bool) {
	today := floorDiv(c, daySecs)
	now := int(c - today*daySecs)
	y, m, d := dateOf(today)
	first, last := today-int64(d)+1, y+400
	for ; ; d = 1 {
		for due := s.daysOf(y, m, first) >> d << d; due != 0; due &= due - 1 {
			next := first + int64(bits.TrailingZeros64(due)) - 1
			from := 0
			if next == today {
				from = now
			}
			if at, ok := s.timeOfDay(from); ok {
				return next*daySecs + int64(at), true
			}
		}
		var ok bool
		if y, m, ok = s.nextMonth(y, m); !ok || y > last && s.everyYear {
			return 0, false
		}
		first = monthStart(y, m)
	}
}

// nextMonth returns the month behind m of the year y that is due. It reports
// false when the listed years hold no more.
func (s *spec) nextMonth(y, m int) (nextYear, nextMonth int, ok bool) {
	if rest := s.months >> (m + 1); rest != 0 && s.dueIn(y) {
		return y, m + 1 + bits.TrailingZeros64(rest), true
	}
	y, ok = y+1, true
	if !s.dueIn(y) {
		y, ok = s.years.next(y)
	}
	return y, bits.TrailingZeros64(s.months), ok
}

// dueIn reports whether a year is due.
func (s *spec) dueIn(y int) bool { return s.everyYear || s.years.has(y) }

// timeOfDay returns the first due second of a day at or behind from.
func (s *spec) timeOfDay(from int) (int, bool) {
	h, m, sec := from/hourSecs, from/minuteSecs%60, from%minuteSecs
	if s.hours>>h&1 != 0 {
		if s.minutes>>m&1 != 0 && s.seconds>>sec != 0 {
			return from + bits.TrailingZeros64(s.seconds>>sec), true
		}
		if rest := s.minutes >> (m + 1); rest != 0 {
			m += 1 + bits.TrailingZeros64(rest)
			return h*hourSecs + m*minuteSecs + bits.TrailingZeros64(s.seconds), true
		}
	}
	rest := s.hours >> (h + 1)
	if rest == 0 {
		return 0, false
	}
	h += 1 + bits.TrailingZeros64(rest)
	return h*hourSecs + bits.TrailingZeros64(s.minutes)*minuteSecs + bits.TrailingZeros64(s.seconds), true
}

// daysOf returns the due days of a month, bit 1 for the first. first is the
// number of its first day, counted from 1970-01-01.
func (s *spec) daysOf(y, m int, first int64) uint64 {
	if s.months>>m&1 == 0 || !s.dueIn(y) {
		return 0
	}
	const thursday = 4 // 1970-01-01
	starts := int(((first+thursday)%7 + 7) % 7)
	length := lengthOf(y, m)
	byDay, byWeekday := s.days, s.week>>starts<<1
	if s.forms {
		byDay |= s.formDays(starts, length)
		byWeekday |= s.formWeekdays(starts, length)
	}
	due := byDay | byWeekday
	if s.bothDays {
		due = byDay & byWeekday
	}
	return due & (1<<(length+1) - 2)
}

// formDays returns the days that L, L-3, LW and 15W are in a month that starts
// on the weekday starts.
func (s *spec) formDays(starts, length int) uint64 {
	var due uint64
	for rest := s.last; rest != 0; rest &= rest - 1 {
		if d := length - bits.TrailingZeros64(rest); d >= 1 {
			due |= 1 << d
		}
	}
	for rest := s.near; rest != 0; rest &= rest - 1 {
		d := bits.TrailingZeros64(rest)
		if d == 0 {
			d = length
		}
		if d <= length {
			due |= 1 << workingDay(d, starts, length)
		}
	}
	return due
}

// workingDay returns the day from Monday to Friday that is nearest to d and in
// the same month.
func workingDay(d, starts, length int) int {
	switch (starts + d - 1) % 7 {
	case 6: // Saturday
		if d == 1 {
			return 3
		}
		return d - 1
	case 0: // Sunday
		if d == length {
			return d - 2
		}
		return d + 1
	}
	return d
}

// formWeekdays returns the days that FRI#2 and FRIL are in such a month.
func (s *spec) formWeekdays(starts, length int) uint64 {
	var due uint64
	any := s.nth[0] | s.nth[1] | s.nth[2] | s.nth[3] | s.nth[4] | s.nth[5]
	for w := range 7 {
		if any>>w&1 == 0 {
			continue
		}
		d := 1 + (w-starts+7)%7
		for n := 1; n <= 5 && d+7*(n-1) <= length; n++ {
			last := d+7*n > length
			if s.nth[n]>>w&1 != 0 || last && s.nth[0]>>w&1 != 0 {
				due |= 1 << (d + 7*(n-1))
			}
		}
	}
	return due
}

// has reports whether y is in the list.
func (l *years) has(y int) bool {
	i := y - minYear
	return i >= 0 && i < 64*len(l) && l[i/64]>>(i%64)&1 != 0
}

// next returns the first year of the list behind y.
func (l *years) next(y int) (int, bool) {
	for y = max(y+1, minYear); y <= maxYear; y++ {
		if l.has(y) {
			return y, true
		}
	}
	return 0, false
}
