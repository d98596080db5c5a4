package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Main runs moleculed with args and returns its exit status. Results go to
// stdout, everything else to stderr.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := newCommand(stdout, stderr)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return wire.ExitOK
	}
	status := wire.ExitOf(molecule.CodeOf(err))
	if _, ok := errors.AsType[*unanswered](err); ok {
		status = wire.ExitUnreachable
	}
	_, _ = fmt.Fprintf(stderr, "✗ %v\n", err) // nowhere else to say it
	if hint := molecule.HintOf(err); hint != "" {
		_, _ = fmt.Fprintf(stderr, "try: %s\n", hint)
	}
	return status
}

// usage marks a mistake in the command line.
func usage(err error) error {
	return molecule.Errorf(molecule.Invalid, "%v", err).WithHint("moleculed --help")
}

// helpTemplate is how molecli writes its help.
const helpTemplate = `{{.Short}}

{{.Long}}

Usage:
  {{.CommandPath}}{{with slice .Use (len .Name)}}{{.}}{{end}}{{if .HasParent}} [FLAGS]{{else}} COMMAND

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}{{end}}

Examples:
{{.Example}}

Flags:
{{.LocalFlags.FlagUsages}}`

func newCommand(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "moleculed",
		Short: "The daemon that wakes agents on time and proves that it is alive",
		Long: `Fires the schedules of one organisation, delivers their prompts to
agents and keeps a row for every slot that says what became of it. It keeps
everything in one directory and is driven with molecli.`,
		Example:       "  moleculed serve --data-dir ./d\n  moleculed init --data-dir ./d",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpTemplate(helpTemplate)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newServeCmd(stderr), newInitCmd(stdout, stderr), newCheckConfigCmd(stdout),
		newBackupCmd(stdout, stderr), newRestoreCmd(stdout, stderr), newMigrateCmd(stdout, stderr),
		newHealthcheckCmd(stdout), newInstallServiceCmd(stdout), newVersionCmd(stdout))
	for _, sub := range root.Commands() {
		if sub.Args != nil {
			continue
		}
		sub.Args = func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Errorf("unexpected argument %q", args[0]))
			}
			return nil
		}
	}
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownCommand(args[0])
	}
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "Help about a command", Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			switch {
			case len(rest) > 0:
				return unknownCommand(rest[0])
			case err != nil:
				return unknownCommand(args[0])
			}
			return about.Help()
		},
	})
	return root
}

// flagError is the error for a flag that was mistyped, or lacks its value.
func flagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return molecule.Errorf(molecule.Invalid, "%v", err).WithHint("%s --help", cmd.CommandPath())
	}
	word := unknown.GetSpecifiedName()
	dashes := "--"
	if len(word) == 1 {
		dashes = "-"
	}
	e := molecule.Errorf(molecule.Invalid, "unknown flag %s%s for %q", dashes, word, cmd.CommandPath())
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if meant := molecule.Nearest(word, names); meant != "" && dashes == "--" {
		return e.WithHint("did you mean --%s?", meant)
	}
	return e.WithHint("%s --help", cmd.CommandPath())
}

// unknownCommand is the error for a word that is no command.
func unknownCommand(word string) error {
	commands := []string{"serve", "init", "check-config", "backup", "restore", "migrate", "healthcheck", "install-service", "version"}
	if meant := molecule.Nearest(word, commands); meant != "" {
		return molecule.Errorf(molecule.Invalid, "unknown command %q", word).WithHint("did you mean moleculed %s?", meant)
	}
	return usage(fmt.Errorf("unknown command %q", word))
}

// configFlags are the settings that have a flag.
func configFlags(cmd *cobra.Command, path *string) {
	f := cmd.Flags()
	f.StringVar(path, "config", os.Getenv("MOLECULE_CONFIG"), "configuration file (default /etc/moleculed/moleculed.yaml, if it exists)")
	f.String("data-dir", "", "directory of the database")
	f.String("org-id", "", "organisation this daemon serves")
	f.StringArray("listen", nil, "unix://PATH or http(s)://HOST:PORT; repeat it; replaces the defaults")
	f.String("log-format", "", "text or json")
	f.String("log-level", "", "debug, info, warn or error")
}

func newServeCmd(stderr io.Writer) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon until it is told to stop",
		Long: `Opens the data directory, making it and its first token when it is
empty, listens and fires schedules. SIGTERM or Ctrl-C stop it in order: no new
runs, a while for those under way, the database last. SIGHUP has it read the
configuration again: log.level and retention.* change at once, the rest is named
and needs a restart, and a file that cannot be used changes nothing.`,
		Example: "  moleculed serve --data-dir ./d\n  moleculed serve --config /etc/moleculed/moleculed.yaml --log-format json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := LoadConfig(path, cmd.Flags())
			if err != nil {
				return err
			}
			if err := harden(); err != nil {
				return err
			}
			asked, stop := hangups()
			defer stop()
			level := new(slog.LevelVar)
			level.Set(levelOf(cfg.Log))
			load := func() (Config, error) { return LoadConfig(path, cmd.Flags()) }
			return runServe(cmd.Context(), cfg, newLeveled(stderr, cfg.Log, level), func(d *Daemon) error {
				return d.reloading(path, asked, load, level)
			})
		},
	}
	configFlags(cmd, &path)
	return cmd
}

// runServe runs a daemon until it is told to stop, which is no failure while it
// still begins. What is made is prepared before it runs.
func runServe(ctx context.Context, cfg Config, log *slog.Logger, prepare func(*Daemon) error) error {
	d, err := New(ctx, cfg, log)
	switch {
	case err != nil && ctx.Err() != nil:
		log.Info("told to stop before it had begun", "err", err)
		return nil
	case err != nil:
		return err
	}
	if err := prepare(d); err != nil {
		return errors.Join(err, d.close())
	}
	return d.Run(ctx)
}

func newInitCmd(stdout, stderr io.Writer) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a data directory, its keys and a commented configuration",
		Long: `Makes what the first serve would make, the master key of secrets and the first
token, and a configuration file with every
setting: the one --config names, else moleculed.yaml beside the database. What
is there already is left as it is.`,
		Example: "  moleculed init --data-dir ./d\n  moleculed init --org-id acme --config /etc/moleculed/moleculed.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			from := path
			if _, err := os.Lstat(path); path != "" && errors.Is(err, fs.ErrNotExist) {
				from = os.DevNull // it is the one to write
			}
			cfg, err := LoadConfig(from, cmd.Flags())
			if err != nil {
				return err
			}
			made, err := Init(cmd.Context(), cfg, path, newLogger(stderr, cfg.Log))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(stdout, "data directory  %s\nconfiguration   %s\nadmin token     %s\nmaster key      %s\n\nnext:\n  moleculed serve --config %s\n  molecli liveness --wait 10s\n",
				made.Dir, made.Config, made.Token, made.Key, made.Config)
			return err
		},
	}
	configFlags(cmd, &path)
	return cmd
}

func newCheckConfigCmd(stdout io.Writer) *cobra.Command {
	var path string
	var show, schema bool
	cmd := &cobra.Command{
		Use:   "check-config",
		Short: "Say whether the configuration is right, and where it is not",
		Long: `Reads the file, the MOLECULE_* variables and the flags as serve
would, and tells every mistake with its place. --show prints the settings that
result, --schema what an editor needs to complete and check the file.`,
		Example: "  moleculed check-config --config ./moleculed.yaml\n  moleculed check-config --show\n  moleculed check-config --schema > moleculed.schema.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if schema {
				text, err := configSchema()
				return errors.Join(err, write(stdout, text))
			}
			cfg, err := LoadConfig(path, cmd.Flags())
			if err != nil {
				return err
			}
			if _, err := addresses(cfg.Listen); err != nil {
				return err
			}
			if !show {
				_, err = fmt.Fprintln(stdout, "✓ the configuration is valid")
				return err
			}
			text, err := yaml.Marshal(cfg)
			if err != nil {
				return fmt.Errorf("print the configuration: %w", err)
			}
			return write(stdout, text)
		},
	}
	configFlags(cmd, &path)
	cmd.Flags().BoolVar(&show, "show", false, "print every setting as it results")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON schema of the file, for editors")
	return cmd
}

func write(w io.Writer, text []byte) error {
	_, err := w.Write(text)
	return err
}

func newVersionCmd(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Long: "Prints what this build calls itself.",
		Example: "  moleculed version",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(stdout, "moleculed", molecule.Version())
			return err
		},
	}
}
