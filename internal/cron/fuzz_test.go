package cron_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/molecule-ai/molecli/internal/cron"
)

// seeds are expressions of all kinds, good and bad.
func seeds() []string {
	return []string{
		"* * * * *", "0 8 * * FRY", "*/15 9-17 1,15 JAN-MAR MON-FRI", "0 0 29 2 */2", "@daily", "@every 5m", "@every 1h30m", "@EVERY 0x1s",
		"@at 2026-12-01T08:00:00Z", "5/15 22-2 L W #", "0 0 31 2,4 *", "\x00 \xff ü 日 ~", "-,/ ,, */ 1-/2 7-7", "? ? ? ? ?", "59/1 23 31 12 7",
		"CRON_TZ=Asia/Tokyo 0 8 * * *", "TZ= 0 8 * * *", "0 8 L,L-3,LW,15W * FRI#2,FRIL,MONDAY", "*/10 0 8 * * * 2027", "0 8 29 2 * 2028-2032/2",
		"0 0 0 29 2 SUN 2027", "0 22-4/3 * NOV-FEB FRI-MON", "30 2 * 3 SUNL", "*/30 2 25-31 3 SUN",
	}
}

// FuzzParse holds that a refusal is readable, and that what is accepted has a
// description and one canonical form that reads the same.
func FuzzParse(f *testing.F) {
	for i, seed := range seeds() {
		f.Add(seed, i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, expr string, seconds bool) {
		s, err := cron.Parse(expr, cron.Options{Seconds: seconds})
		if err != nil {
			text := err.Error()
			if !utf8.ValidString(text) || strings.Count(text, "\n") > 2 || len(text) > 6000 {
				t.Fatalf("unreadable: %q", text)
			}
			return
		}
		if s.Describe() == "" {
			t.Errorf("%q has no description", s.Canonical())
		}
		again, err := cron.Parse(s.Canonical(), cron.Options{TZ: s.TZ(), Seconds: true})
		if err != nil || again.Canonical() != s.Canonical() || again.Describe() != s.Describe() {
			t.Errorf("%q became %q, %v", s.Canonical(), again.Canonical(), err)
		}
	})
}

// FuzzNext holds that the next slot lies behind the reference, and that the one
// before it is where Prev finds it.
func FuzzNext(f *testing.F) {
	for i, seed := range seeds() {
		f.Add(seed, uint8(i), uint8(i), int64(1790000000), int64(i))
	}
	f.Fuzz(func(t *testing.T, expr string, zone, policy uint8, unix, nanos int64) {
		o := cron.Options{
			TZ: zones()[int(zone)%len(zones())], DST: policies()[int(policy)%len(policies())],
			Seconds: true, Phase: time.Duration(nanos),
		}
		s, err := cron.Parse(expr, o)
		if err != nil {
			return
		}
		ref := time.Unix(unix, nanos%1e9)
		next, err := s.Next(ref)
		if err != nil {
			return
		}
		if !next.After(ref) {
			t.Errorf("%q %+v: next slot %v does not lie behind %v", s.Canonical(), o, next, ref)
		}
		if prev, err := s.Prev(next.Add(1)); err != nil || !prev.Equal(next) {
			t.Errorf("%q %+v: last slot at or before %v is %v, %v", s.Canonical(), o, next, prev, err)
		}
		if prev, err := s.Prev(next); err == nil && prev.After(ref) {
			t.Errorf("%q %+v: slot %v lies between %v and the next, %v", s.Canonical(), o, prev, ref, next)
		}
	})
}

// FuzzParseAt holds that a one-shot lies ahead and in whole seconds.
func FuzzParseAt(f *testing.F) {
	for i, seed := range []string{"2026-12-01T08:00", "2026-12-01 08:00:30", "2026-12-01T08:00:00Z", "today 18:30", "tomorrow 23:00", "monday 08:00", "+90m", "in 90m", "\xff 1", ""} {
		f.Add(seed, uint8(i), int64(1790000000), int64(i))
	}
	f.Fuzz(func(t *testing.T, text string, zone uint8, unix, nanos int64) {
		now := time.Unix(unix%250000000000, nanos%1e9)
		got, err := cron.ParseAt(text, zones()[int(zone)%len(zones())], now)
		if err == nil && (!got.After(now) || got.Nanosecond() != 0 || got.Location() != time.UTC) {
			t.Errorf("%q behind %v is %v", text, now, got)
		}
		if err != nil && !utf8.ValidString(err.Error()) {
			t.Errorf("unreadable: %q", err.Error())
		}
	})
}
