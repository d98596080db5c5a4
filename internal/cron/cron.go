package cron

import (
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Schedule is a compiled expression in a time zone. It does not change and may
// be used by several goroutines. The zero Schedule has no slots.
type Schedule struct {
	spec      *spec
	canonical string
	tz        string
	loc       *time.Location
}

// Options say how an expression is read. The zero Options read it in UTC.
type Options struct {
	TZ string // an IANA name, "" for UTC, or "local" for the zone of this machine
}

// Parse compiles a cron expression of five fields, or one of @hourly @daily
// @midnight @weekly @monthly @yearly @annually. Errors are Invalid; the message
// of one that concerns the expression ends in two lines that show it with a
// caret under the fault.
func Parse(expr string, o Options) (Schedule, error) {
	spec, canonical, err := compile(expr)
	if err != nil {
		return Schedule{}, err
	}
	name, loc, err := loadZone(o.TZ)
	if err != nil {
		return Schedule{}, err
	}
	return Schedule{spec: spec, canonical: canonical, tz: name, loc: loc}, nil
}

// Canonical returns the expression in its stored form: single blanks, names in
// upper case, numbers without leading zeros, tags written out. Parse reads it
// as the same schedule.
func (s Schedule) Canonical() string { return s.canonical }

// TZ returns the IANA name of the zone.
func (s Schedule) TZ() string { return s.tz }

// Location returns the zone.
func (s Schedule) Location() *time.Location { return s.loc }

// Bounds of the years in which slots are looked for: a time outside of them
// cannot be written as RFC 3339.
const (
	minUnix = -62135596800 // 0001-01-01T00:00:00Z
	maxUnix = 253402300799 // 9999-12-31T23:59:59Z
)

// Next returns the first slot behind ref, in UTC. Without an error it is later
// than ref, always.
func (s Schedule) Next(ref time.Time) (time.Time, error) {
	if s.spec == nil {
		return time.Time{}, molecule.Errorf(molecule.Internal, "next slot of a schedule that was never parsed")
	}
	unix := ref.Unix()
	if unix < minUnix || unix > maxUnix {
		return time.Time{}, molecule.Errorf(molecule.Invalid, "next slot of %s: the reference time is outside the years 1 to 9999", s.canonical)
	}
	next, ok := s.spec.next(unix, s.loc)
	if !ok || next > maxUnix {
		return time.Time{}, molecule.Errorf(molecule.Invalid, "%s has no slot behind %s before the year 10000",
			s.canonical, ref.UTC().Format(time.RFC3339))
	}
	return advanced(ref, time.Unix(next, 0).UTC())
}

// advanced returns next if it is later than ref. A clock that does not advance
// would fire without end, so it is an error whatever made it.
func advanced(ref, next time.Time) (time.Time, error) {
	if !next.After(ref) {
		return time.Time{}, molecule.Errorf(molecule.Internal, "the next slot %s does not lie behind %s",
			next.Format(time.RFC3339Nano), ref.Format(time.RFC3339Nano))
	}
	return next, nil
}

// NextN returns the first n slots behind ref, in order.
func (s Schedule) NextN(ref time.Time, n int) ([]time.Time, error) {
	slots := make([]time.Time, 0, max(n, 0))
	for range n {
		next, err := s.Next(ref)
		if err != nil {
			return nil, err
		}
		slots = append(slots, next)
		ref = next
	}
	return slots, nil
}

// Prev returns the last slot before ref, in UTC.
func (s Schedule) Prev(ref time.Time) (time.Time, error) {
	const longest = 1 << 62 // 146 years; no two slots are more than 40 apart
	for back := 2 * time.Minute; back < longest; back *= 2 {
		prev, err := s.Next(ref.Add(-back))
		if err != nil {
			return time.Time{}, err
		}
		if prev.Before(ref) {
			return s.lastBefore(prev, ref)
		}
	}
	return time.Time{}, molecule.Errorf(molecule.Invalid, "%s has no slot before %s", s.canonical, ref.UTC().Format(time.RFC3339))
}

// lastBefore walks from the slot prev to the last one before ref.
func (s Schedule) lastBefore(prev, ref time.Time) (time.Time, error) {
	for {
		next, err := s.Next(prev)
		if err != nil {
			return time.Time{}, err
		}
		if !next.Before(ref) {
			return prev, nil
		}
		prev = next
	}
}

// CountBetween returns how many slots lie in [from, to], both included. It
// stops counting at max.
func (s Schedule) CountBetween(from, to time.Time, max int) (int, error) {
	n, ref := 0, from.Add(-time.Nanosecond)
	for n < max {
		next, err := s.Next(ref)
		if err != nil {
			return n, err
		}
		if next.After(to) {
			break
		}
		n++
		ref = next
	}
	return n, nil
}
