package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
)

// atMostOne marks a command that takes an argument, and says which.
func atMostOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage(fmt.Errorf("unexpected argument %q, after %s", args[1], what))
		}
		return nil
	}
}

func newBackupCmd(stdout, stderr io.Writer) *cobra.Command {
	var config, to string
	cmd := &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Write a copy of the database, also while the daemon runs",
		Long: `Copies the database as it is at one moment into FILE, checks every page of
the copy and prints its SHA-256, which FILE.sha256 holds, too. FILE must not be
there: it appears when it is whole and on disk. Without FILE the copy goes into
the directory of the backups; --to - writes it to standard output. What it
holds of secrets is sealed, and the master key is not in it.`,
		Example: "  moleculed backup ./before-the-move.db\n  moleculed backup --to - | gzip > moleculed.db.gz",
		Args:    atMostOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && to != "" {
				return usage(errors.New("name the file once: as argument, or with --to"))
			}
			if len(args) > 0 {
				to = args[0]
			}
			cfg, err := LoadConfig(config, cmd.Flags())
			if err != nil {
				return err
			}
			if to == "-" {
				return streamBackup(cmd.Context(), cfg, stdout, stderr)
			}
			b, err := backUp(cmd.Context(), cfg, to)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(stdout, "backup  %s\nschema  %d\nbytes   %d\nsha256  %s\n", b.Path, b.Schema, b.Bytes, b.SHA256)
			return err
		},
	}
	configFlags(cmd, &config)
	cmd.Flags().StringVar(&to, "to", "", "`FILE` to write, - for standard output")
	return cmd
}

// backUp writes a backup of the data directory of cfg to path, or into the
// directory of the backups when path is empty.
func backUp(ctx context.Context, cfg Config, path string) (molecule.Backup, error) {
	dir, err := cfg.Dir()
	if err != nil {
		return molecule.Backup{}, err
	}
	if path != "" {
		return sqlite.BackUp(ctx, dir, path)
	}
	schema, err := sqlite.Schema(ctx, dir)
	if err != nil {
		return molecule.Backup{}, err
	}
	into := sqlite.BackupDir(dir, "")
	if err := os.MkdirAll(into, 0o700); err != nil {
		return molecule.Backup{}, molecule.Errorf(molecule.Forbidden, "cannot make %s: %v", into, err)
	}
	return sqlite.BackUp(ctx, dir, filepath.Join(into, molecule.BackupName(molecule.Now(), schema, molecule.BackupAsked)))
}

// streamBackup writes a backup to stdout. It is made and checked in the data
// directory first: what has left cannot be taken back.
func streamBackup(ctx context.Context, cfg Config, stdout, stderr io.Writer) (err error) {
	dir, err := cfg.Dir()
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(dir, ".moleculed-*")
	if err != nil {
		return molecule.Errorf(molecule.Unavailable, "cannot write into %s: %v", dir, err).
			WithHint("the copy is made and checked beside the database: name the data directory with --data-dir and make room there")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	b, err := sqlite.BackUp(ctx, dir, filepath.Join(scratch, "backup.db"))
	if err != nil {
		return err
	}
	f, err := os.Open(b.Path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	if _, err := io.Copy(stdout, f); err != nil {
		return fmt.Errorf("write the backup to standard output: %w", err)
	}
	_, err = fmt.Fprintf(stderr, "sha256  %s  (%d bytes, schema %d)\n", b.SHA256, b.Bytes, b.Schema)
	return err
}

func newRestoreCmd(stdout, stderr io.Writer) *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup into the place of the database",
		Long: `Checks FILE, with FILE.sha256 if it is there, and makes it the database of
the data directory. No daemon may be running on it. What was there stays beside
it as moleculed.db.replaced-TIME; to restore that file undoes it. The next serve
brings an older schema up to date.`,
		Example: "  moleculed restore ./before-the-move.db\n  moleculed restore ./before-the-move.db --data-dir ./d",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return molecule.Errorf(molecule.Invalid, "restore needs a FILE").WithHint("backups are listed by: molecli backup list")
			}
			return atMostOne("FILE")(nil, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := LoadConfig(config, cmd.Flags())
			if err != nil {
				return err
			}
			dir, err := cfg.Dir()
			if err != nil {
				return err
			}
			r, err := sqlite.Restore(cmd.Context(), dir, args[0], newLogger(stderr, LogConfig{Level: "warn", Format: cfg.Log.Format}))
			if err != nil {
				return err
			}
			replaced := r.Replaced
			if replaced == "" {
				replaced = "nothing: there was no database"
			}
			_, err = fmt.Fprintf(stdout, "restored  %s\nschema    %d\nreplaced  %s\n\nnext:\n  moleculed serve --data-dir %s\n",
				r.Backup.Path, r.Backup.Schema, replaced, dir)
			return err
		},
	}
	configFlags(cmd, &config)
	return cmd
}

func newMigrateCmd(stdout, stderr io.Writer) *cobra.Command {
	var config string
	var dry bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to the schema of this program",
		Long: `Does what serve does first: keeps a copy in the directory of the backups and
runs the migrations that the database lacks. No daemon may be running on it.
--dry-run runs them on a copy, which it checks and throws away, and says what
they did and how long they took; the daemon may run meanwhile.`,
		Example: "  moleculed migrate --dry-run\n  moleculed migrate --data-dir ./d",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := LoadConfig(config, cmd.Flags())
			if err != nil {
				return err
			}
			dir, err := cfg.Dir()
			if err != nil {
				return err
			}
			if dry {
				return rehearse(cmd.Context(), dir, stdout)
			}
			return migrate(cmd.Context(), cfg, dir, stdout, stderr)
		},
	}
	configFlags(cmd, &config)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "try it on a copy")
	return cmd
}

// rehearse prints what the migrations make of a copy.
func rehearse(ctx context.Context, dir string, stdout io.Writer) error {
	r, err := sqlite.Rehearse(ctx, dir)
	if err != nil {
		return err
	}
	if len(r.Steps) == 0 {
		_, err := fmt.Fprintf(stdout, "✓ schema %d is the newest: nothing to do\n", r.From)
		return err
	}
	for _, s := range r.Steps {
		if _, err := fmt.Fprintf(stdout, "%s  %d ms\n", s.Name, s.Took.Milliseconds()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(stdout, "✓ from schema %d to %d on a copy, which is sound; the database is as it was\n", r.From, r.To)
	return err
}

// migrate brings the store of dir up to date and closes it.
func migrate(ctx context.Context, cfg Config, dir string, stdout, stderr io.Writer) error {
	have, err := sqlite.Schema(ctx, dir)
	if err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, dir, sqlite.Options{Log: newLogger(stderr, cfg.Log)})
	if err != nil {
		return err
	}
	now := store.SchemaVersion()
	if err := store.Close(); err != nil {
		return err
	}
	if now == have {
		_, err = fmt.Fprintf(stdout, "✓ schema %d is the newest: nothing to do\n", have)
		return err
	}
	_, err = fmt.Fprintf(stdout, "✓ from schema %d to %d\n", have, now)
	return err
}
