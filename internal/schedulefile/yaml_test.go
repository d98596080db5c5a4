package schedulefile

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/textfile"
)

// everything says all that can be said about a schedule.
func everything() molecule.ScheduleSpec {
	paused, retries := false, 0
	return molecule.ScheduleSpec{
		Name: "all", Agent: "echo", Cron: "0 0 8 * * *", TZ: "Europe/Berlin", DST: "both", Seconds: true, Phase: molecule.Duration(time.Hour),
		Prompt: "say hello\nor not", Timeout: molecule.Duration(5 * time.Minute), Paused: &paused,
		Policy: molecule.Policy{
			CatchUp: molecule.CatchUpAll, CatchUpWindow: molecule.Duration(time.Hour), CatchUpMax: 3, Overlap: molecule.OverlapQueue,
			Jitter: molecule.Duration(90 * time.Second), JitterMode: molecule.JitterSpread, Retries: &retries, Resend: molecule.ResendSafe,
			Budget: &molecule.Budget{Runs: 4, Tokens: 5, CostUSD: 0.5, Window: molecule.Duration(time.Hour)}, Exclusions: []string{"holidays", "freeze"},
			MaxRuns: 7, Until: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC),
		},
	}
}

// TestWriteYAML_hasOneForm holds the form of an export against a file.
// UPDATE_CANONICAL=1 writes it anew, to be reviewed.
func TestWriteYAML_hasOneForm(t *testing.T) {
	t.Parallel()
	list := []molecule.ScheduleSpec{
		everything(), {Name: "plain", Agent: "echo", Cron: "* * * * *", TZ: "UTC", Prompt: "say hello"},
		{Name: "null", Agent: "42", Cron: "@at 2026-12-01T08:00:00Z", TZ: "UTC", Prompt: "say: \"hello\"\tor\x1b[31m 日本"},
		{Name: "lines", Agent: "echo", Cron: "@daily", TZ: "UTC", Prompt: "# a\n\n  b\n"},
	}
	var got strings.Builder
	if err := WriteYAML(&got, list); err != nil {
		t.Fatal(err)
	}
	const path = "testdata/canonical.yaml"
	if os.Getenv("UPDATE_CANONICAL") != "" {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if diff := cmp.Diff(got.String(), string(want)); err != nil || diff != "" {
		t.Errorf("%v, (-got +want):\n%s", err, diff)
	}
	f, err := Read(got.String(), Options{Name: "f"})
	if err != nil || len(f.Faults) > 0 {
		t.Fatal(err, f)
	}
	if diff := cmp.Diff(said(f), list); diff != "" {
		t.Errorf("read again (-got +want):\n%s", diff)
	}
}

func TestYAML_isReadHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	plain := molecule.ScheduleSpec{Name: "a", Agent: "echo", Cron: "0 8 * * *", Prompt: "p"}
	with := func(change func(*molecule.ScheduleSpec)) []molecule.ScheduleSpec {
		s := plain
		change(&s)
		return []molecule.ScheduleSpec{s}
	}
	const head = "- name: a\n  agent: echo\n  prompt: p\n"
	tests := []struct {
		name, text string
		want       []molecule.ScheduleSpec
	}{
		{"a list alone", head + "  cron: 0 8 * * *\n", with(func(*molecule.ScheduleSpec) {})},
		{"CRLF and a byte order mark", "\ufeff" + strings.ReplaceAll(head+"  cron: 0 8 * * *\n", "\n", "\r\n"), with(func(*molecule.ScheduleSpec) {})},
		{"JSON", `{"schedules":[{"name":"a","agent":"echo","cron":"0 8 * * *","prompt":"p\ud83d\ude00\/","budget":{"runs":1},"exclusions":["x"],"retries":2}]}`,
			with(func(s *molecule.ScheduleSpec) {
				two := 2
				s.Prompt, s.Budget, s.Exclusions, s.Retries = "p😀/", &molecule.Budget{Runs: 1}, []string{"x"}, &two
			})},
		{"flow", "schedules: [{name: a, agent: echo, cron: \"0 8 * * *\", prompt: p}]", with(func(*molecule.ScheduleSpec) {})},
		{"several documents", "---\n" + head + "  cron: 0 8 * * *\n---\nschedules:\n- {name: b, agent: echo, cron: '0 8 * * *', prompt: p}\n",
			[]molecule.ScheduleSpec{plain, {Name: "b", Agent: "echo", Cron: "0 8 * * *", Prompt: "p"}}},
		{"folded", "- name: a\n  agent: echo\n  cron: 0 8 * * *\n  prompt: >\n    one\n    two\n", with(func(s *molecule.ScheduleSpec) { s.Prompt = "one two\n" })},
		{"numbers and truths as texts", "- name: 1\n  agent: true\n  cron: 0 8 * * *\n  prompt: 0x10\n",
			[]molecule.ScheduleSpec{{Name: "1", Agent: "true", Cron: "0 8 * * *", Prompt: "0x10"}}},
		{"at, on the clock of tz", head + "  at: 2026-12-01 08:00\n  tz: Europe/Berlin\n",
			with(func(s *molecule.ScheduleSpec) { s.Cron, s.TZ = "@at 2026-12-01T07:00:00Z", "Europe/Berlin" })},
		{"at, an instant", head + "  at: \"2026-12-01T08:00:00+01:00\"\n", with(func(s *molecule.ScheduleSpec) { s.Cron = "@at 2026-12-01T07:00:00Z" })},
		{"until, a day of tz", head + "  cron: 0 8 * * *\n  until: 2026-12-31\n  tz: Asia/Tokyo\n",
			with(func(s *molecule.ScheduleSpec) {
				s.TZ, s.Until = "Asia/Tokyo", time.Date(2026, 12, 31, 14, 59, 59, 0, time.UTC)
			})},
		{"a prompt of a file", "- name: a\n  agent: echo\n  cron: 0 8 * * *\n  prompt_file: prompts/a.md\n", with(func(s *molecule.ScheduleSpec) { s.Prompt = "of prompts/a.md" })},
		{"nothing", "schedules: []\n", nil},
		{"nothing but comments", "---\n# none yet\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := Read(tt.text, Options{Name: "f", Format: YAML, ReadPrompt: func(p string) (string, error) { return "of " + p, nil }})
			if err != nil || len(f.Faults) > 0 {
				t.Fatal(err, f.Faults)
			}
			if diff := cmp.Diff(said(f), tt.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
}

func TestYAML_namesWhatIsWrong(t *testing.T) {
	t.Parallel()
	const head = "- name: a\n  agent: echo\n  cron: 0 8 * * *\n  prompt: p\n"
	tests := []struct{ text, want, hint string }{
		{head + "  promt: q\n", "f:5:3: there is no key \"promt\"\n  promt: q\n  ^~~~~", "did you mean prompt?"},
		{head + "  colour: red\n", "f:5:3: there is no key \"colour\"\n  colour: red\n  ^~~~~~", "the keys are name, agent, cron"},
		{head + "  next_slot_at: x\n", "f:5:3: next_slot_at is what the daemon makes of a schedule\n  next_slot_at: x\n  ^~~~~~~~~~~~", "leave it out"},
		{head + "  seconds: yes\n", "f:5:12: \"yes\" is neither true nor false\n  seconds: yes\n           ^~~", "write true or false"},
		{head + "  timeout: 20\n", "f:5:12: duration \"20\" is not valid\n  timeout: 20\n           ^~", "20m"},
		{head + "  retries: '2x'\n", "f:5:12: \"2x\" is not a number\n  retries: '2x'\n           ^~~~", "digits"},
		{head + "  budget: {run: 4}\n", "f:5:12: there is no key \"run\"\n  budget: {run: 4}\n           ^~~", "did you mean runs?"},
		{head + "  budget: {cost_usd: NaN}\n", "f:5:12: \"NaN\" is not a number\n  budget: {cost_usd: NaN}\n           ^~~~~~~~", "digits"},
		{head + "  budget: {cost_usd: 1e999}\n", "f:5:12: \"1e999\" is not a number\n  budget: {cost_usd: 1e999}\n           ^~~~~~~~", "digits"},
		{head + "  budget: 4\n", "f:5:11: a budget has bounds\n  budget: 4\n          ^", "budget: {runs: 100"},
		{head + "  exclusions: holidays\n", "f:5:15: exclusions are a list of calendars\n  exclusions: holidays\n              ^~~~~~~~", "[holidays]"},
		{head + "  exclusions: [[a]]\n", "f:5:16: a list or a mapping is nothing this key can have\n  exclusions: [[a]]\n               ^", "write a text"},
		{head + "  tz:\n", "f:5:7: the key has no value\n  tz:\n      ^", "leave the key out"},
		{head + "  tz: &z UTC\n", "f:5:7: anchors, aliases and tags are not read here\n  tz: &z UTC\n      ^", "the value itself"},
		{head + "  <<: {a: b}\n", "f:5:3: anchors, aliases and tags are not read here\n  <<: {a: b}\n  ^~", "the value itself"},
		{head + "  at: 2026-12-01T08:00\n", "f:5:7: a has both cron and at\n  at: 2026-12-01T08:00\n      ^~~~~~~~~~~~~~~~", "leave one"},
		{head + "  until: tomorrow 08:00\n", "f:5:10: \"tomorrow 08:00\" is no time\n  until: tomorrow 08:00\n         ^~~~~~~~~~~~~~", "2026-12-31"},
		{head + "  prompt_file: x\n", "f:5:16: a has both prompt and prompt_file\n  prompt_file: x\n               ^", "leave one"},
		{"- name: a\n  agent: echo\n  prompt: p\n  at: tomorrow 08:00\n", "f:4:7: \"tomorrow 08:00\" would be another instant each time the file is read\n" +
			"  at: tomorrow 08:00\n      ^~~~~~~~~~~~~~", "2026-12-01T08:00"},
		{"- agent: echo\n  cron: x\n  prompt: p\n", "f:1: the schedule has no name", "name: NAME"},
		{"- name: a\n  cron: x\n  prompt: p\n", "f:1: a has no agent", "agent: AGENT"},
		{"- name: a\n  agent: echo\n  prompt: p\n", "f:1: a does not say when", "cron:"},
		{"- name: a\n  agent: echo\n  cron: x\n", "f:1: a has no prompt", "prompt_file"},
		{"- name: a\n  agent: echo\n  cron: x\n  prompt_file: none.md\n", "f:4:16: no such file\n  prompt_file: none.md\n               ^~~~~~~", ""},
		{head + strings.Replace(head, "  prompt", " \n  prompt", 1), "f:5:9: the name \"a\" is that of line 1\n- name: a\n        ^", "rename"},
		{"schedules:\n- a\n", "f:2:3: this is no schedule\n- a\n  ^", "- name: NAME"},
		{"schedules: a\n", "f:1:12: schedules is no list\nschedules: a\n           ^", "- name: NAME"},
		{"items: []\n", "f:1:1: there is no key \"items\"\nitems: []\n^~~~~", "export"},
		{"name: a\nagent: b\n", "f:1:1: there is no key \"name\"\nname: a\n^~~~", "schedules"},
		{"just text\n", "f:1:1: this is no list of schedules\njust text\n^~~~~~~~~", "schedules:"},
	}
	for _, tt := range tests {
		f, err := Read(tt.text, Options{Name: "f", Format: YAML, ReadPrompt: noPrompt})
		if err != nil || len(f.Faults) == 0 {
			t.Errorf("%q: %v, %v", tt.text, f, err)
			continue
		}
		if got := f.Show(f.Faults[0]); got != tt.want || !strings.Contains(f.Faults[0].Hint, tt.hint) {
			t.Errorf("%q:\n%s\ntry: %s\nwant:\n%s\ntry: %s", tt.text, got, f.Faults[0].Hint, tt.want, tt.hint)
		}
	}
}

func TestYAML_isRefusedAsAWholeWhenItIsNone(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"schedules:\n  - name: a\n   agent: b\n", "f:3:4: not valid YAML: value is not allowed in this context\n   agent: b\n   ^~~~~"},
		{"schedules: [\n", "f:1:12: not valid YAML: sequence end token ']' not found\nschedules: [\n           ^"},
		{"- name: a\n  name: b\n", "f:2:3: not valid YAML: mapping key \"name\" already defined at [1:3]\n  name: b\n  ^~~~"},
		{strings.Repeat("[", 100_000), "f:1:17: not valid YAML: lists and mappings stand more than 16 deep\n" + strings.Repeat("[", 100) + "\n                ^"},
		{strings.Repeat("- ", 100_000), "f:1:33: not valid YAML: lists and mappings stand more than 16 deep\n" + strings.Repeat("- ", 50) + "\n                                ^"},
		{"- name: caf\xe9\n", "f:1 is not valid UTF-8"},
	}
	for _, tt := range tests {
		_, err := Read(tt.text, Options{Name: "f", Format: YAML})
		if molecule.CodeOf(err) != molecule.Invalid || err.Error() != tt.want || molecule.HintOf(err) == "" {
			t.Errorf("%.40q:\n%v\nwant:\n%s", tt.text, err, tt.want)
		}
	}
}

func TestYAML_goesOnBehindWhatIsWrong(t *testing.T) {
	t.Parallel()
	f, err := Read(lines("- name: a", "  agent: echo", "  cron: x", "  prompt: p", "  seconds: 1", "  retries: x", "- name: b", "  agent: echo", "  cron: y", "  prompt: p",
		"- c", "- name: d", "  agent: echo"), Options{Name: "f", Format: YAML})
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, t := range f.Faults {
		got = append(got, t.Line)
	}
	if diff := cmp.Diff(got, []int{5, 6, 11, 12, 12}); diff != "" || f.Faulty != 3 {
		t.Errorf("%d are faulty, lines (-got +want):\n%s", f.Faulty, diff)
	}
	if len(f.Entries) != 2 || !f.Entries[0].Faulty || f.Entries[1].Faulty || f.Entries[1].Line != 7 {
		t.Errorf("the entries are %+v", f.Entries)
	}
}

func TestRead_recognisesTheFormat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       Format
	}{
		{"x.yaml", "", YAML}, {"x.yml", "* * * * * x", YAML}, {"dir/x.json", "", YAML}, {"my.crontab", "", Crontab}, {"/etc/crontab", "", Crontab},
		{"x", "# c\n\n- name: a", YAML}, {"x", "---\n", YAML}, {"x", " {}", YAML}, {"x", "[]", YAML}, {"x", "schedules: []", YAML},
		{"x", "*/5 * * * * x", Crontab}, {"x", "@daily x", Crontab}, {"x", "#c\n0 8 * * * x", Crontab}, {"x", "SHELL=/bin/sh", Crontab},
		{"x", "hello", ""}, {"x", "# nothing", ""},
	}
	for _, tt := range tests {
		got, err := recognise(tt.name, tt.text)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s %q: got %q, %v", tt.name, tt.text, got, err)
		}
	}
	_, err := Read("", Options{Name: "f", Format: "ymal"})
	if molecule.HintOf(err) != "did you mean yaml?" {
		t.Errorf("a format that is none: %v (%s)", err, molecule.HintOf(err))
	}
	_, err = Read("- name: a", Options{Name: "f", Agent: "me"})
	if molecule.CodeOf(err) != molecule.Invalid {
		t.Errorf("an agent for YAML: %v", err)
	}
}

func TestLocate_findsTheFieldOfAnEntry(t *testing.T) {
	t.Parallel()
	text := "schedules:\n  - name: a\n    agent: echo\n    at: '2026-12-01T08:00'\n    prompt: |\n      cron: no\n  - {name: b, agent: echo, cron: x, prompt: p}\n"
	f, err := Read(text, Options{Name: "f", Format: YAML})
	if err != nil || len(f.Entries) != 2 {
		t.Fatal(f, err)
	}
	for _, tt := range []struct {
		entry int
		field string
		want  textfile.Place
	}{
		{0, "name", textfile.Place{Line: 2, Column: 11, Width: 1}}, {0, "agent", textfile.Place{Line: 3, Column: 12, Width: 4}}, {0, "cron", textfile.Place{Line: 4, Column: 9, Width: 18}}, {0, "timeout", textfile.Place{Line: 2}},
		{0, "", textfile.Place{Line: 2}}, {1, "name", textfile.Place{Line: 7, Column: 12, Width: 35}}, {1, "cron", textfile.Place{Line: 7}},
	} {
		if got := f.Locate(f.Entries[tt.entry], tt.field); got != tt.want {
			t.Errorf("%s of %d is at %v, want %v", tt.field, tt.entry, got, tt.want)
		}
	}
}
