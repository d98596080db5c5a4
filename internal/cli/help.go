package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// newHelpCmd shows the help of a command, or a topic.
func newHelpCmd(a *app) *cobra.Command {
	cmd := leaf{
		use:      "help [COMMAND | TOPIC]",
		short:    "Help about a command or a topic",
		long:     "Shows the help of a command, or one of the topics:\n" + strings.Join(topicNames(), ", ") + ".",
		examples: "  molecli help schedule add\n  molecli help exit-codes",
	}.command()
	cmd.ValidArgsFunction = completeHelp
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			if text, ok := topics()[args[0]]; ok {
				writeLine(a.env.Streams.Out, text())
				return nil
			}
		}
		found, rest, err := cmd.Root().Find(args)
		if err != nil {
			return molecule.Errorf(molecule.Invalid, "%s", err)
		}
		if len(rest) > 0 {
			err := molecule.Errorf(molecule.Invalid, "there is no help for %q", strings.Join(args, " "))
			names := namesOf(found.Commands(), (*cobra.Command).Name)
			if !found.HasParent() {
				names = append(names, topicNames()...)
			}
			if near := molecule.Nearest(rest[0], names); near != "" {
				return err.WithHint("molecli help%s %s", strings.TrimPrefix(found.CommandPath(), "molecli"), near)
			}
			return err.WithHint("molecli --help")
		}
		return found.Help()
	}
	return cmd
}

// completeHelp offers the commands below what is typed, and the topics where
// nothing is.
func completeHelp(cmd *cobra.Command, args []string, prefix string) (all []cobra.Completion, _ cobra.ShellCompDirective) {
	found, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, sub := range found.Commands() {
		if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), prefix) {
			all = append(all, cobra.CompletionWithDesc(sub.Name(), sub.Short))
		}
	}
	for _, topic := range topicNames() {
		if len(args) == 0 && strings.HasPrefix(topic, prefix) {
			all = append(all, topic)
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// writeHelp writes the help of a command to standard output.
func writeHelp(cmd *cobra.Command) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\nUsage:\n", cmd.Short, cmd.Long)
	if cmd.HasAvailableSubCommands() && cmd.RunE != nil && cmd.Args != nil {
		fmt.Fprintf(&b, "  %s COMMAND\n", cmd.CommandPath())
	} else {
		fmt.Fprintf(&b, "  %s [FLAGS]\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		width := 0
		for _, sub := range cmd.Commands() {
			width = max(width, len(sub.Name()))
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-*s  %s\n", width, sub.Name(), sub.Short)
			}
		}
	}
	fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	writeFlags(&b, "Flags", cmd.LocalNonPersistentFlags())
	writeFlags(&b, "Global flags", cmd.Root().PersistentFlags())
	if !cmd.HasParent() {
		b.WriteString("\nTopics (molecli help TOPIC): " + strings.Join(topicNames(), ", ") + "\n")
	}
	writeLine(cmd.OutOrStdout(), b.String())
}

// writeFlags writes a titled block of flags, unless there are none.
func writeFlags(b *strings.Builder, title string, f *pflag.FlagSet) {
	if f.HasAvailableFlags() {
		fmt.Fprintf(b, "\n%s:\n%s", title, f.FlagUsages())
	}
}

// topics returns the help texts that belong to no command.
func topics() map[string]func() string {
	return map[string]func() string{
		"exit-codes":  exitCodesTopic,
		"environment": environmentTopic,
		"formatting":  func() string { return formattingTopic },
		"contexts":    func() string { return contextsTopic },
		"cron":        func() string { return cronTopic },
		"security":    func() string { return securityTopic },
	}
}

// topicNames returns the topics in order.
func topicNames() []string {
	return []string{"contexts", "cron", "environment", "exit-codes", "formatting", "security"}
}

// exitCodesTopic is the table of exit statuses, from the table itself.
func exitCodesTopic() string {
	var b strings.Builder
	b.WriteString("Exit status of molecli and moleculed\n\n")
	for _, e := range wire.Exits() {
		fmt.Fprintf(&b, "  %3d  %s\n", e.Status, e.Meaning)
	}
	b.WriteString("\nA command that waits for a run exits by its outcome: ok and quiet 0, timeout 7,\nblocked 4, any other 1.")
	return b.String()
}

// environmentTopic is the table of variables, from the table of settings.
func environmentTopic() string {
	var b strings.Builder
	b.WriteString("Environment\n\nEach global flag has a variable. A flag is stronger than its variable, which is\nstronger than the context in use and the file of molecli config path.\n\n")
	all := settings()
	slices.SortFunc(all, func(x, y setting) int { return strings.Compare(x.key, y.key) })
	for _, s := range all {
		fmt.Fprintf(&b, "  %-20s  %s\n", s.variable(), s.usage)
	}
	b.WriteString("\n  NO_COLOR              when set, no colour unless --color always\n" +
		"  XDG_CONFIG_HOME       where molecule/molecli.yaml is looked for (~/.config)\n" +
		"  XDG_RUNTIME_DIR       where moleculed/moleculed.sock is looked for first")
	return b.String()
}

const formattingTopic = `Formatting

  table   on a terminal: aligned, fitted to its width, times as ages. In a pipe: one row
          a line, fields separated by tabs, no titles, no colour, nothing cut, times as
          RFC 3339 in UTC
  wide    table with every column, however long the lines get
  json    one object, or {"items":[…]} for a list
  jsonl   one object a line
  yaml    the same as json, as YAML
  name    one name (runs and events: id) a line

A command that creates something prints the created object itself. --sort COLUMN orders
a list, --sort -COLUMN from the end; --filter KEY=VALUE is told by the help of each list.
--time relative|iso|local and --tz ZONE say how a table writes times. Colour is one of the
terminal's own sixteen; a sign always says the same: ✓ good, ! look, ✗ bad, … under way.`

const contextsTopic = `Contexts

A context is a daemon under a name: its endpoint, and where they are needed an organisation,
a file with a token and a timeout. Contexts stand in the file of molecli config path, which
only you may read:

  context: prod
  contexts:
    here:
      endpoint: unix:///run/moleculed/moleculed.sock
    prod:
      endpoint: https://agents.example.com
      org: acme
      token_file: /home/you/.config/molecule/tokens/prod
      timeout: 30s

  molecli context add NAME --endpoint URL    keep one
  molecli login --context NAME < TOKEN       bring a token to it, or make it as well
  molecli context use NAME                   use it from now on
  molecli --context NAME status              use it once; so does MOLECULE_CONTEXT

What a flag or a variable says is stronger than the context, which is stronger than the rest
of the file: molecli config list shows where each value comes from. Whoever is asked to
confirm is told the context.`

const cronTopic = `Cron expressions

  minute hour day-of-month month weekday, behind them years if you like, or one of
  @hourly @daily @midnight @weekly @monthly @yearly @annually
  @every 90s    an interval of real time
  @at 2026-12-01T08:00:00Z    once

  *        every            5        that one        1,15     a list
  1-5      a range          */10     every tenth     MON-FRI  names, also in full
  L        the last day     L-3      3 days before   LW       the last working day
  15W      the working day nearest to the 15th
  FRI#2    the 2nd Friday   FRIL     the last Friday of the month

In hour, month and weekday a range may run over the end: 22-2, NOV-FEB, FRI-MON. A field
for seconds comes first where --seconds asks for it. An expression that can never be due,
such as 0 0 31 2 *, is refused.
When both day fields are restricted, either fits. The zone is UTC unless --tz or
CRON_TZ=Europe/Berlin in front names one.
Where a clock changes, an expression whose minute or hour begins with a star keeps the grid
of real time. Any other names fixed times, and --dst says what becomes of them: vixie, each
once, at the first instant behind a gap and in the first pass of a repeated hour; skip,
none in a gap; both, in both passes. Try an expression:
  molecli schedule describe '0 8 * * MON-FRI' --tz Europe/Berlin`

const securityTopic = `Security

On the unix socket the kernel says who you are, and no token is needed. Over http the
daemon wants a token: --token-file names a file of mode 0600 that holds it. A token is
never given on the command line, where every process of the machine can read it.

An exec agent is a program that the daemon runs: adding or changing one needs the socket
and administrator rights. A command is split into words without a shell; --shell asks for
one. The program sees only a few variables, and those named by --pass-env.

A daemon that serves an organisation answers a request for another like one for a path
that does not exist: "not found" may mean a wrong --org.`
