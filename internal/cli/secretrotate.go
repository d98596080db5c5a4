package cli

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// rotateFlags say what is to be done to a rotation.
type rotateFlags struct {
	from                      valueFlags
	generate, plan, hold      bool
	resume, rollBack, abandon string
}

// newSecretsRotateCmd makes secrets rotate.
func newSecretsRotateCmd(a *app) *cobra.Command {
	o := &rotateFlags{}
	cmd := leaf{
		use:   "rotate NAME",
		short: "Change a secret in every place that holds it",
		long: "Writes a new value to every copy the map names, proves each with a control, and then\n" +
			"puts it in use. When a copy cannot be written, all are put back; what was changed by\n" +
			"somebody else is left, and the rotation held: the exit status is 8, and the next command\n" +
			"is printed. --plan asks every place and changes nothing. Where there is no way back the\n" +
			"plan is printed until --yes is given.",
		examples: "  molecli secrets rotate DB_PASSWORD --plan\n  molecli secrets rotate DB_PASSWORD --generate",
		args:     nameAlone, complete: a.completeSecrets,
		run: func(ctx context.Context, args []string) error { return a.rotate(ctx, args[0], o) },
	}.command()
	o.from.define(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.generate, "generate", false, "make the value as the map says; so it is without --from-file")
	f.BoolVar(&o.plan, "plan", false, "ask every place, say what would be done, and do nothing")
	f.BoolVar(&o.hold, "hold", false, "leave what was written when a place fails, instead of putting it back")
	f.StringVar(&o.resume, "resume", "", "go on with the rotation of an `ID`")
	f.StringVar(&o.rollBack, "rollback", "", "put back what the rotation of an `ID` wrote")
	f.StringVar(&o.abandon, "abandon", "", "leave the rotation of an `ID` to a person, every place as it is")
	cmd.MarkFlagsMutuallyExclusive("from-file", "generate", "plan", "resume", "rollback", "abandon")
	return cmd
}

func (a *app) rotate(ctx context.Context, name string, o *rotateFlags) error {
	if err := molecule.ValidateSecretName(name); err != nil {
		return err
	}
	p, err := a.printer()
	if err != nil {
		return err
	}
	in := molecule.NewRotation{Secret: name, Hold: o.hold}
	if o.from.file != "" {
		value, err := o.from.read(p)
		if err != nil {
			return err
		}
		in.Value = molecule.Show(molecule.NewSecret(base64.StdEncoding.EncodeToString(value)))
	}
	s, err := a.session(ctx)
	if err != nil {
		return err
	}
	if id := o.resume + o.rollBack + o.abandon; id != "" {
		return s.order(ctx, name, id, o)
	}
	plan, err := s.client.PlanRotation(ctx, name)
	if err != nil {
		return err
	}
	if o.plan {
		return s.showPlan(plan)
	}
	if plan.Overlap == molecule.OverlapSingleMinted && !s.config.Yes {
		if err := s.showPlan(plan); err != nil {
			return err
		}
		s.note("nothing was done: there is no way back. Add --yes to do it")
		return nil
	}
	r, err := s.client.Rotate(ctx, in)
	return s.rotated(r, err)
}

// order does to a rotation what a person says. The name has to be that of its
// secret, so that a wrong id does not move another one.
func (s *session) order(ctx context.Context, name, id string, o *rotateFlags) error {
	r, err := s.client.Rotation(ctx, id)
	if err != nil {
		return err
	}
	if r.Secret != name {
		return molecule.Errorf(molecule.Invalid, "rotation %s is one of %s, not of %s", r.ID, r.Secret, name).
			WithHint("molecli secrets rotations --all")
	}
	do := s.client.ResumeRotation
	switch {
	case o.rollBack != "":
		do = s.client.RollBackRotation
	case o.abandon != "":
		do = s.client.AbandonRotation
	}
	r, err = do(ctx, r.ID)
	if err == nil && r.State == molecule.RotationAbandoned {
		return s.abandoned(r)
	}
	if err == nil && o.rollBack != "" && r.State == molecule.RotationRolledBack {
		s.done("%s holds v%d everywhere again", r.Secret, r.Old)
		return s.rotationResult(r)
	}
	return s.rotated(r, err)
}

// rotated tells what a rotation came to.
func (s *session) rotated(r molecule.Rotation, err error) error {
	if err != nil {
		return err
	}
	if r.State != molecule.RotationHeld && !r.PromotedAt.IsZero() {
		s.done("%s is %s, in %s", r.Secret, versionText(r.Version, r.Fingerprint), places(len(r.Steps)))
		s.leftOver(r)
		return s.rotationResult(r)
	}
	text := r.Secret + " is rolled back, and v" + strconv.Itoa(r.Old) + " is in use"
	if r.Old == 0 {
		text = r.Secret + " is rolled back, and has no value"
	}
	if r.State == molecule.RotationHeld {
		text = "the rotation of " + r.Secret + " is held"
	}
	next := r.Next
	if f := r.Fault; f != nil {
		text += ": " + f.Message
		if f.Trouble != "" {
			text += " (" + f.Trouble + ")"
		}
		if f.Hint != "" {
			s.note("%s", f.Hint)
		}
	}
	s.leftOver(r)
	writeLine(s.Err, s.paint.Mark(term.Bad)+" "+term.CleanText(text))
	writeLine(s.Err, "try: "+term.CleanText(next))
	if err := s.rotationResult(r); err != nil {
		return err
	}
	return judged(wire.ExitPartial)
}

func places(n int) string {
	if n == 1 {
		return "one place"
	}
	return strconv.Itoa(n) + " places"
}

// leftOver says what is left to a person.
func (s *session) leftOver(r molecule.Rotation) {
	for _, text := range r.ByHand {
		s.note("by hand: %s", text)
	}
}

func (s *session) abandoned(r molecule.Rotation) error {
	s.done("rotation %s is abandoned", r.ID)
	s.leftOver(r)
	return s.rotationResult(r)
}

// rotationResult writes a rotation for a program.
func (s *session) rotationResult(r molecule.Rotation) error {
	if s.structured() || s.config.Output == outName {
		return rotationView(nil).one(s.printer, r)
	}
	return nil
}

// plannedView is how a plan is shown.
func plannedView() view[molecule.PlannedStep] {
	type P = molecule.PlannedStep
	return view[P]{
		noun: "steps", name: func(p P) string { return strconv.Itoa(p.N) },
		columns: []column[P]{
			{Column: term.Column{Title: "STEP"}, cell: func(p P) term.Cell { return term.Text(strconv.Itoa(p.N)) }},
			{Column: term.Column{Title: "DO"}, cell: func(p P) term.Cell { return term.Text(p.Do) }},
			{Column: term.Column{Title: "PLACE"}, cell: func(p P) term.Cell { return term.Text(p.Place) }},
			{Column: term.Column{Title: "HOLDS"}, cell: plannedHoldsCell},
			{Column: term.Column{Title: "WHAT", Drop: 1, Min: 20}, cell: func(p P) term.Cell { return term.Text(p.Text) }},
		},
	}
}

func plannedHoldsCell(p molecule.PlannedStep) term.Cell {
	if p.Fault != "" {
		return term.Toned(term.Bad, p.Holds+" "+p.Fault)
	}
	return term.Text(p.Holds)
}

// showPlan shows what a rotation would do. A place that could not be written is
// exit status 8, as the rotation would be.
func (s *session) showPlan(p molecule.RotationPlan) error {
	if s.structured() {
		if err := s.encode(p); err != nil {
			return err
		}
	} else if err := plannedView().list(s.printer, p.Steps); err != nil {
		return err
	}
	for _, w := range p.Warnings {
		s.note("%s", w)
	}
	s.note("behind step %d there is no way back but another rotation; nothing was done", p.NoReturn)
	if !p.Ready {
		return judged(wire.ExitPartial)
	}
	return nil
}

// rotationView is how rotations are shown.
func rotationView(short func(string) string) view[molecule.Rotation] {
	type R = molecule.Rotation
	if short == nil {
		short = func(id string) string { return id }
	}
	return view[R]{
		noun: "rotations", name: func(r R) string { return r.ID }, record: rotationRecord,
		empty: "molecli secrets rotate NAME",
		columns: []column[R]{
			{Column: term.Column{Title: "ID"}, cell: func(r R) term.Cell { return term.Text(short(r.ID)) }},
			{Column: term.Column{Title: "SECRET"}, cell: func(r R) term.Cell { return term.Text(r.Secret) }},
			{Column: term.Column{Title: "STATE"}, cell: rotationStateCell},
			{Column: term.Column{Title: "VERSION", Drop: 2}, cell: func(r R) term.Cell { return term.Text(versionText(r.Version, r.Fingerprint)) }},
			{Column: term.Column{Title: "BEGUN", Drop: 1}, cell: func(r R) term.Cell { return term.When(r.StartedAt) }},
			{Column: term.Column{Title: "NEXT", Drop: 3}, cell: func(r R) term.Cell { return term.Text(r.Next) }},
			{Column: term.Column{Title: "BY"}, wide: true, cell: func(r R) term.Cell { return term.Text(r.By) }},
		},
	}
}

func rotationStateCell(r molecule.Rotation) term.Cell {
	switch r.State {
	case molecule.RotationDone:
		return term.Toned(term.Good, string(r.State))
	case molecule.RotationHeld:
		return term.Toned(term.Bad, string(r.State)+" from "+string(r.From))
	case molecule.RotationRolledBack, molecule.RotationAbandoned:
		return term.Toned(term.Warn, string(r.State))
	}
	return term.Toned(term.Busy, string(r.State))
}

func rotationRecord(r molecule.Rotation) term.Record {
	out := term.Record{
		{Title: "id", Cell: term.Text(r.ID)},
		{Title: "secret", Cell: term.Text(r.Secret)},
		{Title: "state", Cell: rotationStateCell(r)},
		{Title: "version", Cell: term.Text(versionText(r.Version, r.Fingerprint))},
		{Title: "overlap", Cell: term.Text(string(r.Overlap))},
		{Title: "begun", Cell: term.When(r.StartedAt)},
		{Title: "promoted", Cell: term.When(r.PromotedAt)},
		{Title: "goes on", Cell: term.When(r.DueAt)},
		{Title: "ended", Cell: term.When(r.EndedAt)},
		{Title: "by", Cell: term.Text(r.By)},
	}
	for _, s := range r.Steps {
		out = append(out, term.Field{Title: "step " + strconv.Itoa(s.N), Cell: term.Text(strings.TrimSpace(s.Place + ": " + string(s.State) + " " + s.Warning))})
	}
	if r.Fault != nil {
		out = append(out, term.Field{Title: "fault", Cell: term.Text(r.Fault.Message)}, term.Field{Title: "try first", Cell: term.Text(r.Fault.Hint)})
	}
	for _, text := range r.ByHand {
		out = append(out, term.Field{Title: "by hand", Cell: term.Text(text)})
	}
	return append(out, term.Field{Title: "next", Cell: term.Text(r.Next)})
}

// newSecretsRotationsCmd makes secrets rotations.
func newSecretsRotationsCmd(a *app) *cobra.Command {
	var all, journal bool
	cmd := a.asks(leaf{
		use:   "rotations [ID]",
		short: "List rotations, or show one",
		long: "Lists the rotations that are not over, and with --all the newest of any; with an id it\n" +
			"shows one with its steps, and with --journal all that it did.",
		examples: "  molecli secrets rotations --all\n  molecli secrets rotations --all -o json",
		args:     between(0, "ID"),
	}, func(ctx context.Context, s *session, args []string) error {
		switch {
		case len(args) == 1 && journal:
			rows, err := s.client.RotationJournal(ctx, args[0])
			if err != nil {
				return err
			}
			return journalView().list(s.printer, rows)
		case len(args) == 1:
			r, err := s.client.Rotation(ctx, args[0])
			if err != nil {
				return err
			}
			return rotationView(nil).one(s.printer, r)
		case journal:
			return molecule.Errorf(molecule.Invalid, "the journal of which rotation?").WithHint("molecli secrets rotations --all")
		}
		return listShort(ctx, s, rotationView, func(ctx context.Context, _ int, _ string) (molecule.Page[molecule.Rotation], error) {
			found, err := s.client.Rotations(ctx, all)
			return molecule.Page[molecule.Rotation]{Items: found}, err
		})
	})
	cmd.Flags().BoolVar(&all, "all", false, "also those that are over")
	cmd.Flags().BoolVar(&journal, "journal", false, "all that one did")
	return cmd
}

// journalView is how the journal of a rotation is shown.
func journalView() view[molecule.JournalRow] {
	type J = molecule.JournalRow
	return view[J]{
		noun: "rows", name: func(j J) string { return strconv.FormatInt(j.ID, 10) },
		columns: []column[J]{
			{Column: term.Column{Title: "AT"}, cell: func(j J) term.Cell { return term.When(j.At) }},
			{Column: term.Column{Title: "STATE"}, cell: func(j J) term.Cell { return term.Text(string(j.State)) }},
			{Column: term.Column{Title: "STEP"}, cell: func(j J) term.Cell { return term.Text(strconv.Itoa(j.Step)) }},
			{Column: term.Column{Title: "WHAT"}, cell: func(j J) term.Cell { return term.Text(j.Text) }},
		},
	}
}
