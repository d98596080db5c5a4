package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Config is every setting of the daemon. config/moleculed.yaml describes each.
type Config struct {
	OrgID      *string          `yaml:"org_id"`
	DataDir    *string          `yaml:"data_dir"`
	Listen     []string         `yaml:"listen"`
	Auth       AuthConfig       `yaml:"auth"`
	Network    NetworkConfig    `yaml:"network"`
	Tenant     TenantConfig     `yaml:"tenant"`
	Dispatch   DispatchConfig   `yaml:"dispatch"`
	Supervisor SupervisorConfig `yaml:"supervisor"`
	Audit      AuditConfig      `yaml:"audit"`
	Secrets    SecretsConfig    `yaml:"secrets"`
	Retention  RetentionConfig  `yaml:"retention"`
	Log        LogConfig        `yaml:"log"`
}

// AuthConfig says who administers.
type AuthConfig struct {
	Operators []string `yaml:"operators"`
}

// NetworkConfig says what may be dialled and how we are reached.
type NetworkConfig struct {
	LocalAgents    string   `yaml:"local_agents"`
	Resolver       string   `yaml:"resolver"`
	AllowPrefixes  []string `yaml:"allow_prefixes"`
	AllowSinkHosts []string `yaml:"allow_sink_hosts"`
	SinkProxy      string   `yaml:"sink_proxy"`
	BehindTLSProxy bool     `yaml:"behind_tls_proxy"`
	TLSCert        string   `yaml:"tls_cert"`
	TLSKey         string   `yaml:"tls_key"`
}

// TenantConfig says which proof of the organisation counts.
type TenantConfig struct {
	TrustFlyReplay string `yaml:"trust_fly_replay"`
}

// DispatchConfig bounds the delivery of runs.
type DispatchConfig struct {
	MaxInProgress  int           `yaml:"max_in_progress"`
	Drain          time.Duration `yaml:"drain"`
	PhantomReplies []string      `yaml:"phantom_replies"`

	// What all runs together may spend; 0 is no bound.
	BudgetRuns    int           `yaml:"budget_runs"`
	BudgetTokens  int64         `yaml:"budget_tokens"`
	BudgetCostUSD float64       `yaml:"budget_cost_usd"`
	BudgetWindow  time.Duration `yaml:"budget_window"`
}

// budget returns the budget of all runs together.
func (c DispatchConfig) budget() molecule.Budget {
	return molecule.Budget{
		Runs: c.BudgetRuns, Tokens: c.BudgetTokens, CostUSD: c.BudgetCostUSD, Window: molecule.Duration(c.BudgetWindow),
	}
}

// AuditConfig says where heads of the audit trail are kept beside the database.
type AuditConfig struct {
	ExportFile  string        `yaml:"export_file"`
	ExportURL   string        `yaml:"export_url"`
	ExportEvery time.Duration `yaml:"export_every"`
}

// LogConfig says what is logged and how.
type LogConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// DefaultConfig returns the settings of an absent file.
func DefaultConfig() Config {
	return Config{
		Listen:  []string{},
		Auth:    AuthConfig{Operators: []string{}},
		Network: NetworkConfig{LocalAgents: "auto", Resolver: "system", AllowPrefixes: []string{}, AllowSinkHosts: []string{}},
		Tenant:  TenantConfig{TrustFlyReplay: "auto"},
		Dispatch: DispatchConfig{
			MaxInProgress: 64, Drain: 20 * time.Second, PhantomReplies: []string{"(no response generated)"},
			BudgetWindow: molecule.DefaultBudgetWindow,
		},
		Supervisor: SupervisorConfig{DeadManEvery: time.Minute},
		Audit:      AuditConfig{ExportEvery: time.Hour},
		Retention:  defaultRetention(),
		Log:        LogConfig{Level: "info", Format: "text"},
	}
}

// systemConfig is read when nobody names a file and it exists.
const systemConfig = "/etc/moleculed/moleculed.yaml"

// LoadConfig reads the file, the MOLECULE_* variables and the flags that were
// given, each over the one before, and checks the result. An empty path means
// the system's file, which may be absent. Errors are Invalid and name the
// place: file:line:col, the variable or the flag.
func LoadConfig(path string, flags *pflag.FlagSet) (Config, error) {
	cfg, file, err := readConfig(path)
	if err != nil {
		return cfg, err
	}
	wrong := file.unknown()
	if err := file.decode(&cfg); err != nil {
		return cfg, joined(append(wrong, err))
	}
	from, err := override(&cfg, flags)
	if err != nil {
		return cfg, joined(append(wrong, err))
	}
	for _, m := range cfg.mistakes() {
		wrong = append(wrong, m.at(file, from))
	}
	return cfg, joined(wrong)
}

// readConfig reads the text of the file, and returns the defaults.
func readConfig(path string) (Config, configFile, error) {
	cfg, named := DefaultConfig(), path != ""
	if !named {
		path = systemConfig
	}
	if err := ownFile(path); err != nil {
		return cfg, configFile{}, err
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return cfg, configFile{path: path}, nil
	case err != nil:
		return cfg, configFile{}, molecule.Errorf(molecule.Invalid, "the configuration cannot be read: %v", err).
			WithHint("name another file with --config, or write one with: moleculed init")
	}
	return cfg, configFile{path, text}, nil
}

// fill sets what a file names and leaves empty, such as a section whose lines
// are all comments: the decoder takes that for "nothing", and nobody means it.
func (c *Config) fill(def Config) {
	fill(&c.Auth, def.Auth)
	fill(&c.Network, def.Network)
	fill(&c.Tenant, def.Tenant)
	fill(&c.Dispatch, def.Dispatch)
	fill(&c.Audit, def.Audit)
	fill(&c.Secrets, def.Secrets)
	fill(&c.Supervisor, def.Supervisor)
	fill(&c.Retention, def.Retention)
	fill(&c.Log, def.Log)
	fill(&c.Listen, def.Listen)
	fill(&c.Dispatch.PhantomReplies, def.Dispatch.PhantomReplies)
}

func fill[T any](section *T, def T) {
	if reflect.ValueOf(*section).IsZero() {
		*section = def
	}
}

// setting ties the path of a setting to its field.
type setting struct {
	path string
	set  setter
}

// setter writes the value that v has at path into its field of c.
type setter func(c *Config, v *viper.Viper, path string) error

func text(field func(*Config) *string) setter {
	return parsed(field, func(s string) (string, error) { return s, nil })
}

// parsed reads a value that is not any text. viper's own readers take what
// they cannot read for zero.
func parsed[T any](field func(*Config) *T, parse func(string) (T, error)) setter {
	return func(c *Config, v *viper.Viper, path string) (err error) {
		*field(c), err = parse(v.GetString(path))
		return err
	}
}

func optional(field func(*Config) **string) setter {
	return func(c *Config, v *viper.Viper, path string) error {
		s := v.GetString(path)
		*field(c) = &s
		return nil
	}
}

// list reads what a flag repeats and a variable separates by commas.
func list(field func(*Config) *[]string) setter {
	return func(c *Config, v *viper.Viper, path string) error {
		var all []string
		for _, item := range v.GetStringSlice(path) {
			all = append(all, strings.FieldsFunc(item, func(r rune) bool { return r == ',' || r == ' ' })...)
		}
		*field(c) = all
		return nil
	}
}

// settings is the one list of what a variable or a flag may override.
func settings() []setting {
	return append(retentionSettings(), []setting{
		{"org_id", optional(func(c *Config) **string { return &c.OrgID })},
		{"data_dir", optional(func(c *Config) **string { return &c.DataDir })},
		{"listen", list(func(c *Config) *[]string { return &c.Listen })},
		{"auth.operators", list(func(c *Config) *[]string { return &c.Auth.Operators })},
		{"network.local_agents", text(func(c *Config) *string { return &c.Network.LocalAgents })},
		{"network.resolver", text(func(c *Config) *string { return &c.Network.Resolver })},
		{"network.allow_prefixes", list(func(c *Config) *[]string { return &c.Network.AllowPrefixes })},
		{"network.allow_sink_hosts", list(func(c *Config) *[]string { return &c.Network.AllowSinkHosts })},
		{"network.sink_proxy", text(func(c *Config) *string { return &c.Network.SinkProxy })},
		{"network.behind_tls_proxy", parsed(func(c *Config) *bool { return &c.Network.BehindTLSProxy }, strconv.ParseBool)},
		{"network.tls_cert", text(func(c *Config) *string { return &c.Network.TLSCert })},
		{"network.tls_key", text(func(c *Config) *string { return &c.Network.TLSKey })},
		{"tenant.trust_fly_replay", text(func(c *Config) *string { return &c.Tenant.TrustFlyReplay })},
		{"dispatch.max_in_progress", parsed(func(c *Config) *int { return &c.Dispatch.MaxInProgress }, strconv.Atoi)},
		{"dispatch.drain", parsed(func(c *Config) *time.Duration { return &c.Dispatch.Drain }, time.ParseDuration)},
		{"dispatch.budget_runs", parsed(func(c *Config) *int { return &c.Dispatch.BudgetRuns }, strconv.Atoi)},
		{"dispatch.budget_tokens", parsed(func(c *Config) *int64 { return &c.Dispatch.BudgetTokens }, parseInt)},
		{"dispatch.budget_cost_usd", parsed(func(c *Config) *float64 { return &c.Dispatch.BudgetCostUSD }, parseFloat)},
		{"dispatch.budget_window", parsed(func(c *Config) *time.Duration { return &c.Dispatch.BudgetWindow }, time.ParseDuration)},
		{"supervisor.dead_man_url", text(func(c *Config) *string { return &c.Supervisor.DeadManURL })},
		{"supervisor.dead_man_every", parsed(func(c *Config) *time.Duration { return &c.Supervisor.DeadManEvery }, time.ParseDuration)},
		{"audit.export_file", text(func(c *Config) *string { return &c.Audit.ExportFile })},
		{"audit.export_url", text(func(c *Config) *string { return &c.Audit.ExportURL })},
		{"audit.export_every", parsed(func(c *Config) *time.Duration { return &c.Audit.ExportEvery }, time.ParseDuration)},
		{"secrets.master_key", text(func(c *Config) *string { return &c.Secrets.MasterKey })},
		{"secrets.previous_key", text(func(c *Config) *string { return &c.Secrets.PreviousKey })},
		{"log.level", text(func(c *Config) *string { return &c.Log.Level })},
		{"log.format", text(func(c *Config) *string { return &c.Log.Format })},
	}...)
}

func parseInt(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

// override sets what a variable or a flag gives. Given but blank is an error:
// a variable that failed to expand must not open the daemon to everyone.
// It returns what gives each setting that it set.
func override(cfg *Config, flags *pflag.FlagSet) (from map[string]string, err error) {
	v := viper.New()
	from = make(map[string]string)
	v.AllowEmptyEnv(true)
	for _, s := range settings() {
		source, err := s.bind(v, flags)
		if err != nil {
			return nil, fmt.Errorf("bind %s: %w", s.path, err)
		}
		if source == "" {
			continue
		}
		if blank(v, s.path) {
			return nil, molecule.Errorf(molecule.Invalid, "%s is given but blank", source).WithHint("leave it out, or give it a value")
		}
		if s.set(cfg, v, s.path) != nil {
			return nil, molecule.Errorf(molecule.Invalid, "%s is %q, which is no value for %s", source, v.GetString(s.path), s.path).
				WithHint("write it like the default in: moleculed check-config --show")
		}
		from[s.path] = source
	}
	return from, nil
}

// bind lets v find the value and returns what gives it: a flag, else a
// variable; "" when neither does.
func (s setting) bind(v *viper.Viper, flags *pflag.FlagSet) (source string, err error) {
	env := "MOLECULE_" + strings.ToUpper(strings.ReplaceAll(s.path, ".", "_"))
	if _, given := os.LookupEnv(env); given {
		source = "variable " + env
	}
	if err := v.BindEnv(s.path, env); err != nil || flags == nil {
		return source, err
	}
	f := flags.Lookup(s.flag())
	if f == nil || !f.Changed {
		return source, nil
	}
	return "flag --" + f.Name, v.BindPFlag(s.path, f)
}

// flag is the name of the flag that gives the setting, if there is one.
func (s setting) flag() string {
	name := s.path[strings.LastIndex(s.path, ".")+1:]
	if strings.HasPrefix(s.path, "log.") {
		name = "log-" + name
	}
	return strings.ReplaceAll(name, "_", "-")
}

func blank(v *viper.Viper, path string) bool {
	return strings.TrimSpace(strings.Join(v.GetStringSlice(path), "")) == "" && strings.TrimSpace(v.GetString(path)) == ""
}

// Org returns the organisation id, "" when there is none.
func (c *Config) Org() string {
	if c.OrgID == nil {
		return ""
	}
	return *c.OrgID
}

// Dir returns the data directory as an absolute path.
func (c *Config) Dir() (string, error) {
	if c.DataDir != nil {
		return filepath.Abs(*c.DataDir)
	}
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir, nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/moleculed", nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "moleculed"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", molecule.Errorf(molecule.Invalid, "no data directory: %v", err).WithHint("name one with --data-dir")
	}
	return filepath.Join(home, ".local", "share", "moleculed"), nil
}
