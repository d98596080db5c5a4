package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// runID is the run that all the answers below speak of.
const runID = "0190a1b2-c3d4-7e5f-8000-00000000000a"

// everything is a daemon that has an answer for each leaf.
func everything(t *testing.T) *daemon {
	t.Helper()
	day, err := molecule.ParseDayRange("2026-12-25")
	if err != nil {
		t.Fatal(err)
	}
	run := endedRun(molecule.OutcomeOK, "HELLO")
	laptop := molecule.Token{
		ID: "3f9a0001", Name: "laptop", Kind: molecule.TokenOperator, Scopes: []molecule.Scope{molecule.ScopeSchedulesRead},
		CreatedAt: noon(), CreatedBy: "uid:0", ExpiresAt: noon().Add(90 * 24 * time.Hour),
	}
	holidays := molecule.Calendar{Name: "holidays", Days: []molecule.DayRange{day}, CreatedAt: noon(), UpdatedAt: noon()}
	mailer := molecule.StoredSecret{
		ID: "e1", Name: "API_TOKEN", Class: molecule.SecretClass("minted"), Owner: "ops", Current: 2, CreatedAt: noon(), UpdatedAt: noon(),
		Fingerprint: "sha256:5891b5b5", SetAt: noon(), Versions: []molecule.SecretValue{
			{Version: 2, State: "active", Fingerprint: "sha256:5891b5b5", KeyID: "k1", Bytes: 12, CreatedAt: noon(), CreatedBy: "uid:0"},
		},
	}
	event := molecule.Event{ID: 7, At: noon(), Type: "run.finished", Subject: "run/" + runID, Data: json.RawMessage(`{"outcome":"ok"}`)}
	history := molecule.Page[molecule.Period]{Items: []molecule.Period{{
		Start: noon(), Runs: 2, Slots: 2, Outcomes: map[molecule.Outcome]int{molecule.OutcomeOK: 2},
	}}}
	status := molecule.Status{
		Version: molecule.Version(), PID: 42, StartedAt: noon(), OrgID: "acme", TenantGuard: "on", DataDir: "/var/lib/moleculed",
		Listen: []string{"unix:///run/moleculed/moleculed.sock"}, SchemaVersion: 3, StoreBytes: 3 << 19, FreeBytes: 1 << 40, Principal: "uid:0",
		Config: molecule.ConfigStatus{File: "/etc/moleculed/moleculed.yaml", LoadedAt: noon(), NeedsRestart: []string{"listen"}},
	}
	echo, far, hello := echoAgent(), farAgent(), helloSchedule()
	one := func(v any) []reply { return []reply{{0, v}} }
	return newDaemon(t, map[string][]reply{
		"POST /v1/agents": one(echo), "GET /v1/agents": one(molecule.Page[molecule.Agent]{Items: []molecule.Agent{echo, far}}),
		"GET /v1/agents/echo": one(echo), "GET /v1/agents/a1b2/history": one(molecule.AgentHistory{Transitions: []molecule.AgentTransition{}, Arrivals: []molecule.Arrival{}}), "PATCH /v1/agents/echo": one(echo), "DELETE /v1/agents/echo": {{204, ""}},
		"POST /v1/agents/echo/pause": one(echo), "POST /v1/agents/echo/resume": one(echo), "POST /v1/agents/far/confirm-offline": one(far),
		"POST /v1/enrolments": one(molecule.Enrolment{Name: "helper", ID: "3f9a0002", ExpiresAt: noon().Add(time.Hour), Token: molecule.Show(molecule.NewSecret("mol_enrol"))}),

		"POST /v1/schedules": one(hello), "GET /v1/schedules": one(molecule.Page[molecule.Schedule]{Items: []molecule.Schedule{hello}}),
		"GET /v1/schedules/hello": one(hello), "PATCH /v1/schedules/hello": one(hello), "DELETE /v1/schedules/hello": {{204, ""}},
		"POST /v1/schedules/hello/pause": one(hello), "POST /v1/schedules/hello/resume": one(hello), "POST /v1/schedules/hello/runs": one(run),
		"GET /v1/schedules/hello/next":    one(molecule.Page[time.Time]{Items: []time.Time{noon().Add(18 * time.Hour), noon().Add(42 * time.Hour)}}),
		"GET /v1/schedules/hello/why":     one(molecule.Explanation{Schedule: "hello", Slot: noon(), Why: "it ran", Story: []string{"due", "sent"}, Run: &run}),
		"GET /v1/schedules/hello/history": one(history),
		"POST /v1/schedules/import":       one(molecule.ImportResult{Created: []string{"hello"}, Updated: []molecule.ScheduleChange{}}),

		"GET /v1/calendars": one(molecule.Page[molecule.Calendar]{Items: []molecule.Calendar{holidays}}), "GET /v1/calendars/holidays": one(holidays),
		"PUT /v1/calendars/holidays": one(holidays), "PUT /v1/calendars/freeze": one(holidays), "DELETE /v1/calendars/holidays": {{204, ""}},

		"GET /v1/runs":  one(molecule.Page[molecule.Run]{Items: []molecule.Run{run, endedRun(molecule.OutcomeTimeout, "no reply within 20m: the agent at https://agents.example/far said nothing")}}),
		"POST /v1/runs": one(run), "GET /v1/runs/" + runID: one(run), "POST /v1/runs/" + runID + "/cancel": one(run), "POST /v1/runs/" + runID + "/retry": one(run),

		"GET /v1/incidents":            one(molecule.Page[molecule.Incident]{Items: []molecule.Incident{stuckIncident(), overIncident()}}),
		"GET /v1/incidents/" + stuckID: one(stuckIncident()), "POST /v1/incidents/" + stuckID + "/ack": one(stuckIncident()),

		"GET /v1/secrets": one(molecule.Page[molecule.StoredSecret]{Items: []molecule.StoredSecret{mailer}}), "POST /v1/secrets": one(mailer),
		"GET /v1/secrets/API_TOKEN": one(mailer), "POST /v1/secrets/API_TOKEN/versions": one(mailer), "DELETE /v1/secrets/API_TOKEN": {{204, ""}},
		"POST /v1/secrets/API_TOKEN/reveal": one(molecule.Revealed{Name: "API_TOKEN", Version: 2, Value: molecule.Show(molecule.NewSecret("aHVudGVyMg=="))}),
		"PUT /v1/vault/map":                 {{204, ""}}, "GET /v1/vault/copies": one(molecule.Page[molecule.SecretCopy]{Items: []molecule.SecretCopy{
			{Secret: "API_TOKEN", Place: "file:/run/token", Holds: "current", Fingerprint: "5891b5b5"}, {Secret: "API_TOKEN", Place: "file:/etc/token", Holds: "other", Fingerprint: "77aa"},
		}}),
		"GET /v1/secrets/API_TOKEN/plan": one(rotationPlan()), "POST /v1/secrets/API_TOKEN/rotate": one(rolledBack()),
		"GET /v1/rotations":     one(molecule.Page[molecule.Rotation]{Items: []molecule.Rotation{rolledBack()}}),
		"POST /v1/vault/rewrap": one(molecule.Rewrapped{KeyID: "k2", Versions: 3}),

		"GET /v1/tokens": one(molecule.Page[molecule.Token]{Items: []molecule.Token{laptop}}), "DELETE /v1/tokens/laptop": one(laptop),
		"POST /v1/tokens": one(molecule.NewToken{Name: "laptop", Scopes: laptop.Scopes, ID: laptop.ID, ExpiresAt: laptop.ExpiresAt, Token: molecule.Show(molecule.NewSecret("mol_laptop"))}),
		"GET /v1/whoami":  one(molecule.Identity{Name: "token:laptop", Source: "token", Scopes: []molecule.Scope{molecule.ScopeAdmin}, ExpiresAt: noon().Add(1000 * time.Hour)}),

		"GET /v1/audit": one(molecule.Page[molecule.AuditRow]{Items: []molecule.AuditRow{
			{ID: 3, At: noon(), Principal: "uid:0", Source: "socket", Action: "schedule.created", Object: "schedule/hello", Result: "ok"},
		}}),
		"POST /v1/audit/verify": one(molecule.AuditVerdict{Sound: true, Rows: 3, Head: molecule.AuditHead{ID: 3, At: noon()}}),
		"GET /v1/events":        one(molecule.Page[molecule.Event]{Items: []molecule.Event{event}}), "GET /v1/events/last": {{0, `{"id":6}`}},

		"GET /health": {{0, `{"status":"ok"}`}}, "GET /v1/status": one(status),
		"GET /v1/liveness": one(alive(map[string]molecule.Subsystem{
			"scheduler": subsystem(molecule.SubsystemHealthy), "missed-run-watchdog": subsystem(molecule.SubsystemHealthy),
		})),
		"GET /v1/subsystems/scheduler/dump": {{0, "goroutine 7 [select]:\nmain.wait()\n"}},
	})
}

// typedLeaf is one leaf as it is typed, and what is piped into it.
type typedLeaf struct {
	args, in string
	exit     int
}

// typedLeaves are all leaves whose result is an object or a list.
func typedLeaves() []typedLeaf {
	const crontab = "0 8 * * * say hello\n"
	const secretMap = "secrets:\n  - {name: GITHUB_TOKEN, owner: ops, class: auto, policy: auto, " +
		"sinks: [{kind: github, target: {repo: acme/platform}, activation: on_next_run}]}\n"
	return []typedLeaf{
		{"agent add echo --exec cat", "", 0}, {"agent confirm-offline far", "", 0}, {"agent enrol --name helper", "", 0}, {"agent list", "", 0},
		{"agent pause echo", "", 0}, {"agent remove echo -y", "", 0}, {"agent resume echo", "", 0}, {"agent run echo --prompt hi", "", 0}, {"agent runs echo", "", 0},
		{"agent show echo", "", 0}, {"agent update echo --max-concurrent 4", "", 0},
		{"api GET /v1/status", "", 0}, {"audit list", "", 0}, {"audit verify", "", 0},
		{"calendar add freeze 2026-12-25", "", 0}, {"calendar list", "", 0}, {"calendar remove holidays -y", "", 0}, {"calendar show holidays", "", 0},
		{"calendar update holidays 2026-12-25", "", 0},
		{"config get output", "", 0}, {"config list", "", 0}, {"config set output wide", "", 0},
		{"context add far --endpoint https://agents.example.com", "", 0}, {"context list", "", 0}, {"context remove prod -y", "", 0}, {"context show prod", "", 0}, {"context use prod", "", 0},
		{"doctor", "", 1}, {"event list", "", 0},
		{"incident ack " + stuckID, "", 0}, {"incident list", "", 0}, {"incident show " + stuckID, "", 0},
		{"liveness", "", 0}, {"logout -y", "", 0},
		{"run cancel " + runID, "", 0}, {"run list", "", 0}, {"run retry " + runID, "", 0}, {"run show " + runID, "", 0}, {"run watch " + runID, "", 0},
		{"schedule add hello --agent echo --cron @daily --prompt -", "say hello", 0}, {"schedule describe @daily --from 2026-04-14T12:00:00Z", "", 0},
		{"schedule export", "", 0}, {"schedule history hello", "", 0}, {"schedule import - --format crontab --agent echo", crontab, 0}, {"schedule list", "", 0},
		{"schedule next hello", "", 0}, {"schedule pause hello", "", 0}, {"schedule remove hello -y", "", 0}, {"schedule resume hello", "", 0},
		{"schedule run hello", "", 0}, {"schedule show hello", "", 0}, {"schedule update hello --cron @daily", "", 0}, {"schedule why hello", "", 0},
		{"secrets add API_TOKEN --from-file -", "hunter2", 0}, {"secrets history API_TOKEN", "", 0}, {"secrets lint -f -", secretMap, 0}, {"secrets list", "", 0},
		{"secrets map -f -", secretMap, 0}, {"secrets remove API_TOKEN -y", "", 0}, {"secrets rewrap", "", 0},
		{"secrets apply -f -", secretMap, 0}, {"secrets drift", "", 12}, {"secrets rotate API_TOKEN --generate", "", 8}, {"secrets rotations --all", "", 0},
		{"secrets set API_TOKEN --from-file -", "hunter2", 0}, {"secrets show API_TOKEN", "", 0},
		{"status", "", 0}, {"token add laptop --scope schedules:read", "", 0}, {"token list", "", 0}, {"token revoke laptop -y", "", 0},
		{"version --daemon", "", 0}, {"whoami", "", 0},
	}
}

// otherLeaves are those whose result is neither an object nor a list, and why.
func otherLeaves() map[string]string {
	return map[string]string{
		"molecli agent watch":     "goes on",
		"molecli event watch":     "goes on",
		"molecli completion":      "prints a script",
		"molecli config path":     "prints a path",
		"molecli liveness dump":   "prints stacks",
		"molecli login":           "keeps a token",
		"molecli man":             "writes files",
		"molecli secrets reveal":  "prints a value as it is",
		"molecli secrets run":     "prints what a command prints",
		"molecli secrets runbook": "prints Markdown",
		"molecli skill":           "prints Markdown",
	}
}

// operator has a context and types in front of a daemon that knows everything.
func operator(t *testing.T) (h hand, plain func(string) string) {
	t.Helper()
	d := everything(t)
	h = newHand(t, d)
	h.env["TERM"], h.env["CLICOLOR_FORCE"], h.env["FORCE_COLOR"] = "xterm-256color", "1", "1"
	dir := filepath.Join(h.env["HOME"], ".config", "molecule")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "molecli.yaml"), []byte("contexts:\n  prod:\n    endpoint: https://prod.example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.env["MOLECULE_TOKEN_FILE"] = filepath.Join(dir, "token")
	if err := os.WriteFile(h.env["MOLECULE_TOKEN_FILE"], []byte("mol_laptop_"+strings.Repeat("x", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := strings.NewReplacer(h.env["HOME"], "$HOME", d.url, "$DAEMON", runtime.Version(), "$GO", runtime.GOOS+"/"+runtime.GOARCH, "$PLATFORM")
	return h, r.Replace
}

func (h hand) typed(l typedLeaf, more ...string) result {
	h.in = l.in
	return h.run(append(strings.Fields(l.args), more...)...)
}

func TestFaces_everyLeafIsTyped(t *testing.T) {
	t.Parallel()
	reached := otherLeaves()
	for _, l := range typedLeaves() {
		found, _, err := tree().Find(strings.Fields(l.args))
		if err != nil {
			t.Fatal(err)
		}
		reached[found.CommandPath()] = l.args
	}
	for _, cmd := range leaves(tree()) {
		if reached[cmd.CommandPath()] == "" {
			t.Errorf("%s is not among the leaves that are typed", cmd.CommandPath())
		}
		delete(reached, cmd.CommandPath())
	}
	for path := range reached {
		t.Errorf("%s is typed and is no leaf", path)
	}
}

// golden compares with a file below testdata, and writes it when
// MOLECULE_GOLDEN=write.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("MOLECULE_GOLDEN") == "write" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if diff := cmp.Diff(strings.Split(got, "\n"), strings.Split(string(want), "\n")); err != nil || diff != "" {
		t.Errorf("%s: MOLECULE_GOLDEN=write go test writes it anew\n%v (-got +want):\n%s", path, err, diff)
	}
}

func TestFaces_everyLeafAsJSON(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, l := range typedLeaves() {
		h, plain := operator(t)
		got := h.typed(l, "-o", "json")
		if got.status != l.exit {
			t.Errorf("%s: got %+v, want status %d", l.args, got, l.exit)
		}
		if got.out != "" && !json.Valid([]byte(got.out)) {
			t.Errorf("%s -o json prints no JSON: %q", l.args, got.out)
		}
		fmt.Fprintf(&all, "$ molecli %s -o json\n%s\n", l.args, plain(got.out))
	}
	golden(t, "json.txt", all.String())
}

func TestFaces_aPipeHasNoEscapes(t *testing.T) {
	t.Parallel()
	for noColor, faces := range map[string][]string{"": {outTable, outWide, outYAML, outName}, "1": {outTable}} {
		for _, l := range typedLeaves() {
			h, _ := operator(t)
			h.env["NO_COLOR"] = noColor
			for _, face := range faces {
				if got := h.typed(l, "-o", face); strings.Contains(got.out+got.err, "\x1b") {
					t.Errorf("NO_COLOR=%q %s -o %s: got %q", noColor, l.args, face, got.out+got.err)
				}
			}
		}
	}
	h, _ := operator(t)
	for _, wrong := range []string{"nonsense", "agent list --limt 3", "agent show nobody", "schedule describe 'x'"} {
		if got := h.run(strings.Fields(wrong)...); got.status == 0 || strings.Contains(got.out+got.err, "\x1b") {
			t.Errorf("%s: got %+v", wrong, got)
		}
	}
}

func TestFaces_aTerminalWithNoColorHasNoEscapes(t *testing.T) {
	t.Parallel()
	for _, l := range typedLeaves() {
		h, _ := operator(t)
		if got := h.plain(80).typed(l); strings.Contains(got.out+got.err, "\x1b") {
			t.Errorf("%s: got %q", l.args, got.out+got.err)
		}
	}
}

// TestFaces_fitTheTerminal shows each list on five widths. Nothing of a table is
// ever wider than the screen.
func TestFaces_fitTheTerminal(t *testing.T) {
	t.Parallel()
	for _, width := range []int{39, 40, 60, 80, 100, 200} {
		var all strings.Builder
		for _, args := range []string{
			"agent list", "agent runs echo", "audit list", "calendar list", "context list", "event list", "incident list", "liveness",
			"run list", "schedule list", "schedule history hello", "schedule next hello", "secrets list", "secrets rotations --all", "secrets drift", "secrets rotate API_TOKEN --plan", "token list",
		} {
			h, plain := operator(t)
			got := h.plain(width).run(strings.Fields(args)...)
			fmt.Fprintf(&all, "$ molecli %s\n%s\n", args, plain(got.out))
			for line := range strings.Lines(got.out) {
				if w := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width >= 40 && w > width {
					t.Errorf("%s on %d columns has a line of %d: %q", args, width, w, line)
				}
			}
		}
		golden(t, fmt.Sprintf("width%d.txt", width), all.String())
	}
}
