package cron_test

import (
	"testing"
	"unicode/utf8"

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
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(mustParse(t, tt.expr, "").Describe(), tt.want); diff != "" {
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

func FuzzParse_describesWhatItAcceptsAndAdvances(f *testing.F) {
	for _, seed := range []string{
		"* * * * *", "0 8 * * FRY", "*/15 9-17 1,15 JAN-MAR MON-FRI", "0 0 29 2 */2", "@daily", "@every 5m",
		"5/15 22-2 L W #", "0 0 31 2,4 *", "\x00 \xff ü 日 ~", "-,/ ,, */ 1-/2 7-7", "? ? ? ? ?", "59/1 23 31 12 7",
	} {
		f.Add(seed, int64(1790000000))
	}
	f.Fuzz(func(t *testing.T, expr string, unix int64) {
		s, err := cron.Parse(expr, cron.Options{TZ: "Europe/Berlin"})
		if err != nil {
			if !utf8.ValidString(err.Error()) {
				t.Fatalf("message is not UTF-8: %q", err)
			}
			return
		}
		if s.Describe() == "" {
			t.Errorf("%q has no description", s.Canonical())
		}
		again, err := cron.Parse(s.Canonical(), cron.Options{TZ: s.TZ()})
		if err != nil || again.Canonical() != s.Canonical() || again.Describe() != s.Describe() {
			t.Errorf("%q became %q, %v", s.Canonical(), again.Canonical(), err)
		}
		ref := unixTime(unix)
		if next, err := s.Next(ref); err == nil && !next.After(ref) {
			t.Errorf("%q: next slot %v does not lie behind %v", s.Canonical(), next, ref)
		}
	})
}
