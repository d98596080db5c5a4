package sqlite

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// CreateEnrolment stores an enrolment token, and that it was made.
func (db *DB) CreateEnrolment(ctx context.Context, t *molecule.Token) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		if err := insertToken(ctx, tx, t); err != nil {
			return err
		}
		return insertEvent(ctx, tx, molecule.EventEnrolmentCreated, "enrolment/"+t.ID, map[string]any{
			"name": t.EnrolName, "role": t.EnrolRole, "expires_at": t.ExpiresAt,
		})
	})
}

// Register shows decide who has an id and what enrolment token has another, if
// it is still good, and stores what decide makes of it: all of it or nothing.
// decide is asked of a reader first, so that who is refused, and who has nothing
// new to say, costs the writer nothing.
func (db *DB) Register(ctx context.Context, agentID, enrolmentID string, decide func(*molecule.Admission) error) error {
	seen, err := admission(ctx, db, agentID, enrolmentID, molecule.Now())
	if err != nil {
		return err
	}
	if err := decide(&seen); err != nil || !seen.Store && !seen.Use && seen.Issue == nil {
		return err
	}
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		a, err := admission(ctx, tx, agentID, enrolmentID, tx.Now)
		if err != nil {
			return err
		}
		var before molecule.AgentState // none of an agent that is new
		if a.Agent != nil {
			before = a.Agent.State
		}
		if err := decide(&a); err != nil {
			return err
		}
		return storeAdmission(ctx, tx, a, before)
	})
}

// admission reads what a registration finds.
func admission(ctx context.Context, q querier, agentID, enrolmentID string, now time.Time) (molecule.Admission, error) {
	a := molecule.Admission{Now: now}
	found, err := memberByID(ctx, q, agentID)
	switch {
	case err == nil:
		a.Agent = &found
	case molecule.CodeOf(err) != molecule.NotFound:
		return a, err
	}
	rows, err := q.query(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE id = ? AND kind = ?`, enrolmentID, molecule.TokenEnrolment)
	tokens, err := all(rows, err, scanToken)
	if err == nil && len(tokens) == 1 && tokens[0].Live(now) {
		a.Enrolment = &tokens[0]
	}
	return a, err
}

// storeAdmission writes what was decided of an agent that was in the state
// before.
func storeAdmission(ctx context.Context, tx *Tx, a molecule.Admission, before molecule.AgentState) error {
	if a.Store {
		if err := storeAdmitted(ctx, tx, a.Agent, before); err != nil {
			return err
		}
	}
	if a.Use {
		if _, err := tx.exec(ctx, `UPDATE tokens SET revoked_at = ? WHERE id = ?`, stamp(tx.Now), a.Enrolment.ID); err != nil {
			return err
		}
	}
	if a.Issue == nil {
		return nil
	}
	if err := revokeAgentTokens(ctx, tx, a.Agent.ID); err != nil {
		return err
	}
	return insertToken(ctx, tx, a.Issue)
}

// storeAdmitted writes an agent that was in the state before.
func storeAdmitted(ctx context.Context, tx *Tx, a *molecule.Agent, before molecule.AgentState) error {
	if before == "" {
		return insertAgent(ctx, tx, a)
	}
	if err := saveAgent(ctx, tx, a); err != nil {
		return err
	}
	if err := step(ctx, tx, a, before); err != nil {
		return err
	}
	return insertEvent(ctx, tx, molecule.EventAgentUpdated, "agent/"+a.Name, map[string]any{"id": a.ID})
}
