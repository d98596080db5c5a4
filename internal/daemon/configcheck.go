package daemon

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

// mistake is a value that a setting may not have. A path may name an item of a
// list: listen[1]. When two settings contradict each other there are two.
type mistake struct {
	err   error
	paths []string
}

// refuser is told of each setting what is wrong with it; nil is nothing.
type refuser func(path string, err error, others ...string)

var itemOfList = regexp.MustCompile(`\[\d+\]$`)

// at says where the value comes from: the variable or flag, the line of the
// file with a caret, or nothing for a value that only the default can have.
func (m mistake) at(f configFile, from map[string]string) error {
	hint := molecule.HintOf(m.err)
	for _, path := range m.paths {
		if source := from[itemOfList.ReplaceAllString(path, "")]; source != "" {
			return molecule.Errorf(molecule.CodeOf(m.err), "%s (%s)", m.err, source).WithHint("%s", hint)
		}
		if node := f.node(path); node != nil {
			return f.pointing(node.GetToken(), "%s", m.err).WithHint("%s", hint)
		}
	}
	return m.err
}

// mistakes checks each value by itself; what depends on the machine is checked
// where it is used.
func (c *Config) mistakes() (all []mistake) {
	refuse := func(path string, err error, others ...string) {
		if err != nil {
			all = append(all, mistake{err, append([]string{path}, others...)})
		}
	}
	refuse("org_id", c.checkOrg())
	for i, raw := range c.Listen {
		_, err := parseAddress(raw)
		refuse(item("listen", i), err)
	}
	c.Network.check(refuse)
	c.checkTables(refuse)
	refuse("dispatch.drain", within("dispatch.drain", c.Dispatch.Drain, 0, 10*time.Minute, "0s and 10m"))
	refuse("audit.export_every", within("audit.export_every", c.Audit.ExportEvery, time.Minute, 24*time.Hour, "1m and 24h"))
	refuse("supervisor.dead_man_every", within("supervisor.dead_man_every", c.Supervisor.DeadManEvery, 5*time.Second, 24*time.Hour, "5s and 24h"))
	c.Secrets.check(refuse)
	c.Retention.check(refuse)
	c.Dispatch.checkBudget(refuse)
	return all
}

// choices are the settings that have one of a few values.
func choices() map[string][]string {
	return map[string][]string{
		"network.local_agents":    {"auto", "on", "off"},
		"tenant.trust_fly_replay": {"auto", "on", "off"},
		"log.level":               {"debug", "info", "warn", "error"},
		"log.format":              {"text", "json"},
	}
}

// bounds are the least and the largest value of whole numbers.
func bounds() map[string][2]int {
	all := map[string][2]int{"dispatch.max_in_progress": {1, 10_000}}
	for _, k := range retentionKeys() {
		all["retention."+k.name] = [2]int{k.low, k.high}
	}
	return all
}

// checkTables compares with choices and bounds, in the order of the struct.
func (c *Config) checkTables(refuse refuser) {
	allowed, limits := choices(), bounds()
	for _, path := range settingPaths() {
		if among := allowed[path]; among != nil {
			value, _ := valueAt(*c, path).(string)
			refuse(path, oneOf(path, value, among...))
		}
		if b, ok := limits[path]; ok {
			if n, _ := valueAt(*c, path).(int); n < b[0] || n > b[1] {
				refuse(path, molecule.Errorf(molecule.Invalid, "%s is %d, it must be between %d and %d", path, n, b[0], b[1]))
			}
		}
	}
}

func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func (c *Config) checkOrg() error {
	switch {
	case c.OrgID == nil:
		return nil
	case *c.OrgID == "":
		return molecule.Errorf(molecule.Invalid, "org_id is given but blank").WithHint("write null, or leave it out, where there is no organisation")
	}
	if err := molecule.ValidateOrgID(*c.OrgID); err != nil {
		return molecule.Errorf(molecule.Invalid, "org_id: %s", err).WithHint("%s", molecule.HintOf(err))
	}
	return nil
}

// oneOf refuses what is none of the allowed values.
func oneOf(path, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	err := molecule.Errorf(molecule.Invalid, "%s is %q, it must be one of %s", path, value, strings.Join(allowed, ", "))
	if meant := molecule.Nearest(value, allowed); meant != "" {
		return err.WithHint("did you mean %s?", meant)
	}
	return err
}

// within refuses a length of time outside its bounds, which says names.
func within(path string, d, low, high time.Duration, says string) error {
	if d >= low && d <= high {
		return nil
	}
	return molecule.Errorf(molecule.Invalid, "%s is %s, it must be between %s", path, d, says)
}

// check refuses what the guard of everything that is dialled would refuse, so
// that the place in the file can be shown.
func (c NetworkConfig) check(refuse refuser) {
	if c.Resolver != "system" {
		refuse("network.resolver", guarded(netguard.Options{Resolver: c.Resolver}))
	}
	for i, text := range c.AllowPrefixes {
		prefix, err := parsePrefix(text)
		if err == nil {
			err = guarded(netguard.Options{AllowPrefixes: []netip.Prefix{prefix}})
		}
		refuse(item("network.allow_prefixes", i), err)
	}
	for i, host := range c.AllowSinkHosts {
		refuse(item("network.allow_sink_hosts", i), guarded(netguard.Options{AllowSinkHosts: []string{host}}))
	}
	refuse("network.sink_proxy", guarded(netguard.Options{SinkProxy: c.SinkProxy}))
	one, other := "network.tls_cert", "network.tls_key"
	if c.TLSCert == "" {
		one, other = other, one
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		refuse(one, molecule.Errorf(molecule.Invalid, "network.tls_cert and network.tls_key go together, and only one is set").
			WithHint("set %s as well, or neither", other))
	}
}

// guarded reports what a guard with these options refuses.
func guarded(o netguard.Options) error {
	_, err := netguard.New(o)
	return err
}

// parsePrefix reads one range of network.allow_prefixes.
func parsePrefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return prefix, molecule.Errorf(molecule.Invalid, "network.allow_prefixes: %q is not an address range", text).WithHint("write it as 100.64.0.0/11")
	}
	return prefix, nil
}

// checkBudget refuses bounds that bound nothing.
func (c DispatchConfig) checkBudget(refuse refuser) {
	b := c.budget()
	if b.Runs == 0 && b.Tokens == 0 && b.CostUSD == 0 {
		b.Window = 0 // it says nothing, and has a default
	}
	err := b.Validate()
	if err == nil {
		return
	}
	path := "dispatch.budget_window"
	switch {
	case b.Runs < 0:
		path = "dispatch.budget_runs"
	case b.Tokens < 0:
		path = "dispatch.budget_tokens"
	case b.CostUSD < 0:
		path = "dispatch.budget_cost_usd"
	}
	refuse(path, molecule.Errorf(molecule.Invalid, "dispatch.budget_…: %s", err).WithHint("0 is no bound"))
}
