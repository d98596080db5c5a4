package cron_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// badExpression is what must be refused, and how.
type badExpression struct {
	expr    string
	seconds bool
	dst     cron.DST
	want    string // behind "invalid cron expression: "
	caret   string // under the expression; "" when the fault has no place
}

func (b badExpression) parse() error {
	_, err := cron.Parse(b.expr, cron.Options{Seconds: b.seconds, DST: b.dst})
	return err
}

func badExpressions() []badExpression {
	return []badExpression{
		{expr: "0 8 * * FRY", want: `field 5 (weekday): "FRY" is not a weekday, did you mean FRI?`, caret: "        ^~~"},
		{expr: "0 8 * * mon,TEU", want: `field 5 (weekday): "TEU" is not a weekday, did you mean TUE?`, caret: "            ^~~"},
		{expr: "0 8 1 MON *", want: `field 4 (month): "MON" is not a month, it is a weekday (field 5)`, caret: "      ^~~"},
		{expr: "x 8 * * *", want: `field 1 (minute): "x" is not a minute, it must be within 0-59`, caret: "^"},
		{expr: "+5 8 * * *", want: `field 1 (minute): "+5" is not a minute, it must be within 0-59`, caret: "^~"},
		{expr: "60 8 * * *", want: "field 1 (minute): 60 is out of range 0-59, did you mean 0?", caret: "^~"},
		{expr: "0 24 * * *", want: "field 2 (hour): 24 is out of range 0-23, did you mean 0?", caret: "  ^~"},
		{expr: "0 99 * * *", want: "field 2 (hour): 99 is out of range 0-23, did you mean 23?", caret: "  ^~"},
		{expr: "0 8 0 * *", want: "field 3 (day): 0 is out of range 1-31, did you mean 1?", caret: "    ^"},
		{expr: "0 8 1 1-13 *", want: "field 4 (month): 13 is out of range 1-12, did you mean 12?", caret: "        ^~"},
		{expr: "0 8 * * 8", want: "field 5 (weekday): 8 is out of range 0-7, did you mean 7?", caret: "        ^"},
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
		{expr: "0 8 * * 8L", want: "field 5 (weekday): 8 is out of range 0-7, did you mean 7?", caret: "        ^"},
		{expr: "H/15 8 * * *", want: `field 1 (minute): "H/15": a hashed value (H) is not supported, write the value`, caret: "^~~~"},
		{expr: "? 8 * * *", want: `field 1 (minute): "?": ? belongs in a day field only, write *`, caret: "^"},
		{expr: "ü 8 * * FRY", want: `field 1 (minute): "ü" is not a minute, it must be within 0-59`, caret: "^"},
		{expr: "0 8 * \x1b[31m *", want: `field 4 (month): "?[31m" is not a month, it must be within 1-12`, caret: "      ^~~~~"},
		{expr: "0 0 30 2 *", want: "field 3 (day): it never fires, February has 29 days at most", caret: "    ^~"},
		{expr: "0 0 31 2,4,6,9,11 *", want: "field 3 (day): it never fires, February, April, June, September and November have 30 days at most", caret: "    ^~"},
		{expr: "0 0 31 4 */2", want: "field 3 (day): it never fires, April has 30 days at most", caret: "    ^~"},
		{expr: "", want: "it is empty"},
		{expr: "0 8", want: "it has 2 of 5 fields"},
		{expr: "0 0 8 * * *", want: "it has 6 fields, it must have 5; a field for seconds comes first only when --seconds asks for it"},
		{expr: "0 0 8 * * * 2027", want: "it has 7 fields, it must have 5; a field for seconds comes first only when --seconds asks for it"},
		{expr: "0 8 bin etc home lib usr var", want: "it has 8 fields, it must have 5"},
		{expr: "@reboot", want: "@reboot is not supported: a start of the machine is no slot"},
		{expr: "@dayly", want: `"@dayly" is not a known tag`, caret: "^~~~~~"},
		{expr: "@sometimes", want: `"@sometimes" is not a known tag`, caret: "^~~~~~~~~~"},
		{expr: "0 8 29 2 * 2027", want: "field 3 (day): it never fires, February has 28 days at most in 2027", caret: "    ^~"},
		{expr: "0 8 29 2 * 2027,2029", want: "field 3 (day): it never fires, February has 28 days at most in 2027 and 2029", caret: "    ^~"},
		{expr: "0 8 */15 * FRI#2", want: "field 3 (day): it never fires, the day and the weekday never meet", caret: "    ^~~~"},
		{expr: "0 0 8 * * MON 2027", want: "it has 7 fields, it must have 5; a field for seconds comes first only when --seconds asks for it"},
		{expr: "@every", want: "@every says no interval"},
		{expr: "@every 1d", want: `"1d" is not an interval`, caret: "       ^~"},
		{expr: "@every 0.5s", want: "the interval must be at least 1s", caret: "       ^~~~"},
		{expr: "@every 1500ms", want: "the interval must be whole seconds, did you mean 2s?", caret: "       ^~~~~~"},
		{expr: "@every -5s", want: "the interval must be at least 1s", caret: "       ^~~"},
		{expr: "@at 2026-12-01T08:00", want: `"2026-12-01T08:00" is not an instant`, caret: "    ^~~~~~~~~~~~~~~~"},
		{expr: "@at tomorrow", want: `"tomorrow" is not an instant`, caret: "    ^~~~~~~~"},
		{expr: "@at 2026-12-01T08:00:00.5Z", want: "the instant must be a whole second, did you mean 2026-12-01T08:00:00Z?", caret: "    ^~~~~~~~~~~~~~~~~~~~~~"},
		{expr: "CRON_TZ= 0 8 * * *", want: "CRON_TZ= names no time zone"},
		{expr: "CRON_TZ=UTC TZ=UTC 0 8 * * *", want: `"TZ=UTC" is not part of an expression`},
		{expr: "CRON_TZ=Europe/Berlin 0 0 8 * * *", want: "it has 6 fields, it must have 5; a field for seconds comes first only when --seconds asks for it"},
		{expr: "CRON_TZ=Europe/Berlin", want: "it is empty"},
		{expr: "CRON_TZ=Europe/Berlin 0 2 * 3 SUNL", dst: cron.DSTSkip, want: "it never fires, the clock in Europe/Berlin jumps over each of its times", caret: "^~~~~~~~~~~~"},
		{expr: "CRON_TZ=Europe/Berlin 30 2 29 3 * 2026", dst: cron.DSTSkip, want: "it never fires, the clock in Europe/Berlin jumps over each of its times", caret: "^~~~~~~~~~~~~~~~"},
		{expr: "CRON_TZ=Europe/Berlin */30 2 25-31 3 */7", want: "field 5 (weekday): a step of 7 leaves 0-6 at once and covers 0 only, did you mean 0?", caret: "                 ^"},
		{expr: "CRON_TZ=Pacific/Apia * * 30 12 * 2011", want: "it never fires, the clock in Pacific/Apia jumps over each of its times", caret: "^~~~~~~~~~~~~~~~"},
		{expr: "0 8 WED * *", want: `field 3 (day): "WED" is not a day, it is a weekday (field 5)`, caret: "    ^~~"},
		{expr: "0 8 FRI#2 * *", want: `field 3 (day): "FRI#2" is not a day, the n-th weekday of a month belongs in the field weekday`, caret: "    ^~~~~"},
		{expr: "0 8 L-0 * *", want: "field 3 (day): 0 is out of range 1-30, did you mean L?", caret: "      ^"},
		{expr: "0 8 L-31 * *", want: "field 3 (day): 31 is out of range 1-30, did you mean L-30?", caret: "      ^~"},
		{expr: "0 8 3L * *", want: `field 3 (day): "3L" is not a day, did you mean L-3?`, caret: "    ^~"},
		{expr: "0 8 W * *", want: `field 3 (day): "W" is not a day, did you mean 15W or LW?`, caret: "    ^"},
		{expr: "0 8 32W * *", want: "field 3 (day): 32 is out of range 1-31, did you mean 31?", caret: "    ^~"},
		{expr: "0 8 1-5W * *", want: `field 3 (day): "1-5W" is not a day, W stands behind one day as in 15W, or in LW`, caret: "    ^~~~"},
		{expr: "0 8 W15 * *", want: `field 3 (day): "W15" is not a day, did you mean 15W?`, caret: "    ^~~"},
		{expr: "0 8 L/2 * *", want: `field 3 (day): "L/2": a step cannot stand behind L`, caret: "    ^~~"},
		{expr: "0 8 L-3W * *", want: `field 3 (day): "L-3W" is not a day, W stands behind one day as in 15W, or in LW`, caret: "    ^~~~"},
		{expr: "0 8 LL * *", want: `field 3 (day): "LL" is not a day, the forms are L, L-3, LW and 15W`, caret: "    ^~"},
		{expr: "0 8 -L * *", want: `field 3 (day): "-L" is not a day, the forms are L, L-3, LW and 15W`, caret: "    ^~"},
		{expr: "0 8 L- * *", want: `field 3 (day): "L-" is not a day, the forms are L, L-3, LW and 15W`, caret: "    ^~"},
		{expr: "0 8 * * L", want: "field 5 (weekday): L needs a weekday before it, did you mean SATL here or L in the field day?", caret: "        ^"},
		{expr: "0 8 * * FRYL", want: `field 5 (weekday): "FRY" is not a weekday, did you mean FRI?`, caret: "        ^~~"},
		{expr: "0 8 * * MON-FRIL", want: "field 5 (weekday): L stands behind one weekday, did you mean MONL?", caret: "        ^~~~~~~"},
		{expr: "0 8 * * MON-FRI#2", want: "field 5 (weekday): #2 stands behind one weekday, did you mean MON#2?", caret: "        ^~~~~~~"},
		{expr: "0 8 * * FRI#6", want: `field 5 (weekday): "6" is not within 1-5, did you mean FRI#5 or FRIL?`, caret: "            ^"},
		{expr: "0 8 * * FRI#0", want: `field 5 (weekday): "0" is not within 1-5, did you mean FRI#1?`, caret: "            ^"},
		{expr: "0 8 * * FRI#", want: `field 5 (weekday): "" is not within 1-5, did you mean FRI#1?`, caret: "        ^~~~"},
		{expr: "0 8 * * #2", want: "field 5 (weekday): #2 needs a weekday before it, did you mean MON#2?", caret: "        ^"},
		{expr: "0 8 * * FRI#x", want: `field 5 (weekday): "X" is not within 1-5, did you mean FRI#1?`, caret: "            ^"},
		{expr: "0 8 * * 15W", want: `field 5 (weekday): "15W" is not a weekday, W belongs in the field day`, caret: "        ^~~"},
		{expr: "0 8 * * FRI#2/2", want: `field 5 (weekday): "FRI#2/2": a step cannot stand behind FRI#2`, caret: "        ^~~~~~~"},
		{expr: "0 8 * L *", want: `field 4 (month): "L": L belongs in the field day`, caret: "      ^"},
		{expr: "0 L * * *", want: `field 2 (hour): "L": L belongs in the field day`, caret: "  ^"},
		{expr: "0 8#2 * * *", want: `field 2 (hour): "8#2": the n-th weekday of a month (#) belongs in the field weekday`, caret: "  ^~~"},
		{expr: "0 8 * * * 27", want: "it has 6 fields, it must have 5; a field for seconds comes first only when --seconds asks for it"},
		{expr: "0 8 * * * 2030-2027", want: `field 6 (year): "2030-2027" runs backwards, did you mean 2027-2030?`, caret: "          ^~~~~~~~~"},
		{expr: "0 8 * * * 1969", want: "field 6 (year): 1969 is out of range 1970-2099, did you mean 1970?", caret: "          ^~~~"},
		{expr: "0 8 * * * 2100", want: "field 6 (year): 2100 is out of range 1970-2099, did you mean 2099?", caret: "          ^~~~"},
		{expr: "0 8 * * * 2027,", want: "field 6 (year): a member of the list is missing", caret: "              ^"},
		{expr: "0 8 * * * 2027-", want: "field 6 (year): one end of the range is missing", caret: "              ^"},
		{expr: "50-10 * * * *", want: `field 1 (minute): "50-10" runs backwards, did you mean 50-59,0-10?`, caret: "^~~~~"},
		{expr: "50-10 * * * * *", seconds: true, want: `field 1 (second): "50-10" runs backwards, did you mean 50-59,0-10?`, caret: "^~~~~"},
		{expr: "61 0 8 * * *", seconds: true, want: "field 1 (second): 61 is out of range 0-59, did you mean 59?", caret: "^~"},
		{expr: "0 8 31 FEB,APR *", want: "field 3 (day): it never fires, February and April have 30 days at most", caret: "    ^~"},
		{expr: "0 8 L-30 2 *", want: "field 3 (day): it never fires, February has 29 days at most", caret: "    ^~~~"},
		{expr: "0 8 31W 2 *", want: "field 3 (day): it never fires, February has 29 days at most", caret: "    ^~~"},
		{expr: "0 8 * FEBRUAYR *", want: `field 4 (month): "FEBRUAYR" is not a month, did you mean FEBRUARY?`, caret: "      ^~~~~~~~"},
		{expr: "0 8 * * Wendsday", want: `field 5 (weekday): "Wendsday" is not a weekday, did you mean WEDNESDAY?`, caret: "        ^~~~~~~~"},
		{expr: "0 8 * * THURS", want: `field 5 (weekday): "THURS" is not a weekday, did you mean THU?`, caret: "        ^~~~~"},
		{expr: "0 8 * SEPT *", want: `field 4 (month): "SEPT" is not a month, did you mean SEP?`, caret: "      ^~~~"},
		{expr: "0 8 * 9 9", want: "field 5 (weekday): 9 is out of range 0-7, did you mean 7?", caret: "        ^"},
		{expr: "0 8 * * 1-9", want: "field 5 (weekday): 9 is out of range 0-7, did you mean 7?", caret: "          ^"},
		{expr: "0 8,99 * * *", want: "field 2 (hour): 99 is out of range 0-23, did you mean 23?", caret: "    ^~"},
		{expr: "8:30 * * * *", want: `field 1 (minute): "8:30" is not a minute, it must be within 0-59`, caret: "^~~~"},
		{expr: "0 8 * * MON,", want: "field 5 (weekday): a member of the list is missing", caret: "           ^"},
		{expr: "0 8 * * MON;FRI", want: `field 5 (weekday): "MON;FRI" is not a weekday, did you mean MON?`, caret: "        ^~~~~~~"},
		{expr: "0 8 * * MON FRI", want: "it has 6 fields, it must have 5; a field for seconds comes first only when --seconds asks for it"},
		{expr: "@daily 5", want: "nothing can stand behind @daily", caret: "       ^"},
		{expr: "@hourl", want: `"@hourl" is not a known tag`, caret: "^~~~~~"},
		{expr: "@", want: `"@" is not a known tag`, caret: "^"},
		{expr: "@weekly@", want: `"@weekly@" is not a known tag`, caret: "^~~~~~~~"},
		{expr: "H H * * *", want: `field 1 (minute): "H": a hashed value (H) is not supported, write the value`, caret: "^"},
		{expr: "- * * * *", want: "field 1 (minute): one end of the range is missing", caret: "^"},
		{expr: "/5 * * * *", want: "field 1 (minute): the step has nothing before it, did you mean */5?", caret: "^~"},
		{expr: "0 8 * * MON--FRI", want: `field 5 (weekday): "-FRI" is not a weekday, did you mean FRI?`, caret: "            ^~~~"},
		{expr: "0 8 * * MON-", want: "field 5 (weekday): one end of the range is missing", caret: "           ^"},
		{expr: "1-2-3 * * * *", want: `field 1 (minute): "2-3" is not a minute, it must be within 0-59`, caret: "  ^~~"},
		{expr: "0 8 1.5 * *", want: `field 3 (day): "1.5" is not a day, it must be within 1-31`, caret: "    ^~~"},
		{expr: "0 8 2026-12-01 * *", want: "field 3 (day): 2026 is out of range 1-31, did you mean 31?", caret: "    ^~~~"},
		{expr: "0x10 8 * * *", want: `field 1 (minute): "0x10" is not a minute, it must be within 0-59`, caret: "^~~~"},
		{expr: "0 8 * * * * * *", want: "it has 8 fields, it must have 5"},
		{expr: "* * * *", want: "it has 4 of 5 fields"},
		{expr: "* * * *", seconds: true, want: "it has 4 of 5 fields"},
		{expr: "0 0 8 * * * * *", seconds: true, want: "it has 8 fields, it must have 5"},
		{expr: "60/5 * * * *", want: "field 1 (minute): 60 is out of range 0-59, did you mean 0?", caret: "^~"},
		{expr: "0 8 * * MON/8", want: "field 5 (weekday): a step of 8 leaves 1-6 at once and covers 1 only, did you mean 1?", caret: "            ^"},
		{expr: "0 22/3 * * *", want: "field 2 (hour): a step of 3 leaves 22-23 at once and covers 22 only, did you mean 22?", caret: "     ^"},
		{expr: "\xff\xfe\x00\x01 \x02", want: "it has 2 of 5 fields"},
		{expr: "q\x00 8 * * *", want: `field 1 (minute): "q?" is not a minute, it must be within 0-59`, caret: "^~"},
		{expr: "日本 8 * * *", want: `field 1 (minute): "日本" is not a minute, it must be within 0-59`, caret: "^~"},
		{expr: "0 8 * * ＭＯＮ", want: `field 5 (weekday): "ＭＯＮ" is not a weekday, it must be within 0-7`, caret: "        ^~~"},
		{expr: "0 8 * *", want: "it has 4 of 5 fields"},
		{expr: "5 -1 * * *", want: "field 2 (hour): one end of the range is missing", caret: "  ^"},
		{expr: "0 8 1-32 * *", want: "field 3 (day): 32 is out of range 1-31, did you mean 31?", caret: "      ^~"},
		{expr: "0 8 32-1 * *", want: "field 3 (day): 32 is out of range 1-31, did you mean 31?", caret: "    ^~"},
		{expr: "0 8 * 13 *", want: "field 4 (month): 13 is out of range 1-12, did you mean 12?", caret: "      ^~"},
		{expr: "0 8 * 0 *", want: "field 4 (month): 0 is out of range 1-12, did you mean 1?", caret: "      ^"},
		{expr: "0 8 * DEC-13 *", want: "field 4 (month): 13 is out of range 1-12, did you mean 12?", caret: "          ^~"},
		{expr: "0 -8 * * *", want: "field 2 (hour): one end of the range is missing", caret: "  ^"},
		{expr: "CRON_TZ 0 8 * * *", want: "CRON_TZ= names no time zone"},
		{expr: "0 8 * * MON 2027-2026", want: `field 6 (year): "2027-2026" runs backwards, did you mean 2026-2027?`, caret: "            ^~~~~~~~~"},
		{expr: "*/0 0 8 * * *", seconds: true, want: "field 1 (second): the step is 0, it must be at least 1", caret: "  ^"},
		{expr: "*/75 0 8 * * *", seconds: true, want: "field 1 (second): a step of 75 leaves 0-59 at once and covers 0 only, did you mean 0?", caret: "  ^~"},
		{expr: "0 0 8 31 4 * 2027", seconds: true, want: "field 4 (day): it never fires, April has 30 days at most", caret: "      ^~"},
		{expr: "@every 0s", want: "the interval must be at least 1s", caret: "       ^~"},
		{expr: "@every five minutes", want: `"five minutes" is not an interval`, caret: "       ^~~~~~~~~~~~"},
		{expr: "@every 90", want: `"90" has no unit, did you mean 90s?`, caret: "       ^~"},
		{expr: "@every 1h30", want: `"1h30" is not an interval`, caret: "       ^~~~"},
		{expr: "@at", want: "@at says no instant"},
		{expr: "@at 2026-02-30T08:00:00Z", want: `"2026-02-30T08:00:00Z" is not an instant`, caret: "    ^~~~~~~~~~~~~~~~~~~~"},
		{expr: "@at 2026-12-01 08:00", want: `"2026-12-01 08:00" is not an instant`, caret: "    ^~~~~~~~~~~~~~~~"},
		{expr: "@dayly @weekly", want: `"@dayly" is not a known tag`, caret: "^~~~~~"},
		{expr: "0 8 29 FEB * 2100", want: "field 6 (year): 2100 is out of range 1970-2099, did you mean 2099?", caret: "             ^~~~"},
		{expr: "0 8 29 2 * 2026-2027", want: "field 3 (day): it never fires, February has 28 days at most in 2026 and 2027", caret: "    ^~"},
		{expr: "0 8 L-29 2 * 2027", want: "field 3 (day): it never fires, February has 28 days at most in 2027", caret: "    ^~~~"},
		{expr: "0 8 */20 2 SUN#5", want: "field 3 (day): it never fires, the day and the weekday never meet", caret: "    ^~~~"},
		{expr: "0 8 31W 2,4,6,9,11 *", want: "field 3 (day): it never fires, February, April, June, September and November have 30 days at most", caret: "    ^~~"},
		{expr: "0 0 8 * * MON-", want: "it has 6 fields, it must have 5; a field for seconds comes first only when --seconds asks for it"},
		{expr: "* * * * * * * * * *", want: "it has 10 fields, it must have 5"},
		{expr: "0 8 * * 1 2027 2028", want: "it has 7 fields, it must have 5; a field for seconds comes first only when --seconds asks for it"},
		{expr: "99999 * * * *", want: `field 1 (minute): "99999" is not a minute, it must be within 0-59`, caret: "^~~~~"},
		{expr: "0 8 * * FRI#2#3", want: `field 5 (weekday): "2#3" is not within 1-5, did you mean FRI#1?`, caret: "            ^~~"},
		{expr: "0 8 15W-20W * *", want: `field 3 (day): "15W-20W" is not a day, W stands behind one day as in 15W, or in LW`, caret: "    ^~~~~~~"},
		{expr: strings.Repeat("1,", 400) + "1 8 * * *", want: "it is 809 bytes long, the most is 512"},
		{expr: strings.Repeat(",", 10<<10), want: "it is 10240 bytes long, the most is 512"},
		{expr: strings.Repeat(", ", 200), want: "it has 200 fields, it must have 5"},
		{expr: strings.Repeat(",", 500) + " * * * *", want: "field 1 (minute): a member of the list is missing", caret: "^"},
	}
}

func TestParse_showsTheFaultAndTheNearestFix(t *testing.T) {
	t.Parallel()
	for _, tt := range badExpressions() {
		t.Run(molecule.Excerpt(tt.expr, 40), func(t *testing.T) {
			t.Parallel()
			err := tt.parse()
			if got := molecule.CodeOf(err); err == nil || got != molecule.Invalid {
				t.Fatalf("error %v, want Invalid", err)
			}
			text, shown, _ := strings.Cut(err.Error(), "\n")
			line, caret, _ := strings.Cut(shown, "\n")
			if diff := cmp.Diff(strings.TrimPrefix(text, "invalid cron expression: "), tt.want); diff != "" {
				t.Errorf("message (-got +want):\n%s", diff)
			}
			if diff := cmp.Diff(caret, tt.caret); diff != "" {
				t.Errorf("caret under %q (-got +want):\n%s", line, diff)
			}
		})
	}
}
