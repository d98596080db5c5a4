package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newConfigCmd makes the noun config.
func newConfigCmd(a *app) *cobra.Command {
	return newGroup(group{
		use:   "config",
		short: "Settings of molecli, and where each came from",
		long: "A setting comes from its flag, else its MOLECULE_ variable, else the context that is in\n" +
			"use, else the file, else its default.",
		examples: "  molecli config list\n  molecli config set output json",
	}, newConfigListCmd(a), newConfigGetCmd(a), newConfigSetCmd(a), newConfigPathCmd(a))
}

// resolved is one setting with its value and source.
type resolved struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Source string `json:"source"`

	text string // Value as it is typed
}

// configView shows settings with their sources.
func configView() view[resolved] {
	return view[resolved]{
		noun: "settings",
		name: func(r resolved) string { return r.Key },
		columns: []column[resolved]{
			{Column: term.Column{Title: "KEY"}, cell: func(r resolved) term.Cell { return term.Text(r.Key) }},
			{Column: term.Column{Title: "VALUE", Min: 10}, cell: func(r resolved) term.Cell { return term.Text(r.text) }},
			{Column: term.Column{Title: "SOURCE", Drop: 1}, cell: func(r resolved) term.Cell { return term.Text(r.Source) }},
		},
	}
}

// resolved returns the settings that are kept, with their values.
func (v *values) resolved() []resolved {
	var out []resolved
	for _, s := range kept() {
		r := resolved{Key: s.key, Value: v.viper.Get(s.key), Source: v.source[s.key], text: v.viper.GetString(s.key)}
		switch s.value.(type) {
		case bool:
			r.Value = v.viper.GetBool(s.key)
		case int:
			r.Value = v.viper.GetInt(s.key)
		default:
			r.Value = r.text
		}
		out = append(out, r)
	}
	return out
}

// newConfigListCmd makes config list.
func newConfigListCmd(a *app) *cobra.Command {
	return leaf{
		use: "list", aliases: []string{"ls"},
		short:    "List settings with their sources",
		long:     "Lists every setting with its value, and where that came from.",
		examples: "  molecli config list\n  MOLECULE_ORG=acme molecli config list -o json",
		args:     exactly(),
		run: func(context.Context, []string) error {
			p, err := a.printer()
			if err != nil {
				return err
			}
			return configView().list(p, a.values.resolved())
		},
	}.command()
}

// newConfigGetCmd makes config get.
func newConfigGetCmd(a *app) *cobra.Command {
	return leaf{
		use:      "get KEY",
		short:    "Print one setting",
		long:     "Prints the value of one setting, wherever it came from.",
		examples: "  molecli config get endpoint\n  molecli config get timeout",
		args:     exactly("KEY"), complete: completeSettings,
		run: func(_ context.Context, args []string) error {
			p, err := a.printer()
			if err != nil {
				return err
			}
			if _, err := settingOf(args[0]); err != nil {
				return notFound(err)
			}
			for _, r := range a.values.resolved() {
				if r.Key != args[0] {
					continue
				}
				if p.structured() {
					return p.encode(r)
				}
				return p.line("%s", r.text)
			}
			return nil
		},
	}.command()
}

// notFound returns err with the code of something that does not exist.
func notFound(err error) error {
	return molecule.Errorf(molecule.NotFound, "%s", err).WithHint("%s", molecule.HintOf(err))
}

// newConfigSetCmd makes config set.
func newConfigSetCmd(a *app) *cobra.Command {
	return leaf{
		use:   "set KEY VALUE",
		short: "Keep one setting in the file",
		long: "Writes one setting to the file, which only its owner may read, and leaves its other\n" +
			"lines as they are.",
		examples: "  molecli config set output wide\n  molecli config set timeout 30s",
		args:     exactly("KEY", "VALUE"), complete: completeSettings,
		run: func(_ context.Context, args []string) error {
			s, err := settingOf(args[0])
			if err != nil {
				return notFound(err)
			}
			if err := parses(s, args[1]); err != nil {
				return molecule.Errorf(molecule.Invalid, "%q is not a value for %s", args[1], s.key).WithHint("%s", err)
			}
			a.anyContext = true // or one that is wrong could not be set right
			p, err := a.printer()
			if err != nil {
				return err
			}
			if err := a.values.file.has(args[1]); s.key == contextKey && err != nil {
				return err
			}
			path := configPath(a.env.Lookup)
			if err := writeSetting(path, s, args[1]); err != nil {
				return err
			}
			p.done("%s set in %s", s.key, path)
			return nil
		},
	}.command()
}

// newConfigPathCmd makes config path, which works with a broken file too.
func newConfigPathCmd(a *app) *cobra.Command {
	return leaf{
		use:      "path",
		short:    "Print where the settings are kept",
		long:     "Prints the path of the file with the settings, whether it exists or not.",
		examples: "  molecli config path\n  echo \"settings are in $(molecli config path)\"",
		args:     exactly(),
		run: func(context.Context, []string) error {
			writeLine(a.env.Streams.Out, configPath(a.env.Lookup))
			return nil
		},
	}.command()
}
