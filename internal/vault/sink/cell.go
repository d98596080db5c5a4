package sink

import (
	"context"
	"errors"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Cell is a place that holds one value at a time.
type Cell interface {
	// Look says what it holds and fails when it could not be written.
	Look(ctx context.Context, c Change) (State, error)
	// Put replaces what was seen by the new value of c. It returns [Drift] when it
	// finds something else there.
	Put(ctx context.Context, c Change, seen State) error
	// Clear takes away what was seen, which is ours.
	Clear(ctx context.Context, c Change, seen State) error
}

// OfCell returns the sink that a cell at a place is.
func OfCell(place string, cell Cell) Sink { return single{place, cell} }

// single drives a cell.
type single struct {
	place string
	cell  Cell
}

func (s single) Place() string { return s.place }

// Probe looks.
func (s single) Probe(ctx context.Context, c Change) (State, error) { return s.cell.Look(ctx, c) }

// Apply writes where the old value is, or nothing, or what nobody is shown.
func (s single) Apply(ctx context.Context, c Change) (State, error) {
	if c.New.IsZero() {
		return State{}, Rejected("an empty value is not written")
	}
	seen, err := s.cell.Look(ctx, c)
	if err != nil {
		return State{}, err
	}
	switch seen.Holds {
	case HoldsNew:
		return seen, nil
	case HoldsOther:
		return seen, Drift(s.place)
	}
	if err := s.cell.Put(ctx, c, seen); err != nil {
		return State{}, err
	}
	return s.behind(ctx, c)
}

// behind looks at what was written. The mark of the sink is a new one now.
func (s single) behind(ctx context.Context, c Change) (State, error) {
	c.Marker = ""
	seen, err := s.cell.Look(ctx, c)
	want := HoldsNew
	if c.New.IsZero() {
		want = HoldsNothing
	}
	switch {
	case err != nil || seen.Holds == want || seen.Holds == HoldsUnknown:
		return seen, err
	case seen.Holds == HoldsOther:
		return seen, Drift(s.place)
	}
	return seen, molecule.Errorf(molecule.Unavailable, "%s took the change and shows the value before it", s.place).
		WithHint("try again; if it stays so, the sink does not do what it says")
}

// Verify looks for the new value, and for one that was never written.
func (s single) Verify(ctx context.Context, c Change) (Verdict, error) {
	return Differential(c.New, func(value molecule.Secret) (bool, error) {
		seen, err := s.cell.Look(ctx, Change{New: value, Credential: c.Credential, ID: c.ID})
		if err == nil && seen.Holds == HoldsUnknown {
			return false, errMasked
		}
		return seen.Holds == HoldsNew, err
	})
}

// errMasked is how a question ends that a sink answers to nobody.
var errMasked = errors.New("the sink shows nobody what it holds")

// Undo writes the old value where the new one is, or takes the new one away.
func (s single) Undo(ctx context.Context, c Change) (State, error) {
	back := c.back()
	seen, err := s.cell.Look(ctx, back)
	if err != nil {
		return State{}, err
	}
	switch seen.Holds {
	case HoldsNew, HoldsNothing: // what it held before
		return seen.turned(), nil
	case HoldsOther:
		return seen, Drift(s.place)
	}
	if back.New.IsZero() {
		err = s.cell.Clear(ctx, back, seen)
	} else {
		err = s.cell.Put(ctx, back, seen)
	}
	if err != nil {
		return State{}, err
	}
	after, err := s.behind(ctx, back)
	return after.turned(), err
}

// turned returns the state in the words of the change that was taken back.
func (s State) turned() State {
	switch s.Holds {
	case HoldsNew:
		s.Holds = HoldsOld
	case HoldsOld:
		s.Holds = HoldsNew
	}
	return s
}

// Revoke does nothing: with the new value the old one was gone.
func (s single) Revoke(ctx context.Context, c Change) (State, error) { return s.cell.Look(ctx, c) }
