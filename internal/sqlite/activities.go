package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const activityColumns = `
	x.id, x.agent_id, x.type, x.source_id, x.target_id, x.method, x.summary, x.status, x.message_id, COALESCE(p.body, ''),
	x.message, x.run_id, 1 - x.again, x.attempt, x.created_at`

const activityTables = `activities x LEFT JOIN runs r ON r.id = x.run_id LEFT JOIN prompts p ON p.id = r.prompt_id`

// PostActivity stores a message that its agent has to ask for and sets its id,
// unless it has one, and its time. One whose id is stored already is left as it
// is. Unavailable says that too much waits for the agent.
func (db *DB) PostActivity(ctx context.Context, a *molecule.Activity) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		if err := requireRoom(ctx, tx, *a); err != nil {
			return err
		}
		return insertActivity(ctx, tx, a, "queued")
	})
}

// LogActivity stores a row that nobody has to ask for. tell makes it an event.
func (db *DB) LogActivity(ctx context.Context, a *molecule.Activity, tell bool) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		if err := insertActivity(ctx, tx, a, "done"); err != nil || !tell {
			return err
		}
		names, err := texts(ctx, tx, `SELECT name FROM agents WHERE id = ?`, a.AgentID)
		if err != nil {
			return err
		}
		return insertEvent(ctx, tx, molecule.EventAgentSaid, "agent/"+names[0], map[string]any{
			"id": a.AgentID, "activity": a.ID, "text": molecule.Excerpt(a.Summary, molecule.MaxReasonRunes),
		})
	})
}

// requireRoom refuses a message to an agent that is gone, or has too many.
func requireRoom(ctx context.Context, tx *Tx, a molecule.Activity) error {
	names, err := texts(ctx, tx, `SELECT name FROM agents WHERE id = ? AND removed_at IS NULL`, a.AgentID)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return agentTable.notFound(a.AgentID)
	}
	rows, err := tx.query(ctx, `
		SELECT COUNT(*), COALESCE(SUM(octet_length(message)), 0) FROM activities
		WHERE agent_id = ? AND state IN ('queued', 'leased')`, a.AgentID)
	found, err := all(rows, err, func(r rowScanner, n *[2]int) error { return r.Scan(&n[0], &n[1]) })
	if err != nil {
		return err
	}
	if held := found[0]; held[0] >= molecule.MaxInbox || held[1]+len(a.Message) > molecule.MaxInboxBytes {
		return molecule.Errorf(molecule.Unavailable, "agent %q has %d messages it did not ask for yet", names[0], held[0]).
			WithHint("send it again when the agent is there: molecli agent show %s", names[0])
	}
	return nil
}

func insertActivity(ctx context.Context, tx *Tx, a *molecule.Activity, state string) error {
	if a.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an id: %w", err)
		}
		a.ID = id.String()
	}
	a.CreatedAt = tx.Now
	answer := ""
	if a.RunID != "" && state == "queued" {
		answer = "open"
	}
	if a.Status == "" {
		a.Status = "ok"
	}
	_, err := tx.exec(ctx, `
		INSERT INTO activities (id, agent_id, type, state, source_id, target_id, method, summary, status, message_id, message,
			run_id, again, answer, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO NOTHING`,
		a.ID, a.AgentID, string(a.Type), state, a.SourceID, a.TargetID, a.Method, a.Summary, a.Status, a.MessageID,
		orNull(string(a.Message)), a.RunID, !a.Once, answer, stamp(tx.Now))
	return err
}

// position is where a row is in the order of its agent, and the answer it was
// handed out in.
type position struct {
	seq   int64
	lease string
}

const sqlPosition = `SELECT seq, lease FROM activities WHERE id = ? AND agent_id = ?`

// positionOf returns where the row named by a cursor is; the beginning when the
// cursor is empty, Gone when the row is not kept.
func positionOf(ctx context.Context, q querier, f molecule.ActivityFilter) (position, error) {
	if f.After == "" {
		return position{}, nil
	}
	rows, err := q.query(ctx, sqlPosition, f.After, f.AgentID)
	found, err := all(rows, err, func(r rowScanner, p *position) error { return r.Scan(&p.seq, &p.lease) })
	if err != nil {
		return position{}, err
	}
	if len(found) == 0 {
		return position{}, molecule.Errorf(molecule.Gone, "the row %q is no longer kept", molecule.Excerpt(f.After, 40)).
			WithHint("ask without since_id")
	}
	return found[0], nil
}

// window selects the first ?4 rows of agent ?1 behind ?2, of type ?3 if that is
// not empty, as far as they fit into one answer.
const (
	window = `
	SELECT seq FROM (
		SELECT seq, SUM(size) OVER line AS bytes, ROW_NUMBER() OVER line AS place FROM (
			SELECT seq, COALESCE(octet_length(message), 0) AS size FROM activities
			WHERE agent_id = ?1 AND seq > ?2 AND (?3 = '' OR type = ?3) AND `
	windowEnd = `
			ORDER BY seq LIMIT ?4
		) WINDOW line AS (ORDER BY seq)
	) WHERE bytes <= ?5 OR place = 1`
)

// Who reads on behind a row sees all that is newer; who has none to read on from
// sees what nobody has yet, which is found by the index of what is open.
const (
	sqlNewer  = window + `state <> 'withdrawn'` + windowEnd
	sqlUnseen = window + `state IN ('queued', 'leased') AND state = 'queued'` + windowEnd

	sqlActivities = `SELECT ` + activityColumns + `, x.state, x.leased_until FROM ` + activityTables + ` WHERE x.seq IN (`
	sqlReadNewer  = sqlActivities + sqlNewer + `) ORDER BY x.seq`
	sqlReadUnseen = sqlActivities + sqlUnseen + `) ORDER BY x.seq`
)

// shelved is a row with where it is on its way.
type shelved struct {
	molecule.Activity
	state string
	until time.Time
}

// Activities returns rows of an agent as they are, oldest first.
func (db *DB) Activities(ctx context.Context, f molecule.ActivityFilter) ([]molecule.Activity, error) {
	at, err := positionOf(ctx, db, f)
	if err != nil {
		return nil, err
	}
	rows, err := readActivities(ctx, db, f, at)
	return bare(rows), err
}

func readActivities(ctx context.Context, q querier, f molecule.ActivityFilter, at position) ([]shelved, error) {
	query := sqlReadNewer
	if f.After == "" {
		query = sqlReadUnseen
	}
	rows, err := q.query(ctx, query, f.AgentID, at.seq, string(f.Type), f.Limit, molecule.MaxHandOutBytes)
	return all(rows, err, scanShelved)
}

func scanShelved(r rowScanner, s *shelved) error {
	a := &s.Activity
	return r.Scan(&a.ID, &a.AgentID, &a.Type, &a.SourceID, &a.TargetID, &a.Method, &a.Summary, &a.Status, &a.MessageID,
		&a.Text, object[json.RawMessage]{&a.Message}, &a.RunID, &a.Once, &a.Attempt, instant{&a.CreatedAt}, &s.state, instant{&s.until})
}

// bare leaves out where rows are on their way.
func bare(rows []shelved) []molecule.Activity {
	out := make([]molecule.Activity, len(rows))
	for i, r := range rows {
		out[i] = r.Activity
	}
	return out
}

// PruneActivities forgets up to limit rows that are older than before and that
// nobody waits for, but for the newest of each agent, which is a cursor.
func (db *DB) PruneActivities(ctx context.Context, before time.Time, limit int) (int64, error) {
	var n int64
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		res, err := tx.exec(ctx, `
			DELETE FROM activities WHERE seq IN (
				SELECT x.seq FROM activities x
				WHERE x.created_at < ?1 AND x.state NOT IN ('queued', 'leased') AND x.answer <> 'open'
					AND EXISTS (SELECT 1 FROM activities y WHERE y.agent_id = x.agent_id AND y.seq > x.seq)
				LIMIT ?2)`, stamp(before), limit)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}
