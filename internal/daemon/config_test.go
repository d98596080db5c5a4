package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/config"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// load reads a configuration file of this text, with flags as typed.
func load(t *testing.T, text string, flags ...string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "moleculed.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var unused string
	cmd := &cobra.Command{}
	configFlags(cmd, &unused)
	if err := cmd.ParseFlags(flags); err != nil {
		t.Fatal(err)
	}
	return LoadConfig(path, cmd.Flags())
}

func TestLoadConfig_theFileWeShipIsTheDefault(t *testing.T) {
	t.Parallel()
	for _, text := range []string{string(config.Moleculed), "", "# nothing\n", "log:\nnetwork:\n  # local_agents: off\n"} {
		cfg, err := load(t, text)
		if diff := cmp.Diff(cfg, DefaultConfig()); err != nil || diff != "" {
			t.Errorf("%.20q, %v (-got +want):\n%s", text, err, diff)
		}
	}
}

func TestLoadConfig_saysWhereTheFileIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		says, hint string
	}{
		{"unknown key", "log:\n  levell: info\n", `moleculed.yaml:2:3: unknown field "levell"`, "did you mean level?"},
		{"unknown section", "networkk:\n  resolver: system\n", `moleculed.yaml:1:1: unknown field "networkk"`, "did you mean network?"},
		{"nothing like it", "colour: red\n", `:1:1: unknown field "colour"`, "check-config --show"},
		{"no YAML", "log: [\n", "moleculed.yaml:1:6: ", "check-config --show"},
		{"a text for a number", "dispatch:\n  max_in_progress: many\n", "moleculed.yaml:2:20: ", ""},
		{"a text for a duration", "dispatch:\n  drain: soon\n", "moleculed.yaml:2:10: ", ""},
		{"a value out of range", "dispatch:\n  max_in_progress: 0\n", "dispatch.max_in_progress is 0, it must be between 1 and 10000", ""},
		{"a drain of an hour", "dispatch:\n  drain: 1h\n", "dispatch.drain is 1h0m0s", ""},
		{"a switch that is called all the time", "supervisor:\n  dead_man_every: 1s\n", "supervisor.dead_man_every is 1s, it must be between 5s and 24h", ""},
		{"a history of nothing", "retention:\n  runs: 0\n", "retention.runs is 0, it must be between 1 and 1000000", ""},
		{"fewer events than a reader may miss", "retention:\n  max_events: 10\n", "retention.max_events is 10, it must be between 1000", ""},
		{"failures for a shorter time", "retention:\n  run_days: 100\n", "retention.run_days is 100 and retention.failure_days only 90", "the larger number"},
		{"days for a shorter time than hours", "retention:\n  day_days: 10\n", "retention.hour_days is 90 and retention.day_days only 10", ""},
		{"fewer runs in all than of each", "retention:\n  max_runs: 50\n", "retention.runs is 100 and retention.max_runs only 50", ""},
		{"a length of time for days", "retention:\n  run_days: 30d\n", "moleculed.yaml:2:13: ", ""},
		{"a key that is misspelt", "retention:\n  run_day: 3\n", "unknown field \"run_day\"", "did you mean run_days?"},
		{"no such level", "log:\n  level: loud\n", `log.level is "loud", it must be one of debug, info, warn, error`, ""},
		{"no such choice", "network:\n  local_agents: maybe\n", "it must be one of auto, on, off", ""},
		{"no organisation id", "org_id: a b\n", `org_id: organisation id "a b" is not valid`, "use 1 to 128"},
		{"a blank organisation id", `org_id: ""` + "\n", "org_id is given but blank", "null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, tt.text)
			if molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error(), tt.says) || !strings.Contains(molecule.HintOf(err), tt.hint) {
				t.Errorf("got %v, try %q; want %q and %q", err, molecule.HintOf(err), tt.says, tt.hint)
			}
		})
	}
	_, err := load(t, "log:\n  levell: info\n")
	if !strings.Contains(err.Error(), "\n>  2 |   levell: info\n         ^") {
		t.Errorf("no caret below the word:\n%v", err)
	}
}

// Not parallel: variables belong to the whole process.
func TestLoadConfig_flagOverVariableOverFileOverDefault(t *testing.T) {
	const file = "org_id: file\nlog:\n  level: warn\n"
	steps := []struct {
		name  string
		env   map[string]string
		flags []string
		want  string
	}{
		{"file over default", nil, nil, "file warn text"},
		{"variable over file", map[string]string{"MOLECULE_ORG_ID": "env", "MOLECULE_LOG_FORMAT": "json"}, nil, "env warn json"},
		{"flag over variable", map[string]string{"MOLECULE_ORG_ID": "env"}, []string{"--org-id", "flag", "--log-level", "debug"}, "flag debug text"},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			for k, v := range s.env {
				t.Setenv(k, v)
			}
			cfg, err := load(t, file, s.flags...)
			if got := strings.Join([]string{cfg.Org(), cfg.Log.Level, cfg.Log.Format}, " "); err != nil || got != s.want {
				t.Errorf("got %s, %v; want %s", got, err, s.want)
			}
		})
	}
}

// Not parallel: variables belong to the whole process.
func TestLoadConfig_judgesVariablesAndFlags(t *testing.T) {
	tests := []struct {
		name, env, value string
		flags            []string
		says             string
	}{
		{"a blank variable", "MOLECULE_ORG_ID", "", nil, "variable MOLECULE_ORG_ID is given but blank"},
		{"a variable of blanks", "MOLECULE_DATA_DIR", "  ", nil, "variable MOLECULE_DATA_DIR is given but blank"},
		{"a blank flag", "", "", []string{"--data-dir", ""}, "flag --data-dir is given but blank"},
		{"a blank list", "", "", []string{"--listen", ""}, "flag --listen is given but blank"},
		{"a drain that is no duration", "MOLECULE_DISPATCH_DRAIN", "soon", nil, `MOLECULE_DISPATCH_DRAIN is "soon", which is no value for dispatch.drain`},
		{"a number that is none", "MOLECULE_DISPATCH_MAX_IN_PROGRESS", "1e3", nil, `is "1e3", which is no value`},
		{"neither yes nor no", "MOLECULE_NETWORK_BEHIND_TLS_PROXY", "maybe", nil, `is "maybe", which is no value`},
		{"a level", "MOLECULE_LOG_LEVEL", "loud", nil, `log.level is "loud"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.env != "" {
				t.Setenv(tt.env, tt.value)
			}
			if _, err := load(t, "", tt.flags...); molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

// Not parallel: variables belong to the whole process.
func TestLoadConfig_readsEverySettingFromItsVariable(t *testing.T) {
	for name, value := range map[string]string{
		"ORG_ID": "acme", "DATA_DIR": "/d", "LISTEN": "unix:///a,http://127.0.0.1:1", "AUTH_OPERATORS": "ann bob",
		"NETWORK_LOCAL_AGENTS": "off", "NETWORK_RESOLVER": "10.0.0.1:53", "NETWORK_ALLOW_PREFIXES": "100.64.0.0/11",
		"NETWORK_ALLOW_SINK_HOSTS": "http://127.0.0.1:1", "NETWORK_SINK_PROXY": "http://10.0.0.2:3128", "NETWORK_BEHIND_TLS_PROXY": "true", "NETWORK_TLS_CERT": "/c", "NETWORK_TLS_KEY": "/k", "TENANT_TRUST_FLY_REPLAY": "off", "DISPATCH_MAX_IN_PROGRESS": "7",
		"DISPATCH_DRAIN": "3s", "RETENTION_RUNS": "7", "LOG_LEVEL": "warn", "LOG_FORMAT": "json",
		"AUDIT_EXPORT_FILE": "/h", "AUDIT_EXPORT_URL": "https://a.example/heads", "AUDIT_EXPORT_EVERY": "5m",
		"SUPERVISOR_DEAD_MAN_URL": "https://hc.example/x", "SUPERVISOR_DEAD_MAN_EVERY": "7s",
	} {
		t.Setenv("MOLECULE_"+name, value)
	}
	org, dir := "acme", "/d"
	want := Config{
		OrgID: &org, DataDir: &dir, Listen: []string{"unix:///a", "http://127.0.0.1:1"},
		Auth: AuthConfig{Operators: []string{"ann", "bob"}},
		Network: NetworkConfig{
			LocalAgents: "off", Resolver: "10.0.0.1:53", AllowPrefixes: []string{"100.64.0.0/11"}, BehindTLSProxy: true, TLSCert: "/c", TLSKey: "/k",
			AllowSinkHosts: []string{"http://127.0.0.1:1"}, SinkProxy: "http://10.0.0.2:3128",
		},
		Tenant: TenantConfig{TrustFlyReplay: "off"},
		Dispatch: DispatchConfig{
			MaxInProgress: 7, Drain: 3 * time.Second, PhantomReplies: DefaultConfig().Dispatch.PhantomReplies, BudgetWindow: 24 * time.Hour,
		},
		Audit: AuditConfig{ExportFile: "/h", ExportURL: "https://a.example/heads", ExportEvery: 5 * time.Minute},
		Log:   LogConfig{Level: "warn", Format: "json"},
	}
	want.Retention = DefaultConfig().Retention
	want.Retention.Runs = 7
	want.Supervisor = SupervisorConfig{DeadManURL: "https://hc.example/x", DeadManEvery: 7 * time.Second}
	cfg, err := load(t, "")
	if diff := cmp.Diff(cfg, want); err != nil || diff != "" {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
}
