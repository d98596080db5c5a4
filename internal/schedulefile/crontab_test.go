package schedulefile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// lines joins lines of a file.
func lines(all ...string) string { return strings.Join(all, "\n") + "\n" }

func TestCrontab_saysWhenAndWhat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		text string
		want []string // line name agent zone|cron|prompt
	}{
		{"an entry", "0 8 * * * say hello\n", []string{"1 say-hello me UTC|0 8 * * *|say hello"}},
		{"without an end of line", "0 8 * * * say hello", []string{"1 say-hello me UTC|0 8 * * *|say hello"}},
		{"tabs, blanks and CRLF", " 0\t8  *\t* *  \t say  hello \r\n", []string{"1 say-hello me UTC|0 8 * * *|say  hello "}},
		{"macros", lines("@daily a", "@Hourly b", "@every 90s c d", "@midnight e"), []string{
			"1 a me UTC|@daily|a", "2 b me UTC|@Hourly|b", "3 c-d me UTC|@every 90s|c d", "4 e me UTC|@midnight|e",
		}},
		{"CRON_TZ is of the lines below", lines("0 8 * * * a", "CRON_TZ = 'Europe/Berlin'", "0 8 * * * b", "CRON_TZ=", "0 8 * * * c"), []string{
			"1 a me UTC|0 8 * * *|a", "3 b me Europe/Berlin|0 8 * * *|b", "5 c me UTC|0 8 * * *|c",
		}},
		{"or of its own", lines("CRON_TZ=Asia/Tokyo 0 8 * * * a", "TZ=Asia/Tokyo @daily b", "0 8 * * * c"), []string{
			"1 a me Asia/Tokyo|0 8 * * *|a", "2 b me Asia/Tokyo|@daily|b", "3 c me UTC|0 8 * * *|c",
		}},
		{"a name above", lines("# Nightly backup, of all!", "0 3 * * * x", "0 4 * * * x", "# night_2.b", "0 5 * * * x"), []string{
			"2 nightly-backup-of-all me UTC|0 3 * * *|x", "3 x me UTC|0 4 * * *|x", "5 night_2.b me UTC|0 5 * * *|x",
		}},
		{"the nearest comment that could be a name", lines("# one", "# two", "# ----", "0 3 * * * x"), []string{"4 two me UTC|0 3 * * *|x"}},
		{"no name from afar", lines("# one", "", "0 3 * * * x"), []string{"3 x me UTC|0 3 * * *|x"}},
		{"no name from an entry that was switched off", lines("# one", "#0 3 * * * old", "0 3 * * * x"), []string{"3 x me UTC|0 3 * * *|x"}},
		{"no name from the head of the columns", lines("# m h  dom mon dow   command", "0 3 * * * x"), []string{"2 x me UTC|0 3 * * *|x"}},
		{"names are unique", lines("# same", "0 3 * * * x", "# same", "0 4 * * * x", "# Same!", "0 5 * * * x"), []string{
			"2 same me UTC|0 3 * * *|x", "4 same-2 me UTC|0 4 * * *|x", "6 same-3 me UTC|0 5 * * *|x",
		}},
		{"a name of the command", lines("0 3 * * * /usr/bin/php -q /srv/cron.php --all", "0 3 * * * 日本"), []string{
			"1 php-q-srv-cron.php-all me UTC|0 3 * * *|/usr/bin/php -q /srv/cron.php --all", "2 line-2 me UTC|0 3 * * *|日本",
		}},
		{"an agent of its own", lines("0 3 * * * a", "# agent: you", "# b", "0 3 * * * x", "0 3 * * * c"), []string{
			"1 a me UTC|0 3 * * *|a", "4 b you UTC|0 3 * * *|x", "5 c you UTC|0 3 * * *|c",
		}},
		{"percent signs", lines(`0 3 * * * mail%dear all%%50\% off \n \\% x`), []string{
			"1 mail-dear-all-50-off-n-x me UTC|0 3 * * *|mail\ndear all\n\n50% off \\n \\\\\n x",
		}},
		{"what looks like a variable within a prompt", "0 3 * * * A=1 b\n", []string{"1 a-1-b me UTC|0 3 * * *|A=1 b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := Read(tt.text, Options{Name: "crontab", Agent: "me"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range f.Entries {
				got = append(got, fmt.Sprintf("%d %s %s %s|%s|%s", e.Line, e.Spec.Name, e.Spec.Agent, e.Spec.TZ, e.Spec.Cron, e.Spec.Prompt))
			}
			if diff := cmp.Diff(got, tt.want); diff != "" || len(f.Faults)+len(f.Ignored) > 0 {
				t.Errorf("faults %v, ignored %v, (-got +want):\n%s", f.Faults, f.Ignored, diff)
			}
		})
	}
}

func TestCrontab_namesWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want, hint string }{
		{"@reboot start", "f:1:1: @reboot is not supported: a start of the machine is no slot, and whether it was missed nobody could say\n" +
			"@reboot start\n^~~~~~~", "take the line out"},
		{"0 8 * * *", "f:1:10: it has no prompt\n0 8 * * *\n         ^", "behind 0 8 * * *"},
		{"\t@daily ", "f:1:9: it has no prompt\n @daily \n        ^", "behind @daily"},
		{"0 8 *", "f:1:1: it has 3 of 5 fields and no prompt\n0 8 *\n^~~~~", "minute hour day"},
		{"say hello", "f:1:1: it has 2 of 5 fields and no prompt\nsay hello\n^~~~~~~~~", "minute hour day"},
		{"CRON_TZ=Europe/Berln", "f:1:9: time zone \"Europe/Berln\" is not known\nCRON_TZ=Europe/Berln\n        ^~~~~~~~~~~~", "did you mean Europe/Berlin?"},
		{"CRON_TZ=Nowhere 0 8 * * * x", "f:1:9: time zone \"Nowhere\" is not known\nCRON_TZ=Nowhere 0 8 * * * x\n        ^~~~~~~", "IANA"},
	}
	for _, tt := range tests {
		f, err := Read("0 0 * * * fine\n"+tt.text+"\n@daily fine too", Options{Name: "f", Format: Crontab, Agent: "me"})
		if err != nil || len(f.Faults) == 0 {
			t.Errorf("%q: %v, %v", tt.text, f, err)
			continue
		}
		want := strings.Replace(tt.want, "f:1", "f:2", 1)
		if got := f.Show(f.Faults[0]); got != want || !strings.Contains(f.Faults[0].Hint, tt.hint) {
			t.Errorf("%q:\n%s\ntry: %s\nwant:\n%s\ntry: %s", tt.text, got, f.Faults[0].Hint, want, tt.hint)
		}
	}
}

func TestCrontab_keepsNothingBelowAZoneThatIsNotKnown(t *testing.T) {
	t.Parallel()
	f, err := Read(lines("CRON_TZ=Nowhere", "0 8 * * * a", "CRON_TZ=UTC", "0 8 * * * b"), Options{Name: "f", Agent: "me"})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Entries) != 1 || f.Entries[0].Line != 4 || len(f.Faults) != 2 || f.Faults[1].Line != 2 || f.Faulty != 1 {
		t.Errorf("entries %v, faults %v", f.Entries, f.Faults)
	}
}

func TestCrontab_saysWhichLinesHaveNoEffect(t *testing.T) {
	t.Parallel()
	f, err := Read(lines("MAILTO=me@example.com", "SHELL = /bin/sh", "# c", "TZ=America/New_York", "API_KEY=secret", "RANDOM_DELAY=5", "0 8 * * * a"),
		Options{Name: "f", Agent: "me"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, t := range f.Ignored {
		got = append(got, f.Show(t))
	}
	want := []string{
		"f:1: MAILTO has no effect here: nobody is mailed, molecli run list shows what was said",
		"f:2: SHELL has no effect here: a prompt has no environment, that of a command is said by molecli agent add",
		"f:4: TZ has no effect here: in a crontab it is of the command and not of when it runs, which CRON_TZ is",
		"f:5: API_KEY has no effect here: a prompt has no environment, that of a command is said by molecli agent add",
		"f:6: RANDOM_DELAY has no effect here: molecli schedule update NAME --jitter DURATION delays a schedule",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if !f.Unzoned || f.Entries[0].Spec.TZ != "UTC" || f.Entries[0].Spec.Name != "a" {
		t.Errorf("the entry is %+v, its zone is named: %t", f.Entries[0], !f.Unzoned)
	}
}

func TestCrontab_needsAnAgentAndAKnownZone(t *testing.T) {
	t.Parallel()
	_, err := Read("\n@daily x\n", Options{Name: "f", Format: Crontab})
	if molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error(), "f:2") || !strings.Contains(molecule.HintOf(err), "--agent") {
		t.Errorf("without an agent: %v (%s)", err, molecule.HintOf(err))
	}
	_, err = Read("@daily x\n", Options{Name: "f", Agent: "me", TZ: "Europe/Berln"})
	if molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(molecule.HintOf(err), "Europe/Berlin") {
		t.Errorf("in a zone that is not known: %v (%s)", err, molecule.HintOf(err))
	}
}

func TestWriteCrontab_saysWhatItCannot(t *testing.T) {
	t.Parallel()
	paused := true
	plain := molecule.ScheduleSpec{Agent: "me", Cron: "0 8 * * *", TZ: "UTC", Prompt: "p"}
	tests := []struct {
		name   string
		change func(*molecule.ScheduleSpec)
		why    string
	}{
		{"once", func(s *molecule.ScheduleSpec) { s.Cron = "@at 2026-12-01T08:00:00Z" }, "happens once"},
		{"interval", func(s *molecule.ScheduleSpec) { s.Cron = "@every 90s" }, "no intervals"},
		{"years", func(s *molecule.ScheduleSpec) { s.Cron = "0 8 * * * 2027" }, "no years"},
		{"seconds", func(s *molecule.ScheduleSpec) { s.Cron, s.Seconds = "0 0 8 * * *", true }, "says nothing of seconds"},
		{"last day", func(s *molecule.ScheduleSpec) { s.Cron = "0 8 L * *" }, "no L, W and #"},
		{"last friday", func(s *molecule.ScheduleSpec) { s.Cron = "0 8 * * 5L,MON" }, "no L, W and #"},
		{"second friday", func(s *molecule.ScheduleSpec) { s.Cron = "0 8 * * FRI#2" }, "no L, W and #"},
		{"over the end", func(s *molecule.ScheduleSpec) { s.Cron = "0 22-2 * * *" }, "runs over the end"},
		{"over the week", func(s *molecule.ScheduleSpec) { s.Cron = "0 8 * NOV-FEB *" }, "runs over the end"},
		{"policies", func(s *molecule.ScheduleSpec) { s.Paused, s.DST, s.MaxRuns = &paused, "both", 3 }, "nothing of dst, max_runs, paused"},
		{"blank", func(s *molecule.ScheduleSpec) { s.Prompt = " p" }, "reads otherwise"},
		{"backslash", func(s *molecule.ScheduleSpec) { s.Prompt = `50\% off` }, "reads otherwise"},
	}
	list := []molecule.ScheduleSpec{plain}
	list[0].Name = "plain"
	for _, tt := range tests {
		s := plain
		s.Name = tt.name
		tt.change(&s)
		list = append(list, s)
	}
	var text strings.Builder
	left, err := WriteCrontab(&text, list)
	if err != nil || len(left) != len(tests) {
		t.Fatalf("left out: %v, %v", left, err)
	}
	for i, l := range left {
		if l.Name != tests[i].name || !strings.Contains(l.Why, tests[i].why) {
			t.Errorf("%s is left out because %q, want %q", l.Name, l.Why, tests[i].why)
		}
	}
	if want := "CRON_TZ=UTC\n# agent: me\n\n# plain\n0 8 * * * p\n"; text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
}
