package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/schedulefile"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// scheduleImport is an import as it was typed.
type scheduleImport struct {
	app    *app
	path   string
	file   schedulefile.Options
	format string
	update bool
	skip   bool
	dryRun bool
	diff   bool
}

// newScheduleImportCmd makes schedule import.
func newScheduleImportCmd(a *app) *cobra.Command {
	o := &scheduleImport{app: a}
	cmd := leaf{
		use:   "import FILE|-",
		short: "Import schedules from a crontab or YAML",
		long: "Imports the schedules of a file, all of them or none: one that is wrong is named with\n" +
			"its line, and nothing is imported unless --skip-invalid. A name in use is a conflict\n" +
			"unless --update. Then the file says what the schedule is to be: what it leaves out\n" +
			"is the default, a schedule that is so already is not touched, and the next slot of\n" +
			"another stays unless what says when changes.\n\n" +
			"YAML has the keys that schedule export prints, and at and prompt_file, a path beside\n" +
			"the file. paused left out leaves a schedule paused or active as it is.\n\n" +
			"Of a crontab the command is the prompt, with a line break for each %, and the\n" +
			"comment above it is the name. CRON_TZ= is the zone of the lines below it, other\n" +
			"variables are named and have no effect. Who receives the prompts says --agent, or a\n" +
			"comment of its own above them: # agent: NAME.",
		examples: "  crontab -l | molecli schedule import - --format crontab --agent echo --tz local --dry-run\n" +
			"  molecli schedule export > schedules.yaml && molecli schedule import schedules.yaml --update",
		args: exactly("FILE"),
		complete: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		run: func(ctx context.Context, args []string) error {
			o.path = args[0]
			return o.run(ctx)
		},
	}.command()
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "crontab or yaml (recognised by name or content when not given)")
	f.StringVar(&o.file.Agent, "agent", "", "of a crontab: who receives the prompts")
	f.StringVar(&o.file.TZ, "tz", "", "of a crontab: time zone before any CRON_TZ, an IANA name or local (UTC when not given)")
	f.BoolVar(&o.update, "update", false, "change schedules whose names are in use")
	f.BoolVar(&o.skip, "skip-invalid", false, "leave out what is wrong, import the rest, and exit with 8")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be done, and do nothing")
	f.BoolVar(&o.diff, "diff", false, "as --dry-run, and exit with 13 when anything would be done")
	completeFlag(cmd, "agent", a.completeAgents)
	completeFlag(cmd, "tz", a.completeZones)
	completeFlag(cmd, "format", cobra.FixedCompletions([]string{string(schedulefile.Crontab), string(schedulefile.YAML)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// run reads the file, asks for all of it at once, and tells what became of it.
func (o *scheduleImport) run(ctx context.Context) error {
	p, err := o.app.printer()
	if err != nil {
		return err
	}
	f, err := o.read(p)
	if err != nil {
		return err
	}
	for _, t := range f.Ignored {
		p.note("%s", f.Show(t))
	}
	sent := slices.Clone(f.Entries)
	if o.skip {
		sent = slices.DeleteFunc(sent, func(e schedulefile.Entry) bool { return e.Faulty })
	}
	result, err := o.ask(ctx, sent, len(f.Faults) > 0 && !o.skip)
	told, wrong := result.Faults, len(f.Faults)+result.Skipped
	refused, isRefused := errors.AsType[*molecule.FaultyImport](err)
	if isRefused {
		told, wrong, err = refused.Faults, len(f.Faults)+refused.Total, nil
	}
	o.complain(p, f, sent, told)
	switch {
	case err != nil:
		return err
	case isRefused && len(f.Faults) == 0:
		return nothingImported(refused.Err.Code, wrong)
	case wrong > 0 && !o.skip:
		return nothingImported(molecule.Invalid, wrong)
	}
	result.Skipped += f.Faulty
	if err := o.tell(p, f, result); err != nil {
		return err
	}
	switch {
	case o.diff && len(result.Created)+len(result.Updated) > 0:
		return judged(wire.ExitDiff)
	case result.Skipped > 0:
		return judged(wire.ExitPartial)
	}
	return nil
}

// read reads the file or standard input.
func (o *scheduleImport) read(p *printer) (*schedulefile.File, error) {
	name, raw, err := readInput(p, o.path, schedulefile.MaxBytes+1)
	o.file.Name, o.file.Format = name, schedulefile.Format(o.format)
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "%s cannot be read", o.file.Name).WithCause(err).
			WithHint("molecli schedule import FILE, or - for standard input")
	}
	if len(raw) > schedulefile.MaxBytes {
		return nil, molecule.Errorf(molecule.TooLarge, "%s is over %d bytes", o.file.Name, schedulefile.MaxBytes).
			WithHint("split it; each file is imported as a whole or not at all")
	}
	o.file.ReadPrompt = promptsBeside(o.path)
	f, err := schedulefile.Read(string(raw), o.file)
	if err != nil {
		return nil, err
	}
	if n := len(f.Entries); n > molecule.MaxImport {
		return nil, molecule.Errorf(molecule.TooLarge, "%s has %d schedules, the most is %d", o.file.Name, n, molecule.MaxImport).
			WithHint("split it; each file is imported as a whole or not at all")
	}
	if f.Unzoned && o.file.TZ == "" {
		p.note("times without a CRON_TZ line are read in UTC; --tz local is the zone of this machine")
	}
	return f, nil
}

// promptsBeside reads files of prompts, whose paths begin beside the file at
// path, each once.
func promptsBeside(path string) func(string) (string, error) {
	dir := filepath.Dir(path) // of "-" the directory we are in
	read := make(map[string]string)
	return func(name string) (string, error) {
		if text, ok := read[name]; ok {
			return text, nil
		}
		full := name
		if !filepath.IsAbs(name) {
			full = filepath.Join(dir, name)
		}
		raw, err := readBounded(full, molecule.MaxPromptBytes+1)
		if err != nil {
			return "", molecule.Errorf(molecule.Invalid, "prompt file %q cannot be read: %v", name, err).
				WithHint("its path begins beside the file that names it, at %s", dir)
		}
		if err := molecule.ValidatePrompt(string(raw)); err != nil {
			return "", err
		}
		read[name] = string(raw)
		return read[name], nil
	}
}

// ask asks the daemon; only what is wrong when some of the file cannot be used
// anyway.
func (o *scheduleImport) ask(ctx context.Context, entries []schedulefile.Entry, judge bool) (molecule.ImportResult, error) {
	s, err := o.app.session(ctx)
	if err != nil {
		return molecule.ImportResult{}, err
	}
	in := molecule.ScheduleImport{
		Schedules: make([]molecule.ScheduleSpec, len(entries)), Update: o.update, SkipInvalid: o.skip,
		DryRun: o.dryRun || o.diff || judge,
	}
	for i, e := range entries {
		in.Schedules[i] = e.Spec
	}
	return s.client.ImportSchedules(ctx, in)
}

// mostFaults is how many are shown of a file that is wrong all over.
const mostFaults = 20

// complain says what is wrong, in the order of the file: what could not be read,
// and what was told of the entries sent.
func (o *scheduleImport) complain(p *printer, f *schedulefile.File, sent []schedulefile.Entry, told []molecule.Fault) {
	faults := slices.Clone(f.Faults)
	for _, t := range told {
		if t.Index < len(sent) {
			faults = append(faults, schedulefile.Fault{Place: f.Locate(sent[t.Index], t.Field), Message: t.Message, Hint: t.Hint})
		}
	}
	slices.SortStableFunc(faults, func(a, b schedulefile.Fault) int { return cmp.Compare(a.Line, b.Line) })
	for i, t := range faults {
		if i == mostFaults && !p.config.Verbose {
			p.note("and %d more: --verbose shows each", len(faults)-i)
			return
		}
		writeLine(p.Err, p.paint.Mark(term.Bad)+" "+term.CleanText(f.Show(t)))
		if t.Hint != "" {
			writeLine(p.Err, "try: "+term.CleanText(t.Hint))
		}
	}
}

// nothingImported is the error of an import with so many faults, which were told.
func nothingImported(code molecule.Code, faults int) error {
	if code == molecule.Conflict {
		return molecule.Errorf(code, "nothing was imported, names in use: %d", faults).
			WithHint("rename them, change what is there with --update, or leave them out with --skip-invalid")
	}
	return molecule.Errorf(code, "nothing was imported, faults: %d", faults).WithHint("mend them, or import the rest with --skip-invalid")
}

// change is one line of what would be done.
type change struct {
	Action, Name, What string
}

func changeView() view[change] {
	return view[change]{
		noun: "changes", name: func(c change) string { return c.Name },
		columns: []column[change]{
			{Column: term.Column{Title: "ACTION"}, cell: func(c change) term.Cell { return term.Text(c.Action) }},
			{Column: term.Column{Title: "NAME"}, cell: func(c change) term.Cell { return term.Text(c.Name) }},
			{Column: term.Column{Title: "WHAT", Min: 12}, cell: func(c change) term.Cell { return term.Text(c.What) }},
		},
	}
}

// changes lists what would be done, in the order of the file.
func changes(f *schedulefile.File, result molecule.ImportResult) []change {
	updated := make(map[string][]string, len(result.Updated))
	for _, u := range result.Updated {
		updated[u.Name] = u.Fields
	}
	created := make(map[string]bool, len(result.Created))
	for _, name := range result.Created {
		created[name] = true
	}
	var list []change
	for _, e := range f.Entries {
		fields, isUpdate := updated[e.Spec.Name]
		switch {
		case isUpdate:
			list = append(list, change{"update", e.Spec.Name, strings.Join(fields, ", ")})
		case created[e.Spec.Name]:
			list = append(list, change{"create", e.Spec.Name, strings.TrimSpace(e.Spec.Cron + " " + e.Spec.TZ)})
		}
	}
	return list
}

// tell says what was done, or would be.
func (o *scheduleImport) tell(p *printer, f *schedulefile.File, result molecule.ImportResult) error {
	would := o.dryRun || o.diff
	done := fmt.Sprintf("%d created, %d updated, %d unchanged, %d skipped", len(result.Created), len(result.Updated), result.Unchanged, result.Skipped)
	switch {
	case p.structured():
		return p.encode(result)
	case p.config.Output == outName:
		return changeView().list(p, changes(f, result))
	case !would:
		return p.line("schedules: %s", done)
	}
	if list := changes(f, result); len(list) > 0 {
		if err := changeView().list(p, list); err != nil {
			return err
		}
	}
	p.note("nothing was done, it would be: %s", done)
	return nil
}
