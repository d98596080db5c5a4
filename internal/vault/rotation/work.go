package rotation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// work does what is to be done in the state a rotation is in, and moves it on.
func (e *Engine) work(ctx context.Context, r *molecule.Rotation) error {
	switch r.State {
	case molecule.RotationPlanned:
		return e.look(ctx, r)
	case molecule.RotationMinting:
		return e.move(ctx, r, made, "the value is sealed")
	case molecule.RotationApplying:
		return e.apply(ctx, r)
	case molecule.RotationVerifying:
		return e.verify(ctx, r)
	case molecule.RotationPromoted:
		r.DueAt = r.PromotedAt.Add(time.Duration(r.Entry.Grace))
		return e.move(ctx, r, told, "grace begins")
	case molecule.RotationGrace:
		return e.wait(ctx, r)
	case molecule.RotationRevoking:
		return e.revoke(ctx, r)
	case molecule.RotationRollingBack:
		return e.rollBack(ctx, r)
	}
	return errStop
}

// look asks every place whether it could be written, before any is.
func (e *Engine) look(ctx context.Context, r *molecule.Rotation) error {
	v, err := e.valuesOf(ctx, *r)
	if err != nil {
		return err
	}
	for i, s := range r.Steps {
		state, err := e.probe(ctx, *r, v, i)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && state.Holds == sink.HoldsOther {
			err = sink.Drift(s.Place)
		}
		if err != nil {
			return e.stop(ctx, r, s.Place, sink.TroubleOf(err), err)
		}
		s.Holds, s.Warning = string(state.Holds), state.Warning
		if err := e.note(ctx, r, i, s, "asked what it holds: "+s.Holds); err != nil {
			return err
		}
	}
	if err := e.precondition(ctx, r, v); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return e.stop(ctx, r, "", sink.TroubleOf(err), err)
	}
	return e.move(ctx, r, ready, "every place can be written")
}

func (e *Engine) probe(ctx context.Context, r molecule.Rotation, v values, i int) (state sink.State, err error) {
	a, err := e.ask(ctx, r, v, i, before)
	if err != nil {
		return state, err
	}
	err = e.try(ctx, func(ctx context.Context) (err error) {
		state, err = a.sink.Probe(ctx, a.change)
		return err
	})
	return state, err
}

// apply writes one place behind the other.
func (e *Engine) apply(ctx context.Context, r *molecule.Rotation) error {
	v, err := e.valuesOf(ctx, *r)
	if err != nil {
		return err
	}
	for i := range r.Steps {
		switch r.Steps[i].State {
		case molecule.StepPending, molecule.StepIntent:
		default:
			continue
		}
		stopped, err := e.effect(ctx, r, v, i, writing())
		if err != nil || stopped {
			return err
		}
	}
	return e.move(ctx, r, written, "every place is written")
}

// verify asks every place by another way than it was written, with a control,
// and then whoever the map says knows.
func (e *Engine) verify(ctx context.Context, r *molecule.Rotation) error {
	v, err := e.valuesOf(ctx, *r)
	if err != nil {
		return err
	}
	for i, s := range r.Steps {
		if s.State == molecule.StepVerified || s.State == molecule.StepUnproved {
			continue
		}
		verdict, err := e.prove(ctx, *r, v, i)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return e.stop(ctx, r, s.Place, troubleOf(err), err)
		}
		s.State = molecule.StepVerified
		if verdict == sink.Unproved {
			s.State, s.Holds = molecule.StepUnproved, string(sink.HoldsUnknown)
		}
		if err := e.note(ctx, r, i, s, "was asked: "+string(verdict)); err != nil {
			return err
		}
	}
	if err := e.proveValue(ctx, r, v); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return e.stop(ctx, r, "", troubleOf(err), err)
	}
	return e.move(ctx, r, proved, "the new value is in use")
}

// notProved is the error for a verdict that proves nothing.
type notProved struct {
	shown   *molecule.Error
	trouble sink.Trouble
}

// Error returns what can be shown.
func (n notProved) Error() string { return n.shown.Error() }

// Unwrap returns it with its code and hint.
func (n notProved) Unwrap() error { return n.shown }

// troubleOf is the trouble of an error, also of what was asked about a value.
func troubleOf(err error) sink.Trouble {
	if n, ok := errors.AsType[notProved](err); ok {
		return n.trouble
	}
	return sink.TroubleOf(err)
}

// judged returns the error for a verdict that proves nothing.
func judged(verdict sink.Verdict, of string) error {
	switch verdict {
	case sink.Wrong:
		return notProved{molecule.Errorf(molecule.Conflict, "%s: the new value does not work", of).
			WithHint("look whether it is the right one, and whole"), wrongValue}
	case sink.Invalid:
		return notProved{molecule.Errorf(molecule.Conflict, "%s: a random value passes as well, so that nothing is proved", of).
			WithHint("mend the probe: it has to refuse what is wrong"), wrongControl}
	}
	return nil
}

// prove asks one place. A place that shows nobody what it holds is asked at least
// whether somebody wrote to it since we did.
func (e *Engine) prove(ctx context.Context, r molecule.Rotation, v values, i int) (verdict sink.Verdict, err error) {
	a, err := e.ask(ctx, r, v, i, behind)
	if err != nil {
		return "", err
	}
	err = e.try(ctx, func(ctx context.Context) (err error) {
		verdict, err = a.sink.Verify(ctx, a.change)
		return err
	})
	if err == nil && verdict == sink.Unproved {
		err = e.try(ctx, func(ctx context.Context) error {
			state, err := a.sink.Probe(ctx, a.change)
			if err == nil && state.Holds == sink.HoldsOther {
				err = sink.Drift(r.Steps[i].Place)
			}
			return err
		})
	}
	if err != nil {
		return "", err
	}
	return verdict, judged(verdict, r.Steps[i].Place)
}

// wait goes on when the grace is over.
func (e *Engine) wait(ctx context.Context, r *molecule.Rotation) error {
	if molecule.Now().Before(r.DueAt) {
		return errStop
	}
	r.DueAt = time.Time{}
	return e.move(ctx, r, waited, "the grace is over")
}

// revoke ends the old value where places keep both, and then at its provider.
func (e *Engine) revoke(ctx context.Context, r *molecule.Rotation) error {
	v, err := e.valuesOf(ctx, *r)
	if err != nil {
		return err
	}
	for i := range r.Steps {
		if r.Old == 0 || r.Steps[i].State == molecule.StepRevoked {
			continue
		}
		stopped, err := e.effect(ctx, r, v, i, ending())
		if err != nil || stopped {
			return err
		}
	}
	if r.Old > 0 && outlives(*r) {
		stopped, err := e.revokeValue(ctx, r, v, v.old, r.Old)
		if err != nil || stopped {
			return err
		}
	}
	return e.move(ctx, r, ended, "done")
}

// rollBack puts back what was written, the last first.
func (e *Engine) rollBack(ctx context.Context, r *molecule.Rotation) error {
	v, err := e.valuesOf(ctx, *r)
	if err != nil {
		return err
	}
	for i := range slices.Backward(r.Steps) {
		switch r.Steps[i].State {
		case molecule.StepPending, molecule.StepUndone:
			continue
		}
		stopped, err := e.effect(ctx, r, v, i, undoing())
		if err != nil || stopped {
			return err
		}
	}
	if e.worthAnother(*r) {
		return e.remake(ctx, r)
	}
	if r.Entry.Class == molecule.SecretMinted { // it lives, and nobody needs it
		stopped, err := e.revokeValue(ctx, r, v, v.new, r.Version)
		if err != nil || stopped {
			return err
		}
	}
	return e.move(ctx, r, undone, "everything is as it was")
}

// worthAnother reports whether another value may be taken where the first was
// not. That is tried once.
func (e *Engine) worthAnother(r molecule.Rotation) bool {
	return r.Fault != nil && r.Fault.Trouble == string(sink.RejectsValue) && r.Attempt == 1 && r.Entry.Generator != nil &&
		r.Entry.Class == molecule.SecretGenerated && r.Returnable()
}

// remake begins again with another value.
func (e *Engine) remake(ctx context.Context, r *molecule.Rotation) error {
	value, err := Generate(*r.Entry.Generator)
	if err != nil {
		return err
	}
	to, ok := next(*r, another)
	if !ok {
		return molecule.Errorf(molecule.Internal, "a rotation that is %s takes no other value", r.State)
	}
	from := r.State
	r.State, r.Fault = to, nil
	e.point("%s: before %s", from, another)
	err = e.store.ResealRotation(ctx, r, from, func(s molecule.StoredSecret, version int) (molecule.Sealed, error) {
		return e.vault.Seal(ctx, s, version, []byte(value.Reveal()))
	})
	e.point("%s: behind %s", from, another)
	return err
}
