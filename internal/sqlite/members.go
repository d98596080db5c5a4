package sqlite

import (
	"context"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxDepth is how many agents may be one above the other.
const maxDepth = 32

const sqlMember = `SELECT ` + agentColumns + `, a.card FROM agents a WHERE a.id = ?`

// Member returns the agent with an id, also one that was removed, with its card.
func (db *DB) Member(ctx context.Context, id string) (molecule.Agent, error) {
	return memberByID(ctx, db, id)
}

func memberByID(ctx context.Context, q querier, id string) (molecule.Agent, error) {
	rows, err := q.query(ctx, sqlMember, id)
	found, err := all(rows, err, scanWholeAgent)
	if err != nil {
		return molecule.Agent{}, err
	}
	if len(found) == 0 {
		return molecule.Agent{}, agentTable.notFound(id)
	}
	return found[0], nil
}

// Members returns every agent with its card, by name.
func (db *DB) Members(ctx context.Context) ([]molecule.Agent, error) {
	rows, err := db.query(ctx, `SELECT `+agentColumns+`, a.card FROM agents a WHERE a.removed_at IS NULL ORDER BY a.name`)
	return all(rows, err, scanWholeAgent)
}

// Peers returns the siblings, the children and the parent of an agent with
// their cards, by name.
func (db *DB) Peers(ctx context.Context, id string) ([]molecule.Agent, error) {
	a, err := memberByID(ctx, db, id)
	if err != nil {
		return nil, err
	}
	rows, err := db.query(ctx, `
		SELECT `+agentColumns+`, a.card FROM agents a
		WHERE a.removed_at IS NULL AND a.id <> ?1 AND (a.parent_id IS ?2 OR a.parent_id = ?1 OR a.id = ?2)
		ORDER BY a.name`, id, orNull(a.ParentID))
	return all(rows, err, scanWholeAgent)
}

// sqlAncestors walks up from an agent. The bound ends the walk even if rows were
// changed by hand so that they go round.
const sqlAncestors = `
	WITH RECURSIVE up (id, parent_id, depth) AS (
		SELECT id, parent_id, 0 FROM agents WHERE id = ?1
		UNION ALL
		SELECT a.id, a.parent_id, up.depth + 1 FROM agents a JOIN up ON a.id = up.parent_id WHERE up.depth < ?2
	)
	SELECT id FROM up ORDER BY depth`

// Lineage returns who is above an agent that may be gone.
func (db *DB) Lineage(ctx context.Context, id string) (molecule.Lineage, error) {
	return lineage(ctx, db, id)
}

func lineage(ctx context.Context, q querier, id string) (molecule.Lineage, error) {
	line, err := texts(ctx, q, sqlAncestors, id, maxDepth)
	if err != nil {
		return molecule.Lineage{}, err
	}
	if len(line) == 0 {
		return molecule.Lineage{}, agentTable.notFound(id)
	}
	return molecule.Lineage{ID: id, Ancestors: line[1:]}, nil
}

// placeBelow makes the agent that ref means the parent of a; an empty ref makes
// a a root.
func placeBelow(ctx context.Context, tx *Tx, a *molecule.Agent, ref string) error {
	if ref == "" {
		a.Parent, a.ParentID = "", ""
		return nil
	}
	parent, err := agentByRef(ctx, tx, ref)
	if err != nil {
		return err
	}
	above, err := lineage(ctx, tx, parent.ID)
	if err != nil {
		return err
	}
	switch {
	case parent.ID == a.ID, slices.Contains(above.Ancestors, a.ID):
		return molecule.Errorf(molecule.Invalid, "agent %q cannot be below %q, which is below it", a.Name, parent.Name).
			WithHint("molecli agent update %s --parent ''", parent.Name)
	case len(above.Ancestors)+2 > maxDepth:
		return molecule.Errorf(molecule.Invalid, "agent %q would be more than %d levels down", a.Name, maxDepth)
	}
	a.Parent, a.ParentID = parent.Name, parent.ID
	return nil
}

// refuseParent is a Conflict while others are below a: without it they would be
// roots, who may talk to all roots.
func refuseParent(ctx context.Context, tx *Tx, a molecule.Agent) error {
	below, err := texts(ctx, tx, `SELECT name FROM agents WHERE parent_id = ? AND removed_at IS NULL ORDER BY name LIMIT 5`, a.ID)
	if err != nil || len(below) == 0 {
		return err
	}
	return molecule.Errorf(molecule.Conflict, "agent %q is the parent of %s", a.Name, strings.Join(below, ", ")).
		WithHint("molecli agent update %s --parent ''", below[0])
}
