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

// endValue ends the old value at its provider and proves that it is dead. What the
// daemon cannot do is left to a person, by name.
func (e *Engine) endValue(ctx context.Context, r *molecule.Rotation, v values) error {
	p := r.Entry.Revoke
	switch {
	case r.Old == 0, r.Overlap == molecule.OverlapSingleMinted, r.Overlap == molecule.OverlapSingleSettable,
		r.Overlap == molecule.OverlapAlternating, p == nil && r.Entry.Class != molecule.SecretMinted:
		return nil // it is dead already
	case !e.asks(p):
		r.ByHand = []string{byHand(*r)}
		return nil
	}
	if err := e.store.NoteRotation(ctx, *r, "the old value is about to be revoked"); err != nil {
		return err
	}
	err := e.try(ctx, func(ctx context.Context) error {
		e.point("revoking: before the effect")
		err := e.prober.Do(ctx, *p, v.old, v.filler(ctx, v.old))
		e.point("revoking: behind the effect")
		return err
	})
	if err != nil {
		return err
	}
	if e.asks(r.Entry.Verify) {
		verdict, err := e.alive(ctx, *r.Entry.Verify, v, v.old)
		if err != nil {
			return err
		}
		if verdict != sink.Wrong {
			return notProved{molecule.Errorf(molecule.Conflict, "v%d was revoked and still works", r.Old).
				WithHint("revoke it where it was made, and then: %s", r.NextCommand()), wrongValue}
		}
	}
	return e.store.NoteRotation(ctx, *r, "the old value is revoked")
}

// byHand says what a person does about the old value.
func byHand(r molecule.Rotation) string {
	text := fmt.Sprintf("v%d still works: revoke it where it was made", r.Old)
	if p := r.Entry.Revoke; p != nil && p.Text != "" {
		text += " (" + p.Text + ")"
	}
	return text
}
