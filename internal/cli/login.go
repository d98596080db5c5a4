package cli

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// keptToken is where login keeps the token of a context, or the one of none:
// beside the settings.
func keptToken(lookup func(string) (string, bool), context string) string {
	dir := filepath.Dir(configPath(lookup))
	if context == "" {
		return filepath.Join(dir, "token")
	}
	return filepath.Join(dir, "tokens", context)
}

// newLoginCmd makes login.
func newLoginCmd(a *app) *cobra.Command {
	return leaf{
		use:   "login --endpoint URL < TOKEN",
		short: "Keep an endpoint and a token for it",
		long: "Reads a token from standard input, asks the daemon whose it is, and keeps both: the token\n" +
			"in a file that only you may read, the endpoint and the organisation in the settings, or\n" +
			"in the context that is in use or that --context names; one that is new is made.",
		examples: "  cat d/admin.token | molecli login --endpoint http://127.0.0.1:7420\n" +
			"  cat laptop.token | molecli login --context prod --endpoint https://agents.example.com --org acme",
		args: exactly(),
		run:  func(ctx context.Context, _ []string) error { return a.login(ctx) },
	}.command()
}

func (a *app) login(ctx context.Context) error {
	a.anyContext = true
	p, err := a.printer()
	if err != nil {
		return err
	}
	cfg := p.config
	if cfg.Context != "" {
		if err := molecule.ValidateName("context", cfg.Context); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(cfg.Endpoint, "http") {
		return molecule.Errorf(molecule.Invalid, "login needs an http endpoint: the unix socket asks for no token").
			WithHint("molecli login --endpoint http://127.0.0.1:7420 < FILE")
	}
	if p.InTTY {
		return molecule.Errorf(molecule.Invalid, "the token comes from standard input, so that it is in no history").
			WithHint("molecli login --endpoint %s < FILE", cfg.Endpoint)
	}
	raw, err := io.ReadAll(io.LimitReader(p.In, client.MaxTokenBytes+1))
	if err != nil {
		return molecule.Errorf(molecule.Invalid, "the token cannot be read from standard input").WithCause(err)
	}
	token, err := client.ParseToken("standard input", raw)
	if err != nil {
		return err
	}
	c, err := client.New(client.Options{Endpoint: cfg.Endpoint, Org: cfg.Org, Token: token, Timeout: cfg.Timeout})
	if err != nil {
		return err
	}
	id, err := c.WhoAmI(ctx)
	if err != nil {
		return err
	}
	if err := a.keep(cfg, token); err != nil {
		return err
	}
	p.done("%s is known at %s; kept in %s", id.Name, c.Endpoint(), configPath(a.env.Lookup))
	return identityView().one(p, id)
}

// keep writes the token and what goes with it.
func (a *app) keep(cfg config, token molecule.Secret) error {
	path := keptToken(a.env.Lookup, cfg.Context)
	if err := replaceFile(path, token.Reveal()+"\n"); err != nil {
		return err
	}
	if cfg.Context != "" {
		says := map[string]any{"endpoint": cfg.Endpoint, "token_file": path}
		if cfg.Org != "" {
			says["org"] = cfg.Org
		}
		if before, ok := a.values.file.contexts[cfg.Context]["timeout"]; ok {
			says["timeout"] = before
		}
		return writeContext(configPath(a.env.Lookup), cfg.Context, says)
	}
	return a.keepSettings(map[string]string{"endpoint": cfg.Endpoint, "org": cfg.Org, "token_file": path})
}

// keepSettings writes settings that belong to no context.
func (a *app) keepSettings(values map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		s, err := settingOf(key)
		if err != nil {
			return err
		}
		if err := writeSetting(configPath(a.env.Lookup), s, values[key]); err != nil {
			return err
		}
	}
	return nil
}

// newLogoutCmd makes logout.
func newLogoutCmd(a *app) *cobra.Command {
	return leaf{
		use:   "logout",
		short: "Forget what login kept",
		long: "Removes the token that login kept, for the context in use or for none, and takes it out\n" +
			"of the settings, and without a context its endpoint too. The token itself stays good:\n" +
			"molecli token revoke makes it good for nothing.",
		examples: "  molecli logout\n  molecli logout && molecli whoami",
		args:     exactly(),
		run:      func(context.Context, []string) error { return a.logout() },
	}.command()
}

func (a *app) logout() error {
	p, err := a.printer()
	if err != nil {
		return err
	}
	name := p.config.Context
	path := keptToken(a.env.Lookup, name)
	if err := os.Remove(path); errors.Is(err, os.ErrNotExist) {
		p.note("nobody is logged in")
		return nil
	} else if err != nil {
		return molecule.Errorf(molecule.Invalid, "%s cannot be removed", path).WithCause(err)
	}
	if name == "" {
		err = a.keepSettings(map[string]string{"endpoint": "", "token_file": ""})
	} else {
		says := maps.Clone(a.values.file.contexts[name])
		delete(says, "token_file")
		err = writeContext(configPath(a.env.Lookup), name, says)
	}
	if err != nil {
		return err
	}
	p.done("logged out")
	return nil
}

// newWhoAmICmd makes whoami.
func newWhoAmICmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use:      "whoami",
		short:    "Who the daemon takes you for",
		long:     "Shows the principal that the daemon takes you for, and what it may do.",
		examples: "  molecli whoami\n  molecli whoami -o json",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		id, err := s.client.WhoAmI(ctx)
		if err != nil {
			return err
		}
		return identityView().one(s.printer, id)
	})
}

// identityView is how an identity is shown.
func identityView() view[molecule.Identity] {
	type I = molecule.Identity
	return view[I]{
		noun: "identities",
		name: func(i I) string { return i.Name },
		record: func(i I) term.Record {
			fresh := "no: what cannot be taken back is refused"
			if i.Fresh {
				fresh = "yes"
			}
			return term.Record{
				{Title: "principal", Cell: term.Text(i.Name)},
				{Title: "from", Cell: term.Text(i.Source)},
				{Title: "scopes", Cell: term.Text(scopesText(i.Scopes))},
				{Title: "fresh", Cell: term.Text(fresh)},
				{Title: "token", Cell: term.Text(i.Token)},
				{Title: "expires", Cell: term.When(i.ExpiresAt)},
			}
		},
	}
}
