package rotation

import (
	"context"
	"fmt"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// asked is one question to the place of a step.
type asked struct {
	sink   sink.Sink
	change sink.Change
}

// ask opens the place of a step and says what it is about.
func (e *Engine) ask(ctx context.Context, r molecule.Rotation, v values, i int, at phase) (asked, error) {
	s, err := e.sinkOf(r.Steps[i])
	if err != nil {
		return asked{}, err
	}
	c, err := v.change(ctx, fmt.Sprintf("mol-%s-%d-%d", r.ID, r.Attempt, r.Steps[i].N), r.Steps[i], at)
	return asked{s, c}, err
}

// effect is something that is done to a place: what is on disk before it, and
// behind it.
type effect struct {
	name          string // of its crash points
	at            phase
	intent, done  molecule.StepState
	about, behind string // of the journal
	do            func(ctx context.Context, s sink.Sink, c sink.Change) (sink.State, error)
}

func writing() effect {
	return effect{
		"applying", before, molecule.StepIntent, molecule.StepApplied, "is about to be written", "is written",
		func(ctx context.Context, s sink.Sink, c sink.Change) (sink.State, error) { return s.Apply(ctx, c) },
	}
}

func undoing() effect {
	return effect{
		"rolling back", before, molecule.StepUndoing, molecule.StepUndone, "is about to be put back", "is put back",
		func(ctx context.Context, s sink.Sink, c sink.Change) (sink.State, error) { return s.Undo(ctx, c) },
	}
}

func ending() effect {
	return effect{
		"revoking", behind, molecule.StepRevoking, molecule.StepRevoked, "its old value is about to be ended", "its old value is ended",
		func(ctx context.Context, s sink.Sink, c sink.Change) (sink.State, error) {
			state, err := s.Revoke(ctx, c)
			if err == nil && state.Holds == sink.HoldsOther {
				err = sink.Drift(s.Place())
			}
			return state, err
		},
	}
}

// effect does something to one place. What it is about to do is on disk before,
// and what it did behind it. The mark of the last write counts only for the first
// try: behind a crash our own write could not be told from a stranger's.
func (e *Engine) effect(ctx context.Context, r *molecule.Rotation, v values, i int, f effect) (stopped bool, err error) {
	a, err := e.ask(ctx, *r, v, i, f.at)
	s := r.Steps[i]
	if err != nil {
		return true, e.stop(ctx, r, s.Place, sink.TroubleOf(err), err)
	}
	again := s.State == f.intent
	if !again {
		s.State = f.intent
		if f.at == before {
			s.Marker = ""
		}
		if err := e.note(ctx, r, i, s, f.about); err != nil {
			return false, err
		}
	}
	state, err := e.do(ctx, &a, s, f)
	if own := s.Spec.Credential == r.Secret; own && err != nil && sink.TroubleOf(err) == sink.Refused && (again || f.at == before) {
		a.change.Credential = v.other(a.change.Credential) // it may have got that far before
		state, err = e.do(ctx, &a, s, f)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		return true, e.notDone(ctx, r, i, f, err)
	}
	s.State, s.Holds, s.Marker, s.Warning = f.done, string(state.Holds), state.Marker, state.Warning
	return false, e.note(ctx, r, i, s, f.behind)
}

func (e *Engine) do(ctx context.Context, a *asked, s molecule.RotationStep, f effect) (state sink.State, err error) {
	err = e.try(ctx, func(ctx context.Context) (err error) {
		e.point("%s: before the effect of step %d", f.name, s.N)
		state, err = f.do(ctx, a.sink, a.change)
		e.point("%s: behind the effect of step %d", f.name, s.N)
		a.change.Marker = "" // it may have been written, whatever it says
		return err
	})
	return state, err
}

// other returns the other one of the two own values.
func (v values) other(value molecule.Secret) molecule.Secret {
	if value.Reveal() == v.new.Reveal() {
		return v.old
	}
	return v.new
}

// notDone stops at a place. One that was to be written and holds what is not ours
// was not touched: going back has nothing to do there.
func (e *Engine) notDone(ctx context.Context, r *molecule.Rotation, i int, f effect, cause error) error {
	trouble := sink.TroubleOf(cause)
	if s := r.Steps[i]; trouble == sink.Drifted && f.done == molecule.StepApplied {
		s.State, s.Holds = molecule.StepPending, string(sink.HoldsOther)
		if err := e.note(ctx, r, i, s, "holds what was not written from here, and keeps it"); err != nil {
			return err
		}
	}
	return e.stop(ctx, r, r.Steps[i].Place, trouble, cause)
}
