// Package cron reads cron expressions and says when they are due.
//
// [Parse] is strict: what it accepts has one meaning and fires some day, and
// what it refuses is refused with the field, the value and the nearest fix.
// [Schedule.Next] searches on civil dates and maps the result to an instant
// afterwards, so that no change of a clock can make it stand still; that the
// answer lies behind the question is checked in that one place.
//
// # Where clocks change
//
// In spring a clock jumps over times, the gap; in autumn it shows times again,
// the overlap. An expression whose minute or hour begins with a star keeps the
// grid of real time under each policy: it is due whenever the clock shows a
// time it names, so it has no slot in a gap and runs in both passes of an
// overlap. Any other expression names fixed times of day (a star in the field
// for seconds does not change that), and the policy says what becomes of them:
//
//	policy  in a gap                             in an overlap
//	vixie   at the first instant behind the gap  in the first pass
//	skip    never                                in the first pass
//	both    at the first instant behind the gap  in both passes
//
// All times that fall into one gap are one slot, and a time that is due at the
// end of the gap anyway is the same slot. A first pass is the first time the
// clock shows a time; a day that a zone left out is a gap as well.
//
// @every counts real time and @at is one instant: no policy concerns them.
//
// # The dialect
//
// It is that of github.com/adhocore/gronx: the tests hold this package against
// it, and testdata/gronx.txt lists where the two differ and why. gronx is not
// used as a clock, because in zones without a midnight in spring it returns the
// time it was given.
package cron
