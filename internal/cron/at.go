package cron

import (
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// atHint shows the forms ParseAt reads.
const atHint = "write it as 2026-12-01T08:00, 2026-12-01T08:00:00Z, 'tomorrow 23:00', 'monday 08:00' or +90m"

// ParseAt reads when something is to happen once and returns the instant in
// UTC, in whole seconds. It knows RFC 3339, and on the clock of the zone tz
// (named as in Options): 2026-12-01T08:00, the same with a blank, "today 18:30",
// "tomorrow 23:00", and "monday 08:00" for the next one that lies ahead; "+90m"
// and "in 90m" count from now.
//
// A time that the clock jumps over is the first instant behind the gap, and of
// one that it shows twice the first pass is meant, as with DSTVixie. What does
// not lie behind now is Invalid, and the message shows what was computed.
func ParseAt(text, tz string, now time.Time) (time.Time, error) {
	name, loc, err := loadZone(tz)
	if err != nil {
		return time.Time{}, err
	}
	shown := molecule.Excerpt(printable(text), 60)
	at, err := readAt(strings.Join(strings.Fields(text), " "), loc, now)
	if err != nil {
		return time.Time{}, molecule.Errorf(molecule.Invalid, "time %q is not valid: %v", shown, err).WithHint(atHint)
	}
	if unix := at.Unix(); unix < minUnix || unix > maxUnix {
		return time.Time{}, molecule.Errorf(molecule.Invalid, "time %q lies outside the years 1 to 9999", shown)
	}
	if !at.After(now) {
		return time.Time{}, molecule.Errorf(molecule.Invalid, "time %q has passed: it is %s %s (%s)", shown,
			at.In(loc).Format("Monday 2006-01-02 15:04:05"), name, at.UTC().Format(time.RFC3339)).
			WithHint("name one behind %s", now.In(loc).Format("2006-01-02T15:04:05Z07:00"))
	}
	return at.UTC(), nil
}

// atFault says what is wrong with a text; it becomes part of a message.
type atFault string

func (f atFault) Error() string { return string(f) }

// readAt reads a text without superfluous blanks.
func readAt(text string, loc *time.Location, now time.Time) (time.Time, error) {
	lower := strings.ToLower(text)
	if after, ok := strings.CutPrefix(lower, "in "); ok {
		return readDelay(after, now)
	}
	if after, ok := strings.CutPrefix(lower, "+"); ok {
		return readDelay(after, now)
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00"} {
		if at, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
			return wholeSecond(at)
		}
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		civil, err := time.Parse(layout, strings.ToUpper(text))
		if err == nil {
			if civil, err = wholeSecond(civil); err != nil {
				return time.Time{}, err
			}
			return instantOf(civil.Unix(), loc), nil
		}
		if fault, ok := err.(*time.ParseError); ok && strings.HasSuffix(fault.Message, "out of range") { //nolint:errorlint // time.Parse does not wrap
			return time.Time{}, atFault(strings.TrimPrefix(fault.Message, ": "))
		}
	}
	return readNamedDay(lower, loc, now)
}

// readDelay reads how long from now.
func readDelay(text string, now time.Time) (time.Time, error) {
	delay, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
	switch {
	case err != nil:
		return time.Time{}, atFault("the delay has no unit of h, m and s")
	case delay < time.Second:
		return time.Time{}, atFault("the delay must be at least 1s")
	}
	return now.Add(delay).Truncate(time.Second), nil
}

func wholeSecond(at time.Time) (time.Time, error) {
	if at.Nanosecond() != 0 {
		return at, atFault("it must be a whole second")
	}
	return at, nil
}

// readNamedDay reads "tomorrow 23:00" and the like.
func readNamedDay(text string, loc *time.Location, now time.Time) (time.Time, error) {
	word, clock, _ := strings.Cut(text, " ")
	today := floorDiv(now.Unix()+periodAt(now.Unix(), loc).offset, daySecs)
	weekdays := field{bounds: &allBounds[weekday]}
	ahead, repeats := int64(0), int64(0)
	switch n, named := weekdays.named(strings.ToUpper(word)); {
	case word == "today":
	case word == "tomorrow":
		ahead = 1
	case named:
		ahead, repeats = (int64(n)-(today+4)%7+7)%7, 7 // day 0 was a Thursday
	default:
		fix := nearest(word, []string{"today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}, 2)
		if fix != "" {
			return time.Time{}, atFault("did you mean " + fix + "?")
		}
		return time.Time{}, atFault("it names no day")
	}
	hour, err := time.Parse("15:04", clock)
	if err != nil {
		hour, err = time.Parse("15:04:05", clock)
	}
	if err != nil || hour.Nanosecond() != 0 {
		return time.Time{}, atFault("behind " + word + " a time such as 08:00 is needed")
	}
	ofDay := int64(hour.Hour()*hourSecs + hour.Minute()*minuteSecs + hour.Second())
	at := instantOf((today+ahead)*daySecs+ofDay, loc)
	if repeats > 0 && !at.After(now) {
		at = instantOf((today+ahead+repeats)*daySecs+ofDay, loc)
	}
	return at, nil
}

// instantOf returns the instant of a civil time by the policy vixie: the first
// at which the clock shows it or, having jumped, a later time.
func instantOf(civil int64, loc *time.Location) time.Time {
	p := periodAt(civil-maxShift, loc)
	for civil-p.offset >= p.end {
		from := p.end
		p = periodAt(from, loc)
		p.start = from
	}
	return time.Unix(max(civil-p.offset, p.start), 0)
}
