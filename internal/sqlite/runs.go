package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// runColumns are what scanRun reads.
const runColumns = `
	r.id, COALESCE(r.schedule_id, ''), COALESCE(s.name, ''), r.agent_id, a.name, r.trigger, r.slot, r.slot_to, r.slots,
	r.state, COALESCE(r.outcome, ''), r.reason, r.reply, r.attempt, r.message_id, r.timeout_ms, r.usage,
	r.due_at, r.claimed_at, r.started_at, r.deadline, r.ended_at, r.handle, r.retry_of`

const runTables = `runs r JOIN agents a ON a.id = r.agent_id LEFT JOIN schedules s ON s.id = r.schedule_id`

func scanRun(r rowScanner, v *molecule.Run) error {
	return r.Scan(runFields(v)...)
}

// scanWholeRun reads what is left out of lists as well.
func scanWholeRun(r rowScanner, v *molecule.Run) error {
	return r.Scan(append(runFields(v), &v.Prompt, policy{&v.Policy})...)
}

// runFields are where the columns of runColumns go.
func runFields(v *molecule.Run) []any {
	return []any{
		&v.ID, &v.ScheduleID, &v.Schedule, &v.AgentID, &v.Agent, &v.Trigger, instant{&v.Slot}, instant{&v.SlotTo},
		&v.Slots, &v.State, &v.Outcome, &v.Reason, &v.Reply, &v.Attempt, &v.MessageID, millis{&v.Timeout},
		object[*molecule.Usage]{&v.Usage}, instant{&v.DueAt}, instant{&v.ClaimedAt}, instant{&v.StartedAt},
		instant{&v.Deadline}, instant{&v.EndedAt}, &v.Handle, &v.RetryOf,
	}
}

// millis scans a duration stored as milliseconds.
type millis struct{ d *molecule.Duration }

// Scan implements sql.Scanner.
func (m millis) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("%v is not a number of milliseconds", src)
	}
	*m.d = molecule.Duration(time.Duration(n) * time.Millisecond)
	return nil
}

var sqlInsertRuns = manyRows(17, `
	INSERT INTO runs (id, schedule_id, agent_id, trigger, slot, slot_to, slots, state, outcome, reason, message_id,
		timeout_ms, due_at, claimed_at, ended_at, prompt_id, retry_of)
	VALUES ROWS
	ON CONFLICT (schedule_id, slot) WHERE trigger IN ('cron', 'catch_up') DO NOTHING`)

const sqlWhichRuns = `SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?))`

// insertRuns inserts runs, whose prompts are kept already, and gives those an id
// that have none. A run whose slot has its row is not inserted: its id is empty
// afterwards.
func insertRuns(ctx context.Context, tx *Tx, runs []*molecule.Run) error {
	args := make([]any, 0, len(runs)*sqlInsertRuns.columns)
	ids := make([]string, len(runs))
	for i, r := range runs {
		if r.ID == "" {
			id, err := uuid.NewV7()
			if err != nil {
				return fmt.Errorf("make an id: %w", err)
			}
			r.ID = id.String()
		}
		ids[i] = r.ID
		args = append(args, runRow(tx.Now, r)...)
	}
	inserted, err := tx.execMany(ctx, &sqlInsertRuns, args)
	if err != nil || inserted == len(runs) {
		return err
	}
	rows, err := queryIDs(ctx, tx, sqlWhichRuns, ids)
	there, err := all(rows, err, func(r rowScanner, id *string) error { return r.Scan(id) })
	if err != nil {
		return err
	}
	for _, r := range runs {
		if !slices.Contains(there, r.ID) {
			r.ID = ""
		}
	}
	return nil
}

// runRow completes a run that is claimed now, and returns its row of
// sqlInsertRuns.
func runRow(now time.Time, r *molecule.Run) []any {
	r.ClaimedAt = now
	r.Slots = max(r.Slots, 1)
	if r.DueAt.IsZero() {
		r.DueAt = r.Slot
	}
	var schedule, outcome any
	if r.ScheduleID != "" {
		schedule = r.ScheduleID
	}
	if r.Outcome != "" {
		outcome = string(r.Outcome)
		r.EndedAt = now
	}
	prompt := sha256.Sum256([]byte(r.Prompt))
	return []any{
		r.ID, schedule, r.AgentID, string(r.Trigger), stamp(r.Slot), stamp(r.SlotTo), r.Slots, string(r.State), outcome,
		r.Reason, r.MessageID, time.Duration(r.Timeout).Milliseconds(), stamp(r.DueAt), stamp(r.ClaimedAt),
		stamp(r.EndedAt), prompt[:], r.RetryOf,
	}
}

// runEvent tells what became of a run.
func runEvent(ctx context.Context, tx *Tx, kind string, r molecule.Run) error {
	subject := "run/" + r.ID
	if r.Schedule != "" {
		subject = "schedule/" + r.Schedule
	}
	return insertEvent(ctx, tx, kind, subject, struct {
		ID       string            `json:"id"`
		Schedule string            `json:"schedule,omitempty"`
		Agent    string            `json:"agent"`
		Trigger  molecule.Trigger  `json:"trigger"`
		Slot     time.Time         `json:"slot"`
		SlotTo   time.Time         `json:"slot_to,omitzero"`
		State    molecule.RunState `json:"state"`
		Outcome  molecule.Outcome  `json:"outcome"`
		Reason   string            `json:"reason,omitempty"`
	}{r.ID, r.Schedule, r.Agent, r.Trigger, r.Slot, r.SlotTo, r.State, r.Outcome, r.Reason})
}

// CreateRun stores a manual run of a schedule or of an agent and fills in what
// the store knows: the names, and the id unless it has one.
func (db *DB) CreateRun(ctx context.Context, r *molecule.Run) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		if r.ScheduleID != "" {
			s, err := scheduleByRef(ctx, tx, r.ScheduleID)
			if err != nil {
				return err
			}
			r.Schedule, r.AgentID = s.Name, s.AgentID
		}
		a, err := agentByRef(ctx, tx, r.AgentID)
		if err != nil {
			return err
		}
		r.Agent = a.Name
		if _, err := keepPrompt(ctx, tx, r.Prompt); err != nil {
			return err
		}
		return insertRuns(ctx, tx, []*molecule.Run{r})
	})
}

const (
	sqlRunByID   = `SELECT ` + runColumns + ` FROM ` + runTables + ` WHERE r.id = ?`
	sqlSetHandle = `UPDATE runs SET handle = ? WHERE id = ? AND outcome IS NULL`
)

// knownRun returns what the caller knows of a run; when that is too little, the
// row. A writer that reads each row it is about to change does half as much.
func knownRun(ctx context.Context, tx *Tx, id string, r *molecule.Run) (molecule.Run, error) {
	if r != nil && r.Agent != "" {
		return *r, nil
	}
	return runByID(ctx, tx, id)
}

// changedOpen returns nil when res changed the open run id; else NotFound, or
// Conflict when it is over.
func changedOpen(ctx context.Context, tx *Tx, id string, res sql.Result) error {
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return notOpen(ctx, tx, id)
}

// notOpen says why there is no open run id.
func notOpen(ctx context.Context, tx *Tx, id string) error {
	if _, err := runByID(ctx, tx, id); err != nil {
		return err
	}
	return molecule.Errorf(molecule.Conflict, "run %s has ended already", id)
}

func runByID(ctx context.Context, q querier, id string) (molecule.Run, error) {
	rows, err := q.query(ctx, sqlRunByID, id)
	found, err := all(rows, err, scanRun)
	if err != nil {
		return molecule.Run{}, err
	}
	if len(found) == 0 {
		return molecule.Run{}, runTable.notFound(id)
	}
	return found[0], nil
}

// SetRunHandle keeps what is needed to find again what a run started.
func (db *DB) SetRunHandle(ctx context.Context, id, handle string) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		res, err := tx.exec(ctx, sqlSetHandle, handle, id)
		if err != nil {
			return err
		}
		return changedOpen(ctx, tx, id, res)
	})
}

// SetRunWaiting notes that a run waits and for what, and tells it: state is
// RunWaiting when the agent asks for input, RunAway when it is offline, which
// it is until deadline at most.
func (db *DB) SetRunWaiting(ctx context.Context, id string, state molecule.RunState, reason string, deadline time.Time) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		res, err := tx.exec(ctx, `
			UPDATE runs SET state = ?, reason = ?, deadline = COALESCE(?, deadline) WHERE id = ? AND outcome IS NULL`,
			string(state), reason, stamp(deadline), id)
		if err != nil {
			return err
		}
		if err := changedOpen(ctx, tx, id, res); err != nil {
			return err
		}
		r, err := runByID(ctx, tx, id)
		if err != nil {
			return err
		}
		return runEvent(ctx, tx, molecule.EventRunWaiting, r)
	})
}

// OpenRuns returns up to limit runs that have not ended, the oldest due first,
// with prompt and handle.
func (db *DB) OpenRuns(ctx context.Context, limit int) ([]molecule.Run, error) {
	rows, err := db.query(ctx, `
		SELECT `+runColumns+`, COALESCE(p.body, ''), COALESCE(s.policy, '{}') FROM `+runTables+` LEFT JOIN prompts p ON p.id = r.prompt_id
		WHERE r.outcome IS NULL ORDER BY r.due_at, r.id LIMIT ?`, limit)
	return all(rows, err, scanWholeRun)
}

// Run returns one run by id or unique id prefix, with prompt and attempts.
func (db *DB) Run(ctx context.Context, ref string) (molecule.Run, error) {
	id, err := runTable.resolve(ctx, db, ref)
	if err != nil {
		return molecule.Run{}, err
	}
	rows, err := db.query(ctx, `
		SELECT `+runColumns+`, COALESCE(p.body, ''), COALESCE(s.policy, '{}') FROM `+runTables+` LEFT JOIN prompts p ON p.id = r.prompt_id
		WHERE r.id = ?`, id)
	found, err := all(rows, err, scanWholeRun)
	if err != nil {
		return molecule.Run{}, err
	}
	if len(found) == 0 {
		return molecule.Run{}, runTable.notFound(ref)
	}
	r := found[0]
	r.Attempts, err = attemptsOf(ctx, db, r)
	return r, err
}

// Runs returns a page of runs, newest first.
func (db *DB) Runs(ctx context.Context, f molecule.RunFilter) (molecule.Page[molecule.Run], error) {
	var none molecule.Page[molecule.Run]
	before, err := keyOf(f.Cursor)
	if err != nil {
		return none, err
	}
	if before == "" {
		before = "~"
	}
	where, args := "r.id < ?", []any{before}
	if f.Schedule != "" {
		id, err := scheduleTable.resolve(ctx, db, f.Schedule)
		if err != nil {
			return none, err
		}
		where, args = where+" AND r.schedule_id = ?", append(args, id)
	}
	if f.Agent != "" {
		id, err := agentTable.resolve(ctx, db, f.Agent)
		if err != nil {
			return none, err
		}
		where, args = where+" AND r.agent_id = ?", append(args, id)
	}
	if f.Outcome != "" {
		where, args = where+" AND r.outcome = ?", append(args, string(f.Outcome))
	}
	if f.Open {
		where += " AND r.outcome IS NULL"
	}
	limit := molecule.ClampLimit(f.Limit)
	rows, err := db.query(ctx, `
		SELECT `+runColumns+` FROM `+runTables+` WHERE `+where+` ORDER BY r.id DESC LIMIT ?`, append(args, limit+1)...)
	found, err := all(rows, err, scanRun)
	if err != nil {
		return none, err
	}
	return page(found, limit, func(r molecule.Run) string { return r.ID }), nil
}

const sqlRunCovering = `
	SELECT id FROM runs WHERE schedule_id = ?1 AND trigger IN ('cron', 'catch_up') AND slot <= ?2
	ORDER BY slot DESC LIMIT 1`

// RunCovering returns the run whose slots a slot of a schedule is among.
// NotFound says that the slot has no row.
func (db *DB) RunCovering(ctx context.Context, scheduleID string, slot time.Time) (molecule.Run, error) {
	rows, err := db.query(ctx, sqlRunCovering, scheduleID, stamp(slot))
	ids, err := all(rows, err, func(r rowScanner, id *string) error { return r.Scan(id) })
	if err != nil {
		return molecule.Run{}, err
	}
	if len(ids) == 1 {
		r, err := db.Run(ctx, ids[0])
		last := r.Slot
		if !r.SlotTo.IsZero() {
			last = r.SlotTo
		}
		if err != nil || !slot.After(last) {
			return r, err
		}
	}
	return molecule.Run{}, molecule.Errorf(molecule.NotFound, "no run covers the slot %s", slot.UTC().Format(time.RFC3339))
}

const sqlRunBefore = `
	SELECT id FROM runs
	WHERE schedule_id = ?1 AND id < ?2 AND claimed_at <= ?3 AND COALESCE(ended_at > ?3, 1)
	ORDER BY id DESC LIMIT 1`

// RunBefore returns the run of the same schedule that was open when r was
// claimed, the newest of them. NotFound says that none was.
func (db *DB) RunBefore(ctx context.Context, r molecule.Run) (molecule.Run, error) {
	rows, err := db.query(ctx, sqlRunBefore, r.ScheduleID, r.ID, stamp(r.ClaimedAt))
	ids, err := all(rows, err, func(r rowScanner, id *string) error { return r.Scan(id) })
	if err != nil {
		return molecule.Run{}, err
	}
	if len(ids) == 0 {
		return molecule.Run{}, molecule.Errorf(molecule.NotFound, "no run of the schedule was open before run %s", r.ID)
	}
	return db.Run(ctx, ids[0])
}

// sqlSpent sums what the runs of a scope have spent. Ids begin with the time
// they were made, so that each scope is a range of one index; when the clock
// went back they begin with a later one, so that the start of a run decides.
const sqlSpent = `
	SELECT COUNT(*), CAST(COALESCE(SUM(COALESCE(usage ->> 'input_tokens', 0) + COALESCE(usage ->> 'output_tokens', 0)), 0) AS INTEGER),
		CAST(COALESCE(SUM(usage ->> 'cost_usd'), 0) AS REAL)
	FROM runs WHERE started_at >= ?1 AND id >= ?2 AND id NOT IN (SELECT value FROM json_each(?3))`

// Spent returns what was spent since an instant by the runs of a schedule, or of
// an agent, or, when both are empty, by all; the runs of but left out.
func (db *DB) Spent(ctx context.Context, scheduleID, agentID string, since time.Time, but []string) (molecule.Spent, error) {
	out, err := json.Marshal(append([]string{}, but...)) // null would leave all out
	if err != nil {
		return molecule.Spent{}, err
	}
	query, args := sqlSpent, []any{stamp(since), molecule.OldestID(since), string(out)}
	switch {
	case scheduleID != "":
		query, args = query+` AND schedule_id = ?4`, append(args, scheduleID)
	case agentID != "":
		query, args = query+` AND agent_id = ?4`, append(args, agentID)
	}
	rows, err := db.query(ctx, query, args...)
	found, err := all(rows, err, func(r rowScanner, s *molecule.Spent) error { return r.Scan(&s.Runs, &s.Tokens, &s.CostUSD) })
	if err != nil {
		return molecule.Spent{}, err
	}
	return found[0], nil
}
