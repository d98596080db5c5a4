package cli

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// soundAnswers are those of a daemon that nothing is wrong with.
func soundAnswers() map[string][]reply {
	return map[string][]reply{
		"GET /health":       {{0, `{"status":"ok"}`}},
		"GET /v1/whoami":    {{0, molecule.Identity{Name: "token:laptop", Source: "token", Scopes: []molecule.Scope{molecule.ScopeAdmin}, ExpiresAt: noon().Add(1000 * time.Hour)}}},
		"GET /v1/status":    {{0, molecule.Status{Version: molecule.Version(), DataDir: "/d", FreeBytes: 1 << 40}}},
		"GET /v1/liveness":  {{0, alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemHealthy)})}},
		"GET /v1/incidents": {{0, molecule.Page[molecule.Incident]{Items: []molecule.Incident{}}}},
	}
}

// patient is a hand with a token, in front of a daemon that answers this.
func patient(t *testing.T, answers map[string][]reply) hand {
	t.Helper()
	h := newHand(t, newDaemon(t, answers))
	h.env["MOLECULE_TOKEN_FILE"] = filepath.Join(h.env["HOME"], "token")
	if err := os.WriteFile(h.env["MOLECULE_TOKEN_FILE"], []byte("mol_op_12345678_secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestDoctor_findsNothingWhereNothingIsWrong(t *testing.T) {
	t.Parallel()
	answers := soundAnswers()
	answers["GET /v1/liveness"][0].body = molecule.Liveness{Healthy: true, Subsystems: map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemHealthy)}}
	got := patient(t, answers).run("doctor")
	if got.status != 0 || got.err != "✓ nothing is wrong\n" || strings.Count(got.out, "\tok\t") != 11 {
		t.Errorf("got %+v, want eleven checks that found nothing", got)
	}
}

func TestDoctor_namesTheCureAndExitsByWhatItFound(t *testing.T) {
	t.Parallel()
	stuck := subsystem(molecule.SubsystemStuck)
	stuck.BlockedIn = "os.(*File).Write"
	tests := []struct {
		name  string
		route string // whose answer is another
		reply reply
		line  string // that tells of it
		exit  int
	}{
		{"a token that is refused", "GET /v1/whoami", refusal(molecule.Unauthenticated, "the token is not known", "molecli login"),
			"identity\tfailed\tthe token is not known\tmolecli login\n", wire.ExitForbidden},
		{"another organisation", "GET /v1/whoami", refusal(molecule.NotFound, "not found", ""),
			"identity\tfailed\tnot found\tcheck the name, and whether the daemon needs --org: a wrong one looks the same\n", wire.ExitNotFound},
		{"a token that ends soon", "GET /v1/whoami", reply{0, molecule.Identity{Name: "token:laptop", Source: "token", ExpiresAt: noon().Add(72 * time.Hour)}},
			"identity\twarning\ttoken:laptop, by token, may: ; the token ends in 3d\tmolecli token add NAME --scope SCOPE --token-out FILE, then molecli login < FILE\n", 0},
		{"another version", "GET /v1/status", reply{0, molecule.Status{Version: "v0.1.0", FreeBytes: 1 << 40}},
			"daemon\twarning\tmoleculed v0.1.0, and molecli is " + molecule.Version() + "\tinstall the same version of both\n", 0},
		{"a full disk", "GET /v1/status", reply{0, molecule.Status{Version: molecule.Version(), DataDir: "/d", FreeBytes: 1 << 20}},
			"disk\tfailed\t1.0 MiB free at /d\tmake room: df -h /d\n", wire.ExitFailure},
		{"a part that is stuck", "GET /v1/liveness", reply{0, alive(map[string]molecule.Subsystem{"scheduler": stuck})},
			"subsystems\tfailed\tscheduler is stuck (blocked in os.(*File).Write)\tmolecli liveness dump scheduler\n", wire.ExitStale},
		{"a part that is dead", "GET /v1/liveness", reply{0, alive(map[string]molecule.Subsystem{"scheduler": subsystem(molecule.SubsystemFailed)})},
			"subsystems\tfailed\tscheduler is failed\tmolecli liveness dump scheduler\n", wire.ExitDead},
		{"a schedule in error", "GET /v1/liveness", reply{0, molecule.Liveness{Schedules: molecule.ScheduleCounts{Error: 1}}},
			"schedules\tfailed\t0 on time, 0 late, 0 failing, 0 paused, 1 in error\tmolecli schedule list --state error\n", wire.ExitFailure},
		{"an agent that is gone", "GET /v1/liveness", reply{0, molecule.Liveness{Agents: molecule.AgentCounts{Offline: 1}}},
			"agents\twarning\t0 online, 0 suspect, 1 offline\tmolecli agent list --state offline\n", 0},
		{"a critical incident", "GET /v1/incidents", reply{0, molecule.Page[molecule.Incident]{Items: []molecule.Incident{{ID: "i1", Title: "it is dead", Severity: molecule.SeverityCritical}}}},
			"incidents\tfailed\tit is dead\tmolecli incident show i1\n", wire.ExitFailure},
		{"one that somebody knows of", "GET /v1/incidents", reply{0, molecule.Page[molecule.Incident]{Items: []molecule.Incident{{ID: "i1", Title: "it is dead", Severity: molecule.SeverityCritical, AckedAt: noon()}}}},
			"incidents\twarning\topen: 1, such as: it is dead\tmolecli incident list\n", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answers := maps.Clone(soundAnswers())
			answers[tt.route] = []reply{tt.reply}
			got := patient(t, answers).run("doctor")
			if got.status != tt.exit || !strings.Contains(got.out, tt.line) {
				t.Errorf("got %+v, want status %d and %q", got, tt.exit, tt.line)
			}
		})
	}
}

func TestDoctor_saysWhyNobodyAccepts(t *testing.T) {
	t.Parallel()
	h := newHand(t, nil)
	h.env["XDG_RUNTIME_DIR"] = t.TempDir()
	dir := filepath.Join(h.env["HOME"], ".molecule")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "moleculed.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := h.run("doctor")
	if got.status != wire.ExitUnreachable || !strings.Contains(got.out, "endpoint\tfailed\tthere is a socket at "+dir) {
		t.Errorf("got %+v, want the socket that is left", got)
	}
	if n := strings.Count(got.out, "\tskipped\tnot looked at: "); n != 9 {
		t.Errorf("%d checks are skipped, want all nine behind it:\n%s", n, got.out)
	}
}

func TestDoctor_fixTakesFilesAwayFromOthers(t *testing.T) {
	t.Parallel()
	h := patient(t, soundAnswers())
	settings, token := h.keep("output: table\n", 0o644), h.env["MOLECULE_TOKEN_FILE"]
	if err := os.Chmod(token, 0o640); err != nil {
		t.Fatal(err)
	}
	before := h.run("doctor")
	if before.status != wire.ExitUsage || !strings.Contains(before.out, "chmod 600 "+settings) || !strings.Contains(before.out, "chmod 600 "+token) {
		t.Errorf("before: got %+v, want both cures", before)
	}
	fixed := h.run("doctor", "--fix", "-o", "json")
	var page molecule.Page[finding]
	if err := json.Unmarshal([]byte(fixed.out), &page); err != nil || fixed.status != 0 {
		t.Fatalf("got %+v, %v", fixed, err)
	}
	var mended []string
	for _, f := range page.Items {
		if f.Fixed {
			mended = append(mended, f.Check)
		}
	}
	if diff := cmp.Diff(mended, []string{"settings", "token"}); diff != "" {
		t.Errorf("fixed, want:\n%s", diff)
	}
	if after := h.run("doctor"); after.status != 0 {
		t.Errorf("after: got %+v", after)
	}
}

func TestDoctor_cutsNothingOnANarrowScreen(t *testing.T) {
	t.Parallel()
	answers := soundAnswers()
	stuck := subsystem(molecule.SubsystemStuck)
	stuck.BlockedIn = "database/sql.(*DB).Begin"
	answers["GET /v1/liveness"] = []reply{{0, alive(map[string]molecule.Subsystem{"scheduler": stuck})}}
	got := patient(t, answers).plain(44).run("doctor")
	want := "✗ subsystems  scheduler is stuck (blocked in\n" +
		"              database/sql.(*DB).Begin)\n" +
		"  try: molecli liveness dump scheduler\n"
	if !strings.Contains(got.out, want) {
		t.Errorf("got %s, want %s", got.out, want)
	}
}
