package cron_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestParse_showsTheFaultAndTheNearestFix(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr  string
		want  string // behind "invalid cron expression: "
		caret string // under the expression; "" when the fault has no place
	}{
		{expr: "0 8 * * FRY", want: `field 5 (weekday): "FRY" is not a weekday, did you mean FRI?`, caret: "        ^~~"},
		{expr: "0 8 * * mon,TEU", want: `field 5 (weekday): "TEU" is not a weekday, did you mean TUE?`, caret: "            ^~~"},
		{expr: "0 8 * * MONDAY", want: `field 5 (weekday): "MONDAY" is not a weekday, did you mean MON?`, caret: "        ^~~~~~"},
		{expr: "0 8 1 MON *", want: `field 4 (month): "MON" is not a month, it is a weekday (field 5)`, caret: "      ^~~"},
		{expr: "x 8 * * *", want: `field 1 (minute): "x" is not a minute, it must be within 0-59`, caret: "^"},
		{expr: "+5 8 * * *", want: `field 1 (minute): "+5" is not a minute, it must be within 0-59`, caret: "^~"},
		{expr: "60 8 * * *", want: "field 1 (minute): 60 is out of range 0-59, did you mean 0?", caret: "^~"},
		{expr: "0 24 * * *", want: "field 2 (hour): 24 is out of range 0-23, did you mean 0?", caret: "  ^~"},
		{expr: "0 99 * * *", want: "field 2 (hour): 99 is out of range 0-23, did you mean 23?", caret: "  ^~"},
		{expr: "0 8 0 * *", want: "field 3 (day): 0 is out of range 1-31, did you mean 1?", caret: "    ^"},
		{expr: "0 8 1 1-13 *", want: "field 4 (month): 13 is out of range 1-12, did you mean 12?", caret: "        ^~"},
		{expr: "0 8 * * 8", want: "field 5 (weekday): 8 is out of range 0-7, did you mean 7?", caret: "        ^"},
		{expr: "0 22-2 * * *", want: `field 2 (hour): "22-2" runs backwards, did you mean 22-23,0-2?`, caret: "  ^~~~"},
		{expr: "0 8 * * FRI-MON", want: `field 5 (weekday): "FRI-MON" runs backwards, did you mean FRI-SAT,SUN-MON?`, caret: "        ^~~~~~~"},
		{expr: "0 8 * * 7-1", want: `field 5 (weekday): "7-1" runs backwards, did you mean 0-1?`, caret: "        ^~~"},
		{expr: "0 8 31-1 * *", want: `field 3 (day): "31-1" runs backwards, did you mean 31,1?`, caret: "    ^~~~"},
		{expr: "1,,2 8 * * *", want: "field 1 (minute): a member of the list is missing", caret: " ^~"},
		{expr: ", 8 * * *", want: "field 1 (minute): a member of the list is missing", caret: "^"},
		{expr: "5- 8 * * *", want: "field 1 (minute): one end of the range is missing", caret: " ^"},
		{expr: "-5 8 * * *", want: "field 1 (minute): one end of the range is missing", caret: "^"},
		{expr: "*,5 8 * * *", want: `field 1 (minute): "*" covers everything, the rest of the list says nothing; write * alone`, caret: "^"},
		{expr: "*/0 8 * * *", want: "field 1 (minute): the step is 0, it must be at least 1", caret: "  ^"},
		{expr: "*/x 8 * * *", want: `field 1 (minute): step "x" is not a number`, caret: "  ^"},
		{expr: "*/5/2 8 * * *", want: `field 1 (minute): step "5/2" is not a number`, caret: "  ^~~"},
		{expr: "*/ 8 * * *", want: `field 1 (minute): step "" is not a number`, caret: "  ^"},
		{expr: "*/90 8 * * *", want: "field 1 (minute): a step of 90 leaves 0-59 at once and covers 0 only, did you mean 0?", caret: "  ^~"},
		{expr: "0 8 L * *", want: `field 3 (day): "L": the last day of a month (L) is not supported`, caret: "    ^"},
		{expr: "0 8 15W * *", want: `field 3 (day): "15W": the nearest working day (W) is not supported`, caret: "    ^~~"},
		{expr: "0 8 * * 8L", want: `field 5 (weekday): "8L": the last day of a month (L) is not supported`, caret: "        ^~"},
		{expr: "0 8 * * FRIL", want: `field 5 (weekday): "FRIL": the last day of a month (L) is not supported`, caret: "        ^~~~"},
		{expr: "0 8 * * FRI#2", want: `field 5 (weekday): "FRI#2": the n-th weekday of a month (#) is not supported`, caret: "        ^~~~~"},
		{expr: "H/15 8 * * *", want: `field 1 (minute): "H/15": a hashed value (H) is not supported, write the value`, caret: "^~~~"},
		{expr: "? 8 * * *", want: `field 1 (minute): "?": ? belongs in a day field only, write *`, caret: "^"},
		{expr: "ü 8 * * FRY", want: `field 1 (minute): "ü" is not a minute, it must be within 0-59`, caret: "^"},
		{expr: "0 8 * \x1b[31m *", want: `field 4 (month): "?[31m" is not a month, it must be within 1-12`, caret: "      ^~~~~"},
		{expr: "0 0 30 2 *", want: "field 3 (day): it never fires, February has 29 days at most", caret: "    ^~"},
		{expr: "0 0 31 2,4,6,9,11 *", want: "field 3 (day): it never fires, February, April, June, September and November have 30 days at most", caret: "    ^~"},
		{expr: "0 0 31 4 */2", want: "field 3 (day): it never fires, April has 30 days at most", caret: "    ^~"},
		{expr: "", want: "it is empty"},
		{expr: "0 8", want: "it has 2 of 5 fields"},
		{expr: "0 0 8 * * *", want: "it has 6 fields, it must have 5; a field for seconds or years is not supported"},
		{expr: "0 0 8 * * * 2027", want: "it has 7 fields, it must have 5; fields for seconds and years are not supported"},
		{expr: "0 8 bin etc home lib usr var", want: "it has 8 fields, it must have 5"},
		{expr: "CRON_TZ=UTC 0 8 * * *", want: `"CRON_TZ=UTC" is not part of an expression here`},
		{expr: "@every 90s", want: "@every is not supported"},
		{expr: "@reboot", want: "@reboot is not supported: a start of the machine is no slot"},
		{expr: "@dayly", want: `"@dayly" is not a known tag`},
		{expr: "@sometimes", want: `"@sometimes" is not a known tag`},
		{expr: strings.Repeat("1,", 200) + "1 8 * * *", want: "it is 409 bytes long, the most is 256"},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			t.Parallel()
			_, err := cron.Parse(tt.expr, cron.Options{})
			if got := molecule.CodeOf(err); err == nil || got != molecule.Invalid {
				t.Fatalf("error %v, want Invalid", err)
			}
			text, shown, _ := strings.Cut(err.Error(), "\n")
			_, caret, _ := strings.Cut(shown, "\n")
			if diff := cmp.Diff(strings.TrimPrefix(text, "invalid cron expression: "), tt.want); diff != "" {
				t.Errorf("message (-got +want):\n%s", diff)
			}
			if diff := cmp.Diff(caret, tt.caret); diff != "" {
				t.Errorf("caret under %q (-got +want):\n%s", shown, diff)
			}
		})
	}
}

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
		{expr: "@nonsense", want: "the tags are @annually @daily @hourly @midnight @monthly @weekly @yearly"},
		{expr: "0 8 a b c d e f", want: "put the expression in quotes, so that the shell leaves * alone"},
		{expr: "TZ=UTC 0 8 * * *", want: "give the time zone beside the expression: --tz Europe/Berlin"},
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
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			t.Parallel()
			s := mustParse(t, tt.expr, "UTC")
			if diff := cmp.Diff(s.Canonical(), tt.want); diff != "" {
				t.Fatalf("canonical form (-got +want):\n%s", diff)
			}
			again := mustParse(t, s.Canonical(), "UTC")
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
