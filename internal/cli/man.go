package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// newManCmd makes man.
func newManCmd(a *app) *cobra.Command {
	var root *cobra.Command
	cmd := leaf{
		use:   "man DIR",
		short: "Write the manual pages",
		long: "Writes a manual page for every command into a directory, which is made where it is\n" +
			"missing. They are made of the same text as --help.",
		examples: "  molecli man ./man\n  molecli man ~/.local/share/man/man1",
		args:     exactly("DIR"),
		run:      func(_ context.Context, args []string) error { return a.writeManual(root, args[0]) },
	}.command()
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	run := cmd.RunE
	cmd.RunE = func(c *cobra.Command, args []string) error {
		root = c.Root()
		return run(c, args)
	}
	return cmd
}

// writeManual writes a page for each command that is shown in help.
func (a *app) writeManual(root *cobra.Command, dir string) error {
	p, err := a.printer()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return molecule.Errorf(molecule.Invalid, "the pages cannot be written").WithCause(err)
	}
	pages := manualPages(root)
	for _, cmd := range pages {
		path := filepath.Join(dir, manualName(cmd)+".1")
		if err := os.WriteFile(path, []byte(manualPage(cmd)), 0o644); err != nil {
			return molecule.Errorf(molecule.Invalid, "the pages cannot be written").WithCause(err)
		}
	}
	p.done("%d pages in %s", len(pages), dir)
	return nil
}

// manualPages returns cmd and every command below it that is shown in help.
func manualPages(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			all = append(all, manualPages(sub)...)
		}
	}
	return all
}

func manualName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manualPage returns the page of one command, in the language of man(7). It has
// no date: the same program writes the same bytes.
func manualPage(cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"molecli %s\" \"molecli\"\n", quoteRoff(strings.ToUpper(manualName(cmd))), roff(molecule.Version()))
	section := func(title, body string) {
		if body != "" {
			b.WriteString(".SH " + title + "\n" + body)
		}
	}
	section("NAME", roff(manualName(cmd))+" \\- "+roff(cmd.Short)+"\n")
	use := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		use = cmd.CommandPath() + " COMMAND"
	}
	section("SYNOPSIS", ".B "+roff(use)+"\n")
	section("DESCRIPTION", roff(cmd.Long)+"\n")
	section("COMMANDS", roffCommands(cmd))
	section("OPTIONS", roffFlags(cmd.LocalNonPersistentFlags()))
	if !cmd.HasParent() {
		section("GLOBAL OPTIONS", roffFlags(cmd.PersistentFlags()))
		section("EXIT STATUS", roffExits())
		for _, name := range topicNames() {
			section(quoteRoff(strings.ToUpper(name)), roffLiteral(topics()[name]()))
		}
	}
	section("EXAMPLES", roffLiteral(cmd.Example))
	section("SEE ALSO", roffSeeAlso(cmd))
	return b.String()
}

// roff writes text so that it is read as text: a backslash is none, a dash can
// be copied, what is not ASCII is named, and no line begins a request.
func roff(text string) string {
	var b strings.Builder
	for _, r := range strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text) {
		if r > '~' {
			fmt.Fprintf(&b, `\[u%04X]`, r)
			continue
		}
		b.WriteRune(r)
	}
	lines := strings.Split(b.String(), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func quoteRoff(text string) string { return `"` + strings.ReplaceAll(roff(text), `"`, `""`) + `"` }

// roffLiteral writes text whose lines stay as they are.
func roffLiteral(text string) string { return ".nf\n" + roff(text) + "\n.fi\n" }

func roffCommands(cmd *cobra.Command) string {
	var b strings.Builder
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(sub.Name()), roff(sub.Short))
		}
	}
	return b.String()
}

func roffFlags(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(name+" "+kind)), roff(usage))
	})
	return b.String()
}

func roffExits() string {
	var b strings.Builder
	for _, e := range wire.Exits() {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", e.Status, roff(e.Meaning))
	}
	return b.String()
}

// roffSeeAlso names the pages around cmd.
func roffSeeAlso(cmd *cobra.Command) string {
	var near []string
	if cmd.HasParent() {
		near = append(near, manualName(cmd.Parent()))
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			near = append(near, manualName(sub))
		}
	}
	for i, name := range near {
		near[i] = ".BR " + roff(name) + " (1)"
	}
	return strings.Join(near, ",\n") + "\n"
}
