package sink

import (
	"context"
	"crypto/subtle"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Sink is one place where a copy of a secret lives. Its methods end with their
// context, may be repeated, and return errors that [TroubleOf] tells apart.
type Sink interface {
	// Place names it in one line.
	Place() string
	// Probe asks what the sink holds and whether it could be written now. It
	// changes nothing.
	Probe(ctx context.Context, c Change) (State, error)
	// Apply writes the new value where the old one is, or nothing. What the sink
	// holds else is drift, and stays.
	Apply(ctx context.Context, c Change) (State, error)
	// Verify asks whether the new value is right and a random one is wrong.
	Verify(ctx context.Context, c Change) (Verdict, error)
	// Undo takes Apply back: behind it the old value is right, or there is none.
	Undo(ctx context.Context, c Change) (State, error)
	// Revoke ends the old value where the sink itself keeps both. Elsewhere it
	// does nothing.
	Revoke(ctx context.Context, c Change) (State, error)
}

// MaxBytes bounds what is read back as a value.
const MaxBytes = 1 << 20

// Change is what a rotation is about.
type Change struct {
	Old molecule.Secret // zero: there was none
	New molecule.Secret // zero: nothing is to be written, only asked

	// Credential opens the sink. A secret that opens its own sink is applied with
	// the old one, and verified and revoked with the new one.
	Credential molecule.Secret

	// Marker is what State had behind our last write. Leave it empty when a write
	// was begun whose end nobody knows: a sink that shows no value could not tell
	// it from a stranger's.
	Marker string

	ID string // of the step, the same when it is repeated
}

// back returns the change that takes c back.
func (c Change) back() Change {
	c.Old, c.New = c.New, c.Old
	return c
}

// Holds says which of the values of a change a sink holds.
type Holds string

// What a sink can hold.
const (
	HoldsNothing Holds = "nothing" // it is not there yet
	HoldsOld     Holds = "old"
	HoldsNew     Holds = "new"
	HoldsBoth    Holds = "both"    // both are right, until the old one is revoked
	HoldsOther   Holds = "other"   // what we did not write: drift
	HoldsUnknown Holds = "unknown" // it shows nobody what it holds
)

// State is what a sink answered about itself.
type State struct {
	Holds Holds
	// Value is what was read back; zero when the sink shows no value.
	Value molecule.Secret
	// Marker is the mark that the sink itself gave its last change, if it does.
	Marker string
	// User is the user name that goes with the new value, where the sink has one.
	User string
	// Warning is what a person should know; empty when nothing is wrong.
	Warning string
}

// unknownFingerprint is the fingerprint of a value nobody is shown. It is never
// the same as another.
const unknownFingerprint = "unknown"

// Fingerprint returns the fingerprint of what is held, made by mark: "unknown"
// when the sink does not show it and "" when it holds nothing.
func (s State) Fingerprint(mark func(molecule.Secret) string) string {
	switch {
	case s.Holds == HoldsNothing:
		return ""
	case s.Value.IsZero():
		return unknownFingerprint
	}
	return mark(s.Value)
}

// Compare says what a sink holds that has the value.
func (c Change) Compare(held string) Holds {
	switch {
	case same(held, c.New):
		return HoldsNew
	case same(held, c.Old):
		return HoldsOld
	}
	return HoldsOther
}

// CompareBy is Compare for a sink that keeps only something made of the value
// and can be asked whether one is right.
func (c Change) CompareBy(right func(value string) bool) Holds {
	isNew := !c.New.IsZero() && right(c.New.Reveal())
	isOld := !c.Old.IsZero() && right(c.Old.Reveal())
	switch {
	case isNew && isOld && !same(c.Old.Reveal(), c.New):
		return HoldsBoth
	case isNew:
		return HoldsNew
	case isOld:
		return HoldsOld
	}
	return HoldsOther
}

// CompareMarker is Compare for a sink that shows nothing but the mark of its
// last change.
func (c Change) CompareMarker(marker string) Holds {
	if c.Marker != "" && c.Marker != marker {
		return HoldsOther
	}
	return HoldsUnknown
}

func same(held string, want molecule.Secret) bool {
	return !want.IsZero() && subtle.ConstantTimeCompare([]byte(held), []byte(want.Reveal())) == 1
}
