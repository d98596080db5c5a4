package schedulefile

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// specs draws schedules of which nothing is the default, or anything.
func specs() *rapid.Generator[[]molecule.ScheduleSpec] {
	return rapid.Custom(func(t *rapid.T) []molecule.ScheduleSpec {
		var list []molecule.ScheduleSpec
		for _, name := range rapid.SliceOfNDistinct(rapid.OneOf(
			rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,20}`), rapid.SampledFrom([]string{"true", "null", "1e5", "on", "2026-01-01", "0x10", "NO"}),
		), 0, 5, rapid.ID).Draw(t, "names") {
			list = append(list, molecule.ScheduleSpec{
				Name: name, Agent: rapid.SampledFrom([]string{"echo", "null", "42", "a.b"}).Draw(t, "agent"),
				Cron:    rapid.SampledFrom([]string{"* * * * *", "0 8 * * MON-FRI", "@every 90s", "@at 2026-12-01T08:00:00Z", "0 0 L * FRI#2 2027"}).Draw(t, "cron"),
				TZ:      rapid.SampledFrom([]string{"", "UTC", "Europe/Berlin", "Etc/GMT+5"}).Draw(t, "tz"),
				DST:     rapid.SampledFrom([]string{"", "skip", "both"}).Draw(t, "dst"),
				Seconds: rapid.Bool().Draw(t, "seconds"), Phase: drawDuration(t, "phase"), Prompt: drawPrompt(t),
				Timeout: drawDuration(t, "timeout"), Paused: rapid.Ptr(rapid.Bool(), true).Draw(t, "paused"), Policy: drawPolicy(t),
			})
		}
		return list
	})
}

func drawDuration(t *rapid.T, label string) molecule.Duration {
	return molecule.Duration(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 1e6)).Draw(t, label)) * molecule.Duration(time.Millisecond)
}

// drawPrompt draws a text that no form may change.
func drawPrompt(t *rapid.T) string {
	text := rapid.OneOf(
		rapid.String(), rapid.StringMatching(`[a-z :#%\\"'{}\[\]&*!|>@?,-]{1,20}`), rapid.StringMatching(`( ?[a-z%\\]{0,3} ?\n?){1,6}`),
		rapid.SampledFrom([]string{"say hello", "null", "~", "- x", "a: b", "a #b", "x\n", "x\n\n", " x", "x ", "a\n\nb\n", "a\n b", "\ta", "a\r\nb", "\ufeffx", "x\u2028y", "é日本\n語"}),
	).Filter(func(s string) bool { return molecule.ValidatePrompt(s) == nil }).Draw(t, "prompt")
	return text
}

func drawPolicy(t *rapid.T) molecule.Policy {
	p := molecule.Policy{
		CatchUp:       rapid.SampledFrom([]molecule.CatchUp{"", molecule.CatchUpAll}).Draw(t, "catch up"),
		CatchUpWindow: drawDuration(t, "window"), CatchUpMax: rapid.IntRange(0, 9).Draw(t, "max"),
		Overlap: rapid.SampledFrom([]molecule.Overlap{"", molecule.OverlapQueue}).Draw(t, "overlap"),
		Jitter:  drawDuration(t, "jitter"), JitterMode: rapid.SampledFrom([]molecule.JitterMode{"", molecule.JitterSpread}).Draw(t, "mode"),
		Retries: rapid.Ptr(rapid.IntRange(0, 9), true).Draw(t, "retries"), Resend: rapid.SampledFrom([]molecule.Resend{"", molecule.ResendSafe}).Draw(t, "resend"),
		MaxRuns: rapid.IntRange(0, 3).Draw(t, "runs"),
	}
	if rapid.Bool().Draw(t, "has budget") {
		p.Budget = &molecule.Budget{
			Runs: rapid.IntRange(1, 9).Draw(t, "budget"), Tokens: rapid.Int64Range(0, 1e12).Draw(t, "tokens"),
			CostUSD: rapid.SampledFrom([]float64{0, 0.001, 12.5, 1e-9, 1e9}).Draw(t, "cost"), Window: drawDuration(t, "budget window"),
		}
	}
	p.Exclusions = rapid.SampledFrom([][]string{nil, {"holidays"}, {"true", "a.b", "7"}}).Draw(t, "exclusions")
	if rapid.Bool().Draw(t, "ends") {
		p.Until = time.Unix(rapid.Int64Range(1, 4e9).Draw(t, "until"), 0).UTC()
	}
	return p
}

// said returns what a file says, without where.
func said(f *File) []molecule.ScheduleSpec {
	var list []molecule.ScheduleSpec
	for _, e := range f.Entries {
		list = append(list, e.Spec)
	}
	return list
}

func noPrompt(string) (string, error) { return "", molecule.Errorf(molecule.Invalid, "no such file") }

func TestYAML_isReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := specs().Draw(t, "specs")
		var text bytes.Buffer
		if err := WriteYAML(&text, want); err != nil {
			t.Fatal(err)
		}
		fast := &File{text: text.String()}
		var ok bool
		if fast.Entries, ok = readCanonical(text.String(), noPrompt); !ok {
			t.Fatalf("the short way does not know what was written:\n%s", &text)
		}
		if diff := cmp.Diff(said(fast), want); diff != "" {
			t.Fatalf("the short way (-got +want):\n%s\n%s", diff, &text)
		}
		slow := &File{name: "f", text: text.String()}
		if err := readTree(slow, Options{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(slow, &File{name: "f", text: text.String(), Entries: fast.Entries}, cmp.AllowUnexported(File{})); diff != "" {
			t.Fatalf("the tree (-got +want):\n%s\n%s", diff, &text)
		}
	})
}

// TestYAML_hasNoSecondMeaning changes what was written: what the short way still
// reads, the tree has to read as the same.
func TestYAML_hasNoSecondMeaning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var b bytes.Buffer
		if err := WriteYAML(&b, specs().Draw(t, "specs")); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			cut := min(len(text), at+rapid.IntRange(0, 3).Draw(t, "cut"))
			with := rapid.OneOf(rapid.SampledFrom([]string{"", "\n", "  ", "\"", "\\", ": ", "- ", "#", "|", "x", "7", "\t", "\r", "&a ", "null", "é", "\x00", "\u0085", "\ufeff", "\n\n", "\n# c\n", "\n      # c\n", "\n    # c\n"}), rapid.StringN(0, 2, -1)).Draw(t, "with")
			text = text[:at] + with + text[cut:]
		}
		entries, ok := readCanonical(text, noPrompt)
		if !ok || strings.ToValidUTF8(text, "") != text {
			return
		}
		slow := &File{name: "f", text: text}
		if err := readTree(slow, Options{}); err != nil {
			t.Fatalf("%v\n%q", err, text)
		}
		if diff := cmp.Diff(slow, &File{name: "f", text: text, Entries: entries}, cmp.AllowUnexported(File{})); diff != "" {
			t.Fatalf("the tree reads otherwise (-tree +short way):\n%s\n%q", diff, text)
		}
	})
}

func TestCrontab_isReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := specs().Draw(t, "specs")
		for i := range all {
			if rapid.IntRange(0, 3).Draw(t, "plain") > 0 { // most of them can be said
				all[i] = molecule.ScheduleSpec{
					Name: all[i].Name, Agent: all[i].Agent, Prompt: all[i].Prompt, TZ: rapid.SampledFrom([]string{"UTC", "Europe/Berlin"}).Draw(t, "zone"),
					Cron: rapid.SampledFrom([]string{"* * * * *", "0 8 * * MON-FRI", "*/5 0-3,7 1 JAN-MAR 5-7", "0 22-2 * * *", "0 8 L * *", "0 8 * * FRIL"}).Draw(t, "cron"),
				}
			}
		}
		var text bytes.Buffer
		left, err := WriteCrontab(&text, all)
		if err != nil {
			t.Fatal(err)
		}
		var want []molecule.ScheduleSpec
		missing := make(map[string]bool)
		for _, l := range left {
			missing[l.Name] = true
		}
		for _, s := range all {
			if !missing[s.Name] {
				want = append(want, s)
			}
		}
		f, err := Read(text.String(), Options{Name: "f", Format: Crontab})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(said(f), want); diff != "" || len(f.Faults)+len(f.Ignored) > 0 {
			t.Fatalf("(-got +want), faults %v:\n%s\n%q", f.Faults, diff, &text)
		}
	})
}
