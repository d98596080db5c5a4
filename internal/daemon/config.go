package daemon

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
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
	cfg := DefaultConfig()
	if err := readFile(path, &cfg); err != nil {
		return cfg, err
	}
	if err := override(&cfg, flags); err != nil {
		return cfg, err
	}
	return cfg, cfg.validate()
}

// readFile decodes the file over the defaults.
func readFile(path string, cfg *Config) error {
	named := path != ""
	if !named {
		path = systemConfig
	}
	if err := ownFile(path); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return nil
	case err != nil:
		return molecule.Errorf(molecule.Invalid, "the configuration cannot be read: %v", err).
			WithHint("name another file with --config, or write one with: moleculed init")
	}
	err = yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField()).Decode(cfg)
	if err != nil && !errors.Is(err, io.EOF) { // a file of comments only has no document
		return syntaxError(path, text, err)
	}
	cfg.fill(DefaultConfig())
	return nil
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

// position is how the YAML library begins a message: [line:col].
var position = regexp.MustCompile(`^\[(\d+):(\d+)\] `)

// syntaxError turns the library's message into file:line:col and a caret.
func syntaxError(path string, file []byte, err error) error {
	said := strings.TrimRight(yaml.FormatError(err, false, true), "\n")
	if m := position.FindStringSubmatch(said); m != nil {
		said = fmt.Sprintf("%s:%s:%s: %s", path, m[1], m[2], said[len(m[0]):])
	} else {
		said = path + placeOf(file, said) + ": " + said
	}
	e := molecule.Errorf(molecule.Invalid, "%s", said)
	if name, ok := unknownField(said); ok {
		if meant := molecule.Nearest(name, settingNames()); meant != "" {
			return e.WithHint("did you mean %s? every setting is in: moleculed check-config --show", meant)
		}
	}
	return e.WithHint("every setting is in: moleculed check-config --show")
}

// placeOf finds the value that a message quotes and does not place, which is
// how the library complains of a duration.
func placeOf(file []byte, said string) string {
	for _, s := range settings() {
		at, err := yaml.PathString("$." + s.path)
		if err != nil {
			continue
		}
		node, err := at.ReadNode(bytes.NewReader(file))
		if err == nil && strings.Contains(said, strconv.Quote(node.String())) {
			p := node.GetToken().Position
			return fmt.Sprintf(":%d:%d", p.Line, p.Column)
		}
	}
	return ""
}

var unknownFieldShape = regexp.MustCompile(`unknown field "([^"]+)"`)

func unknownField(text string) (string, bool) {
	m := unknownFieldShape.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	return m[1], true
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

// settingNames returns every key that may stand in the file.
func settingNames() []string {
	names := []string{"auth", "network", "tenant", "dispatch", "supervisor", "audit", "secrets", "retention", "log", "phantom_replies"}
	for _, s := range settings() {
		names = append(names, s.path[strings.LastIndex(s.path, ".")+1:])
	}
	return names
}

// override sets what a variable or a flag gives. Given but blank is an error:
// a variable that failed to expand must not open the daemon to everyone.
func override(cfg *Config, flags *pflag.FlagSet) error {
	v := viper.New()
	v.AllowEmptyEnv(true)
	for _, s := range settings() {
		source, err := s.bind(v, flags)
		if err != nil {
			return fmt.Errorf("bind %s: %w", s.path, err)
		}
		if source == "" {
			continue
		}
		if blank(v, s.path) {
			return molecule.Errorf(molecule.Invalid, "%s is given but blank", source).WithHint("leave it out, or give it a value")
		}
		if s.set(cfg, v, s.path) != nil {
			return molecule.Errorf(molecule.Invalid, "%s is %q, which is no value for %s", source, v.GetString(s.path), s.path).
				WithHint("write it like the default in: moleculed check-config --show")
		}
	}
	return nil
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

// validate checks each value by itself; what depends on the machine is checked
// where it is used.
func (c *Config) validate() error {
	switch {
	case c.OrgID == nil:
	case *c.OrgID == "":
		return molecule.Errorf(molecule.Invalid, "org_id is given but blank").WithHint("write null, or leave it out, where there is no organisation")
	default:
		if err := molecule.ValidateOrgID(*c.OrgID); err != nil {
			return fmt.Errorf("org_id: %w", err)
		}
	}
	choices := []struct {
		path, value string
		allowed     []string
	}{
		{"network.local_agents", c.Network.LocalAgents, []string{"auto", "on", "off"}},
		{"tenant.trust_fly_replay", c.Tenant.TrustFlyReplay, []string{"auto", "on", "off"}},
		{"log.level", c.Log.Level, []string{"debug", "info", "warn", "error"}},
		{"log.format", c.Log.Format, []string{"text", "json"}},
	}
	for _, ch := range choices {
		if !slices.Contains(ch.allowed, ch.value) {
			return molecule.Errorf(molecule.Invalid, "%s is %q, it must be one of %s", ch.path, ch.value, strings.Join(ch.allowed, ", "))
		}
	}
	if n := c.Dispatch.MaxInProgress; n < 1 || n > 10_000 {
		return molecule.Errorf(molecule.Invalid, "dispatch.max_in_progress is %d, it must be between 1 and 10000", n)
	}
	if d := c.Dispatch.Drain; d < 0 || d > 10*time.Minute {
		return molecule.Errorf(molecule.Invalid, "dispatch.drain is %s, it must be between 0s and 10m", d)
	}
	if err := cmp.Or(c.Audit.validate(), c.Secrets.validate(), c.Supervisor.validate()); err != nil {
		return err
	}
	return cmp.Or(c.Retention.check(), c.Dispatch.checkBudget())
}

// checkBudget refuses bounds that bound nothing.
func (c DispatchConfig) checkBudget() error {
	b := c.budget()
	if b.Runs == 0 && b.Tokens == 0 && b.CostUSD == 0 {
		b.Window = 0 // it says nothing, and has a default
	}
	if err := b.Validate(); err != nil {
		return molecule.Errorf(molecule.Invalid, "dispatch.budget_…: %s", err).WithHint("0 is no bound")
	}
	return nil
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
