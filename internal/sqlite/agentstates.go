package sqlite

import (
	"context"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	sqlAgentRow   = `SELECT id, name, kind, state, url, heard, silent_streak FROM agents`
	sqlOneAgent   = sqlAgentRow + ` WHERE id = ?`
	sqlAgentState = `UPDATE agents SET state = ?, state_since = ?, state_reason = ? WHERE id = ?`
	sqlAgentHeard = `UPDATE agents SET heard = 1 WHERE id = ?`
	sqlTransition = `
		INSERT INTO agent_transitions (agent_id, at, from_state, to_state, reason) VALUES (?, ?, ?, ?, ?)`
	sqlForget = `
		DELETE FROM agent_transitions WHERE agent_id = ?1 AND id <=
			(SELECT id FROM agent_transitions WHERE agent_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`
	sqlTransitions = `
		SELECT at, from_state, to_state, reason FROM agent_transitions WHERE agent_id = ? ORDER BY id DESC LIMIT ?`
)

func scanAgentRow(r rowScanner, a *molecule.AgentRow) error {
	return r.Scan(&a.ID, &a.Name, &a.Kind, &a.State, &a.URL, &a.Heard, &a.SilentStreak)
}

func rowOf(a molecule.Agent, heard bool) molecule.AgentRow {
	return molecule.AgentRow{
		ID: a.ID, Name: a.Name, Kind: a.Kind, State: a.State, URL: a.URL, Heard: heard, SilentStreak: a.SilentStreak,
	}
}

// watchList is what changed of agents and was not yet asked for.
type watchList struct {
	mu   sync.Mutex
	rows map[string]molecule.AgentRow
	some chan struct{} // buffered 1: there are rows
}

// note takes over the rows of one commit.
func (w *watchList) note(rows []molecule.AgentRow) {
	if len(rows) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rows == nil {
		w.rows = make(map[string]molecule.AgentRow)
	}
	for _, row := range rows {
		was := w.rows[row.ID]
		row.Heard = row.Heard || was.Heard
		w.rows[row.ID] = row
	}
	select {
	case w.some <- struct{}{}:
	default: // nobody has asked for those of before yet
	}
}

// AgentChanges returns the agents that changed since it was last called, as the
// last commit left them: those that were made or removed, and those whose name,
// address, state or streak of silence is another. It is meant for one reader.
func (db *DB) AgentChanges() []molecule.AgentRow {
	db.watch.mu.Lock()
	rows := db.watch.rows
	db.watch.rows = nil
	db.watch.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	out := make([]molecule.AgentRow, 0, len(rows))
	for _, row := range rows {
		out = append(out, row)
	}
	return out
}

// AgentsChanged receives when AgentChanges has something to return. It is meant
// for the same reader, and never closed.
func (db *DB) AgentsChanged() <-chan struct{} { return db.watch.some }

// watched notes how an agent is after a change.
func (tx *Tx) watched(row molecule.AgentRow) { tx.agents = append(tx.agents, row) }

// step stores the state that a was changed to, with why and since when, and
// tells it. An agent that stays in its state is only noted.
func step(ctx context.Context, tx *Tx, a *molecule.Agent, from molecule.AgentState) error {
	tx.watched(rowOf(*a, false))
	if a.State == from {
		return nil
	}
	a.StateSince = tx.Now
	if _, err := tx.exec(ctx, sqlAgentState, string(a.State), stamp(tx.Now), a.StateReason, a.ID); err != nil {
		return err
	}
	t := molecule.AgentTransition{At: tx.Now, From: from, To: a.State, Reason: a.StateReason}
	if _, err := tx.exec(ctx, sqlTransition, a.ID, stamp(t.At), string(t.From), string(t.To), t.Reason); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, sqlForget, a.ID, molecule.MaxTransitions); err != nil {
		return err
	}
	return insertEvent(ctx, tx, molecule.AgentStateEvent(t.From, t.To), "agent/"+a.Name, struct {
		ID     string              `json:"id"`
		From   molecule.AgentState `json:"from"`
		To     molecule.AgentState `json:"to"`
		Reason string              `json:"reason,omitempty"`
	}{a.ID, t.From, t.To, t.Reason})
}

// ChangeAgents makes transitions, each with its event, in one transaction. One
// whose agent is in another state by now, or gone, is not made. It returns the
// agents as they are after it, without those that are gone.
func (db *DB) ChangeAgents(ctx context.Context, changes []molecule.AgentChange) ([]molecule.AgentRow, error) {
	var after []molecule.AgentRow
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		after = after[:0]
		for _, c := range changes {
			rows, err := tx.query(ctx, sqlOneAgent, c.ID)
			found, err := all(rows, err, scanAgentRow)
			if err != nil {
				return err
			}
			if len(found) == 0 {
				continue
			}
			row := found[0]
			if err := changeAgent(ctx, tx, &row, c); err != nil {
				return err
			}
			after = append(after, row)
		}
		return nil
	})
	return after, err
}

// changeAgent makes one transition of the agent of row, and brings row up to it.
func changeAgent(ctx context.Context, tx *Tx, row *molecule.AgentRow, c molecule.AgentChange) error {
	if row.State != c.From {
		return nil
	}
	if c.Heard && !row.Heard {
		if _, err := tx.exec(ctx, sqlAgentHeard, row.ID); err != nil {
			return err
		}
		row.Heard = true
	}
	row.State = c.To
	a := molecule.Agent{
		ID: row.ID, Name: row.Name, Kind: row.Kind, State: c.To, URL: row.URL, SilentStreak: row.SilentStreak,
		StateReason: molecule.Excerpt(c.Reason, molecule.MaxReasonRunes),
	}
	return step(ctx, tx, &a, c.From)
}

// SetAgentState changes what is believed of one agent as decide says; decide
// returns an error to leave it as it is.
func (db *DB) SetAgentState(ctx context.Context, ref string, decide func(*molecule.Agent) error) (molecule.Agent, error) {
	var a molecule.Agent
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		var err error
		if a, err = agentByRef(ctx, tx, ref); err != nil {
			return err
		}
		before := a.State
		if err := decide(&a); err != nil {
			return err
		}
		return step(ctx, tx, &a, before)
	})
	return a, err
}

// AgentRows returns every agent that was not removed, in no order.
func (db *DB) AgentRows(ctx context.Context) ([]molecule.AgentRow, error) {
	rows, err := db.query(ctx, sqlAgentRow+` WHERE removed_at IS NULL`)
	return all(rows, err, scanAgentRow)
}

// Transitions returns the last transitions of one agent, newest first.
func (db *DB) Transitions(ctx context.Context, agentID string, limit int) ([]molecule.AgentTransition, error) {
	rows, err := db.query(ctx, sqlTransitions, agentID, limit)
	return all(rows, err, func(r rowScanner, t *molecule.AgentTransition) error {
		return r.Scan(instant{&t.At}, &t.From, &t.To, &t.Reason)
	})
}

// checkpoint is the one row of watch_checkpoint.
type checkpoint struct {
	at   time.Time
	body []byte
}

// SaveCheckpoint keeps what a watcher knows, in place of what it kept before.
// Nobody is told.
func (db *DB) SaveCheckpoint(ctx context.Context, at time.Time, body []byte) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.exec(ctx, `
			INSERT INTO watch_checkpoint (id, at, body) VALUES (1, ?, ?)
			ON CONFLICT (id) DO UPDATE SET at = excluded.at, body = excluded.body`, stamp(at), body)
		return err
	})
}

// Checkpoint returns what SaveCheckpoint kept last and when; nil when it never
// did.
func (db *DB) Checkpoint(ctx context.Context) (time.Time, []byte, error) {
	rows, err := db.query(ctx, `SELECT at, body FROM watch_checkpoint`)
	found, err := all(rows, err, func(r rowScanner, c *checkpoint) error { return r.Scan(instant{&c.at}, &c.body) })
	if err != nil || len(found) == 0 {
		return time.Time{}, nil, err
	}
	return found[0].at, found[0].body, nil
}
