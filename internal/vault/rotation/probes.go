package rotation

import (
	"context"
	"fmt"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/secretmap"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// asks reports whether a probe is one that the daemon asks itself.
func (e *Engine) asks(p *molecule.Probe) bool {
	return e.prober != nil && p != nil && (p.Kind == molecule.ProbeHTTP || p.Kind == molecule.ProbeExec)
}

// filler returns what writes a value into texts.
func (v values) filler(ctx context.Context, value molecule.Secret) Fill {
	return func(text string) (string, error) {
		t, err := secretmap.ParseTemplate(text)
		if err != nil {
			return "", err
		}
		filled, err := v.fill(ctx, t, value)
		return filled.Reveal(), err
	}
}

// alive asks a probe about a value and, before it, about a random one.
func (e *Engine) alive(ctx context.Context, p molecule.Probe, v values, value molecule.Secret) (sink.Verdict, error) {
	return sink.Differential(value, func(value molecule.Secret) (right bool, err error) {
		err = e.try(ctx, func(ctx context.Context) (err error) {
			right, err = e.prober.Alive(ctx, p, value, v.filler(ctx, value))
			return err
		})
		return right, err
	})
}

// precondition asks what has to be true before a value may change.
func (e *Engine) precondition(ctx context.Context, r *molecule.Rotation, v values) error {
	p := r.Entry.Precondition
	if !e.asks(p) {
		return nil
	}
	return e.try(ctx, func(ctx context.Context) error {
		ok, err := e.prober.Alive(ctx, *p, v.new, v.filler(ctx, v.new))
		if err == nil && !ok {
			err = molecule.Errorf(molecule.Conflict, "the precondition of %s does not hold: %s", r.Secret, p.Text).
				WithHint("see to it first; nothing was touched")
		}
		return err
	})
}

// proveValue asks whoever the map names whether the new value works.
func (e *Engine) proveValue(ctx context.Context, r *molecule.Rotation, v values) error {
	p := r.Entry.Verify
	if !e.asks(p) {
		return nil
	}
	verdict, err := e.alive(ctx, *p, v, v.new)
	if err != nil {
		return err
	}
	if err := judged(verdict, "verify"); err != nil {
		return err
	}
	return e.store.NoteRotation(ctx, *r, "the new value was asked about: "+string(verdict))
}

// outlives reports whether the old value goes on living at a provider.
func outlives(r molecule.Rotation) bool {
	switch r.Overlap {
	case molecule.OverlapSingleMinted, molecule.OverlapSingleSettable, molecule.OverlapAlternating:
		return false // it is dead already
	}
	return r.Entry.Revoke != nil || r.Entry.Class == molecule.SecretMinted
}

// revokeValue ends a value at its provider and proves that it is dead. What the
// daemon cannot do is left to a person, by name.
func (e *Engine) revokeValue(ctx context.Context, r *molecule.Rotation, v values, value molecule.Secret, version int) (stopped bool, err error) {
	p := r.Entry.Revoke
	if !e.asks(p) {
		r.ByHand = []string{byHand(*r, version)}
		return false, nil
	}
	name := fmt.Sprintf("v%d", version)
	if err := e.store.NoteRotation(ctx, *r, name+" is about to be revoked"); err != nil {
		return false, err
	}
	err = e.try(ctx, func(ctx context.Context) error {
		e.point("%s: before revoking %s", r.State, name)
		err := e.prober.Do(ctx, *p, value, v.filler(ctx, value))
		e.point("%s: behind revoking %s", r.State, name)
		return err
	})
	if err == nil {
		err = e.dead(ctx, *r, v, value, version)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		return true, e.stop(ctx, r, "", troubleOf(err), err)
	}
	return false, e.store.NoteRotation(ctx, *r, name+" is revoked")
}

// dead proves that a revoked value works no more, where the map says how.
func (e *Engine) dead(ctx context.Context, r molecule.Rotation, v values, value molecule.Secret, version int) error {
	if !e.asks(r.Entry.Verify) {
		return nil
	}
	verdict, err := e.alive(ctx, *r.Entry.Verify, v, value)
	if err != nil || verdict == sink.Wrong {
		return err
	}
	return notProved{molecule.Errorf(molecule.Conflict, "v%d was revoked and still works", version).
		WithHint("revoke it where it was made, and then: molecli secrets rotate %s --resume %s", r.Secret, r.ID), wrongValue}
}

// byHand says what a person does about a value.
func byHand(r molecule.Rotation, version int) string {
	text := fmt.Sprintf("v%d still works: revoke it where it was made", version)
	if p := r.Entry.Revoke; p != nil && p.Text != "" {
		text += " (" + p.Text + ")"
	}
	return text
}
