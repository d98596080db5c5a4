package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// writeFile writes a file into a directory of its own and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// importer answers every import with a result.
func importer(tb testing.TB, a reply) *daemon {
	return newDaemon(tb, map[string][]reply{"POST /v1/schedules/import": {a}})
}

func TestScheduleImport_sendsWhatTheFileSays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		args       []string
		ask        string
	}{
		{"crontab", "CRON_TZ=Europe/Berlin\n# Nightly backup\n0 3 * * * back%up\n", []string{"--agent", "echo"},
			` {"schedules":[{"name":"nightly-backup","agent":"echo","cron":"0 3 * * *","tz":"Europe/Berlin","prompt":"back\nup"}`},
		{"x.yaml", "- name: a\n  agent: echo\n  cron: '@daily'\n  prompt_file: p.md\n", []string{"--update", "--dry-run", "--skip-invalid"},
			`?dry_run=true&skip_invalid=true&update=true {"schedules":[{"name":"a","agent":"echo","cron":"@daily","prompt":"of the file\n"}`},
		{"x.json", `{"schedules":[]}`, []string{"--diff"}, `?dry_run=true {"schedules":[]}`},
		{"any", "0 3 * * * x", []string{"--agent", "echo", "--tz", "Asia/Tokyo", "--format", "crontab"},
			` {"schedules":[{"name":"x","agent":"echo","cron":"0 3 * * *","tz":"Asia/Tokyo","prompt":"x"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := importer(t, reply{0, molecule.ImportResult{Created: []string{"a"}, Unchanged: 2}})
			path := writeFile(t, tt.name, tt.text)
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), "p.md"), []byte("of the file\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			newHand(t, d).run(append([]string{"schedule", "import", path}, tt.args...)...)
			asked := strings.Join(d.questions(), "|")
			if want := "POST /v1/schedules/import" + tt.ask; strings.Count(asked, "POST") != 1 || !strings.HasPrefix(strings.ReplaceAll(asked, "\n", ""), want) {
				t.Errorf("asked %s\nwant  %s", asked, want)
			}
		})
	}
}

func TestScheduleImport_saysWhatWasDone(t *testing.T) {
	t.Parallel()
	done := molecule.ImportResult{Created: []string{"a"}, Updated: []molecule.ScheduleChange{{Name: "b", Fields: []string{"cron", "prompt"}}}, Unchanged: 1}
	tests := []struct {
		args   string
		answer molecule.ImportResult
		want   result
	}{
		{"", done, result{0, "schedules: 1 created, 1 updated, 1 unchanged, 0 skipped\n", ""}},
		{"-o name", done, result{0, "a\nb\n", ""}},
		{"-o jsonl", done, result{0, `{"created":["a"],"updated":[{"name":"b","fields":["cron","prompt"]}],"unchanged":1,"skipped":0}` + "\n", ""}},
		{"--dry-run", done, result{0, "create\ta\t@daily UTC\nupdate\tb\tcron, prompt\n", "nothing was done, it would be: 1 created, 1 updated, 1 unchanged, 0 skipped\n"}},
		{"--dry-run -q", molecule.ImportResult{Unchanged: 3}, result{0, "", ""}},
		{"--diff -q", done, result{13, "create\ta\t@daily UTC\nupdate\tb\tcron, prompt\n", ""}},
		{"--diff", molecule.ImportResult{Unchanged: 3}, result{0, "", "nothing was done, it would be: 0 created, 0 updated, 3 unchanged, 0 skipped\n"}},
		{"--skip-invalid", molecule.ImportResult{Created: []string{"a", "b"}, Skipped: 1, Faults: []molecule.Fault{{Index: 2, Name: "c", Field: "agent", Message: "no agent", Hint: "add it"}}},
			result{8, "schedules: 2 created, 0 updated, 0 unchanged, 1 skipped\n", "✗ PATH:12:10: no agent\n  agent: far\n         ^~~\ntry: add it\n"}},
	}
	const text = "- name: a\n  agent: echo\n  cron: '@daily'\n  tz: UTC\n  prompt: p\n- name: b\n  agent: echo\n  cron: '@daily'\n  tz: UTC\n  prompt: p\n" +
		"- name: c\n  agent: far\n  cron: '@daily'\n  tz: UTC\n  prompt: p\n"
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, "x.yaml", text)
			got := newHand(t, importer(t, reply{0, tt.answer})).run(append([]string{"schedule", "import", path}, strings.Fields(tt.args)...)...)
			got.err = strings.ReplaceAll(got.err, path, "PATH")
			if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestScheduleImport_namesEveryFaultInOrder(t *testing.T) {
	t.Parallel()
	faults := []molecule.Fault{
		{Index: 1, Name: "b", Field: "cron", Code: molecule.Invalid, Message: "bad cron\nx\n^", Hint: "mend it"},
		{Index: 0, Name: "a", Code: molecule.Conflict, Message: "taken"},
	}
	refused := reply{http.StatusBadRequest, wire.EncodeError(molecule.RefuseImport(faults, 2))}
	d := importer(t, refused)
	path := writeFile(t, "x.yaml", "- name: a\n  agent: e\n  cron: x\n  prompt: p\n- name: b\n  agent: e\n  cron: x\n  prompt: p\n  colour: red\n- c\n")
	got := newHand(t, d).run("schedule", "import", path)
	want := "✗ PATH:1: taken\n" +
		"✗ PATH:7:9: bad cron\nx\n^\ntry: mend it\n" +
		"✗ PATH:9:3: there is no key \"colour\"\n  colour: red\n  ^~~~~~\n" +
		"try: the keys are name, agent, cron, at, tz, dst, seconds, phase, prompt, prompt_file, timeout, paused, catch_up, catch_up_window, catch_up_max, " +
		"overlap, jitter, jitter_mode, retries, resend, budget, exclusions, max_runs, until\n" +
		"✗ PATH:10:3: this is no schedule\n- c\n  ^\ntry: write each as - name: NAME, and below it its other keys\n" +
		"✗ nothing was imported, faults: 4\ntry: mend them, or import the rest with --skip-invalid\n"
	if diff := cmp.Diff(strings.ReplaceAll(got.err, path, "PATH"), want); diff != "" || got.status != 2 || got.out != "" {
		t.Errorf("status %d, %q (-got +want):\n%s", got.status, got.out, diff)
	}
	if asked := d.questions(); len(asked) != 1 || !strings.HasPrefix(asked[0], "POST /v1/schedules/import?dry_run=true {") {
		t.Errorf("what cannot be imported was asked for as %q", asked)
	}
}

func TestScheduleImport_hasTheStatusOfItsFaults(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "x.yaml", "- name: a\n  agent: e\n  cron: x\n  prompt: p\n")
	for code, want := range map[molecule.Code]int{molecule.Conflict: 5, molecule.NotFound: 3, molecule.Invalid: 2} {
		refused := molecule.RefuseImport([]molecule.Fault{{Code: code, Message: "why"}}, 1)
		got := newHand(t, importer(t, reply{wire.Status(code), wire.EncodeError(refused)})).run("schedule", "import", path)
		if got.status != want || !strings.Contains(got.err, "x.yaml:1: why\n") || !strings.Contains(got.err, "nothing was imported") {
			t.Errorf("%s: %+v", code, got)
		}
	}
}

func TestScheduleImport_refusesWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := []struct {
		name, in string
		args     []string
		says     string
	}{
		{"no file", "", []string{filepath.Join(dir, "none")}, "none cannot be read: no such file or directory\ntry: molecli schedule import FILE"},
		{"a directory", "", []string{dir}, "cannot be read: is a directory"},
		{"nothing", "", []string{"-"}, "✗ stdin says nothing\ntry: molecli schedule export"},
		{"a poem", "Tyger Tyger\n", []string{"-"}, "✗ stdin is neither a crontab nor YAML"},
		{"an unknown format", "x", []string{"-", "--format", "jaml"}, "✗ there is no format \"jaml\"\ntry: did you mean yaml?"},
		{"no agent", "@daily x", []string{"-"}, "stdin:1 names no agent\ntry: say --agent AGENT"},
		{"an agent for YAML", "- name: a", []string{"-", "--agent", "e"}, "--agent and --tz are for crontabs"},
		{"an unknown zone", "@daily x", []string{"-", "--agent", "e", "--tz", "Berlin/Europe"}, "time zone \"Berlin/Europe\" is not known"},
		{"broken YAML", "- name: [\n", []string{"-"}, "✗ stdin:1:9: not valid YAML"},
		{"no UTF-8", "@daily caf\xe9", []string{"-", "--agent", "e"}, "✗ stdin:1 is not valid UTF-8\ntry: convert it first"},
		{"no argument", "", nil, "molecli schedule import needs FILE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, nil)
			h := newHand(t, d)
			h.in = tt.in
			got := h.run(append([]string{"schedule", "import"}, tt.args...)...)
			if got.status != 2 || !strings.Contains(got.err, tt.says) || got.out != "" {
				t.Errorf("got %+v, want %q", got, tt.says)
			}
			if asked := d.questions(); len(asked) > 0 {
				t.Errorf("the daemon was asked %q", asked)
			}
		})
	}
}

func TestScheduleImport_saysWhatHasNoEffect(t *testing.T) {
	t.Parallel()
	h := newHand(t, importer(t, reply{0, molecule.ImportResult{Created: []string{"x"}}}))
	h.in = "PATH=/bin\n@daily x\n"
	got := h.run("schedule", "import", "-", "--agent", "echo")
	want := "times without a CRON_TZ line are read in UTC; --tz local is the zone of this machine\n" +
		"stdin:1: PATH has no effect here: a prompt has no environment, that of a command is said by molecli agent add\n"
	if got.status != 0 || got.err != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

// exporter answers lists of schedules, the second page included.
func exporter(tb testing.TB) *daemon {
	hello, over, broken, paused := helloSchedule(), helloSchedule(), helloSchedule(), helloSchedule()
	over.Name, over.State = "over", molecule.ScheduleFinished
	broken.Name, broken.State, broken.Cron, broken.Reason = "broken", molecule.ScheduleError, "", "policy: not JSON"
	paused.Name, paused.State, paused.TZ = "paused", molecule.SchedulePaused, "UTC"
	return newDaemon(tb, map[string][]reply{
		"GET /v1/schedules": {
			{0, molecule.Page[molecule.Schedule]{Items: []molecule.Schedule{broken, hello}, Next: "more"}},
			{0, molecule.Page[molecule.Schedule]{Items: []molecule.Schedule{over, paused}}},
		},
		"GET /v1/schedules/over": {{0, over}},
	})
}

func TestScheduleExport_hasItsFaces(t *testing.T) {
	t.Parallel()
	const (
		helloYAML  = "  - name: hello\n    agent: echo\n    cron: \"0 8 * * *\"\n    tz: Europe/Berlin\n    prompt: say hello\n"
		pausedYAML = "  - name: paused\n    agent: echo\n    cron: \"0 8 * * *\"\n    tz: UTC\n    paused: true\n    prompt: say hello\n"
		overYAML   = "  - name: over\n    agent: echo\n    cron: \"0 8 * * *\"\n    tz: Europe/Berlin\n    prompt: say hello\n"
		leftBroken = "schedule broken is left out: its row is damaged: policy: not JSON\n"
		leftPaused = "schedule paused is left out: a crontab says nothing of paused\n"
	)
	tests := []struct {
		args string
		want result
	}{
		{"", result{8, "schedules:\n" + helloYAML + pausedYAML, "finished schedules that are left out: 1; see --state finished\n" + leftBroken}},
		{"-q -o yaml", result{8, "schedules:\n" + helloYAML + pausedYAML, leftBroken}},
		{"-q -o name", result{8, "hello\npaused\n", leftBroken}},
		{"-q hello", result{3, "", "✗ not found\ntry: check the name, and whether the daemon needs --org: a wrong one looks the same\n"}},
		{"-q over", result{0, "schedules:\n" + overYAML, ""}},
		{"-q h*", result{0, "schedules:\n" + helloYAML, ""}},
		{"-q p* over", result{0, "schedules:\n" + overYAML + pausedYAML, ""}},
		{"-q x*", result{3, "", "✗ no schedule is named x*\ntry: molecli schedule list -o name\n"}},
		{"-q [", result{2, "", "✗ \"[\" is no pattern\ntry: * is any text, ? any character, [a-z] one of these\n"}},
		{"-q --format crontab", result{8, "CRON_TZ=Europe/Berlin\n# agent: echo\n\n# hello\n0 8 * * * say hello\n", leftBroken + leftPaused}},
		{"-q h* -o jsonl", result{0, `{"name":"hello","agent":"echo","cron":"0 8 * * *","tz":"Europe/Berlin","prompt":"say hello"}` + "\n", ""}},
		{"--format toml", result{2, "", "✗ there is no format \"toml\"\ntry: use one of: yaml, crontab; JSON is -o json\n"}},
		{"--format crontab -o json", result{2, "", "✗ --format crontab and -o json are two faces\ntry: leave one of them out\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			got := newHand(t, exporter(t)).run(append([]string{"schedule", "export"}, strings.Fields(tt.args)...)...)
			if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestScheduleExport_asJSONIsTheDocumentThatIsImported(t *testing.T) {
	t.Parallel()
	got := newHand(t, exporter(t)).run("schedule", "export", "-q", "p*", "-o", "json")
	var doc molecule.ScheduleDocument
	if err := json.Unmarshal([]byte(got.out), &doc); err != nil || got.status != 0 || len(doc.Schedules) != 1 || doc.Schedules[0].Name != "paused" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestScheduleExport_asksForLessWhenAnAnswerIsTooLarge(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"GET /v1/schedules": {
		refusal(molecule.TooLarge, "too large", ""), refusal(molecule.TooLarge, "too large", ""), {0, molecule.Page[molecule.Schedule]{}},
	}})
	got := newHand(t, d).run("schedule", "export", "--agent", "echo", "--filter", "state=active")
	var limits []string
	for _, q := range d.questions() {
		limits = append(limits, strings.TrimPrefix(q, "GET /v1/schedules?agent=echo&limit="))
	}
	if diff := cmp.Diff(limits, []string{"1000&state=active", "100&state=active", "10&state=active"}); diff != "" || got.out != "schedules: []\n" {
		t.Errorf("got %+v, asked for (-got +want):\n%s", got, diff)
	}
}
