package cli

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// setting is one global flag, with its variable and its key in the file.
type setting struct {
	key   string // in the file; the flag has - for _, the variable MOLECULE_ before it
	short string
	value any // default; its type is the flag's type
	usage string
	among []string // the values it may have; empty is any
	once  bool     // belongs to one command line: not kept in the file
}

// settings returns the table of global settings.
func settings() []setting {
	return []setting{
		{key: "endpoint", value: "", usage: "where the daemon listens: unix:///PATH or http(s)://HOST:PORT"},
		{key: "context", value: "", usage: "which of the contexts to use: endpoint, organisation and token under one name"},
		{key: "org", value: "", usage: "organisation to name in every request"},
		{key: "token_file", value: "", usage: "file with the token for an http endpoint (mode 0600)"},
		{key: "output", short: "o", value: "table", usage: "output: " + strings.Join(outputs(), ", "), among: outputs()},
		{key: "limit", value: molecule.DefaultLimit, usage: "most rows of a list; 0 is all"},
		{key: "sort", value: "", usage: "column to sort a list by; -COLUMN for descending", once: true},
		{key: "filter", value: []string(nil), usage: "show only rows with KEY=VALUE (repeatable)", once: true},
		{key: "time", value: "auto", usage: "how times are written: auto, relative, iso, local", among: []string{"auto", term.TimeRelative, term.TimeISO, term.TimeLocal}},
		{key: "tz", value: "", usage: "time zone of --time local, an IANA name"},
		{key: "color", value: term.ColorAuto, usage: "colour: auto, always, never", among: []string{term.ColorAuto, term.ColorAlways, term.ColorNever}},
		{key: "no_input", value: false, usage: "never ask, fail instead"},
		{key: "yes", short: "y", value: false, usage: "answer yes to every question", once: true},
		{key: "quiet", short: "q", value: false, usage: "no messages but errors"},
		{key: "verbose", short: "v", value: false, usage: "say what is done"},
		{key: "debug", value: false, usage: "show the whole chain of an error"},
		{key: "timeout", value: client.DefaultTimeout, usage: "bound of one request, never of a wait"},
	}
}

// flag returns the name of the setting's flag.
func (s setting) flag() string { return strings.ReplaceAll(s.key, "_", "-") }

// variable returns the name of the setting's environment variable.
func (s setting) variable() string { return "MOLECULE_" + strings.ToUpper(s.key) }

// flagSet is the global flags as typed.
type flagSet = *pflag.FlagSet

// addGlobalFlags defines a flag for each setting.
func addGlobalFlags(f flagSet) flagSet {
	for _, s := range settings() {
		switch v := s.value.(type) {
		case string:
			f.StringP(s.flag(), s.short, v, s.usage)
		case bool:
			f.BoolP(s.flag(), s.short, v, s.usage)
		case int:
			f.IntP(s.flag(), s.short, v, s.usage)
		case time.Duration:
			f.DurationP(s.flag(), s.short, v, s.usage)
		case []string:
			f.StringArrayP(s.flag(), s.short, v, s.usage)
		}
	}
	return f
}

// completeGlobalFlags offers the values of the flags that have a list of them.
func completeGlobalFlags(a *app, root *cobra.Command) {
	completeFlag(root, contextKey, a.completeContexts)
	completeFlag(root, "tz", a.completeZones)
	for _, s := range settings() {
		if len(s.among) > 0 {
			completeFlag(root, s.flag(), cobra.FixedCompletions(s.among, cobra.ShellCompDirectiveNoFileComp))
		}
	}
}

// config is the settings of one command line, resolved.
type config struct {
	Endpoint  string
	Context   string
	Org       string
	TokenFile string
	Output    string
	Limit     int
	Sort      string
	Filter    []string
	Time      string
	TZ        string
	Color     string
	NoInput   bool
	Yes       bool
	Quiet     bool
	Verbose   bool
	Debug     bool
	Timeout   time.Duration
}

// values is the settings and where each came from.
type values struct {
	config config
	viper  *viper.Viper
	source map[string]string
	file   fileConfig
}

// typed gives viper a flag together with its variable, so that the
// environment is the one the process was given and not a global.
type typed struct {
	flag    *pflag.Flag
	env     string
	present bool
}

// HasChanged reports whether flag or variable say something.
func (t typed) HasChanged() bool { return t.flag.Changed || t.present }

// Name returns the name of the flag.
func (t typed) Name() string { return t.flag.Name }

// ValueString returns what the flag says, or else the variable.
func (t typed) ValueString() string {
	if t.flag.Changed || !t.present {
		return t.flag.Value.String()
	}
	return t.env
}

// ValueType returns the type of the flag.
func (t typed) ValueType() string { return t.flag.Value.Type() }

// resolve reads flags, variables and the file, once.
func (a *app) resolve() (*values, error) {
	if a.values != nil {
		return a.values, nil
	}
	path := configPath(a.env.Lookup)
	file, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	return a.resolveOver(path, file)
}

// resolveOver reads flags and variables over what the file says.
func (a *app) resolveOver(path string, file fileConfig) (*values, error) {
	v := &values{viper: viper.New(), source: map[string]string{}, file: file}
	name, err := a.contextOf(file)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(v.viper.MergeConfigMap(file.settings), v.viper.MergeConfigMap(file.contexts[name])); err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "%s cannot be used", path).WithCause(err)
	}
	for _, s := range settings() {
		from := path
		if _, ok := file.contexts[name][s.key]; ok {
			from = "context " + name
		}
		if err := v.bind(s, a, from); err != nil {
			return nil, err
		}
	}
	if err := v.fill(a.given); err != nil {
		return nil, err
	}
	a.values = v
	return v, nil
}

// typedValue returns what flag and variable say of a setting.
func (a *app) typedValue(s setting) typed {
	env, present := a.env.Lookup(s.variable())
	return typed{flag: a.given.Lookup(s.flag()), env: env, present: present && env != ""}
}

// bind tells viper of one setting and notes where its value comes from; file
// is what to call the file.
func (v *values) bind(s setting, a *app, file string) error {
	t := a.typedValue(s)
	switch {
	case t.flag.Changed:
		v.source[s.key] = "flag --" + s.flag()
	case t.present:
		v.source[s.key] = s.variable()
		if err := parses(s, t.env); err != nil {
			return molecule.Errorf(molecule.Invalid, "%s: %q is not a value for it", s.variable(), t.env).WithHint("%s", err)
		}
	case v.viper.InConfig(s.key):
		v.source[s.key] = file
	default:
		v.source[s.key] = "default"
	}
	v.viper.SetDefault(s.key, s.value)
	if _, list := s.value.([]string); list {
		return nil
	}
	if err := v.viper.BindFlagValue(s.key, t); err != nil {
		return molecule.Errorf(molecule.Internal, "setting %s", s.key).WithCause(err)
	}
	if got := v.viper.GetString(s.key); len(s.among) > 0 && !slices.Contains(s.among, got) {
		return molecule.Errorf(molecule.Invalid, "%s is %q (%s)", s.key, got, v.source[s.key]).
			WithHint("use one of: %s", strings.Join(s.among, ", "))
	}
	return nil
}

// parses reports why text is no value for s, in the words of a hint.
func parses(s setting, text string) error {
	probe := addGlobalFlags(pflag.NewFlagSet("probe", pflag.ContinueOnError)).Lookup(s.flag())
	if err := probe.Value.Set(text); err != nil {
		return molecule.Errorf(molecule.Invalid, "it takes a %s", kindOf(probe))
	}
	if len(s.among) > 0 && !slices.Contains(s.among, text) {
		return molecule.Errorf(molecule.Invalid, "use one of: %s", strings.Join(s.among, ", "))
	}
	return nil
}

// fill reads the resolved values into the struct.
func (v *values) fill(given flagSet) error {
	get := v.viper
	v.config = config{
		Endpoint: get.GetString("endpoint"), Context: get.GetString("context"), Org: get.GetString("org"), TokenFile: get.GetString("token_file"),
		Output: get.GetString("output"), Limit: get.GetInt("limit"), Sort: get.GetString("sort"),
		Time: get.GetString("time"), TZ: get.GetString("tz"), Color: get.GetString("color"),
		NoInput: get.GetBool("no_input"), Yes: get.GetBool("yes"), Quiet: get.GetBool("quiet"),
		Verbose: get.GetBool("verbose"), Debug: get.GetBool("debug"), Timeout: get.GetDuration("timeout"),
	}
	filter, err := given.GetStringArray("filter")
	if err != nil {
		return molecule.Errorf(molecule.Internal, "setting filter").WithCause(err)
	}
	v.config.Filter = filter
	switch {
	case v.config.Limit < 0:
		return molecule.Errorf(molecule.Invalid, "limit is %d, it must not be negative", v.config.Limit)
	case v.config.Timeout <= 0:
		return molecule.Errorf(molecule.Invalid, "timeout is %s, it must be positive", v.config.Timeout)
	}
	return nil
}
