package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// group is a noun: it does nothing itself.
type group struct {
	use      string
	aliases  []string
	short    string
	long     string
	examples string
}

// newGroup makes the command of a noun. Cobra answers a mistyped subcommand
// with the help text and success; here it is an error that names the nearest.
func newGroup(g group, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: g.use, Aliases: g.aliases, Short: g.short, Long: g.long, Example: g.examples,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.AddCommand(verbs...)
	return cmd
}

// unknownCommand is the error for a word that is no subcommand of cmd.
func unknownCommand(cmd *cobra.Command, word string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	err := molecule.Errorf(molecule.Invalid, "unknown command %q for %q", word, cmd.CommandPath())
	if near := molecule.Nearest(word, names); near != "" {
		return err.WithHint("%s %s", cmd.CommandPath(), near)
	}
	return err.WithHint("%s --help", cmd.CommandPath())
}

// leaf is a command that does something.
type leaf struct {
	use      string // name and arguments
	aliases  []string
	short    string
	long     string
	examples string
	args     cobra.PositionalArgs
	complete cobra.CompletionFunc // of the arguments; nil completes nothing
	run      func(ctx context.Context, args []string) error
}

// command makes the cobra command of l.
func (l leaf) command() *cobra.Command {
	complete := cobra.NoFileCompletions
	if l.complete != nil {
		complete = func(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if l.args != nil && len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp // only the first is a name
			}
			return l.complete(cmd, args, prefix)
		}
	}
	return &cobra.Command{
		Use: l.use, Aliases: l.aliases, Short: l.short, Long: l.long, Example: l.examples,
		Args: l.args, ValidArgsFunction: complete, DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error { return l.run(cmd.Context(), args) },
	}
}

// asks makes the command of l that asks the daemon.
func (a *app) asks(l leaf, do func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	l.run = func(ctx context.Context, args []string) error {
		s, err := a.session(ctx)
		if err != nil {
			return err
		}
		return do(ctx, s, args)
	}
	return l.command()
}

// exactly takes one argument for each of the names.
func exactly(names ...string) cobra.PositionalArgs {
	return between(len(names), names...)
}

// between takes at least min of the named arguments.
func between(min int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < min:
			return molecule.Errorf(molecule.Invalid, "%s needs %s", cmd.CommandPath(), strings.Join(names[len(args):min], " and ")).
				WithHint("%s --help", cmd.CommandPath())
		case len(args) > len(names):
			return molecule.Errorf(molecule.Invalid, "%s does not take %q", cmd.CommandPath(), args[len(names)]).
				WithHint("quote an argument with blanks; see %s --help", cmd.CommandPath())
		}
		return nil
	}
}

// atLeast takes one argument for each of the names, the last one repeatedly.
func atLeast(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		return exactly(names...)(cmd, args[:min(len(args), len(names))])
	}
}

// flagError turns what the flag parser found into an error with a hint.
func flagError(cmd *cobra.Command, err error) error {
	help := cmd.CommandPath() + " --help"
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		coded := molecule.Errorf(molecule.Invalid, "unknown flag %s for %q", dashed(e.GetSpecifiedName()), cmd.CommandPath())
		if near := nearestFlag(cmd, e.GetSpecifiedName()); near != "" {
			return coded.WithHint("did you mean %s?", dashed(near))
		}
		return coded.WithHint("%s", help)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return molecule.Errorf(molecule.Invalid, "%s needs a value", dashed(e.GetSpecifiedName())).WithHint("%s", help)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		coded := molecule.Errorf(molecule.Invalid, "%q is not a value for --%s", e.GetValue(), e.GetFlag().Name)
		if d, ok := errors.AsType[*molecule.Error](err); ok {
			return coded.WithHint("%s", d.Hint)
		}
		return coded.WithHint("it takes a %s", kindOf(e.GetFlag()))
	}
	return molecule.Errorf(molecule.Invalid, "%s", err).WithHint("%s", help)
}

// kindOf says in words what a flag takes.
func kindOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "duration":
		return "duration such as 90s, 20m or 1h30m"
	case "int", "int64":
		return "whole number"
	case "bool":
		return "true or false"
	}
	return f.Value.Type()
}

// dashed writes a flag the way it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// nearestFlag returns the flag that was probably meant.
func nearestFlag(cmd *cobra.Command, word string) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if len(word) < 2 {
		return ""
	}
	return molecule.Nearest(word, names)
}
