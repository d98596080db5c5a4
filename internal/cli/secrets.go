package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// shownFingerprint is how much of a fingerprint a person compares. All of it is in
// the wide and the structured output.
const shownFingerprint = 4

// versionText is how a version is shown: never by its value.
func versionText(version int, fingerprint string) string {
	if version == 0 {
		return ""
	}
	if len(fingerprint) > shownFingerprint {
		fingerprint = fingerprint[:shownFingerprint] + "…"
	}
	return "v" + strconv.Itoa(version) + " · fp " + fingerprint
}

// secretView is how secrets are shown.
func secretView() view[molecule.StoredSecret] {
	type S = molecule.StoredSecret
	return view[S]{
		noun:  "secrets",
		name:  func(s S) string { return s.Name },
		empty: "molecli secrets add NAME --from-file FILE",
		columns: []column[S]{
			{Column: term.Column{Title: "NAME"}, cell: func(s S) term.Cell { return term.Text(s.Name) }},
			{Column: term.Column{Title: "VERSION"}, cell: func(s S) term.Cell { return term.Text(versionText(s.Current, s.Fingerprint)) }},
			{Column: term.Column{Title: "CLASS", Drop: 2}, cell: func(s S) term.Cell { return term.Text(string(s.Class)) }},
			{Column: term.Column{Title: "SET", Drop: 1}, cell: func(s S) term.Cell { return term.When(s.SetAt) }},
			{Column: term.Column{Title: "OWNER", Drop: 3}, cell: func(s S) term.Cell { return term.Text(s.Owner) }},
			{Column: term.Column{Title: "FINGERPRINT"}, wide: true, cell: func(s S) term.Cell { return term.Text(s.Fingerprint) }},
			{Column: term.Column{Title: "ID"}, wide: true, cell: func(s S) term.Cell { return term.Text(s.ID) }},
		},
		record: func(s S) term.Record {
			return term.Record{
				{Title: "name", Cell: term.Text(s.Name)},
				{Title: "version", Cell: term.Text(versionText(s.Current, s.Fingerprint))},
				{Title: "fingerprint", Cell: term.Text(s.Fingerprint)},
				{Title: "class", Cell: term.Text(string(s.Class))},
				{Title: "owner", Cell: term.Text(s.Owner)},
				{Title: "set", Cell: term.When(s.SetAt)},
				{Title: "same value as", Cell: term.Text(strings.Join(s.Reused, " "))},
				{Title: "id", Cell: term.Text(s.ID)},
			}
		},
	}
}

// versionView is how versions are shown.
func versionView() view[molecule.SecretValue] {
	type V = molecule.SecretValue
	return view[V]{
		noun: "versions",
		name: func(v V) string { return strconv.Itoa(v.Version) },
		columns: []column[V]{
			{Column: term.Column{Title: "VERSION"}, cell: func(v V) term.Cell { return term.Text(versionText(v.Version, v.Fingerprint)) }},
			{Column: term.Column{Title: "STATE"}, cell: versionStateCell},
			{Column: term.Column{Title: "BYTES", Drop: 2}, cell: func(v V) term.Cell { return term.Text(strconv.Itoa(v.Bytes)) }},
			{Column: term.Column{Title: "SET", Drop: 1}, cell: func(v V) term.Cell { return term.When(v.CreatedAt) }},
			{Column: term.Column{Title: "BY", Drop: 1}, cell: func(v V) term.Cell { return term.Text(v.CreatedBy) }},
			{Column: term.Column{Title: "FINGERPRINT"}, wide: true, cell: func(v V) term.Cell { return term.Text(v.Fingerprint) }},
			{Column: term.Column{Title: "KEY"}, wide: true, cell: func(v V) term.Cell { return term.Text(v.KeyID) }},
		},
	}
}

func versionStateCell(v molecule.SecretValue) term.Cell {
	tone := term.Faint
	switch v.State {
	case molecule.VersionCurrent:
		tone = term.Good
	case molecule.VersionGrace, molecule.VersionPending:
		tone = term.Busy
	}
	return term.Toned(tone, string(v.State))
}

// valueFlags say where a value comes from.
type valueFlags struct {
	file  string
	exact bool
}

func (v *valueFlags) define(cmd *cobra.Command) {
	cmd.Flags().StringVar(&v.file, "from-file", "", "read the value from `FILE`, or from standard input for -")
	cmd.Flags().BoolVar(&v.exact, "exact", false, "keep a newline at the end of what comes from standard input")
}

// read returns the value. One newline at the end of what comes from a pipe is
// dropped, and that is said: echo adds it, and no API takes it.
func (v *valueFlags) read(p *printer) ([]byte, error) {
	if v.file == "" {
		return nil, molecule.Errorf(molecule.Invalid, "where is the value? It has no place on the command line").
			WithHint("--from-file FILE, or --from-file - for standard input")
	}
	if v.file != "-" {
		raw, err := readBounded(v.file, molecule.MaxSecretBytes+1)
		if err != nil {
			return nil, molecule.Errorf(molecule.Invalid, "the value cannot be read from %s: %v", v.file, err)
		}
		return raw, fits(raw)
	}
	if p.InTTY {
		return nil, molecule.Errorf(molecule.Invalid, "standard input is a terminal, where the value would be seen").
			WithHint("printf %%s VALUE | molecli secrets …, or --from-file FILE")
	}
	raw, err := io.ReadAll(io.LimitReader(p.In, molecule.MaxSecretBytes+2))
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "the value cannot be read from standard input").WithCause(err)
	}
	if bare, ok := bytes.CutSuffix(raw, []byte("\n")); ok && !v.exact {
		p.note("one newline at the end is left out; --exact keeps it")
		raw = bare
	}
	return raw, fits(raw)
}

// fits refuses what the daemon would, before it is sent.
func fits(value []byte) error {
	switch {
	case len(value) == 0:
		return molecule.Errorf(molecule.Invalid, "the value is empty").
			WithHint("an empty value switches things off without a word; remove the secret if that is meant")
	case len(value) > molecule.MaxSecretBytes:
		return molecule.Errorf(molecule.TooLarge, "the value has more than %d bytes, which is the most", molecule.MaxSecretBytes).
			WithHint("keep it in a file, and the key it is encrypted with here")
	}
	return nil
}

// sealable makes what goes to the vault, and warns of what cannot be protected.
func sealable(p *printer, name string, value []byte) molecule.NewSecretValue {
	if n := len(value); n > 0 && n < molecule.ShortSecretBytes {
		p.note("%d bytes are too short to be told from other text: the value cannot be kept out of what others print", n)
	}
	return molecule.NewSecretValue{Name: name, Value: molecule.Show(molecule.NewSecret(base64.StdEncoding.EncodeToString(value)))}
}

// nameAlone takes a name. What is typed behind it is likely a value, and not
// repeated.
func nameAlone(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return molecule.Errorf(molecule.Invalid, "a value has no place on the command line: it stays in the history and in the list of processes").
			WithHint("printf %%s VALUE | %s NAME --from-file -", cmd.CommandPath())
	}
	return exactly("NAME")(cmd, args)
}

// newSecretsAddCmd makes secrets add.
func newSecretsAddCmd(a *app) *cobra.Command {
	var from valueFlags
	var class, owner string
	cmd := leaf{
		use:   "add NAME --from-file FILE|-",
		short: "Store a new secret",
		long: "Stores the first version of a secret. The value comes from a file, byte for byte, or from\n" +
			"standard input, where one newline at the end is dropped. A name in use is a conflict.",
		examples: "  printf %s \"$TOKEN\" | molecli secrets add API_TOKEN --from-file -\n  molecli secrets add TLS_KEY --from-file key.pem --owner platform",
		args:     nameAlone,
		run: func(ctx context.Context, args []string) error {
			return a.storeValue(ctx, args[0], from, func(s *session, in molecule.NewSecretValue) (molecule.StoredSecret, error) {
				in.Class, in.Owner = molecule.SecretClass(class), owner
				return s.client.AddSecret(ctx, in)
			})
		},
	}.command()
	from.define(cmd)
	cmd.Flags().StringVar(&class, "class", string(molecule.SecretMinted), "how a new value comes to be")
	cmd.Flags().StringVar(&owner, "owner", "", "who answers for it")
	var classes []string
	for _, c := range molecule.SecretClasses() {
		classes = append(classes, string(c))
	}
	completeFlag(cmd, "class", cobra.FixedCompletions(classes, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// newSecretsSetCmd makes secrets set.
func newSecretsSetCmd(a *app) *cobra.Command {
	var from valueFlags
	cmd := leaf{
		use:   "set NAME --from-file FILE|-",
		short: "Store a further version of a secret",
		long: "Stores a further version of a secret and makes it the one in use here. It changes no other\n" +
			"place where the secret lives.",
		examples: "  printf %s \"$TOKEN\" | molecli secrets set API_TOKEN --from-file -\n  molecli secrets set TLS_KEY --from-file key.pem",
		args:     nameAlone, complete: a.completeSecrets,
		run: func(ctx context.Context, args []string) error {
			return a.storeValue(ctx, args[0], from, func(s *session, in molecule.NewSecretValue) (molecule.StoredSecret, error) {
				return s.client.SetSecret(ctx, in)
			})
		},
	}.command()
	from.define(cmd)
	return cmd
}

// storeValue reads a value before it looks for the daemon, and stores it.
func (a *app) storeValue(
	ctx context.Context, name string, from valueFlags, store func(*session, molecule.NewSecretValue) (molecule.StoredSecret, error),
) error {
	if err := molecule.ValidateSecretName(name); err != nil {
		return err
	}
	p, err := a.printer()
	if err != nil {
		return err
	}
	value, err := from.read(p)
	if err != nil {
		return err
	}
	s, err := a.session(ctx)
	if err != nil {
		return err
	}
	out, err := store(s, sealable(p, name, value))
	if err != nil {
		return err
	}
	s.done("secret %s is %s", out.Name, versionText(out.Current, out.Fingerprint))
	if s.structured() || s.config.Output == outName {
		return secretView().one(s.printer, out)
	}
	return nil
}

// newSecretsListCmd makes secrets list.
func newSecretsListCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "list", aliases: []string{"ls"},
		short:    "List secrets",
		long:     "Lists secrets and the version of each that is in use, by name.",
		examples: "  molecli secrets list\n  molecli secrets list -o json",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		return listPages(ctx, s, secretView(), func(ctx context.Context, _ int, _ string) (molecule.Page[molecule.StoredSecret], error) {
			all, err := s.client.Secrets(ctx)
			return molecule.Page[molecule.StoredSecret]{Items: all}, err
		})
	})
}

// newSecretsShowCmd makes secrets show.
func newSecretsShowCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "show NAME", aliases: []string{"get"},
		short:    "Show what is known of a secret",
		long:     "Shows a secret, its version in use and which others hold the same value: never a value.",
		examples: "  molecli secrets show API_TOKEN\n  molecli secrets show API_TOKEN -o json",
		args:     exactly("NAME"), complete: a.completeSecrets,
	}, func(ctx context.Context, s *session, args []string) error {
		out, err := s.client.Secret(ctx, args[0])
		if err != nil {
			return err
		}
		return secretView().one(s.printer, out)
	})
}

// newSecretsHistoryCmd makes secrets history.
func newSecretsHistoryCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use:      "history NAME",
		short:    "List the versions of a secret",
		long:     "Lists the versions of a secret, newest first, with who stored each. Ten are kept.",
		examples: "  molecli secrets history API_TOKEN\n  molecli secrets history API_TOKEN -o wide",
		args:     exactly("NAME"), complete: a.completeSecrets,
	}, func(ctx context.Context, s *session, args []string) error {
		out, err := s.client.Secret(ctx, args[0])
		if err != nil {
			return err
		}
		return versionView().list(s.printer, out.Versions)
	})
}

// newSecretsRemoveCmd makes secrets remove.
func newSecretsRemoveCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "remove NAME", aliases: []string{"rm", "delete"},
		short:    "Remove a secret and destroy its versions",
		long:     "Removes a secret. The keys of its versions are destroyed: nobody can open them again.",
		examples: "  molecli secrets remove API_TOKEN\n  molecli secrets remove API_TOKEN --yes",
		args:     exactly("NAME"), complete: a.completeSecrets,
	}, func(ctx context.Context, s *session, args []string) error {
		if err := s.confirm("secret " + args[0]); err != nil {
			return err
		}
		if err := s.client.RemoveSecret(ctx, args[0]); err != nil {
			return err
		}
		s.done("secret %s is removed", args[0])
		return nil
	})
}

// newSecretsRevealCmd makes secrets reveal.
func newSecretsRevealCmd(a *app) *cobra.Command {
	var reason, out string
	var version int
	cmd := a.asks(leaf{
		use:   "reveal NAME --reason TEXT",
		short: "Tell a value, for a reason",
		long: "Writes a value to standard output, byte for byte, or to a new file that only you may read.\n" +
			"It is for administrators on the unix socket; who asked, and why, is in the audit trail.",
		examples: "  molecli secrets reveal API_TOKEN --reason 'debugging the mailer'\n  molecli secrets reveal TLS_KEY --reason restore --out restored.pem",
		args:     exactly("NAME"), complete: a.completeSecrets,
	}, func(ctx context.Context, s *session, args []string) error {
		told, err := s.client.RevealSecret(ctx, args[0], version, reason)
		if err != nil {
			return err
		}
		value, err := base64.StdEncoding.DecodeString(told.Value.Reveal())
		if err != nil {
			return molecule.Errorf(molecule.Internal, "the daemon's answer is no value")
		}
		if out == "" {
			_, err = s.Out.Write(value)
			return err
		}
		return writeNew(out, value)
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is kept")
	cmd.Flags().IntVar(&version, "version", 0, "a version; 0 is the one in use")
	cmd.Flags().StringVar(&out, "out", "", "write it to a new `FILE` of mode 0600")
	return cmd
}

// writeNew writes a file that only its owner may read, where none is.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return molecule.Errorf(molecule.Conflict, "%s exists", path).WithHint("choose another name, or move it away")
	}
	if err == nil {
		_, err = f.Write(content)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		return molecule.Errorf(molecule.Invalid, "%s cannot be written", path).WithCause(err)
	}
	return nil
}

// newSecretsRewrapCmd makes secrets rewrap.
func newSecretsRewrapCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use:   "rewrap",
		short: "Wrap everything with the newest master key",
		long: "Wraps the key of every version with the master key that the daemon has now; the one before\n" +
			"has to be there as secrets.previous_key. No value changes. It may be stopped and begun again.",
		examples: "  molecli secrets rewrap\n  molecli secrets rewrap -o json",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		out, err := s.client.RewrapSecrets(ctx)
		if err != nil {
			return err
		}
		s.done("%d versions are wrapped anew by key %s", out.Versions, out.KeyID)
		if s.structured() {
			err = s.encode(out)
		}
		if err == nil && out.Left > 0 {
			s.note("%d versions do not open and are left as they are: keep secrets.previous_key, and store those secrets anew", out.Left)
			err = judged(wire.ExitPartial)
		}
		return err
	})
}
