package cron_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

func mustParse(t testing.TB, expr, tz string) cron.Schedule {
	t.Helper()
	s, err := cron.Parse(expr, cron.Options{TZ: tz})
	if err != nil {
		t.Fatalf("Parse(%q, %q): %v", expr, tz, err)
	}
	return s
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// stamps writes times the way the tables do.
func stamps(times []time.Time) []string {
	out := make([]string, len(times))
	for i, t := range times {
		out[i] = t.Format(time.RFC3339)
	}
	return out
}

func TestNextN_findsTheSlotsBehindTheReference(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		expr string
		tz   string
		from string
		want []string
	}{
		{name: "every minute", expr: "* * * * *", from: "2026-11-23T19:00:00Z",
			want: []string{"2026-11-23T19:01:00Z", "2026-11-23T19:02:00Z"}},
		{name: "a fraction of a second before", expr: "* * * * *", from: "2026-11-23T19:00:59.999Z",
			want: []string{"2026-11-23T19:01:00Z"}},
		{name: "twice a day", expr: "7 6,18 * * *", tz: "Europe/Berlin", from: "2026-11-23T19:00:00Z",
			want: []string{"2026-11-24T05:07:00Z", "2026-11-24T17:07:00Z", "2026-11-25T05:07:00Z"}},
		{name: "across the year", expr: "0 0 1 1 *", from: "2026-01-01T00:00:00Z",
			want: []string{"2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"}},
		{name: "leap day across 2100", expr: "0 0 29 2 *", from: "2095-01-01T00:00:00Z",
			want: []string{"2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"}},
		{name: "either day", expr: "0 0 13 * 5", from: "2026-11-01T00:00:00Z",
			want: []string{"2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"}},
		{name: "a star with a step asks for both days", expr: "0 0 */2 * MON", from: "2026-11-01T00:00:00Z",
			want: []string{"2026-11-09T00:00:00Z", "2026-11-23T00:00:00Z", "2026-12-07T00:00:00Z"}},
		{name: "seven is Sunday", expr: "0 0 * * 6-7", from: "2026-11-23T00:00:00Z",
			want: []string{"2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z", "2026-12-05T00:00:00Z"}},
		{name: "last day of the long months", expr: "0 12 31 * *", from: "2026-07-31T12:00:00Z",
			want: []string{"2026-08-31T12:00:00Z", "2026-10-31T12:00:00Z", "2026-12-31T12:00:00Z"}},
		{name: "before 1970", expr: "30 6 * * *", from: "1969-12-30T06:30:00.5Z",
			want: []string{"1969-12-31T06:30:00Z", "1970-01-01T06:30:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := mustParse(t, tt.expr, tt.tz).NextN(at(t, tt.from), len(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(stamps(got), tt.want); diff != "" {
				t.Errorf("slots (-got +want):\n%s", diff)
			}
		})
	}
}

func TestNext_refusesWhatHasNoSlot(t *testing.T) {
	t.Parallel()
	yearly := mustParse(t, "@yearly", "")
	tests := []struct {
		name string
		s    cron.Schedule
		ref  time.Time
		code molecule.Code
	}{
		{name: "never parsed", ref: time.Unix(0, 0), code: molecule.Internal},
		{name: "last slot that can be written", s: yearly, ref: at(t, "9999-06-01T00:00:00Z"), code: molecule.Invalid},
		{name: "far future", s: yearly, ref: time.Unix(1<<60, 0), code: molecule.Invalid},
		{name: "far past", s: yearly, ref: time.Unix(-1<<60, 0), code: molecule.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			next, err := tt.s.Next(tt.ref)
			if err == nil {
				t.Fatalf("next slot %v, want an error", next)
			}
			if got := molecule.CodeOf(err); got != tt.code {
				t.Errorf("code %q, want %q: %v", got, tt.code, err)
			}
			if got, err := tt.s.NextN(tt.ref, 2); err == nil {
				t.Errorf("next slots %v, want an error", got)
			}
		})
	}
}

func TestPrev_isTheSlotThatNextLeavesBehind(t *testing.T) {
	t.Parallel()
	tests := []struct{ expr, ref, want string }{
		{expr: "* * * * *", ref: "2026-11-23T19:00:00Z", want: "2026-11-23T18:59:00Z"},
		{expr: "* * * * *", ref: "2026-11-23T19:00:00.001Z", want: "2026-11-23T19:00:00Z"},
		{expr: "0 8 * * MON", ref: "2026-11-23T07:00:00Z", want: "2026-11-16T08:00:00Z"},
		{expr: "0 0 29 2 *", ref: "2103-01-01T00:00:00Z", want: "2096-02-29T00:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.expr+" "+tt.ref, func(t *testing.T) {
			t.Parallel()
			got, err := mustParse(t, tt.expr, "").Prev(at(t, tt.ref))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got.Format(time.RFC3339), tt.want); diff != "" {
				t.Errorf("slot (-got +want):\n%s", diff)
			}
		})
	}
}

func TestCountBetween_countsBothEndsAndStops(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		from, to string
		max      int
		want     int
	}{
		{name: "both ends", from: "2026-11-23T08:00:00Z", to: "2026-11-23T10:00:00Z", max: 100, want: 3},
		{name: "one slot", from: "2026-11-23T08:00:00Z", to: "2026-11-23T08:00:00Z", max: 100, want: 1},
		{name: "between slots", from: "2026-11-23T08:00:01Z", to: "2026-11-23T08:59:59Z", max: 100, want: 0},
		{name: "backwards", from: "2026-11-23T10:00:00Z", to: "2026-11-23T08:00:00Z", max: 100, want: 0},
		{name: "more than asked for", from: "2020-01-01T00:00:00Z", to: "2026-11-23T08:00:00Z", max: 1000, want: 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := mustParse(t, "@hourly", "").CountBetween(at(t, tt.from), at(t, tt.to), tt.max)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %d slots, want %d", got, tt.want)
			}
		})
	}
}
