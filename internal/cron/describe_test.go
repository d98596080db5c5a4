package cron_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/cron"
)

func TestDescribe_saysItInPlainWords(t *testing.T) {
	t.Parallel()
	tests := []struct{ expr, want string }{
		{expr: "* * * * *", want: "every minute, UTC"},
		{expr: "7 6,18 * * *", want: "at 06:07 and 18:07, every day, UTC"},
		{expr: "0 8 * * 1-5", want: "at 08:00 on Monday to Friday, UTC"},
		{expr: "0 8 * * SUN,MON", want: "at 08:00 on Monday and Sunday, UTC"},
		{expr: "0 * * * *", want: "every hour on the hour, UTC"},
		{expr: "30 * * * *", want: "at minute 30 of every hour, UTC"},
		{expr: "5,35 * * * *", want: "at minutes 5 and 35 of every hour, UTC"},
		{expr: "*/15 * * * *", want: "every 15 minutes, UTC"},
		{expr: "*/15 9-17 * * *", want: "every 15 minutes of hours 9 to 17, every day, UTC"},
		{expr: "*/7 * * * MON", want: "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour on Monday, UTC"},
		{expr: "* 9 * * *", want: "every minute of hour 9, every day, UTC"},
		{expr: "0 */2 * * *", want: "every 2 hours from 00:00, every day, UTC"},
		{expr: "10,20 */3 * * *", want: "at minutes 10 and 20 of every 3rd hour from 00:00, every day, UTC"},
		{expr: "* */4 * * *", want: "every minute of every 4th hour from 00:00, every day, UTC"},
		{expr: "*/5 */2 * * *", want: "every 5 minutes of every 2nd hour from 00:00, every day, UTC"},
		{expr: "0 0 1,15 * *", want: "at 00:00 on days 1 and 15 of the month, UTC"},
		{expr: "0 0 29 2 *", want: "at 00:00 on day 29 of February, UTC"},
		{expr: "0 0 1 1-3,6 *", want: "at 00:00 on day 1 of January to March and June, UTC"},
		{expr: "0 0 * 8 *", want: "at 00:00 on every day in August, UTC"},
		{expr: "0 0 13 * 5", want: "at 00:00 on day 13 of the month and on Friday, UTC"},
		{expr: "0 0 13 7 5", want: "at 00:00 on day 13 of the month and on Friday in July, UTC"},
		{expr: "0 0 */10 * MON,TUE", want: "at 00:00 on days 1, 11, 21 and 31 of the month if that is Monday or Tuesday, UTC"},
		{expr: "0 0 1-31 * MON", want: "at 00:00, every day, UTC"},
		{expr: "0 22-2 * * FRI-MON", want: "at 00:00, 01:00, 02:00, 22:00 and 23:00 on Monday and Friday to Sunday, UTC"},
		{expr: "0 8 L * *", want: "at 08:00 on the last day of the month, UTC"},
		{expr: "0 8 L-1,L-3 * *", want: "at 08:00 on the last day but one and the 3rd day before the last of the month, UTC"},
		{expr: "0 8 LW 3 *", want: "at 08:00 on the last working day of March, UTC"},
		{expr: "0 8 1W,15W,20 * *", want: "at 08:00 on day 20 and the working day nearest to days 1 or 15 of the month, UTC"},
		{expr: "0 8 * * FRI#2,MON", want: "at 08:00 on Monday and the 2nd Friday of the month, UTC"},
		{expr: "0 8 * JAN FRIL,1#1", want: "at 08:00 on the 1st Monday and the last Friday of the month in January, UTC"},
		{expr: "0 8 L * FRIL", want: "at 08:00 on the last day of the month and on the last Friday, UTC"},
		{expr: "0 8 */10 * MON#1,TUE#1", want: "at 08:00 on days 1, 11, 21 and 31 of the month if that is the 1st Monday or the 1st Tuesday, UTC"},
		{expr: "0 8 * * * 2027", want: "at 08:00, every day in 2027, UTC"},
		{expr: "* * * * * 2027-2029,2031", want: "every minute in 2027 to 2029 and 2031, UTC"},
		{expr: "0 0 1 1 * 2027/2", want: "at 00:00 on day 1 of January in every 2nd year from 2027 to 2099, UTC"},
		{expr: "0 0 1 1 * 2001,2003,2004,2006,2007,2009,2010,2013", want: "at 00:00 on day 1 of January in 2001, 2003, 2004, 2006, 2007, 2009, 2010 and 2013, UTC"},
		{expr: "0 0 8 * * *", want: "at 08:00, every day, UTC"},
		{expr: "30 0 8 * * *", want: "at 08:00:30, every day, UTC"},
		{expr: "* * * * * *", want: "every second, UTC"},
		{expr: "*/10 * * * * *", want: "every 10 seconds, UTC"},
		{expr: "5,35 * * * * *", want: "at seconds 5 and 35 of every minute, UTC"},
		{expr: "5 0 * * * *", want: "at second 5 of minute 0 of every hour, UTC"},
		{expr: "5 * 9-10 * * *", want: "at second 5 of every minute of hours 9 and 10, every day, UTC"},
		{expr: "*/20 */15 */2 * * *", want: "every 20 seconds of every 15th minute of every 2nd hour from 00:00, every day, UTC"},
		{expr: "*/20 1,2 8 * * MON", want: "at 08:01:00, 08:01:20, 08:01:40, 08:02:00, 08:02:20 and 08:02:40 on Monday, UTC"},
		{expr: "@every 1s", want: "every second of real time, counted from 1970-01-01T00:00:00Z"},
		{expr: "@every 90m", want: "every 1 hour and 30 minutes of real time, counted from 1970-01-01T00:00:00Z"},
		{expr: "@every 2h", want: "every 2 hours of real time, counted from 1970-01-01T00:00:00Z"},
		{expr: "@at 2026-12-01T08:00:00Z", want: "once, at 08:00:00 on Tuesday 2026-12-01, UTC"},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(parseWith(t, tt.expr, cron.Options{Seconds: true}).Describe(), tt.want); diff != "" {
				t.Errorf("description (-got +want):\n%s", diff)
			}
		})
	}
}

func TestDescribe_namesWhatDiffersFromTheDefault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr string
		o    cron.Options
		want string
	}{
		{expr: "30 2 * * *", o: cron.Options{DST: cron.DSTVixie, TZ: "Europe/Berlin"}, want: "at 02:30, every day, Europe/Berlin"},
		{expr: "30 2 * * *", o: cron.Options{DST: cron.DSTSkip, TZ: "Europe/Berlin"}, want: "at 02:30, every day, Europe/Berlin, DST policy skip"},
		{expr: "30 2 * * *", o: cron.Options{DST: cron.DSTBoth, TZ: "Europe/Berlin"}, want: "at 02:30, every day, Europe/Berlin, DST policy both"},
		{expr: "@every 90s", o: cron.Options{Phase: 100 * time.Second, DST: cron.DSTSkip}, want: "every 1 minute and 30 seconds of real time, counted from 1970-01-01T00:00:10Z"},
		{expr: "@at 2026-12-01T08:00:00Z", o: cron.Options{TZ: "Asia/Tokyo"}, want: "once, at 17:00:00 on Tuesday 2026-12-01, Asia/Tokyo"},
	}
	for _, tt := range tests {
		t.Run(tt.expr+" "+string(tt.o.DST), func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(parseWith(t, tt.expr, tt.o).Describe(), tt.want); diff != "" {
				t.Errorf("description (-got +want):\n%s", diff)
			}
		})
	}
}

func TestDescribe_ofNothingIsEmpty(t *testing.T) {
	t.Parallel()
	if got := (cron.Schedule{}).Describe(); got != "" {
		t.Errorf("description %q, want none", got)
	}
}
