package cron_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestParse_showsTheWholeExpressionAboveTheCaret(t *testing.T) {
	t.Parallel()
	_, err := cron.Parse("  0\t8 * *   FRY ", cron.Options{})
	want := "invalid cron expression: field 5 (weekday): \"FRY\" is not a weekday, did you mean FRI?\n" +
		"0 8 * * FRY\n" +
		"        ^~~"
	e, ok := errors.AsType[*molecule.Error](err)
	if !ok {
		t.Fatalf("error %v, want one with a code", err)
	}
	if diff := cmp.Diff(e.Message, want); diff != "" {
		t.Errorf("message (-got +want):\n%s", diff)
	}
}

func TestParse_hintsAtWhatToDo(t *testing.T) {
	t.Parallel()
	tests := []struct{ expr, tz, want string }{
		{expr: "@dayly", want: "did you mean @daily?"},
		{expr: "@nonsense", want: "the tags are @10minutes @15minutes @30minutes @5minutes @always @annually @daily @everysecond @hourly @midnight @monthly @weekly @yearly, @every 90s and @at 2026-12-01T08:00:00Z"},
		{expr: "0 0 8 * * MON", want: "with --seconds it is read as: at 08:00 on Monday, UTC"},
		{expr: "0 0 8 * * MON 2027", tz: "Asia/Tokyo", want: "with --seconds it is read as: at 08:00 on Monday in 2027, Asia/Tokyo"},
		{expr: "@everysecond", want: "with --seconds it is read as: every second, UTC"},
		{expr: "CRON_TZ=Asia/Tokyo 5 0 8 * * *", want: "with --seconds it is read as: at 08:00:05, every day, Asia/Tokyo"},
		{expr: "0 8 * * MON FRI", want: `leave one out; with --seconds, field 5 (month): "MON" is not a month, it is a weekday (field 6)`},
		{expr: "@every 1d", want: "the units are h, m and s: @every 90s, @every 1h30m; a day is 24h, though @daily keeps the time of day"},
		{expr: "CRON_TZ=Asia/Tokyo 0 8 * * *", tz: "UTC", want: "leave one of them out"},
		{expr: "CRON_TZ=Asia/Tokio 0 8 * * *", want: "did you mean Asia/Tokyo?"},
		{expr: "0 8 a b c d e f", want: "put the expression in quotes, so that the shell leaves * alone"},
		{expr: "TZ=UTC TZ=UTC 0 8 * * *", want: "CRON_TZ=Europe/Berlin stands in front of it, once; or beside it: --tz Europe/Berlin"},
		{expr: "0 0 30 2 *", want: "choose a day that the month has, or leave the month *"},
		{expr: "@daily", tz: "europe/berlin", want: "did you mean Europe/Berlin?"},
		{expr: "@daily", tz: "new york", want: "did you mean America/New_York?"},
		{expr: "@daily", tz: "Europe/Berlim", want: "did you mean Europe/Berlin?"},
		{expr: "@daily", tz: "right/Europe/Berlin", want: "did you mean Europe/Berlin?"},
		{expr: "@daily", tz: "Middle-earth/Mordor", want: "use an IANA name such as Europe/Berlin, UTC, or local for the zone of this machine"},
		{expr: "@daily", tz: "../../etc/passwd", want: "use an IANA name such as Europe/Berlin, UTC, or local for the zone of this machine"},
	}
	for _, tt := range tests {
		t.Run(tt.expr+" "+tt.tz, func(t *testing.T) {
			t.Parallel()
			_, err := cron.Parse(tt.expr, cron.Options{TZ: tt.tz})
			if got := molecule.CodeOf(err); err == nil || got != molecule.Invalid {
				t.Fatalf("error %v, want Invalid", err)
			}
			if diff := cmp.Diff(molecule.HintOf(err), tt.want); diff != "" {
				t.Errorf("hint (-got +want):\n%s", diff)
			}
		})
	}
}

func TestCanonical_isOneFormThatParsesAsTheSame(t *testing.T) {
	t.Parallel()
	tests := []struct{ expr, want string }{
		{expr: " 05  08 *\t* mon-fri ", want: "5 8 * * MON-FRI"},
		{expr: "@Daily", want: "0 0 * * *"},
		{expr: "@midnight", want: "0 0 * * *"},
		{expr: "@hourly", want: "0 * * * *"},
		{expr: "@weekly", want: "0 0 * * 0"},
		{expr: "@monthly", want: "0 0 1 * *"},
		{expr: "@annually", want: "0 0 1 1 *"},
		{expr: "*/1 0-5/1 ? * ?", want: "* 0-5 * * *"},
		{expr: "5/15 * * * MON/2", want: "5-59/15 * * * MON-SAT/2"},
		{expr: "0 0 * * 7/3", want: "0 0 * * 0-6/3"},
		{expr: "0 0 * * fri-sun,7", want: "0 0 * * FRI-SUN,7"},
		{expr: "*/010,7 1,2 1-31 jan,12 0-7", want: "*/10,7 1,2 1-31 JAN,12 0-7"},
		{expr: "59/1 * * * *", want: "59 * * * *"},
		{expr: "0 0 * january-August monday,SUNDAY", want: "0 0 * JAN-AUG MON,SUN"},
		{expr: "0 22-02/2 * nov-february fri-MONDAY", want: "0 22-2/2 * NOV-FEB FRI-MON"},
		{expr: "0 0 l,l-03,wl,015w,1 * *", want: "0 0 L,L-3,LW,15W,1 * *"},
		{expr: "0 0 * * fridayL,7l,fri#02,5#3", want: "0 0 * * FRIL,7L,FRI#2,5#3"},
		{expr: "0 0 1 1 * 2030,2027-2028", want: "0 0 1 1 * 2030,2027-2028"},
		{expr: "0 0 1 1 * 2027/2", want: "0 0 1 1 * 2027-2099/2"},
		{expr: "CRON_TZ=UTC  0 8 * * *", want: "0 8 * * *"},
		{expr: "TZ=utc @daily", want: "0 0 * * *"},
		{expr: "*/5 0-7 08 * * *", want: "*/5 0-7 8 * * *"},
		{expr: "05 0 8 * * * *", want: "5 0 8 * * * *"},
		{expr: "@always", want: "* * * * *"},
		{expr: "@5minutes", want: "*/5 * * * *"},
		{expr: "@15Minutes", want: "*/15 * * * *"},
		{expr: "@30minutes", want: "0,30 * * * *"},
		{expr: "@everysecond", want: "* * * * * *"},
		{expr: "@EVERY 90s", want: "@every 1m30s"},
		{expr: "@every 1h0m0s", want: "@every 1h"},
		{expr: "@every 2h 30m", want: "@every 2h30m"},
		{expr: "@every 36h0m10s", want: "@every 36h0m10s"},
		{expr: "@at 2027-12-01T08:00:00+01:00", want: "@at 2027-12-01T07:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			t.Parallel()
			o := cron.Options{TZ: "UTC", Seconds: true}
			s := parseWith(t, tt.expr, o)
			if diff := cmp.Diff(s.Canonical(), tt.want); diff != "" {
				t.Fatalf("canonical form (-got +want):\n%s", diff)
			}
			again := parseWith(t, s.Canonical(), o)
			ref := at(t, "2026-11-23T19:00:00Z")
			got, err1 := again.NextN(ref, 20)
			want, err2 := s.NextN(ref, 20)
			if diff := cmp.Diff(got, want); diff != "" || err1 != nil || err2 != nil {
				t.Errorf("slots of the canonical form (-got +want): %v %v\n%s", err1, err2, diff)
			}
			if diff := cmp.Diff(again.Canonical(), tt.want); diff != "" {
				t.Errorf("canonical form of the canonical form (-got +want):\n%s", diff)
			}
		})
	}
}
