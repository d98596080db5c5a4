package term

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewPalette_paintsWhereItIsWanted(t *testing.T) {
	t.Parallel()
	env := func(pairs ...string) func(string) (string, bool) {
		return func(name string) (string, bool) {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1], true
				}
			}
			return "", false
		}
	}
	tests := []struct {
		name   string
		mode   string
		tty    bool
		lookup func(string) (string, bool)
		want   bool
	}{
		{"terminal", ColorAuto, true, noEnv, true},
		{"pipe", ColorAuto, false, noEnv, false},
		{"NO_COLOR", ColorAuto, true, env("NO_COLOR", "1"), false},
		{"empty NO_COLOR is not set", ColorAuto, true, env("NO_COLOR", ""), true},
		{"dumb terminal", ColorAuto, true, env("TERM", "dumb"), false},
		{"always is stronger than NO_COLOR", ColorAlways, false, env("NO_COLOR", "1"), true},
		{"never", ColorNever, true, noEnv, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := NewPalette(tt.mode, tt.tty, tt.lookup).Paint(Bad, "x") != "x"
			if got != tt.want {
				t.Errorf("paints: got %t, want %t", got, tt.want)
			}
		})
	}
}

func TestTones_useTheSixteenColoursAndDifferWithoutThem(t *testing.T) {
	t.Parallel()
	paint, signs := Palette{on: true}, map[string]Tone{}
	sixteen := regexp.MustCompile(`^\x1b\[(1|3[0-7]|9[0-7])mx\x1b\[m$`)
	for _, tone := range []Tone{Good, Warn, Bad, Busy, Faint, Title} {
		if got := paint.Paint(tone, "x"); !sixteen.MatchString(got) {
			t.Errorf("tone %d is painted %q", tone, got)
		}
		sign := tone.Symbol()
		if other, taken := signs[sign]; taken && sign != "" {
			t.Errorf("tones %d and %d share the sign %q", tone, other, sign)
		}
		signs[sign] = tone
	}
	if got := (Palette{}).Mark(Bad); got != "✗" {
		t.Errorf("mark without colour: got %q, want the sign", got)
	}
}

func TestClean_disarmsWhatComesFromOutside(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, line, text string }{
		{"plain", "say hello", "say hello", "say hello"},
		{"lines", "one\ntwo\tthree", "one two three", "one\ntwo\tthree"},
		{"colour", "\x1b[31mred\x1b[0m", "[31mred[0m", "[31mred[0m"},
		{"title", "\x1b]0;owned\x07x", "]0;ownedx", "]0;ownedx"},
		{"C1", "a\u009bb", "ab", "ab"},
		{"carriage return", "good\rbad", "good bad", "goodbad"},
		{"right to left", "a\u202eb\u2066c", "abc", "abc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff([]string{Clean(tt.in), CleanText(tt.in)}, []string{tt.line, tt.text}); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestCut_countsColumnsNotBytes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in    string
		width int
		want  string
	}{
		{"hello", 5, "hello"},
		{"hello", 4, "hel…"},
		{"報告書", 5, "報告…"},
		{"報告書", 4, "報…"},
		{"héllo", 3, "hé…"},
		{"hello", 0, "hello"},
		{"hello", 1, "…"},
	}
	for _, tt := range tests {
		if got := Cut(tt.in, tt.width); got != tt.want {
			t.Errorf("Cut(%q, %d): got %q, want %q", tt.in, tt.width, got, tt.want)
		}
	}
}

func TestWrap_breaksAtBlanks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in    string
		width int
		want  []string
	}{
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 0, []string{"one two three"}},
		{"short", 80, []string{"short"}},
		{"a averylongword b", 4, []string{"a", "averylongword", "b"}},
		{"報告 書", 4, []string{"報告", "書"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(Wrap(tt.in, tt.width), tt.want); diff != "" {
			t.Errorf("%q in %d columns, got, want:\n%s", tt.in, tt.width, diff)
		}
	}
}

func TestTimes_writesInstantsAsAsked(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("CEST", 2*60*60)
	tests := []struct {
		name  string
		times Times
		at    time.Time
		want  string
	}{
		{"never", Times{Style: TimeRelative, Now: noon()}, time.Time{}, ""},
		{"ago", Times{Style: TimeRelative, Now: noon()}, noon().Add(-12 * time.Second), "12s ago"},
		{"ahead", Times{Style: TimeRelative, Now: noon()}, noon().Add(26 * time.Hour), "in 26h"},
		{"now", Times{Style: TimeRelative, Now: noon()}, noon().Add(500 * time.Millisecond), "now"},
		{"days", Times{Style: TimeRelative, Now: noon()}, noon().AddDate(0, 0, -12), "12d ago"},
		{"iso", Times{Style: TimeISO}, noon().In(berlin), "2026-04-14T12:00:00Z"},
		{"local", Times{Style: TimeLocal, Zone: berlin}, noon(), "2026-04-14 14:00:00 CEST"},
		{"local without a zone", Times{Style: TimeLocal}, noon(), "2026-04-14 12:00:00 UTC"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.times.Format(tt.at); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSpan_namesTheLargestUnit(t *testing.T) {
	t.Parallel()
	tests := map[time.Duration]string{
		40 * time.Millisecond: "40ms", 59 * time.Second: "59s", 90 * time.Second: "1m",
		59 * time.Minute: "59m", 47 * time.Hour: "47h", 49 * time.Hour: "2d",
	}
	for d, want := range tests {
		if got := Span(d); got != want {
			t.Errorf("Span(%s): got %q, want %q", d, got, want)
		}
	}
}

func TestStreams_columnsAreUnlimitedInAPipe(t *testing.T) {
	t.Parallel()
	tests := []struct {
		s    Streams
		want int
	}{
		{Streams{Width: 120}, 0},
		{Streams{OutTTY: true, Width: 120}, 120},
		{Streams{OutTTY: true}, 80},
	}
	for _, tt := range tests {
		if got := tt.s.Columns(); got != tt.want {
			t.Errorf("%+v: got %d columns, want %d", tt.s, got, tt.want)
		}
	}
}

func TestTable_paintsButDoesNotMeasurePaint(t *testing.T) {
	t.Parallel()
	var plain, painted bytes.Buffer
	l := Layout{Width: 60, Times: Times{Style: TimeRelative, Now: noon()}}
	if err := sample().Write(&plain, l); err != nil {
		t.Fatal(err)
	}
	l.Palette = Palette{on: true}
	if err := sample().Write(&painted, l); err != nil {
		t.Fatal(err)
	}
	stripped := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(painted.String(), "")
	if diff := cmp.Diff(stripped, plain.String()); diff != "" {
		t.Errorf("painted without paint, plain:\n%s", diff)
	}
	if !strings.Contains(painted.String(), "\x1b[32m✓ active") {
		t.Errorf("the good state is not green:\n%q", painted.String())
	}
}
