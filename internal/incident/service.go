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
	var none molecule.Page[molecule.Incident]
	if err := f.Validate(); err != nil {
		return none, err
	}
	if f.Cursor != "" && !molecule.IsID(f.Cursor) {
		return none, molecule.Errorf(molecule.Invalid, "the cursor is not valid").WithHint("take it from next of the page before")
	}
	k.look(ctx)
	limit := molecule.ClampLimit(f.Limit)
	found := k.known(f)
	if f.All {
		rows, err := k.store.Incidents(ctx, f, f.Cursor, limit+1)
		if err != nil {
			return none, err
		}
		found = withStored(found, rows)
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
func (k *Keeper) known(f molecule.IncidentFilter) []molecule.Incident {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := k.memory.list(f)
	if f.Cursor == "" {
		return found
	}
	return slices.DeleteFunc(found, func(i molecule.Incident) bool { return i.ID >= f.Cursor })
}

// withStored adds the rows that memory does not know better.
func withStored(known, rows []molecule.Incident) []molecule.Incident {
	for _, row := range rows {
		if !slices.ContainsFunc(known, func(i molecule.Incident) bool { return i.ID == row.ID }) {
			known = append(known, row)
		}
	}
	slices.SortFunc(known, newest)
	return known
}

// Incident returns the incident that ref, an id or a unique prefix of one,
// means. One that is open is told from memory when the store does not answer.
func (k *Keeper) Incident(ctx context.Context, ref string) (molecule.Incident, error) {
	k.look(ctx)
	known := k.beginning(ref)
	if len(known) == 1 && molecule.IsID(ref) {
		return known[0], nil
	}
	stored, err := k.store.Incident(ctx, ref)
	switch code := molecule.CodeOf(err); {
	case len(known) == 0, code == molecule.Invalid:
		return stored, err
	case len(known) == 1 && (err != nil || stored.ID == known[0].ID):
		return known[0], nil
	}
	if err == nil {
		known = withStored(known, []molecule.Incident{stored})
	}
	var ids []string
	for _, i := range known {
		ids = append(ids, i.ID)
	}
	return molecule.Incident{}, molecule.Errorf(molecule.Invalid, "incident %q is ambiguous", ref).
		WithHint("it may be %s; give more of the id", strings.Join(ids[:min(len(ids), 6)], ", "))
}

// beginning returns what memory holds of which the id begins with ref.
func (k *Keeper) beginning(ref string) []molecule.Incident {
	if ref == "" {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.memory.begins(strings.ToLower(ref))
}

// AckIncident notes that the caller knows of an incident. Unlike all else it
// waits for the store: who acknowledged is not forgotten.
func (k *Keeper) AckIncident(ctx context.Context, ref string) (molecule.Incident, error) {
	if err := k.Flush(ctx); err != nil { // what is not there cannot be noted there
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

// Counts returns how many incidents are open, by severity, as of the last turn.
func (k *Keeper) Counts() map[molecule.Severity]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	counts := map[molecule.Severity]int{molecule.SeverityWarning: 0, molecule.SeverityCritical: 0}
	for _, e := range k.memory.open {
		counts[e.Severity]++
	}
	return counts
}
