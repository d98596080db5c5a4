package cron_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/cron"
)

func TestNext_whereClocksChange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		expr string
		tz   string
		from string
		want []string // local, with offset
	}{
		{name: "fixed time in a gap comes at its end", expr: "30 2 * * *", tz: "Europe/Berlin", from: "2026-03-28T00:00:00Z",
			want: []string{"2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{name: "times in and at the end of a gap are one slot", expr: "0,30 2,3 * * *", tz: "Europe/Berlin", from: "2026-03-29T00:59:00Z",
			want: []string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{name: "grid has nothing in a gap", expr: "*/30 * * * *", tz: "Europe/Berlin", from: "2026-03-29T00:15:00Z",
			want: []string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"}},
		{name: "fixed time in an overlap comes in the first pass", expr: "30 2 * * *", tz: "Europe/Berlin", from: "2026-10-24T12:00:00Z",
			want: []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{name: "asked in the second pass it is over", expr: "30 2 * * *", tz: "Europe/Berlin", from: "2026-10-25T01:10:00Z",
			want: []string{"2026-10-26T02:30:00+01:00"}},
		{name: "grid runs in both passes", expr: "*/30 * * * *", tz: "Europe/Berlin", from: "2026-10-25T00:00:00Z",
			want: []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"}},
		{name: "rare grid meets the second pass", expr: "*/30 2 25 10 *", tz: "Europe/Berlin", from: "2026-10-25T00:45:00Z",
			want: []string{"2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00", "2027-10-25T02:00:00+02:00"}},
		{name: "gap at midnight, daily", expr: "0 0 * * *", tz: "America/Santiago", from: "2026-09-05T12:00:00Z",
			want: []string{"2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"}},
		{name: "gap at midnight, weekly on that day", expr: "0 0 * * SUN", tz: "America/Santiago", from: "2026-09-05T12:00:00Z",
			want: []string{"2026-09-06T01:00:00-03:00", "2026-09-13T00:00:00-03:00"}},
		{name: "gap at midnight, monthly", expr: "15 0 8 * *", tz: "America/Havana", from: "2026-03-01T12:00:00Z",
			want: []string{"2026-03-08T01:00:00-04:00", "2026-04-08T00:15:00-04:00"}},
		{name: "gap from midnight in the Azores", expr: "30 0 * * SUN", tz: "Atlantic/Azores", from: "2026-03-28T12:00:00Z",
			want: []string{"2026-03-29T01:00:00Z", "2026-04-05T00:30:00Z"}},
		{name: "gap of half an hour", expr: "10 2 * * *", tz: "Australia/Lord_Howe", from: "2026-10-03T00:00:00Z",
			want: []string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:10:00+11:00"}},
		{name: "overlap of half an hour", expr: "45 1 * * *", tz: "Australia/Lord_Howe", from: "2026-04-04T00:00:00Z",
			want: []string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
		{name: "a day that never was", expr: "0 9 * * FRI", tz: "Pacific/Apia", from: "2011-12-24T00:00:00Z",
			want: []string{"2011-12-31T00:00:00+14:00", "2012-01-06T09:00:00+14:00"}},
		{name: "gap of two hours at Troll", expr: "30 1 * * *", tz: "Antarctica/Troll", from: "2026-03-28T12:00:00Z",
			want: []string{"2026-03-29T03:00:00+02:00", "2026-03-30T01:30:00+02:00"}},
		{name: "overlap of two hours at Troll", expr: "30 1 * * *", tz: "Antarctica/Troll", from: "2026-10-24T12:00:00Z",
			want: []string{"2026-10-25T01:30:00+02:00", "2026-10-26T01:30:00Z"}},
		{name: "Sao Paulo, when its clocks still changed: no midnight", expr: "0 0 * * *", tz: "America/Sao_Paulo", from: "2018-11-03T12:00:00Z",
			want: []string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"}},
		{name: "Sao Paulo, the last time: an hour before midnight twice", expr: "30 23 * * *", tz: "America/Sao_Paulo", from: "2019-02-16T12:00:00Z",
			want: []string{"2019-02-16T23:30:00-02:00", "2019-02-17T23:30:00-03:00"}},
		{name: "three quarters of an hour beside the others", expr: "45 5 * * *", tz: "Asia/Kathmandu", from: "2026-11-23T19:00:00Z",
			want: []string{"2026-11-24T05:45:00+05:45", "2026-11-25T05:45:00+05:45"}},
		{name: "last day of a leap year far ahead", expr: "0 12 * * *", tz: "Europe/Berlin", from: "2040-12-30T12:00:00Z",
			want: []string{"2040-12-31T12:00:00+01:00", "2041-01-01T12:00:00+01:00"}},
		{name: "grid on the last day of a leap year far ahead", expr: "*/30 0 1 * *", tz: "Europe/Berlin", from: "2044-12-30T23:59:00Z",
			want: []string{"2045-01-01T00:00:00+01:00", "2045-01-01T00:30:00+01:00"}},
		{name: "leap day with changes on the way", expr: "0 12 29 2 *", tz: "Europe/Berlin", from: "2024-03-01T00:00:00Z",
			want: []string{"2028-02-29T12:00:00+01:00", "2032-02-29T12:00:00+01:00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mustParse(t, tt.expr, tt.tz)
			got, err := s.NextN(at(t, tt.from), len(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i] = got[i].In(s.Location())
			}
			if diff := cmp.Diff(stamps(got), tt.want); diff != "" {
				t.Errorf("slots (-got +want):\n%s", diff)
			}
		})
	}
}

// zones is a sample with gaps at midnight, of half an hour, of a day, in the
// south and in the north, and none.
func zones() []string {
	return []string{
		"UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/St_Johns", "America/Santiago", "America/Havana",
		"America/Asuncion", "Atlantic/Azores", "Africa/Casablanca", "Asia/Kathmandu", "Asia/Beirut", "Australia/Lord_Howe",
		"Pacific/Apia", "Pacific/Chatham", "Antarctica/Troll",
	}
}

// drawField draws what a field may hold: stars, steps, values and ranges, alone
// or in a list.
func drawField(lo, hi int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 2).Draw(t, "star") == 0 {
			return "*"
		}
		items := make([]string, rapid.IntRange(1, 3).Draw(t, "items"))
		for i := range items {
			a := rapid.IntRange(lo, hi).Draw(t, "a")
			b := rapid.IntRange(a, hi).Draw(t, "b")
			step := rapid.IntRange(2, max(2, b-a)).Draw(t, "step")
			switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
			case kind == 0 && i == 0:
				items[i] = fmt.Sprintf("*/%d", rapid.IntRange(2, (hi-lo)/2).Draw(t, "every"))
			case kind == 1 && b-a >= step:
				items[i] = fmt.Sprintf("%d-%d/%d", a, b, step)
			case kind == 2:
				items[i] = fmt.Sprintf("%d-%d", a, b)
			default:
				items[i] = fmt.Sprint(a)
			}
		}
		return strings.Join(items, ",")
	})
}

// drawExpression draws an expression that fires.
func drawExpression(t *rapid.T) string {
	fields := make([]string, 5)
	for i, r := range [][2]int{{0, 59}, {0, 23}, {1, 28}, {1, 12}, {0, 6}} {
		fields[i] = drawField(r[0], r[1]).Draw(t, "field")
	}
	return strings.Join(fields, " ")
}

// drawInstant draws an instant of 1990 to 2060, often close to a change of the
// clock.
func drawInstant(t *rapid.T, loc *time.Location) time.Time {
	ref := time.Unix(rapid.Int64Range(631152000, 2840140800).Draw(t, "unix"), rapid.Int64Range(0, 999999999).Draw(t, "nanos"))
	if _, end := ref.In(loc).ZoneBounds(); !end.IsZero() && rapid.Bool().Draw(t, "near a change") {
		return end.Add(time.Duration(rapid.Int64Range(-int64(5*time.Hour), int64(5*time.Hour)).Draw(t, "beside")))
	}
	return ref
}

func TestNext_alwaysAdvances(t *testing.T) {
	t.Parallel()
	for _, zone := range zones() {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				s, err := cron.Parse(drawExpression(t), cron.Options{TZ: zone})
				if err != nil {
					t.Fatal(err)
				}
				ref := drawInstant(t, s.Location())
				for range 5 {
					next, err := s.Next(ref)
					if err != nil || !next.After(ref) {
						t.Fatalf("%s %s: next slot behind %v is %v, %v", s.Canonical(), zone, ref, next, err)
					}
					if prev, err := s.Prev(next.Add(1)); err != nil || !prev.Equal(next) {
						t.Fatalf("%s %s: last slot before %v is %v, %v", s.Canonical(), zone, next.Add(1), prev, err)
					}
					ref = next
				}
			})
		})
	}
}
