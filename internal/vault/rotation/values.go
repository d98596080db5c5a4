package rotation

import (
	"cmp"
	"context"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/secretmap"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// Vault seals and opens values.
type Vault interface {
	Ready(ctx context.Context) error
	Seal(ctx context.Context, of molecule.StoredSecret, version int, value []byte) (molecule.Sealed, error)
	OpenVersion(ctx context.Context, secretID string, version int) (molecule.Secret, error)
	// InUse returns the zero Secret when there is none.
	InUse(ctx context.Context, name string) (molecule.StoredSecret, molecule.Secret, error)
	Fingerprint(secretID string, value molecule.Secret) string
}

// phase says which of its own values opens a secret's own door.
type phase int

const (
	before phase = iota // the old one: nothing else is known to work
	behind              // the new one
)

// values are what a rotation is about.
type values struct {
	vault    Vault
	rotated  string
	old, new molecule.Secret // as they are, before any template
}

// valuesOf opens the values of a rotation.
func (e *Engine) valuesOf(ctx context.Context, r molecule.Rotation) (values, error) {
	v := values{vault: e.vault, rotated: r.Secret}
	var err error
	if v.new, err = e.vault.OpenVersion(ctx, r.SecretID, r.Version); err != nil {
		return v, err
	}
	if r.Old > 0 {
		v.old, err = e.vault.OpenVersion(ctx, r.SecretID, r.Old)
	}
	return v, err
}

// change returns what a step is about.
func (v values) change(ctx context.Context, id string, s molecule.RotationStep, at phase) (sink.Change, error) {
	c := sink.Change{ID: id, Marker: s.Marker}
	var err error
	if c.Old, err = v.rendered(ctx, s, v.old); err != nil {
		return c, err
	}
	if c.New, err = v.rendered(ctx, s, v.new); err != nil {
		return c, err
	}
	c.Credential, err = v.credential(ctx, s.Spec.Credential, at)
	return c, err
}

// credential returns what opens a sink.
func (v values) credential(ctx context.Context, name string, at phase) (molecule.Secret, error) {
	switch {
	case name == "":
		return molecule.Secret{}, nil
	case name == v.rotated && (at == behind || v.old.IsZero()):
		return v.new, nil
	case name == v.rotated:
		return v.old, nil
	}
	_, value, err := v.vault.InUse(ctx, name)
	if err == nil && value.IsZero() {
		err = molecule.Errorf(molecule.NotFound, "there is no value of %s, which opens the place", name).
			WithHint("molecli secrets add %s --from-file FILE", name)
	}
	return value, err
}

// rendered returns what stands in the place of a step when the rotated secret has
// a value; nothing when it has none.
func (v values) rendered(ctx context.Context, s molecule.RotationStep, value molecule.Secret) (molecule.Secret, error) {
	for _, text := range []string{s.Value, s.Spec.Template} {
		if text == "" || value.IsZero() {
			continue
		}
		t, err := secretmap.ParseTemplate(text)
		if err == nil {
			value, err = v.fill(ctx, t, value)
		}
		if err != nil {
			return molecule.Secret{}, err
		}
	}
	return value, nil
}

// fill renders a template in which value is the rotated one, or what was made of
// it just before.
func (v values) fill(ctx context.Context, t secretmap.Template, value molecule.Secret) (molecule.Secret, error) {
	var failed error
	out, err := t.Render(func(ref secretmap.Ref) (molecule.Secret, bool) {
		switch {
		case ref.Attr != "":
			return molecule.Secret{}, false
		case ref.Own() || ref.Name == v.rotated:
			return value, true
		}
		_, other, err := v.vault.InUse(ctx, ref.Name)
		failed = cmp.Or(failed, err)
		return other, err == nil && !other.IsZero()
	})
	return out, cmp.Or(failed, err)
}
