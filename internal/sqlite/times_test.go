package sqlite

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestStamp_isItsLayoutAndReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(-62135596799999, 253402300799999).Draw(rt, "ms"))
		got, want := stamp(at), at.UTC().Format(layout)
		if got != want {
			rt.Fatalf("%v is stored as %v, want %s", at, got, want)
		}
		if back, ok := parseStamp(want); !ok || !back.Equal(at) || back.Location() != time.UTC {
			rt.Fatalf("%s is read as %v, %t", want, back, ok)
		}
	})
}

func TestParseStamp_takesWhatTimeTakesAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "never", "2026-04-14 11:00:00", "2026-04-14T11:00:00Z", "2026-04-14T11:00:00.000", "2026-04-14T11:00:00.000z",
		"2026-02-30T11:00:00.000Z", "2026-13-01T11:00:00.000Z", "2026-00-01T11:00:00.000Z", "2026-01-00T11:00:00.000Z",
		"2026-04-14T24:00:00.000Z", "2026-04-14T11:60:00.000Z", "2026-04-14T11:00:60.000Z", "2026-04-14T11:00:00,000Z",
		"2026-04-14T11:00:00.0000", "+026-04-14T11:00:00.000Z", "2025-02-29T11:00:00.000Z",
	} {
		if got, ok := parseStamp(s); ok {
			t.Errorf("%q was read as %v", s, got)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.StringMatching(`\d{4}-[01]\d-[0-3]\d[T ][0-2]\d:[0-6]\d:[0-6]\d[.]\d{3}[Z0]`).Draw(rt, "stamp")
		got, ok := parseStamp(s)
		want, err := time.Parse(layout, s)
		if ok != (err == nil) || ok && !got.Equal(want) {
			rt.Errorf("%q is read as %v, %t; package time says %v, %v", s, got, ok, want, err)
		}
	})
}
