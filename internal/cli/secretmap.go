package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	samples "github.com/molecule-ai/molecli/config"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/secretmap"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// newSecretsCmd makes the noun secrets.
func newSecretsCmd(a *app) *cobra.Command {
	return newGroup(group{
		use: "secrets", aliases: []string{"secret"},
		short: "Values that are kept sealed, and how each is changed",
		long: "A secret is a named value in versions, sealed at rest. No command shows a value but\n" +
			"reveal, on the unix socket and for a reason that is kept. A map of secrets says where\n" +
			"their copies live and how each is changed: lint, map and runbook read it from a file of\n" +
			"data that holds no value, apply gives it to the daemon, and rotate does what it says.",
		examples: "  printf %s \"$TOKEN\" | molecli secrets add API_TOKEN --from-file -\n" +
			"  molecli secrets map --sample | molecli secrets runbook FLY_API_TOKEN -f -",
	}, newSecretsAddCmd(a), newSecretsSetCmd(a), a.watchable(newSecretsListCmd(a)), newSecretsShowCmd(a), newSecretsHistoryCmd(a),
		newSecretsRemoveCmd(a), newSecretsRevealCmd(a), newSecretsRunCmd(a), newSecretsRewrapCmd(a),
		newSecretsApplyCmd(a), newSecretsRotateCmd(a), newSecretsRotationsCmd(a), newSecretsDriftCmd(a),
		newSecretsLintCmd(a), newSecretsMapCmd(a), newSecretsRunbookCmd(a))
}

// mapFile is a file of a map as it was typed.
type mapFile struct {
	app  *app
	path string
}

func (o *mapFile) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.path, "file", "f", "", "the map, or - for standard input")
}

// read reads the file.
func (o *mapFile) read(p *printer) (*secretmap.File, error) {
	if o.path == "" {
		return nil, molecule.Errorf(molecule.Invalid, "which map? Say -f FILE, or - for standard input").
			WithHint("molecli secrets map --sample > secrets.yaml prints one to begin with")
	}
	name, raw, err := readInput(p, o.path, secretmap.MaxBytes+1)
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "%s cannot be read", name).WithCause(err).
			WithHint("molecli secrets map --sample > secrets.yaml prints one to begin with")
	}
	return secretmap.Read(name, string(raw))
}

// sound reads the file and refuses one that could not be used.
func (o *mapFile) sound(p *printer) (molecule.SecretMap, error) {
	f, err := o.read(p)
	if err != nil {
		return molecule.SecretMap{}, err
	}
	if broken := secretmap.Breaking(f.Lint()); len(broken) > 0 {
		tellFindings(p, f, broken)
		return f.Map, molecule.Errorf(molecule.Invalid, "the map cannot be used, faults: %d", len(broken)).
			WithHint("mend them; molecli secrets lint -f %s tells of what is dangerous as well", o.path)
	}
	return f.Map, nil
}

// mapOf reads the file, or asks the daemon for its map when none is named.
func (o *mapFile) mapOf(ctx context.Context, p *printer) (molecule.SecretMap, error) {
	if o.path != "" {
		return o.sound(p)
	}
	s, err := o.app.session(ctx)
	if err != nil {
		return molecule.SecretMap{}, err
	}
	m, err := s.client.SecretMap(ctx)
	if err == nil && len(m.Secrets) == 0 {
		err = molecule.Errorf(molecule.NotFound, "the daemon has no map of secrets").WithHint("molecli secrets apply -f FILE, or read a file with -f FILE")
	}
	return m, err
}

// tellFindings shows each finding with its place.
func tellFindings(p *printer, f *secretmap.File, all []secretmap.Finding) {
	for _, t := range all {
		mark := term.Warn
		if t.Breaks() {
			mark = term.Bad
		}
		writeLine(p.Err, p.paint.Mark(mark)+" "+term.CleanText(f.Show(t)))
		writeLine(p.Err, "try: "+term.CleanText(t.Hint)+" ("+t.Rule+")")
	}
}

// newSecretsLintCmd makes secrets lint.
func newSecretsLintCmd(a *app) *cobra.Command {
	o := &mapFile{app: a}
	cmd := leaf{
		use:   "lint",
		short: "Tell what is wrong with a map of secrets",
		long: "Reads a map and tells what is wrong with it, or dangerous in it, each with its place\n" +
			"and what to do. ✗ keeps the map from being used, ! is advice. The exit status is 2\n" +
			"when there is anything.",
		examples: "  molecli secrets map --sample > secrets.yaml && molecli secrets lint -f secrets.yaml\n" +
			"  molecli secrets map --sample | molecli secrets lint -f - -o json",
		args: exactly(),
		run:  func(context.Context, []string) error { return o.lint() },
	}.command()
	o.flag(cmd)
	return cmd
}

func (o *mapFile) lint() error {
	p, err := o.app.printer()
	if err != nil {
		return err
	}
	f, err := o.read(p)
	if err != nil {
		return err
	}
	all := f.Lint()
	if p.structured() {
		err = p.encode(molecule.Page[secretmap.Finding]{Items: append([]secretmap.Finding{}, all...)})
	} else {
		tellFindings(p, f, all)
	}
	if err != nil {
		return err
	}
	if len(all) > 0 {
		p.note("findings: %d", len(all))
		return judged(wire.ExitUsage)
	}
	p.done("nothing is wrong with %d secrets", len(f.Map.All()))
	return nil
}

// mappedView is how secrets of a map are shown.
func mappedView() view[molecule.MappedSecret] {
	type S = molecule.MappedSecret
	return view[S]{
		noun: "secrets", name: func(s S) string { return s.Name },
		columns: []column[S]{
			{Column: term.Column{Title: "NAME"}, cell: func(s S) term.Cell { return term.Text(s.Name) }},
			{Column: term.Column{Title: "CLASS"}, cell: func(s S) term.Cell { return term.Text(string(s.Class)) }},
			{Column: term.Column{Title: "OVERLAP", Drop: 2}, cell: func(s S) term.Cell { return term.Text(string(s.Overlap)) }},
			{Column: term.Column{Title: "CHANGED", Drop: 1}, cell: func(s S) term.Cell { return term.Text(secretmap.WhenText(s)) }},
			{Column: term.Column{Title: "COPIES"}, cell: func(s S) term.Cell { return term.Text(strconv.Itoa(len(s.Sinks))) }},
			{Column: term.Column{Title: "OWNER", Drop: 3}, cell: func(s S) term.Cell { return term.Text(s.Owner) }},
			{Column: term.Column{Title: "WHERE"}, wide: true, cell: func(s S) term.Cell { return term.Text(placesText(s)) }},
		},
	}
}

func placesText(s molecule.MappedSecret) string {
	places := make([]string, len(s.Sinks))
	for i, k := range s.Sinks {
		places[i] = k.At(s.Name)
	}
	return strings.Join(places, "; ")
}

// newSecretsMapCmd makes secrets map.
func newSecretsMapCmd(a *app) *cobra.Command {
	o := &mapFile{app: a}
	var format string
	var sample bool
	cmd := leaf{
		use:   "map",
		short: "Show a map of secrets",
		long: "Shows the secrets of a map file, parts before what is made of them, and how many copies of\n" +
			"each there are; -o wide says where. --format markdown is a table for a document,\n" +
			"--format dot a graph. Without -f it asks the daemon for its map, and every place for the\n" +
			"fingerprint of what it holds. --sample prints a map to begin with.",
		examples: "  molecli secrets map --sample > secrets.yaml && molecli secrets map -f secrets.yaml -o wide\n" +
			"  molecli secrets map --sample | molecli secrets map -f - --format dot",
		args: exactly(),
		run: func(ctx context.Context, _ []string) error {
			p, err := a.printer()
			if err == nil && sample {
				return p.write(string(samples.Secrets))
			}
			if err != nil {
				return err
			}
			return o.show(ctx, p, format)
		},
	}.command()
	o.flag(cmd)
	cmd.Flags().StringVar(&format, "format", "", "markdown or dot")
	cmd.Flags().BoolVar(&sample, "sample", false, "print a map to begin with")
	completeFlag(cmd, "format", cobra.FixedCompletions([]string{"markdown", "dot"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *mapFile) show(ctx context.Context, p *printer, format string) error {
	if o.path == "" && format == "" {
		return o.app.copies(ctx)
	}
	m, err := o.mapOf(ctx, p)
	if err != nil {
		return err
	}
	switch format {
	case "":
		return mappedView().list(p, m.All())
	case "markdown":
		return p.text(secretmap.Markdown(m))
	case "dot":
		return p.text(secretmap.Dot(m))
	}
	return molecule.Errorf(molecule.Invalid, "there is no format %q", format).WithHint("use one of: markdown, dot; JSON is -o json")
}

// newSecretsRunbookCmd makes secrets runbook.
func newSecretsRunbookCmd(a *app) *cobra.Command {
	o := &mapFile{app: a}
	cmd := leaf{
		use:   "runbook NAME",
		short: "Print how a person changes a secret",
		long: "Prints the procedure for one secret, made of what the map says: how a value is made\n" +
			"and proved with a control, each copy in its order, where there is no way back, and\n" +
			"the way back before that. No command in it has a value among its arguments.",
		examples: "  molecli secrets map --sample | molecli secrets runbook FLY_API_TOKEN -f -\n" +
			"  molecli secrets map --sample > secrets.yaml && molecli secrets runbook STRIPE_API_KEY -f secrets.yaml -o json",
		args: exactly("NAME"), complete: o.names,
		run: func(ctx context.Context, args []string) error {
			p, err := a.printer()
			if err != nil {
				return err
			}
			return o.runbook(ctx, p, args[0])
		},
	}.command()
	o.flag(cmd)
	return cmd
}

// names completes the names of the file that was typed before.
func (o *mapFile) names(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	p, err := o.app.printer()
	if err != nil || o.path == "" || o.path == "-" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	f, err := o.read(p)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []cobra.Completion
	for _, s := range f.Map.All() {
		all = append(all, s.Name)
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

func (o *mapFile) runbook(ctx context.Context, p *printer, name string) error {
	m, err := o.mapOf(ctx, p)
	if err != nil {
		return err
	}
	procedure, err := secretmap.Runbook(m, name)
	if err != nil {
		return err
	}
	if p.structured() {
		return p.encode(procedure)
	}
	return p.text(procedure.Text())
}
