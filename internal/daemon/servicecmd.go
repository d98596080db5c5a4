package daemon

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func newHealthcheckCmd(stdout io.Writer) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the daemon whether it is ready",
		Long: `Asks at the addresses of the configuration, the first that answers, and exits
with 0 when the daemon is ready, with 1 when a critical part of it is not
healthy, and with 6 when nobody answers. For containers and monitors that run
a command.`,
		Example: "  moleculed healthcheck\n  moleculed healthcheck --listen unix:///run/moleculed/moleculed.sock",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := LoadConfig(path, cmd.Flags())
			if err != nil {
				return err
			}
			if err := CheckHealth(cmd.Context(), cfg); err != nil {
				return err
			}
			_, err = fmt.Fprintln(stdout, "ready")
			return err
		},
	}
	configFlags(cmd, &path)
	return cmd
}

func newInstallServiceCmd(stdout io.Writer) *cobra.Command {
	var in Installation
	var show bool
	cmd := &cobra.Command{
		Use:   "install-service",
		Short: "Write what systemd needs to run the daemon",
		Long: `Writes the unit of the service, its socket and its user for the system, or with
--user a unit for yourself, and says what to type next. It starts nothing, and
leaves alone what somebody else has written.

The system's service may write only to its own directories and sees no home;
--allow-write and --allow-home open directories to it, and to the commands of
its exec agents.`,
		Example: "  moleculed install-service --user --print\n  moleculed install-service --print --allow-write /srv/agents",
		RunE: func(*cobra.Command, []string) error {
			var err error
			if in.Binary, err = ownBinary(); err != nil {
				return err
			}
			if show {
				return in.print(stdout)
			}
			changed, err := in.Install()
			if err != nil {
				return err
			}
			return in.report(stdout, changed)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&in.User, "user", false, "a service of your own, without root")
	f.BoolVar(&show, "print", false, "print the files and write none")
	f.StringArrayVar(&in.AllowWrite, "allow-write", nil, "directory that the service may write to; repeat it")
	f.StringArrayVar(&in.AllowHome, "allow-home", nil, "directory in a home that the service may use; repeat it")
	return cmd
}

// ownBinary returns the path of this program.
func ownBinary() (string, error) {
	path, err := os.Executable()
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", molecule.Errorf(molecule.Internal, "cannot tell where moleculed itself is: %v", err)
	}
	return path, nil
}

func (in Installation) print(w io.Writer) error {
	files, err := in.files()
	if err != nil {
		return err
	}
	for i, f := range files {
		gap := "\n"
		if i == 0 {
			gap = ""
		}
		if _, err := fmt.Fprintf(w, "%s### %s\n%s", gap, f.path, f.text); err != nil {
			return err
		}
	}
	return nil
}

func (in Installation) report(w io.Writer, changed []string) error {
	var err error
	say := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, format, args...)
		}
	}
	for _, path := range changed {
		say("wrote %s\n", path)
	}
	if len(changed) == 0 {
		say("everything is as it should be\n")
	}
	say("\nnext:\n")
	for _, c := range in.next() {
		say("  %s\n", c)
	}
	return err
}
