package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newContextCmd makes the noun context.
func newContextCmd(a *app) *cobra.Command {
	return newGroup(group{
		use: "context", aliases: []string{"contexts"},
		short: "Several daemons, each under a name",
		long: "A context is an endpoint with its organisation and its token under one name. One is in\n" +
			"use, unless --context names another for one command: molecli help contexts.",
		examples: "  molecli context add prod --endpoint https://agents.example.com --org acme\n  molecli context list",
	}, newContextAddCmd(a), newContextListCmd(a), newContextShowCmd(a), newContextUseCmd(a), newContextRemoveCmd(a))
}

// namedContext is a context as it is shown.
type namedContext struct {
	Name      string `json:"name"`
	Current   bool   `json:"current"`
	Endpoint  string `json:"endpoint,omitempty"`
	Org       string `json:"org,omitempty"`
	TokenFile string `json:"token_file,omitempty"`
	Timeout   string `json:"timeout,omitempty"`
}

// named returns one context of the file for showing it.
func (v *values) named(name string) namedContext {
	text := func(key string) string {
		if value, ok := v.file.contexts[name][key]; ok {
			return fmt.Sprint(value)
		}
		return ""
	}
	return namedContext{
		Name: name, Current: name == v.config.Context, Endpoint: text("endpoint"), Org: text("org"),
		TokenFile: text("token_file"), Timeout: text("timeout"),
	}
}

// contextView is how contexts are shown.
func contextView() view[namedContext] {
	type C = namedContext
	return view[C]{
		noun:  "contexts",
		name:  func(c C) string { return c.Name },
		empty: "molecli context add NAME --endpoint URL",
		columns: []column[C]{
			{Column: term.Column{Title: "NAME"}, cell: func(c C) term.Cell { return term.Text(c.Name) }},
			{Column: term.Column{Title: "IN USE"}, cell: func(c C) term.Cell {
				if c.Current {
					return term.Toned(term.Good, "yes")
				}
				return term.Cell{}
			}},
			{Column: term.Column{Title: "ENDPOINT", Drop: 1, Min: 16}, cell: func(c C) term.Cell { return term.Text(c.Endpoint) }},
			{Column: term.Column{Title: "ORG", Drop: 2}, cell: func(c C) term.Cell { return term.Text(c.Org) }},
			{Column: term.Column{Title: "TOKEN FILE", Drop: 3, Min: 12}, cell: func(c C) term.Cell { return term.Text(c.TokenFile) }},
			{Column: term.Column{Title: "TIMEOUT"}, wide: true, cell: func(c C) term.Cell { return term.Text(c.Timeout) }},
		},
	}
}

// onContexts makes the command of l that works on the contexts of the file,
// also while the one in use does not exist.
func (a *app) onContexts(l leaf, do func(p *printer, args []string) error) *cobra.Command {
	l.run = func(_ context.Context, args []string) error {
		a.anyContext = true
		p, err := a.printer()
		if err != nil {
			return err
		}
		return do(p, args)
	}
	return l.command()
}

// completeContexts offers the names of contexts, which are in the file.
func (a *app) completeContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	file, err := readConfig(configPath(a.env.Lookup))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(file.contexts)), cobra.ShellCompDirectiveNoFileComp
}

// newContextAddCmd makes context add.
func newContextAddCmd(a *app) *cobra.Command {
	var use bool
	cmd := a.onContexts(leaf{
		use:   "add NAME --endpoint URL",
		short: "Keep an endpoint under a name",
		long: "Keeps an endpoint, and what --org, --token-file and --timeout say, under a name. With\n" +
			"--use it is in use from then on. molecli login --context NAME brings a token to it.",
		examples: "  molecli context add prod --endpoint https://agents.example.com --org acme\n" +
			"  molecli context add here --endpoint unix:///run/moleculed/moleculed.sock --use",
		args: exactly("NAME"),
	}, func(p *printer, args []string) error { return a.addContext(p, args[0], use) })
	cmd.Flags().BoolVar(&use, "use", false, "use it from now on")
	return cmd
}

func (a *app) addContext(p *printer, name string, use bool) error {
	if err := molecule.ValidateName("context", name); err != nil {
		return err
	}
	if a.values.file.has(name) == nil {
		return molecule.Errorf(molecule.Conflict, "there is a context %s already", name).WithHint("molecli context remove %s", name)
	}
	says := map[string]any{}
	for _, key := range contextKeys() {
		if f := a.given.Lookup(setting{key: key}.flag()); f.Changed {
			says[key] = f.Value.String()
		}
	}
	if says["endpoint"] == nil {
		return molecule.Errorf(molecule.Invalid, "where is the daemon of %s?", name).WithHint("molecli context add %s --endpoint URL", name)
	}
	if _, err := client.New(client.Options{Endpoint: p.config.Endpoint, Org: p.config.Org}); err != nil {
		return err
	}
	if says["token_file"] != nil {
		if _, err := client.ReadToken(p.config.TokenFile); err != nil {
			return err
		}
	}
	if err := writeContext(configPath(a.env.Lookup), name, says); err != nil {
		return err
	}
	p.done("context %s is kept in %s", name, configPath(a.env.Lookup))
	a.values.file = a.values.file.with(name, says)
	if use {
		if err := a.useContext(p, name); err != nil {
			return err
		}
	}
	return p.contextOrNothing(a.values.named(name))
}

// contextOrNothing shows a context to a program that wants it; a person has
// been told.
func (p *printer) contextOrNothing(c namedContext) error {
	if p.structured() || p.config.Output == outName {
		return contextView().one(p, c)
	}
	return nil
}

// useContext makes a context the one in use.
func (a *app) useContext(p *printer, name string) error {
	if err := a.values.file.has(name); err != nil {
		return err
	}
	s, err := settingOf(contextKey)
	if err != nil {
		return err
	}
	if err := writeSetting(configPath(a.env.Lookup), s, name); err != nil {
		return err
	}
	if from := a.values.source[contextKey]; from == s.variable() {
		p.note("%s is set, and stronger: %s", from, a.values.config.Context)
		return nil
	}
	a.values.config.Context = name
	p.done("context %s is in use", name)
	return nil
}

// newContextListCmd makes context list.
func newContextListCmd(a *app) *cobra.Command {
	return a.onContexts(leaf{
		use: "list", aliases: []string{"ls"},
		short:    "List contexts",
		long:     "Lists the contexts of the settings, and which is in use.",
		examples: "  molecli context list\n  molecli context list -o name",
		args:     exactly(),
	}, func(p *printer, _ []string) error {
		var all []namedContext
		for _, name := range slices.Sorted(maps.Keys(a.values.file.contexts)) {
			all = append(all, a.values.named(name))
		}
		return contextView().list(p, all)
	})
}

// newContextShowCmd makes context show.
func newContextShowCmd(a *app) *cobra.Command {
	return a.onContexts(leaf{
		use: "show [NAME]", aliases: []string{"get"},
		short:    "Show one context",
		long:     "Shows what one context says, or the one that is in use.",
		examples: "  molecli context show prod\n  molecli context show prod -o json",
		args:     between(0, "NAME"), complete: a.completeContexts,
	}, func(p *printer, args []string) error {
		name := p.config.Context
		if len(args) > 0 {
			name = args[0]
		}
		if name == "" {
			return molecule.Errorf(molecule.NotFound, "no context is in use").WithHint("molecli context use NAME")
		}
		if err := a.values.file.has(name); err != nil {
			return err
		}
		return contextView().one(p, a.values.named(name))
	})
}

// newContextUseCmd makes context use.
func newContextUseCmd(a *app) *cobra.Command {
	return a.onContexts(leaf{
		use:   "use NAME",
		short: "Use a context from now on",
		long: "Uses a context from now on. --context or MOLECULE_CONTEXT name another for one command;\n" +
			"molecli config set context '' uses none.",
		examples: "  molecli context use prod\n  molecli context use prod && molecli config list",
		args:     exactly("NAME"), complete: a.completeContexts,
	}, func(p *printer, args []string) error {
		if err := a.useContext(p, args[0]); err != nil {
			return err
		}
		return p.contextOrNothing(a.values.named(args[0]))
	})
}

// newContextRemoveCmd makes context remove.
func newContextRemoveCmd(a *app) *cobra.Command {
	return a.onContexts(leaf{
		use: "remove NAME", aliases: []string{"rm", "delete"},
		short: "Forget a context",
		long: "Forgets a context, and the token that login kept for it. The token itself stays good:\n" +
			"molecli token revoke makes it good for nothing.",
		examples: "  molecli context remove prod\n  molecli context remove prod --yes",
		args:     exactly("NAME"), complete: a.completeContexts,
	}, func(p *printer, args []string) error { return a.removeContext(p, args[0]) })
}

func (a *app) removeContext(p *printer, name string) error {
	if err := a.values.file.has(name); err != nil || name == "" {
		return cmp.Or(err, error(molecule.Errorf(molecule.Invalid, "which context?").WithHint("molecli context list")))
	}
	c := a.values.named(name)
	if err := p.confirm("context "+name, c.Endpoint); err != nil {
		return err
	}
	path := configPath(a.env.Lookup)
	if err := writeContext(path, name, nil); err != nil {
		return err
	}
	if a.values.file.settings[contextKey] == name {
		s, err := settingOf(contextKey)
		if err == nil {
			err = writeSetting(path, s, "")
		}
		if err != nil {
			return err
		}
	}
	if c.TokenFile == keptToken(a.env.Lookup, name) {
		if err := os.Remove(c.TokenFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return molecule.Errorf(molecule.Invalid, "%s cannot be removed", c.TokenFile).WithCause(err)
		}
	}
	p.done("context %s is forgotten", name)
	return nil
}
