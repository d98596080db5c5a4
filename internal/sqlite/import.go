package sqlite

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// How many rows one pace of an import writes, and changes.
const (
	rowsInPace = 5_000
	idsInPace  = 500
)

// What is told of an import.
const (
	maxToldNames = 20  // in its event
	maxToldEach  = 100 // changes that have an event each besides, as if they were made by hand
)

// SchedulesNamed returns the schedules that have one of the names, in no order
// and without their recent outcomes.
func (db *DB) SchedulesNamed(ctx context.Context, names []string) ([]molecule.Schedule, error) {
	wanted, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	rows, err := db.query(ctx, `
		SELECT `+scheduleColumns+` FROM json_each(?) j CROSS JOIN `+scheduleTables+`
		WHERE s.name = j.value AND s.removed_at IS NULL`, string(wanted))
	found, err := all(rows, err, scanSchedule)
	return schedulesOf(found), err
}

func schedulesOf(rows []scheduleRow) []molecule.Schedule {
	list := make([]molecule.Schedule, len(rows))
	for i, row := range rows {
		list[i] = row.Schedule
	}
	return list
}

// ImportSchedules stores the schedules of made, whose ids, agents and slots are
// decided, and lets change decide about each of ids; all in one transaction.
// What changed since the decisions were made is Conflict.
func (db *DB) ImportSchedules(
	ctx context.Context, made []*molecule.Schedule, ids []string, change func(*molecule.Schedule) (bool, error),
) error {
	im := &imported{Names: []string{}, each: len(made)+len(ids) <= maxToldEach}
	rows, stop := im.ready(ctx, made)
	defer stop()
	paces := []pace{func(ctx context.Context, tx *Tx) error { return stillThere(ctx, tx, made) }}
	for slice := range slices.Chunk(made, rowsInPace) {
		paces = append(paces, func(ctx context.Context, tx *Tx) error { return im.create(ctx, tx, slice, <-rows) })
	}
	for slice := range slices.Chunk(ids, idsInPace) {
		paces = append(paces, func(ctx context.Context, tx *Tx) error { return im.change(ctx, tx, slice, change) })
	}
	return db.updateInPaces(ctx, append(paces, func(ctx context.Context, tx *Tx) error {
		return insertEvent(ctx, tx, molecule.EventSchedulesImport, "schedules", im)
	}))
}

// imported is what was done, as the event of an import tells it. Which schedules
// it was can be read from their rows: they carry its time.
type imported struct {
	Created int      `json:"created"`
	Updated int      `json:"updated"`
	Names   []string `json:"names"` // the first of them

	each bool // tell of each schedule, too
}

// tell notes one schedule.
func (im *imported) tell(ctx context.Context, tx *Tx, event string, s molecule.Schedule) error {
	if len(im.Names) < maxToldNames {
		im.Names = append(im.Names, s.Name)
	}
	if !im.each {
		return nil
	}
	return scheduleEvent(ctx, tx, event, s)
}

func changedMeanwhile(what string) error {
	return molecule.Errorf(molecule.Conflict, "nothing was imported: %s", what).WithHint("import again")
}

// stillThere refuses schedules whose agent or calendar was removed since they
// were looked at.
func stillThere(ctx context.Context, tx *Tx, made []*molecule.Schedule) error {
	agents, calendars := make(map[string]bool), make(map[string]bool)
	for _, s := range made {
		agents[s.AgentID] = true
		for _, name := range s.Exclusions {
			calendars[name] = true
		}
	}
	wanted, err := json.Marshal(keys(agents))
	if err != nil {
		return err
	}
	rows, err := tx.query(ctx, `SELECT id FROM agents WHERE removed_at IS NULL AND id IN (SELECT value FROM json_each(?))`, string(wanted))
	alive, err := all(rows, err, func(r rowScanner, id *string) error { return r.Scan(id) })
	if err != nil {
		return err
	}
	if len(alive) < len(agents) {
		return changedMeanwhile("an agent was removed")
	}
	return namedCalendars(ctx, tx, keys(calendars))
}

func keys(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for k := range set {
		list = append(list, k)
	}
	return list
}

// rows are what a pace stores, as arguments of its statements.
type rows struct {
	prompts   []any
	schedules []any // their time is missing
	err       error
}

// ready makes the rows of each pace ready while those of the one before are
// stored: the writer is held for less long. Call stop when no more are taken.
func (im *imported) ready(ctx context.Context, made []*molecule.Schedule) (_ <-chan rows, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ahead := make(chan rows) // closed by nobody: each pace takes one
	var maker sync.WaitGroup
	maker.Go(func() {
		for slice := range slices.Chunk(made, rowsInPace) {
			var r rows
			r.prompts = promptArgs(slice)
			r.schedules, r.err = scheduleArgs(slice)
			select {
			case ahead <- r:
			case <-ctx.Done():
				return
			}
		}
	})
	return ahead, func() {
		cancel()
		maker.Wait()
	}
}

// create stores new schedules.
func (im *imported) create(ctx context.Context, tx *Tx, list []*molecule.Schedule, r rows) error {
	if r.err != nil {
		return r.err
	}
	if _, err := tx.execMany(ctx, &sqlKeepPrompts, r.prompts); err != nil {
		return err
	}
	if err := insertSchedules(ctx, tx, r.schedules); err != nil {
		if unique(err) {
			return changedMeanwhile("one of the names is in use by now")
		}
		return err
	}
	for _, s := range list {
		im.Created++
		if err := im.tell(ctx, tx, molecule.EventScheduleCreated, *s); err != nil {
			return err
		}
	}
	return nil
}

// change lets decide change schedules and stores those it changed.
func (im *imported) change(ctx context.Context, tx *Tx, ids []string, decide func(*molecule.Schedule) (bool, error)) error {
	wanted, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	rows, err := tx.query(ctx, `
		SELECT `+scheduleColumns+` FROM json_each(?) j CROSS JOIN `+scheduleTables+`
		WHERE s.id = j.value AND s.removed_at IS NULL`, string(wanted))
	found, err := all(rows, err, scanSchedule)
	if err != nil {
		return err
	}
	if len(found) < len(ids) {
		return changedMeanwhile("a schedule was removed")
	}
	for i := range found {
		s := &found[i].Schedule
		changed, err := decide(s)
		if err != nil {
			return err
		}
		if !changed {
			continue // somebody else did it meanwhile
		}
		s.DueAt = dueAt(s.NextSlot, s.DueAt)
		if err := storeSchedule(ctx, tx, *s); err != nil {
			return err
		}
		im.Updated++
		if err := im.tell(ctx, tx, molecule.EventScheduleUpdated, *s); err != nil {
			return err
		}
	}
	return nil
}

var sqlInsertSchedules = manyRows(20, `
	INSERT INTO schedules (created_at, updated_at, id, name, agent_id, cron, tz, dst, seconds, phase_ms, description, prompt_id,
		state, reason, timeout_ms, policy, next_slot_at, due_at, alert_after, active_since)
	VALUES ROWS`)

// scheduleArgs are the arguments that insertSchedules stores schedules with.
func scheduleArgs(list []*molecule.Schedule) ([]any, error) {
	args := make([]any, 0, len(list)*sqlInsertSchedules.columns)
	for _, s := range list {
		policy, err := policyText(s.Policy)
		if err != nil {
			return nil, err
		}
		due := dueAt(s.NextSlot, s.DueAt)
		args = append(args, nil, nil, s.ID, s.Name, s.AgentID, s.Cron, s.TZ, s.DST, s.Seconds, time.Duration(s.Phase).Milliseconds(),
			s.Description, promptID(s.Prompt), string(s.State), s.Reason, time.Duration(s.Timeout).Milliseconds(), policy,
			stamp(s.NextSlot), stamp(due), alertAfter(due), stamp(s.ActiveSince))
	}
	return args, nil
}

// insertSchedules stores schedules in which everything is decided.
func insertSchedules(ctx context.Context, tx *Tx, args []any) error {
	now := stamp(tx.Now)
	for i := 0; i < len(args); i += sqlInsertSchedules.columns {
		args[i], args[i+1] = now, now
	}
	_, err := tx.execMany(ctx, &sqlInsertSchedules, args)
	return err
}

// promptArgs are the arguments that the prompts of schedules are stored with,
// equal ones once, in the order of their index.
func promptArgs(list []*molecule.Schedule) []any {
	type prompt struct {
		id   []byte
		body string
	}
	seen := make(map[string]bool, len(list))
	var prompts []prompt
	for _, s := range list {
		if !seen[s.Prompt] {
			seen[s.Prompt] = true
			prompts = append(prompts, prompt{promptID(s.Prompt), s.Prompt})
		}
	}
	slices.SortFunc(prompts, func(a, b prompt) int { return bytes.Compare(a.id, b.id) })
	var args []any
	for _, p := range prompts {
		args = append(args, p.id, p.body)
	}
	return args
}
