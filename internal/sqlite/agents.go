package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// recipientColumns are what is in the row of an agent.
const recipientColumns = `
	a.id, a.name, a.kind, a.state, a.url, a.url_owner, a.exec, a.max_concurrent, a.budget, a.silent_streak,
	a.last_outcome, a.last_run_at, a.created_at, a.updated_at, a.state_since, a.state_reason`

// agentColumns are what scanAgent reads: all but the card. The index of open
// runs is named, because the one of all runs would count an agent's whole
// history.
const agentColumns = recipientColumns + `,
	a.role, a.tier, COALESCE(a.parent_id, ''), COALESCE((SELECT name FROM agents WHERE id = a.parent_id), ''),
	a.runtime, a.reported_url, a.await_until, a.removed_at,
	(SELECT COUNT(*) FROM runs INDEXED BY runs_open_agent
		WHERE agent_id = a.id AND outcome IS NULL AND state <> 'claimed'),
	(SELECT MIN(next_slot_at) FROM schedules WHERE agent_id = a.id AND removed_at IS NULL AND state = 'active')`

func scanAgent(r rowScanner, a *molecule.Agent) error { return r.Scan(agentFields(a)...) }

// scanWholeAgent reads the card as well, behind agentColumns.
func scanWholeAgent(r rowScanner, a *molecule.Agent) error {
	return r.Scan(append(agentFields(a), object[json.RawMessage]{&a.Card})...)
}

// agentFields are where the columns of agentColumns go.
func agentFields(a *molecule.Agent) []any {
	badSlot := new(error) // of a schedule: that row says it
	return append(recipientFields(a),
		&a.Role, &a.Tier, &a.ParentID, &a.Parent, &a.Runtime, &a.ReportedURL, instant{&a.AwaitUntil}, instant{&a.RemovedAt},
		&a.ActiveRuns, lenient{&a.NextSlot, badSlot})
}

func scanRecipient(r rowScanner, a *molecule.Agent) error { return r.Scan(recipientFields(a)...) }

// recipientFields are where the columns of recipientColumns go.
func recipientFields(a *molecule.Agent) []any {
	return []any{
		&a.ID, &a.Name, &a.Kind, &a.State, &a.URL, &a.URLOwner, object[*molecule.Exec]{&a.Exec}, &a.MaxConcurrent,
		object[molecule.Budget]{&a.Budget}, &a.SilentStreak, &a.LastOutcome, instant{&a.LastRunAt}, instant{&a.CreatedAt},
		instant{&a.UpdatedAt}, instant{&a.StateSince}, &a.StateReason,
	}
}

// CreateAgent stores a, and the tokens as its own, and sets its id, unless it
// has one, and its times.
func (db *DB) CreateAgent(ctx context.Context, a *molecule.Agent, tokens ...molecule.Token) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		if err := insertAgent(ctx, tx, a); err != nil {
			return err
		}
		for _, t := range tokens {
			t.AgentID = a.ID
			if err := insertToken(ctx, tx, &t); err != nil {
				return err
			}
		}
		return nil
	})
}

func insertAgent(ctx context.Context, tx *Tx, a *molecule.Agent) error {
	if a.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an id: %w", err)
		}
		a.ID = id.String()
	}
	a.CreatedAt, a.UpdatedAt, a.Tier = tx.Now, tx.Now, max(a.Tier, 1)
	if err := placeBelow(ctx, tx, a, a.Parent); err != nil {
		return err
	}
	exec, err := text(a.Exec)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `
		INSERT INTO agents (id, name, kind, state, url, url_owner, exec, max_concurrent, budget, created_at, updated_at,
			role, tier, parent_id, runtime, card, reported_url, await_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.ID, a.Name, string(a.Kind), string(a.State), a.URL, string(a.URLOwner), exec, a.MaxConcurrent, budgetText(a.Budget),
		stamp(tx.Now), stamp(tx.Now), a.Role, a.Tier, orNull(a.ParentID), a.Runtime, orNull(string(a.Card)), a.ReportedURL,
		stamp(a.AwaitUntil))
	if err != nil {
		return taken(err, agentTable, a.Name)
	}
	tx.watched(rowOf(*a, false))
	return insertEvent(ctx, tx, molecule.EventAgentCreated, "agent/"+a.Name, map[string]any{"id": a.ID, "kind": a.Kind})
}

// orNull returns s as it is stored where NULL is none.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// budgetText returns b as JSON; NULL for none.
func budgetText(b molecule.Budget) any {
	if b == (molecule.Budget{}) {
		return nil
	}
	return fmt.Sprintf(`{"runs":%d,"tokens":%d,"cost_usd":%g,"window":%q}`, b.Runs, b.Tokens, b.CostUSD, b.Window)
}

// taken turns the violation of a unique name into a Conflict that says so.
func taken(err error, t table, name string) error {
	if !unique(err) {
		return err
	}
	return molecule.Errorf(molecule.Conflict, "%s %q exists already", t.noun, name).
		WithHint("choose another name, or molecli %s update %s …", t.noun, name)
}

// Agent returns one agent by name or unique id prefix.
func (db *DB) Agent(ctx context.Context, ref string) (molecule.Agent, error) {
	return agentByRef(ctx, db, ref)
}

func agentByRef(ctx context.Context, q querier, ref string) (molecule.Agent, error) {
	id, err := agentTable.resolve(ctx, q, ref)
	if err != nil {
		return molecule.Agent{}, err
	}
	rows, err := q.query(ctx, `SELECT `+agentColumns+`, a.card FROM agents a WHERE a.id = ? AND a.removed_at IS NULL`, id)
	found, err := all(rows, err, scanWholeAgent)
	if err != nil {
		return molecule.Agent{}, err
	}
	if len(found) == 0 {
		return molecule.Agent{}, agentTable.notFound(ref)
	}
	return found[0], nil
}

const sqlRecipients = `
	SELECT ` + recipientColumns + ` FROM agents a
	WHERE a.id IN (SELECT value FROM json_each(?)) AND a.removed_at IS NULL`

// Recipient is Recipients for one agent; one that was removed is NotFound.
func (db *DB) Recipient(ctx context.Context, id string) (molecule.Agent, error) {
	found, err := db.Recipients(ctx, []string{id})
	if err != nil {
		return molecule.Agent{}, err
	}
	if len(found) == 0 {
		return molecule.Agent{}, agentTable.notFound(id)
	}
	return found[0], nil
}

// Recipients returns what deliveries need of the agents with ids, without those
// that were removed: what would have to be counted for it is left out.
func (db *DB) Recipients(ctx context.Context, ids []string) ([]molecule.Agent, error) {
	rows, err := queryIDs(ctx, db, sqlRecipients, ids)
	return all(rows, err, scanRecipient)
}

// Agents returns a page of agents, by name.
func (db *DB) Agents(ctx context.Context, f molecule.AgentFilter) (molecule.Page[molecule.Agent], error) {
	var none molecule.Page[molecule.Agent]
	after, err := keyOf(f.Cursor)
	if err != nil {
		return none, err
	}
	limit := molecule.ClampLimit(f.Limit)
	rows, err := db.query(ctx, `
		SELECT `+agentColumns+` FROM agents a
		WHERE a.removed_at IS NULL AND a.name > ?1 AND (?2 = '' OR a.kind = ?2) AND (?3 = '' OR a.state = ?3)
		ORDER BY a.name LIMIT ?4`, after, string(f.Kind), string(f.State), limit+1)
	found, err := all(rows, err, scanAgent)
	if err != nil {
		return none, err
	}
	return page(found, limit, func(a molecule.Agent) string { return a.Name }), nil
}

// UpdateAgent changes one agent in a transaction; change returns an error to
// leave it as it is.
func (db *DB) UpdateAgent(
	ctx context.Context, ref string, change func(*molecule.Agent) error,
) (molecule.Agent, error) {
	var a molecule.Agent
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		var err error
		if a, err = agentByRef(ctx, tx, ref); err != nil {
			return err
		}
		before := a
		if err := change(&a); err != nil {
			return err
		}
		if a.Parent != before.Parent {
			if err := placeBelow(ctx, tx, &a, a.Parent); err != nil {
				return err
			}
		}
		if err := saveAgent(ctx, tx, &a); err != nil {
			return err
		}
		if err := step(ctx, tx, &a, before.State); err != nil {
			return err
		}
		return insertEvent(ctx, tx, molecule.EventAgentUpdated, "agent/"+a.Name, map[string]any{"id": a.ID})
	})
	return a, err
}

// saveAgent writes what a caller may change of an agent, but for its state.
func saveAgent(ctx context.Context, tx *Tx, a *molecule.Agent) error {
	exec, err := text(a.Exec)
	if err != nil {
		return err
	}
	a.UpdatedAt = tx.Now
	_, err = tx.exec(ctx, `
		UPDATE agents SET name = ?, kind = ?, url = ?, url_owner = ?, exec = ?, max_concurrent = ?,
			budget = ?, silent_streak = ?, role = ?, tier = ?, parent_id = ?, runtime = ?, card = ?, reported_url = ?,
			await_until = ?, updated_at = ?
		WHERE id = ?`,
		a.Name, string(a.Kind), a.URL, string(a.URLOwner), exec, a.MaxConcurrent, budgetText(a.Budget),
		a.SilentStreak, a.Role, a.Tier, orNull(a.ParentID), a.Runtime, orNull(string(a.Card)), a.ReportedURL,
		stamp(a.AwaitUntil), stamp(tx.Now), a.ID)
	return taken(err, agentTable, a.Name)
}

// RemoveAgent removes an agent that no schedule names and that is nobody's
// parent, and revokes its tokens; its runs stay.
func (db *DB) RemoveAgent(ctx context.Context, ref string) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		a, err := agentByRef(ctx, tx, ref)
		if err != nil {
			return err
		}
		names, err := texts(ctx, tx, `
			SELECT name FROM schedules WHERE agent_id = ? AND removed_at IS NULL ORDER BY name LIMIT 5`, a.ID)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return molecule.Errorf(molecule.Conflict, "agent %q still has schedules: %s", a.Name, strings.Join(names, ", ")).
				WithHint("molecli schedule remove %s", names[0])
		}
		if err := refuseParent(ctx, tx, a); err != nil {
			return err
		}
		if err := revokeAgentTokens(ctx, tx, a.ID); err != nil {
			return err
		}
		before := a.State
		a.State, a.StateReason = before.After(molecule.SignRemoved), ""
		if err := step(ctx, tx, &a, before); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE agents SET removed_at = ? WHERE id = ?`, stamp(tx.Now), a.ID)
		return err
	})
}
