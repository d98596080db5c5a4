package daemon

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestLoadConfig_pointsAtEachKindOfMistake(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, says, caret string }{
		{"org_id: a b\n", ":1:9: org_id: ", "a b"},
		{"listen: [\"http://127.0.0.1:1\", tcp]\n", `:1:32: listen address "tcp"`, "tcp"},
		{"network:\n  local_agents: maybe\n", ":2:17: network.local_agents", "maybe"},
		{"network:\n  resolver: dns.example\n", ":2:13: network.resolver", "dns.example"},
		{"network:\n  allow_prefixes:\n    - 100.64.0.0/11\n    - tailnet\n", `:4:7: network.allow_prefixes: "tailnet"`, "tailnet"},
		{"network:\n  allow_prefixes: [127.0.0.0/8]\n", ":2:20: ", "127.0.0.0/8"},
		{"network:\n  allow_sink_hosts: [git]\n", ":2:22: network.allow_sink_hosts", "git"},
		{"network:\n  sink_proxy: proxy/path\n", ":2:15: network.sink_proxy", "proxy/path"},
		{"network:\n  tls_cert: /c.pem\n", ":2:13: network.tls_cert", "/c.pem"},
		{"tenant:\n  trust_fly_replay: sure\n", ":2:21: tenant.trust_fly_replay", "sure"},
		{"dispatch:\n  max_in_progress: 0\n", ":2:20: dispatch.max_in_progress", "0"},
		{"dispatch:\n  drain: 1h\n", ":2:10: dispatch.drain", "1h"},
		{"dispatch:\n  budget_runs: -1\n", ":2:16: dispatch.budget", "-1"},
		{"dispatch:\n  budget_runs: 1\n  budget_window: 1s\n", ":3:18: dispatch.budget", "1s"},
		{"secrets:\n  master_key: abc\n", ":2:15: secrets.master_key", "abc"},
		{"supervisor:\n  dead_man_every: 1s\n", ":2:19: supervisor.dead_man_every", "1s"},
		{"audit:\n  export_every: 1s\n", ":2:17: audit.export_every", "1s"},
		{"retention:\n  runs: 0\n", ":2:9: retention.runs", "0"},
		{"retention:\n  failure_days: 3\n", ":2:17: retention.run_days is 30 and retention.failure_days only 3", "3"},
		{"log:\n  level: wran\n", `:2:10: log.level is "wran"`, "wran"},
		{"log:\n  format: xml\n", ":2:11: log.format", "xml"},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, tt.text)
			if molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error(), "moleculed.yaml"+tt.says) {
				t.Fatalf("got %v, want %q", err, tt.says)
			}
			lines := strings.Split(err.Error(), "\n")
			n := slices.IndexFunc(lines, func(l string) bool { return strings.TrimSpace(l) == "^" })
			if n < 1 || !strings.HasPrefix(lines[n-1][min(len(lines[n])-1, len(lines[n-1])):], tt.caret) {
				t.Errorf("no caret below %q:\n%v", tt.caret, err)
			}
		})
	}
}

func TestLoadConfig_tellsAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, "colour: red\nlog:\n  levell: info\n  format: xml\nretention:\n  runs: 0\n")
	var first []string
	for line := range strings.Lines(err.Error()) {
		if _, says, ok := strings.Cut(line, "moleculed.yaml:"); ok {
			first = append(first, strings.TrimSpace(says))
		}
	}
	want := []string{
		`1:1: unknown field "colour"`, `3:3: unknown field "levell"`,
		"6:9: retention.runs is 0, it must be between 1 and 1000000",
		`4:11: log.format is "xml", it must be one of text, json`,
	}
	if diff := cmp.Diff(first, want); diff != "" || strings.Count(err.Error(), "✗ ") != 3 {
		t.Errorf("%v\n(-got +want):\n%s", err, diff)
	}
}

func TestLoadConfig_sendsASettingToItsSectionAndASecretAway(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, hint string }{
		{"level: info\n", "did you mean log.level?"},
		{"auth:\n  admin_token: abc\n", "no setting holds a secret"},
		{"master_key: file:/k\n", "did you mean secrets.master_key?"},
	}
	for _, tt := range tests {
		if _, err := load(t, tt.text); !strings.Contains(molecule.HintOf(err), tt.hint) {
			t.Errorf("%q: got %v, try %q; want %q", tt.text, err, molecule.HintOf(err), tt.hint)
		}
	}
}

func TestLoadConfig_namesTheFlagOfABadValue(t *testing.T) {
	t.Parallel()
	_, err := load(t, "log:\n  level: info\n", "--log-level", "wran")
	if want := `log.level is "wran", it must be one of debug, info, warn, error (flag --log-level)`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What has commas or blanks in it cannot come from a variable.
func TestSettings_areEveryFieldOfTheStruct(t *testing.T) {
	t.Parallel()
	var listed []string
	for _, s := range settings() {
		listed = append(listed, s.path)
	}
	listed = append(listed, "dispatch.phantom_replies")
	fields := settingPaths()
	slices.Sort(listed)
	slices.Sort(fields)
	if diff := cmp.Diff(listed, fields); diff != "" {
		t.Errorf("listed, fields:\n%s", diff)
	}
}
