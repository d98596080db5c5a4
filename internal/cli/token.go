package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newTokenCmd makes the noun token.
func newTokenCmd(a *app) *cobra.Command {
	return newGroup(group{
		use: "token", aliases: []string{"tokens"},
		short: "Credentials for those who come over TCP",
		long: "A token is what an operator shows over TCP; on the unix socket none is needed. It is\n" +
			"told once, when it is made. What it may do are its scopes.",
		examples: "  molecli token add laptop --scope schedules:read --token-out laptop.token\n  molecli token revoke laptop --yes",
	}, newTokenAddCmd(a), newTokenListCmd(a), newTokenRevokeCmd(a))
}

// tokenView is how tokens are shown.
func (a *app) tokenView() view[molecule.Token] {
	type T = molecule.Token
	now := a.now()
	return view[T]{
		noun:  "tokens",
		name:  func(t T) string { return t.ID },
		empty: "molecli token add NAME --scope SCOPE",
		columns: []column[T]{
			{Column: term.Column{Title: "ID"}, cell: func(t T) term.Cell { return term.Text(t.ID) }},
			{Column: term.Column{Title: "NAME"}, cell: func(t T) term.Cell { return term.Text(t.Name) }},
			{Column: term.Column{Title: "KIND", Drop: 4}, cell: func(t T) term.Cell { return term.Text(t.Kind) }},
			{Column: term.Column{Title: "STATE"}, cell: func(t T) term.Cell { return tokenStateCell(t, now) }},
			{Column: term.Column{Title: "SCOPES", Drop: 1, Min: 12}, cell: func(t T) term.Cell { return term.Text(scopesText(t.Scopes)) }},
			{Column: term.Column{Title: "LAST USED", Drop: 2}, cell: func(t T) term.Cell { return term.When(t.LastUsed) }},
			{Column: term.Column{Title: "EXPIRES", Drop: 3}, cell: func(t T) term.Cell { return term.When(t.ExpiresAt) }},
			{Column: term.Column{Title: "CREATED"}, wide: true, cell: func(t T) term.Cell { return term.When(t.CreatedAt) }},
			{Column: term.Column{Title: "CREATED BY"}, wide: true, cell: func(t T) term.Cell { return term.Text(t.CreatedBy) }},
			{Column: term.Column{Title: "REVOKED"}, wide: true, cell: func(t T) term.Cell { return term.When(t.RevokedAt) }},
		},
	}
}

func tokenStateCell(t molecule.Token, now time.Time) term.Cell {
	switch {
	case !t.RevokedAt.IsZero():
		return term.Toned(term.Bad, "revoked")
	case !t.Live(now):
		return term.Toned(term.Warn, "expired")
	}
	return term.Toned(term.Good, "live")
}

func scopesText(scopes []molecule.Scope) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return strings.Join(words, " ")
}

// tokenAdd makes a token.
type tokenAdd struct {
	app    *app
	scopes []string
	life   time.Duration
	out    string
}

// newTokenAddCmd makes token add.
func newTokenAddCmd(a *app) *cobra.Command {
	o := &tokenAdd{app: a}
	cmd := a.asks(leaf{
		use:   "add NAME --scope SCOPE…",
		short: "Make a token",
		long: "Makes a token and prints it, once; with --token-out it goes to a new file that only you\n" +
			"may read. It needs the scope tokens:admin, and the socket or a token of the last 15 minutes.",
		examples: "  molecli token add laptop --scope schedules:read --scope agents:read\n" +
			"  molecli token add deploy --scope admin --expires-in 24h --token-out deploy.token",
		args: exactly("NAME"),
	}, func(ctx context.Context, s *session, args []string) error { return o.run(ctx, s, args[0]) })
	f := cmd.Flags()
	f.StringArrayVar(&o.scopes, "scope", nil, "what the token may do (repeatable)")
	f.DurationVar(&o.life, "expires-in", molecule.DefaultTokenLife, "how long it is good")
	f.StringVar(&o.out, "token-out", "", "write the token to a new `FILE` of mode 0600, and do not print it")
	all := make([]string, 0, len(molecule.Scopes()))
	for _, s := range molecule.Scopes() {
		all = append(all, string(s))
	}
	completeFlag(cmd, "scope", cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *tokenAdd) run(ctx context.Context, s *session, name string) error {
	in := molecule.NewToken{Name: name, ExpiresIn: molecule.Duration(o.life)}
	for _, scope := range o.scopes {
		in.Scopes = append(in.Scopes, molecule.Scope(scope))
	}
	if err := in.Validate(); err != nil {
		return err
	}
	file, err := newTokenFile(o.out)
	if err != nil {
		return err // before there is a token that nobody holds
	}
	defer file.discard()
	if err := s.client.CreateToken(ctx, &in); err != nil {
		return err
	}
	s.done("token %s (%s) is good until %s", in.Name, in.ID, in.ExpiresAt.Format(time.RFC3339))
	return file.handOver(s, &in.Token, in.ID, &in)
}

// newTokenListCmd makes token list.
func newTokenListCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "list", aliases: []string{"ls"},
		short:    "List tokens",
		long:     "Lists what is known of every token, newest first: not the tokens themselves.",
		examples: "  molecli token list\n  molecli token list -o wide",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		return listPages(ctx, s, a.tokenView(), func(ctx context.Context, _ int, _ string) (molecule.Page[molecule.Token], error) {
			all, err := s.client.Tokens(ctx)
			return molecule.Page[molecule.Token]{Items: all}, err
		})
	})
}

// newTokenRevokeCmd makes token revoke.
func newTokenRevokeCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use: "revoke NAME|ID", aliases: []string{"rm", "remove", "delete"},
		short: "Make a token good for nothing",
		long: "Revokes a token, by the name of a live one or a prefix of its id. It is refused from the\n" +
			"next request on, and streams that were opened with it end.",
		examples: "  molecli token revoke laptop --yes\n  molecli token revoke 3f9a --yes",
		args:     exactly("NAME|ID"), complete: a.completeTokens,
	}, func(ctx context.Context, s *session, args []string) error {
		if err := s.confirm("token " + args[0]); err != nil {
			return err
		}
		t, err := s.client.RevokeToken(ctx, args[0])
		if err != nil {
			return err
		}
		s.done("token %s (%s) is revoked", t.Name, t.ID)
		return nil
	})
}
