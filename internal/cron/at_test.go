package cron_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestParseAt_findsTheInstant(t *testing.T) {
	t.Parallel()
	const monday = "2026-11-23T19:00:00.5Z" // 20:00 in Berlin
	tests := []struct{ text, tz, now, want string }{
		{text: "2026-12-01T08:00", want: "2026-12-01T08:00:00Z"},
		{text: "2026-12-01T08:00", tz: "Europe/Berlin", want: "2026-12-01T07:00:00Z"},
		{text: " 2026-12-01   08:00 ", tz: "Europe/Berlin", want: "2026-12-01T07:00:00Z"},
		{text: "2026-12-01 08:00:30", want: "2026-12-01T08:00:30Z"},
		{text: "2026-12-01T08:00:00Z", tz: "Europe/Berlin", want: "2026-12-01T08:00:00Z"},
		{text: "2026-12-01t08:00:00+05:45", want: "2026-12-01T02:15:00Z"},
		{text: "2026-12-01T08:00Z", tz: "Europe/Berlin", want: "2026-12-01T08:00:00Z"},
		{text: "today 20:01", tz: "Europe/Berlin", want: "2026-11-23T19:01:00Z"},
		{text: "Tomorrow 23:00", tz: "Europe/Berlin", want: "2026-11-24T22:00:00Z"},
		{text: "tomorrow 00:30", tz: "Asia/Tokyo", want: "2026-11-24T15:30:00Z"},
		{text: "monday 20:01", tz: "Europe/Berlin", want: "2026-11-23T19:01:00Z"},
		{text: "monday 08:00", tz: "Europe/Berlin", want: "2026-11-30T07:00:00Z"},
		{text: "SUN 08:00", tz: "Europe/Berlin", want: "2026-11-29T07:00:00Z"},
		{text: "+90m", want: "2026-11-23T20:30:00Z"},
		{text: "in 1h 30m", want: "2026-11-23T20:30:00Z"},
		{text: "in 1s", want: "2026-11-23T19:00:01Z"},
		{text: "2027-03-28 02:30", tz: "Europe/Berlin", want: "2027-03-28T01:00:00Z"},                                 // a gap
		{text: "2027-10-31 02:30", tz: "Europe/Berlin", want: "2027-10-31T00:30:00Z"},                                 // an overlap
		{text: "2027-09-05 00:00", tz: "America/Santiago", want: "2027-09-05T04:00:00Z"},                              // a gap at midnight
		{text: "2011-12-30T09:00", tz: "Pacific/Apia", now: "2011-12-29T00:00:00Z", want: "2011-12-30T10:00:00Z"},     // a day that never was
		{text: "tomorrow 02:30", tz: "Europe/Berlin", now: "2027-03-27T12:00:00Z", want: "2027-03-28T01:00:00Z"},      // a gap
		{text: "sunday 02:30", tz: "Europe/Berlin", now: "2027-10-31T00:45:00Z", want: "2027-11-07T01:30:00Z"},        // the first pass is over
		{text: "thursday 08:00", tz: "Pacific/Kiritimati", now: "1969-12-24T00:00:00Z", want: "1969-12-25T18:40:00Z"}, // before 1970
		{text: "wednesday 00:00", tz: "America/New_York", now: "1969-12-24T04:59:59Z", want: "1969-12-24T05:00:00Z"},  // a second ahead
		{text: "9999-12-31T23:59:59Z", want: "9999-12-31T23:59:59Z"},                                                  // the last there is
	}
	for _, tt := range tests {
		t.Run(tt.text+" "+tt.tz, func(t *testing.T) {
			t.Parallel()
			now := at(t, monday)
			if tt.now != "" {
				now = at(t, tt.now)
			}
			got, err := cron.ParseAt(tt.text, tt.tz, now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got.Format(time.RFC3339Nano), tt.want); diff != "" {
				t.Errorf("instant (-got +want):\n%s", diff)
			}
		})
	}
}

func TestParseAt_refusesWhatHasPassedOrSaysNothing(t *testing.T) {
	t.Parallel()
	const syntax = "write it as 2026-12-01T08:00"
	tests := []struct{ text, tz, want, hint string }{
		{text: "2026-11-23T19:00:00Z", want: `time "2026-11-23T19:00:00Z" has passed: it is Monday 2026-11-23 19:00:00 UTC (2026-11-23T19:00:00Z)`,
			hint: "name one behind 2026-11-23T19:00:00Z"},
		{text: "today 18:30", tz: "Europe/Berlin", want: `time "today 18:30" has passed: it is Monday 2026-11-23 18:30:00 Europe/Berlin (2026-11-23T17:30:00Z)`,
			hint: "name one behind 2026-11-23T20:00:00+01:00"},
		{text: "2026-03-29 02:30", tz: "Europe/Berlin", want: `time "2026-03-29 02:30" has passed: it is Sunday 2026-03-29 03:00:00 Europe/Berlin (2026-03-29T01:00:00Z)`,
			hint: "name one behind 2026-11-23T20:00:00+01:00"},
		{text: "2026-13-01 08:00", want: `time "2026-13-01 08:00" is not valid: month out of range`, hint: syntax},
		{text: "2026-02-30 08:00", want: `time "2026-02-30 08:00" is not valid: day out of range`, hint: syntax},
		{text: "2026-12-01 24:00", want: `time "2026-12-01 24:00" is not valid: hour out of range`, hint: syntax},
		{text: "2026-12-01T08:00:00.5Z", want: `time "2026-12-01T08:00:00.5Z" is not valid: it must be a whole second`, hint: syntax},
		{text: "2026-12-01T08:00:00.5", want: `time "2026-12-01T08:00:00.5" is not valid: it must be a whole second`, hint: syntax},
		{text: "23:00", want: `time "23:00" is not valid: it names no day`, hint: syntax},
		{text: "tomorow 23:00", want: `time "tomorow 23:00" is not valid: did you mean tomorrow?`, hint: syntax},
		{text: "tomorrow", want: `time "tomorrow" is not valid: behind tomorrow a time such as 08:00 is needed`, hint: syntax},
		{text: "monday 8pm", want: `time "monday 8pm" is not valid: behind monday a time such as 08:00 is needed`, hint: syntax},
		{text: "+90", want: `time "+90" is not valid: the delay has no unit of h, m and s`, hint: syntax},
		{text: "in 0s", want: `time "in 0s" is not valid: the delay must be at least 1s`, hint: syntax},
		{text: "+-5m", want: `time "+-5m" is not valid: the delay must be at least 1s`, hint: syntax},
		{text: "", want: `time "" is not valid: it names no day`, hint: syntax},
		{text: "9999-12-31T23:59:59-05:00", want: `time "9999-12-31T23:59:59-05:00" lies outside the years 1 to 9999`},
		{text: "+90m", tz: "Europe/Berlim", want: `time zone "Europe/Berlim" is not known`, hint: "did you mean Europe/Berlin?"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			got, err := cron.ParseAt(tt.text, tt.tz, at(t, "2026-11-23T19:00:00Z"))
			if molecule.CodeOf(err) != molecule.Invalid {
				t.Fatalf("got %v and error %v, want Invalid", got, err)
			}
			if diff := cmp.Diff(err.Error(), tt.want); diff != "" {
				t.Errorf("message (-got +want):\n%s", diff)
			}
			if hint := molecule.HintOf(err); !strings.HasPrefix(hint, tt.hint) {
				t.Errorf("hint %q, want %q", hint, tt.hint)
			}
		})
	}
}
