package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

const (
	stuckID = "0190a1b2-c3d4-7e5f-8000-00000000000a"
	overID  = "0190a1b2-c3d4-7fff-8000-00000000000b"
)

func stuckIncident() molecule.Incident {
	return molecule.Incident{
		ID: stuckID, Kind: molecule.IncidentSubsystem, Subject: "subsystem/scheduler", Severity: molecule.SeverityCritical,
		Title: "scheduler is stuck in main.wait", FirstSeen: noon().Add(-2 * time.Minute), LastSeen: noon().Add(-time.Minute), Count: 3,
		Evidence: molecule.Evidence{
			Error: "inside one tick for 10.25s", BlockedIn: "main.wait", Stack: "goroutine 7 [chan receive]:\nmain.wait()\n\t/src/main.go:7",
			Names: []string{"hello", "world"}, Total: 12, Facts: map[string]string{"before": "healthy", "last_seen_at": "noon"},
		},
	}
}

func overIncident() molecule.Incident {
	return molecule.Incident{
		ID: overID, Kind: molecule.IncidentMissedRuns, Subject: "subsystem/scheduler", Severity: molecule.SeverityWarning,
		Title: "1 slot has no run: hello", FirstSeen: noon().Add(-3 * time.Hour), LastSeen: noon().Add(-2 * time.Hour),
		ClosedAt: noon().Add(-time.Hour), Count: 1, AckedAt: noon().Add(-90 * time.Minute), AckedBy: "uid:1000",
	}
}

// incidentsDaemon answers the list of two incidents, and each of them.
func incidentsDaemon(tb testing.TB) *daemon {
	acked := stuckIncident()
	acked.AckedAt, acked.AckedBy = noon(), "uid:0"
	return newDaemon(tb, map[string][]reply{
		"GET /v1/incidents":                      {{0, molecule.Page[molecule.Incident]{Items: []molecule.Incident{overIncident(), stuckIncident()}}}},
		"GET /v1/incidents/" + stuckID:           {{0, stuckIncident()}},
		"POST /v1/incidents/" + stuckID + "/ack": {{0, acked}},
	})
}

func TestIncidentList_hasSixFaces(t *testing.T) {
	t.Parallel()
	const (
		stuckJSON = `{"id":"` + stuckID + `","kind":"subsystem","subject":"subsystem/scheduler","severity":"critical",` +
			`"title":"scheduler is stuck in main.wait","first_seen":"2026-04-14T11:58:00Z","last_seen":"2026-04-14T11:59:00Z","count":3,` +
			`"evidence":{"error":"inside one tick for 10.25s","blocked_in":"main.wait","stack":"goroutine 7 [chan receive]:\nmain.wait()\n\t/src/main.go:7",` +
			`"names":["hello","world"],"total":12,"facts":{"before":"healthy","last_seen_at":"noon"}}}`
		overJSON = `{"id":"` + overID + `","kind":"missed_runs","subject":"subsystem/scheduler","severity":"warning",` +
			`"title":"1 slot has no run: hello","first_seen":"2026-04-14T09:00:00Z","last_seen":"2026-04-14T10:00:00Z",` +
			`"closed_at":"2026-04-14T11:00:00Z","count":1,"acked_at":"2026-04-14T10:30:00Z","acked_by":"uid:1000"}`
	)
	tests := []struct {
		face string
		want string
	}{
		{"table", overID + "\tclosed\tmissed_runs\tsubsystem/scheduler\t2026-04-14T09:00:00Z\t1\t1 slot has no run: hello\n" +
			stuckID + "\tcritical\tsubsystem\tsubsystem/scheduler\t2026-04-14T11:58:00Z\t3\tscheduler is stuck in main.wait\n"},
		{"wide", overID + "\tclosed\tmissed_runs\tsubsystem/scheduler\t2026-04-14T09:00:00Z\t1\t1 slot has no run: hello\t" +
			"2026-04-14T10:00:00Z\t2026-04-14T11:00:00Z\t2026-04-14T10:30:00Z uid:1000\n" +
			stuckID + "\tcritical\tsubsystem\tsubsystem/scheduler\t2026-04-14T11:58:00Z\t3\tscheduler is stuck in main.wait\t2026-04-14T11:59:00Z\t\t\n"},
		{"name", overID + "\n" + stuckID + "\n"},
		{"jsonl", overJSON + "\n" + stuckJSON + "\n"},
	}
	for _, tt := range tests {
		got := newHand(t, incidentsDaemon(t)).run("incident", "list", "-o", tt.face)
		if diff := cmp.Diff(got, result{0, tt.want, ""}, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s: got, want:\n%s", tt.face, diff)
		}
	}
	for face, want := range map[string]string{
		"json": "{\n  \"items\": [\n    {\n      \"id\": \"" + overID + "\",\n", "yaml": "items:\n- id: " + overID + "\n  kind: missed_runs\n",
	} {
		if got := newHand(t, incidentsDaemon(t)).run("incident", "list", "-o", face); got.status != 0 || !strings.HasPrefix(got.out, want) {
			t.Errorf("%s: got %+v, want %q", face, got, want)
		}
	}
}

func TestIncidentList_fitsTheTerminal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		width int
		want  string
	}{
		{120, "" +
			"ID                STATE       KIND         SUBJECT              SINCE   COUNT  TITLE\n" +
			"0190a1b2-c3d4-7f  ✓ closed    missed_runs  subsystem/scheduler  3h ago  1      1 slot has no run: hello\n" +
			"0190a1b2-c3d4-7e  ✗ critical  subsystem    subsystem/scheduler  2m ago  3      scheduler is stuck in main.wait\n"},
		{80, "" +
			"ID                STATE       SUBJECT              SINCE   TITLE\n" +
			"0190a1b2-c3d4-7f  ✓ closed    subsystem/scheduler  3h ago  1 slot has no run: h…\n" +
			"0190a1b2-c3d4-7e  ✗ critical  subsystem/scheduler  2m ago  scheduler is stuck i…\n"},
		{40, "" +
			"ID                STATE       SINCE\n" +
			"0190a1b2-c3d4-7f  ✓ closed    3h ago\n" +
			"0190a1b2-c3d4-7e  ✗ critical  2m ago\n"},
	}
	for _, tt := range tests {
		got := newHand(t, incidentsDaemon(t)).plain(tt.width).run("incidents", "ls", "--all")
		if diff := cmp.Diff(got.out, tt.want); diff != "" {
			t.Errorf("%d: got, want:\n%s", tt.width, diff)
		}
	}
}

func TestIncidentList_asksForWhatIsFiltered(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		ask  string
	}{
		{nil, "GET /v1/incidents?limit=100"},
		{[]string{"--all", "--limit", "3"}, "GET /v1/incidents?all=true&limit=3"},
		{[]string{"--kind", "missed_runs", "--subject", "schedule/"}, "GET /v1/incidents?kind=missed_runs&limit=100&subject=schedule%2F"},
		{[]string{"--filter", "kind=subsystem", "--filter", "subject=subsystem/x"}, "GET /v1/incidents?kind=subsystem&limit=100&subject=subsystem%2Fx"},
	}
	for _, tt := range tests {
		d := incidentsDaemon(t)
		got := newHand(t, d).run(append([]string{"incident", "list"}, tt.args...)...)
		if diff := cmp.Diff(d.questions(), []string{tt.ask}); got.status != 0 || diff != "" {
			t.Errorf("%q: got %+v, asked, want:\n%s", tt.args, got, diff)
		}
	}
}

func TestIncidentShow_tellsTheEvidence(t *testing.T) {
	t.Parallel()
	got := newHand(t, incidentsDaemon(t)).plain(80).run("incident", "show", stuckID)
	want := "" +
		"id            " + stuckID + "\n" +
		"title         scheduler is stuck in main.wait\n" +
		"state         ✗ critical\n" +
		"kind          subsystem\n" +
		"subject       subsystem/scheduler\n" +
		"severity      critical\n" +
		"first seen    2m ago\n" +
		"last seen     1m ago\n" +
		"count         3\n" +
		"error         inside one tick for 10.25s\n" +
		"blocked in    main.wait\n" +
		"names         hello world and 10 more\n" +
		"before        healthy\n" +
		"last seen at  noon\n" +
		"stack         goroutine 7 [chan receive]:\n" +
		"stack         main.wait()\n" +
		"stack         /src/main.go:7\n"
	if diff := cmp.Diff(got, result{0, want, ""}, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	unsaved := stuckIncident()
	unsaved.Unsaved = true
	d := newDaemon(t, map[string][]reply{"GET /v1/incidents/0190": {{0, unsaved}}})
	if got := newHand(t, d).run("incident", "get", "0190"); !strings.Contains(got.out, "stored\tnot yet: the store does not answer\n") {
		t.Errorf("one that is not stored is shown as %q", got.out)
	}
	if got := newHand(t, d).run("incident", "show", "0190", "-o", "json"); !strings.Contains(got.out, `"unsaved": true`) {
		t.Errorf("as JSON it is %q", got.out)
	}
}

func TestIncidentAck_saysOrPrintsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		want result
	}{
		{nil, result{0, "", "✓ incident " + stuckID + " acknowledged: scheduler is stuck in main.wait\n"}},
		{[]string{"-q"}, result{0, "", ""}},
		{[]string{"-o", "name"}, result{0, stuckID + "\n", ""}},
	}
	for _, tt := range tests {
		got := newHand(t, incidentsDaemon(t)).run(append([]string{"incident", "ack", stuckID}, tt.args...)...)
		if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%q: got, want:\n%s", tt.args, diff)
		}
	}
	got := newHand(t, incidentsDaemon(t)).run("incident", "ack", stuckID, "-o", "jsonl")
	if got.status != 0 || !strings.Contains(got.out, `"acked_by":"uid:0"`) {
		t.Errorf("as JSON it is %+v", got)
	}
}

func TestIncident_wrongInputsSayWhatToDo(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{
		"GET /v1/incidents/ffff":      {refusal(molecule.NotFound, `no incident "ffff"`, "molecli incident list --all")},
		"POST /v1/incidents/01/ack":   {refusal(molecule.Invalid, `incident "01" is ambiguous`, "give more of the id")},
		"POST /v1/incidents/0190/ack": {refusal(molecule.Conflict, "incident 0190 was acknowledged by uid:0 at noon already", "molecli incident show 0190")},
	})
	tests := []struct {
		args string
		want int
		says string
	}{
		{"incident show ffff", wire.ExitNotFound, "try: molecli incident list --all"},
		{"incident ack 01", wire.ExitUsage, "ambiguous"},
		{"incident ack 0190", wire.ExitConflict, "acknowledged by uid:0"},
		{"incident ack", wire.ExitUsage, "molecli incident ack needs ID"},
		{"incident ack 1 2", wire.ExitUsage, `does not take "2"`},
		{"incident lst", wire.ExitUsage, "try: molecli incident list"},
		{"incident list --filter state=open", wire.ExitUsage, "kind, subject"},
		{"incident list --sort age", wire.ExitUsage, "since"},
	}
	for _, tt := range tests {
		got := newHand(t, d).run(strings.Fields(tt.args)...)
		if got.status != tt.want || got.out != "" || !strings.Contains(got.err, tt.says) {
			t.Errorf("%s: got %+v, want status %d and %q", tt.args, got, tt.want, tt.says)
		}
	}
}

func TestStatus_countsOpenIncidents(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "incidents\tnone open\n", 3: "incidents\t3 open: molecli incident list\n"} {
		d := newDaemon(t, map[string][]reply{"GET /v1/status": {{0, molecule.Status{OpenIncidents: n}}}})
		if got := newHand(t, d).run("status"); got.status != 0 || !strings.Contains(got.out, want) {
			t.Errorf("got %+v, want %q", got, want)
		}
	}
}
