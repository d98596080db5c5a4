package incident

import (
	"context"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Keeper tells what it knows.
var _ molecule.IncidentService = (*Keeper)(nil)

// Incidents returns one page of incidents, newest first and without stacks.
// Those that are open come from memory.
func (k *Keeper) Incidents(ctx context.Context, f molecule.IncidentFilter) (molecule.Page[molecule.Incident], error) {
	if f.Cursor != "" && !molecule.IsID(f.Cursor) {
		return molecule.Page[molecule.Incident]{}, molecule.Errorf(molecule.Invalid, "the cursor is not valid").
			WithHint("take it from next of the page before")
	}
	limit := molecule.ClampLimit(f.Limit)
	found, err := k.known(ctx, f)
	if err == nil && f.All {
		found, err = k.withStored(ctx, f, limit+1, found)
	}
	if err != nil {
		return molecule.Page[molecule.Incident]{}, err
	}
	page := molecule.Page[molecule.Incident]{Items: found[:min(len(found), limit)]}
	if len(found) > limit {
		page.Next = page.Items[limit-1].ID
	}
	for i := range page.Items {
		page.Items[i].Evidence.Stack = ""
	}
	return page, nil
}

// known returns what memory holds of a filter, behind its cursor.
func (k *Keeper) known(ctx context.Context, f molecule.IncidentFilter) ([]molecule.Incident, error) {
	k.look()
	err := k.load(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	found := k.memory.list(f)
	if err != nil && len(found) == 0 {
		return nil, err // else what is known is worth more than that more is not
	}
	if f.Cursor != "" {
		found = slices.DeleteFunc(found, func(i molecule.Incident) bool { return i.ID >= f.Cursor })
	}
	return found, nil
}

// withStored adds what only the store has.
func (k *Keeper) withStored(
	ctx context.Context, f molecule.IncidentFilter, limit int, known []molecule.Incident,
) ([]molecule.Incident, error) {
	rows, err := k.store.Incidents(ctx, f, f.Cursor, limit)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if !slices.ContainsFunc(known, func(i molecule.Incident) bool { return i.ID == row.ID }) {
			known = append(known, row)
		}
	}
	slices.SortFunc(known, newest)
	return known, nil
}

// Incident returns the incident that ref, an id or a prefix of one, means.
func (k *Keeper) Incident(ctx context.Context, ref string) (molecule.Incident, error) {
	k.look()
	k.mu.Lock()
	known := k.memory.begins(strings.ToLower(ref))
	k.mu.Unlock()
	if len(known) == 1 && molecule.IsID(ref) {
		return known[0], nil
	}
	stored, err := k.store.Incident(ctx, ref)
	switch {
	case ref == "" || len(known) == 0:
		return stored, err
	case len(known) == 1 && (err != nil && molecule.CodeOf(err) != molecule.Invalid || stored.ID == known[0].ID):
		return known[0], nil
	case molecule.CodeOf(err) == molecule.Invalid:
		return molecule.Incident{}, err
	}
	return molecule.Incident{}, molecule.Errorf(molecule.Invalid, "incident %q is ambiguous", ref).WithHint("give more of the id")
}

// AckIncident notes that the caller knows of an incident.
func (k *Keeper) AckIncident(ctx context.Context, ref string) (molecule.Incident, error) {
	if err := k.Flush(ctx); err != nil { // what is not in the store cannot be noted there
		return molecule.Incident{}, err
	}
	in, err := k.store.AckIncident(ctx, ref, molecule.PrincipalFrom(ctx).Name)
	if err != nil {
		return molecule.Incident{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.memory.acked(in)
	return in, nil
}
