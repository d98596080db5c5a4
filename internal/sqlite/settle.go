package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// What the ends of runs make of their schedules and of their agents.

// brokenLimit is how many deliveries in a row may break before their schedule
// is put aside.
const brokenLimit = 3

const sqlScheduleFacts = `
	SELECT id, failure_streak, empty_streak, last_outcome, broken_streak FROM schedules
	WHERE id IN (SELECT value FROM json_each(?))`

var sqlSettleSchedules = manyRows(5, `
	UPDATE schedules SET failure_streak = v.column2, empty_streak = v.column3, last_outcome = v.column4,
		broken_streak = v.column5
	FROM (VALUES ROWS) v
	WHERE id = v.column1`)

// scheduleFacts are what the outcomes of its runs make of a schedule.
type scheduleFacts struct {
	id                        string
	failures, empties, broken int
	last                      molecule.Outcome
}

// observe takes the outcome of one run into f. broken says that the delivery
// itself broke.
func (f *scheduleFacts) observe(o molecule.Outcome, broken bool) {
	s := molecule.Schedule{FailureStreak: f.failures, EmptyStreak: f.empties, LastOutcome: f.last}
	s.Observe(o)
	f.failures, f.empties, f.last = s.FailureStreak, s.EmptyStreak, s.LastOutcome
	if f.broken++; !broken {
		f.broken = 0
	}
}

// settleSchedules takes the outcomes of runs into the streaks of their
// schedules. Three deliveries in a row that broke put a schedule aside, because
// whatever it is would break them at each slot again.
func settleSchedules(ctx context.Context, tx *Tx, ends []*end) error {
	if len(ends) == 0 {
		return nil
	}
	ids := make([]string, len(ends))
	for i, e := range ends {
		ids[i] = e.run.ScheduleID
	}
	rows, err := queryIDs(ctx, tx, sqlScheduleFacts, ids)
	before, err := all(rows, err, func(s rowScanner, f *scheduleFacts) error {
		return s.Scan(&f.id, &f.failures, &f.empties, &f.last, &f.broken)
	})
	if err != nil {
		return err
	}
	after := slices.Clone(before)
	facts := make(map[string]*scheduleFacts, len(after))
	for i := range after {
		facts[after[i].id] = &after[i]
	}
	var aside []*end
	for _, e := range ends {
		f := facts[e.run.ScheduleID]
		if f == nil {
			continue // it is of no schedule
		}
		if f.observe(e.run.Outcome, e.finish.Broken); f.broken >= brokenLimit {
			aside = append(aside, e)
		}
	}
	var args []any
	for i, f := range after {
		if f != before[i] { // most runs are as good as the one before
			args = append(args, f.id, f.failures, f.empties, string(f.last), f.broken)
		}
	}
	if _, err := tx.execMany(ctx, &sqlSettleSchedules, args); err != nil {
		return err
	}
	for _, e := range aside {
		if err := quarantine(ctx, tx, e.run); err != nil {
			return err
		}
	}
	return nil
}

// quarantine puts the schedule of r, the last whose delivery broke, aside.
func quarantine(ctx context.Context, tx *Tx, r molecule.Run) error {
	s, err := scheduleByRef(ctx, tx, r.ScheduleID)
	if molecule.CodeOf(err) == molecule.NotFound || err == nil && s.State != molecule.ScheduleActive {
		return nil // it has no slots any more
	}
	if err != nil {
		return err
	}
	return fail(ctx, tx, s, fmt.Errorf("quarantined: %d deliveries in a row broke, the last one because %s", brokenLimit, r.Reason))
}

const sqlAgentFacts = `
	SELECT id, name, kind, state, silent_streak, url FROM agents WHERE id IN (SELECT value FROM json_each(?))`

var sqlAgentsRan = manyRows(4, `
	UPDATE agents SET silent_streak = v.column2, last_outcome = v.column3, last_run_at = v.column4
	FROM (VALUES ROWS) v
	WHERE id = v.column1`)

// settleAgents takes the outcomes of runs as evidence about their agents.
func settleAgents(ctx context.Context, tx *Tx, ends []*end) error {
	ids := make([]string, len(ends))
	for i, e := range ends {
		ids[i] = e.run.AgentID
	}
	rows, err := queryIDs(ctx, tx, sqlAgentFacts, ids)
	found, err := all(rows, err, func(s rowScanner, a *molecule.Agent) error {
		return s.Scan(&a.ID, &a.Name, &a.Kind, &a.State, &a.SilentStreak, &a.URL)
	})
	if err != nil {
		return err
	}
	agents := make(map[string]*molecule.Agent, len(found))
	for i := range found {
		agents[found[i].ID] = &found[i]
	}
	for _, e := range ends {
		if a := agents[e.run.AgentID]; a != nil {
			if err := settleAgent(ctx, tx, e.run, a); err != nil {
				return err
			}
		}
	}
	args := make([]any, 0, len(found)*sqlAgentsRan.columns)
	for _, a := range found {
		args = append(args, a.ID, a.SilentStreak, string(a.LastOutcome), stamp(a.LastRunAt))
	}
	_, err = tx.execMany(ctx, &sqlAgentsRan, args)
	return err
}

// settleAgent takes the outcome of one run as evidence about its agent.
func settleAgent(ctx context.Context, tx *Tx, r molecule.Run, a *molecule.Agent) error {
	before := *a
	a.Observe(r.Outcome)
	a.LastOutcome, a.LastRunAt = r.Outcome, r.EndedAt
	if a.State == before.State && a.SilentStreak == before.SilentStreak {
		return nil
	}
	a.StateReason = "a run ended as " + string(r.Outcome)
	return step(ctx, tx, a, before.State)
}

// queryIDs runs a statement whose one placeholder is a list of ids.
func queryIDs(ctx context.Context, q querier, text string, ids []string) (*sql.Rows, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	return q.query(ctx, text, string(list))
}
