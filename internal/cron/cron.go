package cron

import (
	"errors"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// ErrNoSlot is in the chain of what Next and Prev return when no slot is left
// in that direction: a one-shot is over, the years of an expression are.
var ErrNoSlot = errors.New("no slot is left")

// DST says what becomes of fixed times of day where a clock changes. The
// package comment defines each policy.
type DST string

// The policies.
const (
	DSTVixie DST = "vixie" // the default: each time once, late when the clock jumps over it
	DSTSkip  DST = "skip"  // a time that the clock jumps over has no slot
	DSTBoth  DST = "both"  // a time that the clock shows twice has two slots
)

// Schedule is a compiled expression in a time zone. It does not change and may
// be used by several goroutines. The zero Schedule has no slots.
type Schedule struct {
	spec      *spec
	canonical string
	seconds   bool
	tz        string
	dst       DST
	loc       *time.Location
}

// Options say how an expression is read. The zero Options read it in UTC.
type Options struct {
	TZ      string        // an IANA name, "" for UTC, or "local" for the zone of this machine
	DST     DST           // "" is vixie
	Seconds bool          // a first field for seconds is allowed
	Phase   time.Duration // of @every: slots are Phase + k*interval since 1970, in whole seconds; others ignore it
}

// Parse compiles an expression:
//
//   - five fields, and behind them a sixth with years, such as 2027-2030;
//   - with o.Seconds six or seven: a field for seconds comes first;
//   - @hourly @daily @midnight @weekly @monthly @yearly @annually, and the tags
//     of gronx: @always @5minutes @10minutes @15minutes @30minutes, and with
//     o.Seconds @everysecond;
//   - @every 90s: an interval of whole seconds;
//   - @at 2026-12-01T08:00:00Z: one instant.
//
// CRON_TZ=Europe/Berlin or TZ=Europe/Berlin in front names the zone; o.TZ must
// then be empty or the same. Errors are Invalid; the message of one that
// concerns the expression ends in two lines that show it with a caret under
// the fault.
func Parse(expr string, o Options) (Schedule, error) {
	dst, err := readDST(o.DST)
	if err != nil {
		return Schedule{}, err
	}
	expr, zone, err := cutZone(expr)
	if err != nil {
		return Schedule{}, err
	}
	sp, canonical, err := compile(expr, zone, o)
	if err != nil {
		return Schedule{}, err
	}
	name, loc, err := chooseZone(zone, o.TZ)
	if err != nil {
		return Schedule{}, err
	}
	sp.follow(dst)
	if err := sp.proveIn(loc, canonical); err != nil {
		return Schedule{}, err
	}
	seconds := o.Seconds && strings.Count(canonical, " ") >= 5
	return Schedule{spec: sp, canonical: canonical, seconds: seconds, tz: name, dst: dst, loc: loc}, nil
}

// readDST returns the policy d names.
func readDST(d DST) (DST, error) {
	switch d {
	case "":
		return DSTVixie, nil
	case DSTVixie, DSTSkip, DSTBoth:
		return d, nil
	}
	policies := []string{string(DSTVixie), string(DSTSkip), string(DSTBoth)}
	err := molecule.Errorf(molecule.Invalid, "DST policy %q is not known", molecule.Excerpt(printable(string(d)), 60))
	if near := molecule.Nearest(string(d), policies); near != "" {
		return "", err.WithHint("did you mean %s?", near)
	}
	return "", err.WithHint("the policies are vixie, skip and both")
}

// Canonical returns the expression in its stored form: single blanks, short
// names in upper case, numbers without leading zeros, tags written out, no
// zone. Parse with Seconds reads it as the same schedule.
func (s Schedule) Canonical() string { return s.canonical }

// Seconds reports whether the canonical form begins with a field for seconds,
// so that Parse needs Options.Seconds to read it.
func (s Schedule) Seconds() bool { return s.seconds }

// TZ returns the IANA name of the zone.
func (s Schedule) TZ() string { return s.tz }

// DST returns the policy for changes of the clock.
func (s Schedule) DST() DST { return s.dst }

// Location returns the zone.
func (s Schedule) Location() *time.Location { return s.loc }

// Once reports whether the schedule is one instant: an @at expression.
func (s Schedule) Once() bool { return s.spec != nil && s.spec.once }

// Interval returns the interval of an @every expression, else 0.
func (s Schedule) Interval() time.Duration {
	if s.spec == nil {
		return 0
	}
	return time.Duration(s.spec.interval) * time.Second
}

// Bounds of the years in which slots are looked for: a time outside of them
// cannot be written as RFC 3339.
const (
	minUnix = -62135596800 // 0001-01-01T00:00:00Z
	maxUnix = 253402300799 // 9999-12-31T23:59:59Z
)

// Next returns the first slot behind ref, in UTC. Without an error it is later
// than ref, always. The error is ErrNoSlot when there is none.
func (s Schedule) Next(ref time.Time) (time.Time, error) {
	unix, err := s.second(ref)
	if err != nil {
		return time.Time{}, err
	}
	next, ok := s.spec.next(unix, s.loc)
	if !ok || next > maxUnix {
		return time.Time{}, molecule.Errorf(molecule.Invalid, "%s has no slot behind %s",
			s.canonical, ref.UTC().Format(time.RFC3339)).WithCause(ErrNoSlot)
	}
	return advanced(ref, time.Unix(next, 0).UTC())
}

// second returns the second ref lies in, if it can be asked about.
func (s Schedule) second(ref time.Time) (int64, error) {
	if s.spec == nil {
		return 0, molecule.Errorf(molecule.Internal, "slots of a schedule that was never parsed")
	}
	unix := ref.Unix()
	if unix < minUnix || unix > maxUnix {
		return 0, molecule.Errorf(molecule.Invalid, "slots of %s: the reference time is outside the years 1 to 9999", s.canonical)
	}
	return unix, nil
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

// NextN returns the first n slots behind ref, in order; fewer when no more are
// left.
func (s Schedule) NextN(ref time.Time, n int) ([]time.Time, error) {
	slots := make([]time.Time, 0, max(n, 0))
	for range n {
		next, err := s.Next(ref)
		if errors.Is(err, ErrNoSlot) {
			break
		}
		if err != nil {
			return nil, err
		}
		slots = append(slots, next)
		ref = next
	}
	return slots, nil
}

// Prev returns the last slot before ref, in UTC. The error is ErrNoSlot when
// there is none.
func (s Schedule) Prev(ref time.Time) (time.Time, error) {
	limit, err := s.second(ref)
	if err != nil {
		return time.Time{}, err
	}
	if ref.Nanosecond() > 0 {
		limit++
	}
	prev, ok := s.spec.prev(limit, s.loc)
	if !ok || prev < minUnix {
		return time.Time{}, molecule.Errorf(molecule.Invalid, "%s has no slot before %s",
			s.canonical, ref.UTC().Format(time.RFC3339)).WithCause(ErrNoSlot)
	}
	return time.Unix(prev, 0).UTC(), nil
}

// CountBetween returns how many slots lie in [from, to], both included. It
// stops counting at max.
func (s Schedule) CountBetween(from, to time.Time, max int) (int, error) {
	n, ref := 0, from.Add(-time.Nanosecond)
	for n < max {
		next, err := s.Next(ref)
		if errors.Is(err, ErrNoSlot) {
			break
		}
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
