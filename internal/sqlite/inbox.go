package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// The rows a reader has done with are those it was handed in the same answer as
// the one it reads on from, and before it: it may never have got another answer.
const (
	sqlUnread = `
		SELECT COALESCE(NULLIF(repeats, ''), id) FROM activities
		WHERE agent_id = ?1 AND lease = ?2 AND ?2 <> '' AND seq <= ?3 AND state IN ('leased', 'expired')`
	sqlRead = `
		UPDATE activities SET state = 'done'
		WHERE agent_id = ?1 AND lease = ?2 AND ?2 <> '' AND seq <= ?3 AND state IN ('leased', 'expired')`
	sqlWithdrawRepeats = `UPDATE activities SET state = 'withdrawn' WHERE repeats = ? AND repeats <> '' AND state = 'queued'`

	sqlLease = `
		UPDATE activities SET attempt = attempt + (state = 'queued'), state = 'leased', lease = ?6, leased_until = ?7
		WHERE state IN ('queued', 'leased') AND seq IN (`
	sqlLeaseNewer  = sqlLease + sqlNewer + `)`
	sqlLeaseUnseen = sqlLease + sqlUnseen + `)`
	sqlReadLease   = `SELECT ` + activityColumns + `, x.state, x.leased_until FROM ` + activityTables + `
		WHERE x.agent_id = ?1 AND x.lease = ?2 AND x.state IN ('leased', 'expired') ORDER BY x.seq`
)

// HandOut returns rows of an agent that asks for them. What is handed out is
// leased to it until a lease has passed, and what it had up to f.After is done.
// A question that changes nothing writes nothing.
func (db *DB) HandOut(ctx context.Context, f molecule.ActivityFilter, now time.Time, lease time.Duration) ([]molecule.Activity, error) {
	at, err := positionOf(ctx, db, f)
	if err != nil {
		return nil, err
	}
	rows, err := readActivities(ctx, db, f, at)
	if err != nil {
		return nil, err
	}
	unread, err := texts(ctx, db, sqlUnread, f.AgentID, at.lease, at.seq)
	if err != nil {
		return nil, err
	}
	stale := now.Add(lease / 2)
	changes := len(unread) > 0 || slices.ContainsFunc(rows, func(r shelved) bool {
		return r.state == "queued" || r.state == "leased" && r.until.Before(stale)
	})
	if !changes {
		return bare(rows), nil
	}
	err = db.update(ctx, func(ctx context.Context, tx *Tx) error {
		if err := markRead(ctx, tx, f); err != nil {
			return err
		}
		rows, err = leaseActivities(ctx, tx, f, lease)
		return err
	})
	return bare(rows), err
}

// markRead ends what the agent had in hand up to the row it reads on from.
func markRead(ctx context.Context, tx *Tx, f molecule.ActivityFilter) error {
	at, err := positionOf(ctx, tx, f)
	if err != nil {
		return err
	}
	roots, err := texts(ctx, tx, sqlUnread, f.AgentID, at.lease, at.seq)
	if err != nil || len(roots) == 0 {
		return err
	}
	if _, err := tx.exec(ctx, sqlRead, f.AgentID, at.lease, at.seq); err != nil {
		return err
	}
	for _, root := range roots {
		if _, err := tx.exec(ctx, sqlWithdrawRepeats, root); err != nil {
			return err
		}
	}
	return nil
}

// leaseActivities hands rows out: the lease and the attempt it makes are one
// statement.
func leaseActivities(ctx context.Context, tx *Tx, f molecule.ActivityFilter, lease time.Duration) ([]shelved, error) {
	at, err := positionOf(ctx, tx, f)
	if err != nil {
		return nil, err
	}
	id, until := uuid.NewString(), tx.Now.Add(lease)
	args := []any{f.AgentID, at.seq, string(f.Type), f.Limit, molecule.MaxHandOutBytes, id, stamp(until)}
	if f.After != "" {
		if _, err := tx.exec(ctx, sqlLeaseNewer, args...); err != nil {
			return nil, err
		}
		return readActivities(ctx, tx, f, at)
	}
	if _, err := tx.exec(ctx, sqlLeaseUnseen, args...); err != nil {
		return nil, err
	}
	rows, err := tx.query(ctx, sqlReadLease, f.AgentID, id)
	return all(rows, err, scanShelved)
}

// unanswered is a row whose run waits for a reply.
type unanswered struct {
	id, root, runID, messageID string
	attempt                    int
}

// called reports whether one of names means the row.
func (u unanswered) called(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return n != "" && (n == u.id || n == u.root || n == u.runID || n == u.messageID)
	})
}

// AnswerActivity keeps what an agent replies to one of its open runs: the one
// that names mean, or else the oldest it was handed. It returns the run and its
// row; both empty when there is none.
func (db *DB) AnswerActivity(ctx context.Context, agentID string, names []string, answer molecule.Answer) (runID, id string, err error) {
	reply, err := json.Marshal(answer)
	if err != nil {
		return "", "", fmt.Errorf("encode a reply: %w", err)
	}
	err = db.update(ctx, func(ctx context.Context, tx *Tx) error {
		runID, id = "", ""
		rows, err := tx.query(ctx, `
			SELECT id, COALESCE(NULLIF(repeats, ''), id), run_id, message_id, attempt FROM activities
			WHERE agent_id = ? AND answer = 'open' ORDER BY created_at, seq`, agentID)
		open, err := all(rows, err, func(r rowScanner, u *unanswered) error {
			return r.Scan(&u.id, &u.root, &u.runID, &u.messageID, &u.attempt)
		})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(open, func(u unanswered) bool { return u.called(names) })
		if i < 0 {
			i = slices.IndexFunc(open, func(u unanswered) bool { return u.attempt > 0 })
		}
		if i < 0 {
			return nil
		}
		runID, id = open[i].runID, open[i].root
		_, err = tx.exec(ctx, `UPDATE activities SET state = 'done', answer = 'given', reply = ? WHERE id = ?`, string(reply), open[i].id)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, sqlWithdrawRepeats, open[i].root)
		return err
	})
	return runID, id, err
}

const sqlFate = `SELECT reply, attempt FROM activities WHERE id = ?1 OR (repeats = ?1 AND repeats <> '')`

// ActivityFate returns what became of the row of a run, with its repeats.
func (db *DB) ActivityFate(ctx context.Context, id string) (molecule.Fate, error) {
	return fateOf(ctx, db, id)
}

func fateOf(ctx context.Context, q querier, id string) (molecule.Fate, error) {
	type part struct {
		reply   *molecule.Answer
		attempt int
	}
	rows, err := q.query(ctx, sqlFate, id)
	parts, err := all(rows, err, func(r rowScanner, p *part) error { return r.Scan(object[*molecule.Answer]{&p.reply}, &p.attempt) })
	var fate molecule.Fate
	for _, p := range parts {
		fate.HandedOut = fate.HandedOut || p.attempt > 0
		if p.reply != nil {
			fate.Answer = p.reply
		}
	}
	return fate, err
}

// CloseActivity ends the wait for a reply, unless there is one, and returns what
// became of the row. Nobody is handed it any more.
func (db *DB) CloseActivity(ctx context.Context, id string) (molecule.Fate, error) {
	var fate molecule.Fate
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		var err error
		if fate, err = fateOf(ctx, tx, id); err != nil || fate.Answer != nil {
			return err
		}
		_, err = tx.exec(ctx, `
			UPDATE activities SET state = 'withdrawn', answer = CASE answer WHEN 'open' THEN 'closed' ELSE answer END
			WHERE id = ?1 OR (repeats = ?1 AND repeats <> '')`, id)
		return err
	})
	return fate, err
}

// CloseForsaken ends the wait for replies to runs that have ended otherwise.
func (db *DB) CloseForsaken(ctx context.Context) error {
	const forsaken = `
		answer = 'open' AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = activities.run_id AND runs.state <> 'finished')`
	ids, err := texts(ctx, db, `SELECT id FROM activities WHERE `+forsaken+` LIMIT 1`)
	if err != nil || len(ids) == 0 {
		return err
	}
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE activities SET state = 'withdrawn', answer = 'closed' WHERE `+forsaken)
		return err
	})
}

// lapsed is a row whose lease ran out.
type lapsed struct {
	seq                int64
	id, agentID, root  string
	again              bool
	attempt, reopening int
}

// ReapLeases takes back up to limit rows whose lease ran out before now. What may
// be handed out again is queued anew, behind all the agent has, so that who reads
// by cursor comes to it. It returns the agents that have something new, and how
// many rows were given up.
func (db *DB) ReapLeases(ctx context.Context, now time.Time, limit int) (agents []string, givenUp int, err error) {
	// Nearly always there is none, and a change of nothing would cost a commit.
	lapsedIDs, err := texts(ctx, db, `SELECT id FROM activities WHERE state = 'leased' AND leased_until < ? LIMIT 1`, stamp(now))
	if err != nil || len(lapsedIDs) == 0 {
		return nil, 0, err
	}
	err = db.update(ctx, func(ctx context.Context, tx *Tx) error {
		agents, givenUp = nil, 0
		rows, err := tx.query(ctx, `
			SELECT seq, id, agent_id, COALESCE(NULLIF(repeats, ''), id), again, attempt, answer = 'open' FROM activities
			WHERE state = 'leased' AND leased_until < ? ORDER BY leased_until LIMIT ?`, stamp(now), limit)
		found, err := all(rows, err, func(r rowScanner, l *lapsed) error {
			return r.Scan(&l.seq, &l.id, &l.agentID, &l.root, &l.again, &l.attempt, &l.reopening)
		})
		if err != nil {
			return err
		}
		for _, l := range found {
			again := l.again && l.attempt < molecule.MaxHandOuts
			if again {
				agents = append(agents, l.agentID)
			} else if l.again {
				givenUp++
			}
			if err := expire(ctx, tx, l, again); err != nil {
				return err
			}
		}
		return nil
	})
	return agents, givenUp, err
}

// expire ends a lease, and queues a copy of its row when there is to be one. The
// reply that is waited for is then that to the copy.
func expire(ctx context.Context, tx *Tx, l lapsed, again bool) error {
	if _, err := tx.exec(ctx, `UPDATE activities SET state = 'expired' WHERE seq = ?`, l.seq); err != nil || !again {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	_, err = tx.exec(ctx, `
		INSERT INTO activities (id, agent_id, type, state, source_id, target_id, method, summary, status, message_id, message,
			run_id, again, attempt, repeats, answer, created_at)
		SELECT ?1, agent_id, type, 'queued', source_id, target_id, method, summary, status, message_id, message,
			run_id, again, attempt, ?2, answer, created_at
		FROM activities WHERE seq = ?3`, id.String(), l.root, l.seq)
	if err != nil || l.reopening == 0 {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE activities SET answer = '' WHERE seq = ?`, l.seq)
	return err
}
