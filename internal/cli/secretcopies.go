package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// newSecretsApplyCmd makes secrets apply.
func newSecretsApplyCmd(a *app) *cobra.Command {
	o := &mapFile{app: a}
	cmd := leaf{
		use:   "apply -f FILE",
		short: "Give the daemon a map of secrets",
		long: "Replaces the map the daemon has. A map that could not be used is refused, with the place\n" +
			"of each fault. Rotations that are under way go on with the map they began with.",
		examples: "  molecli secrets map --sample | molecli secrets apply -f -\n" +
			"  molecli secrets map --sample > secrets.yaml && molecli secrets apply -f secrets.yaml",
		args: exactly(),
		run: func(ctx context.Context, _ []string) error {
			p, err := a.printer()
			if err != nil {
				return err
			}
			m, err := o.sound(p)
			if err != nil {
				return err
			}
			s, err := a.session(ctx)
			if err != nil {
				return err
			}
			if err := s.client.ApplySecretMap(ctx, m); err != nil {
				return err
			}
			s.done("the daemon has the map, secrets: %d", len(m.All()))
			return nil
		},
	}.command()
	o.flag(cmd)
	return cmd
}

// copyView is how the copies of secrets are shown.
func copyView() view[molecule.SecretCopy] {
	type C = molecule.SecretCopy
	return view[C]{
		noun: "copies", name: func(c C) string { return c.Place }, empty: "molecli secrets apply -f FILE",
		columns: []column[C]{
			{Column: term.Column{Title: "SECRET"}, cell: func(c C) term.Cell { return term.Text(c.Secret) }},
			{Column: term.Column{Title: "PLACE"}, cell: func(c C) term.Cell { return term.Text(c.Place) }},
			{Column: term.Column{Title: "HOLDS"}, cell: copyHoldsCell},
			{Column: term.Column{Title: "FINGERPRINT"}, cell: func(c C) term.Cell { return term.Text(c.Fingerprint) }},
			{Column: term.Column{Title: "MESSAGE", Drop: 1}, cell: func(c C) term.Cell { return term.Text(c.Message) }},
		},
	}
}

// differs reports whether a copy is known not to be that of the version in use.
func differs(c molecule.SecretCopy) bool { return c.Holds != "current" && c.Holds != "unknown" }

func copyHoldsCell(c molecule.SecretCopy) term.Cell {
	switch {
	case c.Holds == "current":
		return term.Toned(term.Good, c.Holds)
	case differs(c):
		return term.Toned(term.Bad, c.Holds)
	}
	return term.Toned(term.Faint, c.Holds)
}

// copies shows what every place of the daemon's map holds.
func (a *app) copies(ctx context.Context) error {
	s, err := a.session(ctx)
	if err != nil {
		return err
	}
	all, err := s.client.SecretCopies(ctx, "")
	if err != nil {
		return err
	}
	return copyView().list(s.printer, all)
}

// newSecretsDriftCmd makes secrets drift.
func newSecretsDriftCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use:   "drift [NAME]",
		short: "Ask every place what it holds",
		long: "Asks the places of a secret, or of all the map names, whether they hold the version in use,\n" +
			"and changes nothing. A place that shows nobody what it holds is unknown. The exit status\n" +
			"is 12 when one holds something else or does not answer.",
		examples: "  molecli secrets drift DB_PASSWORD\n  molecli secrets drift -o json",
		args:     between(0, "NAME"), complete: a.completeSecrets,
	}, func(ctx context.Context, s *session, args []string) error {
		all, err := s.client.SecretCopies(ctx, append(args, "")[0])
		if err != nil {
			return err
		}
		if err := copyView().list(s.printer, all); err != nil {
			return err
		}
		for _, c := range all {
			if differs(c) {
				return judged(wire.ExitSecret)
			}
		}
		return nil
	})
}
