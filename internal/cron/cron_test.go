package cron_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

func mustParse(t testing.TB, expr, tz string) cron.Schedule {
	t.Helper()
	return parseWith(t, expr, cron.Options{TZ: tz})
}

func parseWith(t testing.TB, expr string, o cron.Options) cron.Schedule {
	t.Helper()
	s, err := cron.Parse(expr, o)
	if err != nil {
		t.Fatalf("Parse(%q, %+v): %v", expr, o, err)
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
		{name: "far future", s: yearly, ref: time.Unix(1<<60, 0), code: molecule.Invalid},
		{name: "far past", s: yearly, ref: time.Unix(-1<<60, 0), code: molecule.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, next := tt.s.Next(tt.ref)
			_, list := tt.s.NextN(tt.ref, 2)
			_, prev := tt.s.Prev(tt.ref)
			_, count := tt.s.CountBetween(tt.ref, tt.ref, 2)
			for of, err := range map[string]error{"next": next, "list": list, "previous": prev, "count": count} {
				if got := molecule.CodeOf(err); err == nil || got != tt.code || errors.Is(err, cron.ErrNoSlot) {
					t.Errorf("%s: error %v with code %q, want %q and not that no slot is left", of, err, got, tt.code)
				}
			}
		})
	}
}

func TestNext_saysWhenNoSlotIsLeft(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr  string
		ref   string
		left  int // slots behind ref
		begun bool
	}{
		{expr: "@at 2026-12-01T08:00:00Z", ref: "2026-12-01T07:59:59.9Z", left: 1},
		{expr: "@at 2026-12-01T08:00:00Z", ref: "2026-12-01T08:00:00Z"},
		{expr: "@at 2026-12-01T08:00:00Z", ref: "2026-12-01T08:00:00.1Z", begun: true},
		{expr: "0 0 31 12 * 2026-2027", ref: "2026-12-31T00:00:00Z", left: 1},
		{expr: "0 0 31 12 * 2026-2027", ref: "2027-12-31T00:00:00Z", begun: true},
		{expr: "0 0 31 12 * 2026-2027", ref: "9000-12-31T00:00:00Z", begun: true},
		{expr: "0 0 31 12 * 2026-2027", ref: "0001-01-01T00:00:01Z", left: 2},
		{expr: "@yearly", ref: "9999-06-01T00:00:00Z", begun: true},
		{expr: "@every 24h", ref: "9999-12-31T12:00:00Z", begun: true},
		{expr: "@every 24h", ref: "0001-01-01T00:00:01Z", left: 3, begun: true},
	}
	for _, tt := range tests {
		t.Run(tt.expr+" "+tt.ref, func(t *testing.T) {
			t.Parallel()
			s, ref := mustParse(t, tt.expr, ""), at(t, tt.ref)
			slots, err := s.NextN(ref, 3)
			if len(slots) != tt.left || err != nil {
				t.Errorf("slots %v and error %v, want %d slots", slots, err, tt.left)
			}
			if _, err := s.Next(ref); errors.Is(err, cron.ErrNoSlot) != (tt.left == 0) {
				t.Errorf("next: error %v, want ErrNoSlot %t", err, tt.left == 0)
			}
			if n, err := s.CountBetween(ref, at(t, "9999-12-31T23:59:59Z"), 1); n > max(1, tt.left) || err != nil {
				t.Errorf("counted %d, %v", n, err)
			}
			if prev, err := s.Prev(ref); (err == nil) != tt.begun || errors.Is(err, cron.ErrNoSlot) == tt.begun || !prev.Before(ref) {
				t.Errorf("previous: %v and error %v, want a slot before %v: %t", prev, err, ref, tt.begun)
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
