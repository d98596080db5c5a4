package cron

import (
	"math"
	"time"
)

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

const (
	// maxShift is more than any two offsets ever differ by, in seconds.
	maxShift = 48 * hourSecs

	// longestLull is more than any date waits to come back, in seconds: Sunday
	// 29 February is 40 years apart where a century has no leap day.
	longestLull = 41 * 366 * daySecs
)

// next returns the first due instant behind ref.
func (s *spec) next(ref int64, loc *time.Location) (int64, bool) {
	switch {
	case s.once:
		return s.at, s.at > ref
	case s.interval > 0:
		return (floorDiv(ref-s.phase, s.interval)+1)*s.interval + s.phase, true
	}
	p := periodAt(ref, loc)
	low := ref + p.offset + 1
	if !s.again && p.start > ref-maxShift {
		low = max(low, p.start+periodAt(p.start-1, loc).offset)
	}
	return s.nextFrom(p, low, math.MaxInt64, loc)
}

// nextFrom looks for a civil time at or behind low, period by period, and
// returns its instant in the first that shows it. Where one ends, the policy
// says which civil times the one behind it owns: of a gap those the clock
// jumped over, which become its first instant, and of an overlap those the
// clock has shown before. Behind the civil time giveUp it looks no further.
func (s *spec) nextFrom(p period, low, giveUp int64, loc *time.Location) (int64, bool) {
	for p.start <= maxUnix {
		c, ok := s.nextCivil(low)
		if !ok || c > giveUp {
			return 0, false
		}
		at := c - p.offset
		if at < p.end {
			return max(at, p.start), true
		}
		if s.everyYear && giveUp == math.MaxInt64 {
			giveUp = c + longestLull // what no gap spares so long, none will
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
		if s.late {
			low = min(low, clock)
		}
		if !s.again {
			low = max(low, clock)
		}
	}
	return 0, false
}

// prev returns the last due instant before limit. It halves the stretch that
// must hold it: when ref moves on, the slot behind it never moves back.
func (s *spec) prev(limit int64, loc *time.Location) (int64, bool) {
	before := func(ref int64) (int64, bool) {
		next, ok := s.next(ref, loc)
		return next, ok && next < limit
	}
	low, high := limit-2, limit-1 // no slot before limit lies behind high
	found, ok := before(low)
	for back := int64(2); !ok; back *= 2 {
		if low < minUnix {
			return 0, false
		}
		low, high = low-back, low
		found, ok = before(low)
	}
	for high-low > 1 {
		mid := low + (high-low)/2
		if next, ok := before(mid); ok {
			low, found = mid, next
		} else {
			high = mid
		}
	}
	return found, true
}
