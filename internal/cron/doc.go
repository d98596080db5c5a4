// Package cron reads cron expressions and says when they are due.
//
// [Parse] is strict: what it accepts has one meaning and fires some day, and
// what it refuses is refused with the field, the value and the nearest fix.
// [Schedule.Next] searches on civil dates and maps the result to an instant
// afterwards, so that no change of a clock can make it stand still; that the
// answer lies behind the question is checked in that one place.
//
// Where the clock jumps, an expression whose minute or hour begins with a star
// keeps the grid of real time: it has no slot in a gap and runs in both passes
// of a repeated hour. Any other names fixed times of day, and each of them has
// one slot: the first instant behind a gap, the first pass of a repeated hour.
//
// The dialect is that of github.com/adhocore/gronx with five fields. The tests
// hold this package against it; it is not used as a clock, because in zones
// without a midnight in spring it returns the time it was given.
package cron
