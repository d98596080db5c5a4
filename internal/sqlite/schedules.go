package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// scheduleColumns are what scanSchedule reads.
const scheduleColumns = `
	s.id, s.name, s.agent_id, a.name, s.cron, s.tz, s.dst, s.seconds, s.phase_ms, s.description, p.body, s.state, s.reason,
	s.timeout_ms, s.policy, s.next_slot_at, s.due_at, s.last_slot_at, s.last_outcome, s.failure_streak, s.empty_streak,
	s.fired, COALESCE(s.active_since, s.created_at), s.created_at, s.updated_at`

const scheduleTables = `schedules s JOIN agents a ON a.id = s.agent_id LEFT JOIN prompts p ON p.id = s.prompt_id`

// scheduleRow is a schedule and what is wrong with its row, if anything.
type scheduleRow struct {
	molecule.Schedule
	bad error
}

// scanSchedule reads a row. A damaged row is not hidden: what is wrong with it
// is in bad, and its state is error.
func scanSchedule(r rowScanner, s *scheduleRow) error { return scanScheduleAnd(r, s) }

// scanScheduleAnd is scanSchedule for rows with more columns, which go to more.
func scanScheduleAnd(r rowScanner, s *scheduleRow, more ...any) error {
	var slot, due error
	s.bad = r.Scan(append([]any{&s.ID, &s.Name, &s.AgentID, &s.Agent, &s.Cron, &s.TZ, &s.DST, &s.Seconds, millis{&s.Phase},
		&s.Description, &s.Prompt, &s.State, &s.Reason, millis{&s.Timeout}, policy{&s.Policy}, lenient{&s.NextSlot, &slot},
		lenient{&s.DueAt, &due}, instant{&s.LastSlot}, &s.LastOutcome, &s.FailureStreak, &s.EmptyStreak, &s.Fired,
		instant{&s.ActiveSince}, instant{&s.CreatedAt}, instant{&s.UpdatedAt}}, more...)...)
	if s.bad == nil && s.State == molecule.ScheduleActive {
		if slot == nil && s.NextSlot.IsZero() || due == nil && s.DueAt.IsZero() {
			slot = errors.New("it is missing")
		}
		if bad := cmp.Or(slot, due); bad != nil {
			s.bad = fmt.Errorf("next slot: %w", bad)
		}
	}
	if s.bad == nil {
		return nil
	}
	s.State, s.Reason = molecule.ScheduleError, s.bad.Error()
	if s.ID != "" { // the first columns were read
		return nil
	}
	return s.bad
}

// policy scans the policy of a schedule, of which most have none of their own.
type policy struct{ p *molecule.Policy }

// Scan implements sql.Scanner.
func (p policy) Scan(src any) error {
	if src == "{}" {
		*p.p = molecule.Policy{}
		return nil
	}
	if err := (object[molecule.Policy]{p.p}).Scan(src); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	return nil
}

func policyText(p molecule.Policy) (any, error) {
	p = p.Canonical()
	if reflect.ValueOf(p).IsZero() {
		return "{}", nil // what most have
	}
	return text(&p)
}

// alertDelay is how long after it was due a slot may go without a row.
const alertDelay = 30 * time.Second

// dueAt is when a slot fires: with it, when nothing else was said.
func dueAt(slot, due time.Time) time.Time {
	if due.IsZero() || slot.IsZero() {
		return slot
	}
	return due
}

func alertAfter(due time.Time) any {
	if due.IsZero() {
		return nil
	}
	return stamp(due.Add(alertDelay))
}

// CreateSchedule stores s, whose Agent is a ref and whose NextSlot is decided,
// and sets its times, and its id unless it has one.
func (db *DB) CreateSchedule(ctx context.Context, s *molecule.Schedule) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		a, err := agentByRef(ctx, tx, s.Agent)
		if err != nil {
			return err
		}
		if s.ID == "" {
			id, err := uuid.NewV7()
			if err != nil {
				return fmt.Errorf("make an id: %w", err)
			}
			s.ID = id.String()
		}
		if _, err := keepPrompt(ctx, tx, s.Prompt); err != nil {
			return err
		}
		s.AgentID, s.Agent, s.Recent = a.ID, a.Name, []molecule.Outcome{}
		s.CreatedAt, s.UpdatedAt, s.ActiveSince = tx.Now, tx.Now, tx.Now
		s.DueAt = dueAt(s.NextSlot, s.DueAt)
		if err := namedCalendars(ctx, tx, s.Exclusions); err != nil {
			return err
		}
		args, err := scheduleArgs([]*molecule.Schedule{s})
		if err != nil {
			return err
		}
		if err := insertSchedules(ctx, tx, args); err != nil {
			return taken(err, scheduleTable, s.Name)
		}
		return scheduleEvent(ctx, tx, molecule.EventScheduleCreated, *s)
	})
}

// scheduleEvent tells what became of a schedule.
func scheduleEvent(ctx context.Context, tx *Tx, kind string, s molecule.Schedule) error {
	return insertEvent(ctx, tx, kind, "schedule/"+s.Name, struct {
		ID       string                 `json:"id"`
		Agent    string                 `json:"agent"`
		State    molecule.ScheduleState `json:"state"`
		Reason   string                 `json:"reason,omitempty"`
		NextSlot time.Time              `json:"next_slot_at,omitzero"`
	}{s.ID, s.Agent, s.State, s.Reason, s.NextSlot})
}

// Schedule returns one schedule by name or unique id prefix.
func (db *DB) Schedule(ctx context.Context, ref string) (molecule.Schedule, error) {
	s, err := scheduleByRef(ctx, db, ref)
	if err != nil {
		return molecule.Schedule{}, err
	}
	one := []molecule.Schedule{s}
	err = recent(ctx, db, one)
	return one[0], err
}

func scheduleByRef(ctx context.Context, q querier, ref string) (molecule.Schedule, error) {
	id, err := scheduleTable.resolve(ctx, q, ref)
	if err != nil {
		return molecule.Schedule{}, err
	}
	rows, err := q.query(ctx, `
		SELECT `+scheduleColumns+` FROM `+scheduleTables+` WHERE s.id = ? AND s.removed_at IS NULL`, id)
	found, err := all(rows, err, scanSchedule)
	if err != nil {
		return molecule.Schedule{}, err
	}
	if len(found) == 0 {
		return molecule.Schedule{}, scheduleTable.notFound(ref)
	}
	return found[0].Schedule, nil
}

// Schedules returns a page of schedules, by name.
func (db *DB) Schedules(ctx context.Context, f molecule.ScheduleFilter) (molecule.Page[molecule.Schedule], error) {
	var none molecule.Page[molecule.Schedule]
	after, err := keyOf(f.Cursor)
	if err != nil {
		return none, err
	}
	agent := ""
	if f.Agent != "" {
		if agent, err = agentTable.resolve(ctx, db, f.Agent); err != nil {
			return none, err
		}
	}
	limit := molecule.ClampLimit(f.Limit)
	rows, err := db.query(ctx, `
		SELECT `+scheduleColumns+` FROM `+scheduleTables+`
		WHERE s.removed_at IS NULL AND s.name > ?1 AND (?2 = '' OR s.agent_id = ?2) AND (?3 = '' OR s.state = ?3)
		ORDER BY s.name LIMIT ?4`, after, agent, string(f.State), limit+1)
	found, err := all(rows, err, scanSchedule)
	if err != nil {
		return none, err
	}
	p := page(schedulesOf(found), limit, func(s molecule.Schedule) string { return s.Name })
	return p, recent(ctx, db, p.Items)
}

// recent fills in the last outcomes of every schedule, and the slot that the
// newest belongs to, with one query.
func recent(ctx context.Context, q querier, list []molecule.Schedule) error {
	ids := make([]string, len(list))
	at := make(map[string]*molecule.Schedule, len(list))
	for i := range list {
		ids[i], at[list[i].ID] = list[i].ID, &list[i]
		list[i].Recent = []molecule.Outcome{}
	}
	wanted, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	type strip struct {
		id, outcomes string
		slot         time.Time
	}
	rows, err := q.query(ctx, `
		SELECT j.value, COALESCE((SELECT group_concat(outcome) FROM (
			SELECT outcome FROM runs WHERE schedule_id = j.value AND outcome IS NOT NULL
			ORDER BY id DESC LIMIT ?)), ''),
			(SELECT COALESCE(slot_to, slot) FROM runs WHERE schedule_id = j.value AND outcome IS NOT NULL
			ORDER BY id DESC LIMIT 1)
		FROM json_each(?) j`, molecule.RecentOutcomes, string(wanted))
	strips, err := all(rows, err, func(r rowScanner, s *strip) error { return r.Scan(&s.id, &s.outcomes, instant{&s.slot}) })
	if err != nil {
		return err
	}
	for _, s := range strips {
		if s.outcomes == "" {
			continue
		}
		at[s.id].LastEndedSlot = s.slot
		newestFirst := strings.Split(s.outcomes, ",")
		for i := len(newestFirst) - 1; i >= 0; i-- {
			at[s.id].Recent = append(at[s.id].Recent, molecule.Outcome(newestFirst[i]))
		}
	}
	return nil
}

// UpdateSchedule changes one schedule in a transaction and tells of it as an
// event of the given type; change returns an error to leave it as it is.
func (db *DB) UpdateSchedule(
	ctx context.Context, ref, event string, change func(*molecule.Schedule) error,
) (molecule.Schedule, error) {
	one := make([]molecule.Schedule, 1)
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		s, err := scheduleByRef(ctx, tx, ref)
		if err != nil {
			return err
		}
		agent := s.Agent
		if err := change(&s); err != nil {
			return err
		}
		if s.Agent != agent {
			a, err := agentByRef(ctx, tx, s.Agent)
			if err != nil {
				return err
			}
			s.AgentID, s.Agent = a.ID, a.Name
		}
		s.UpdatedAt = tx.Now
		s.DueAt = dueAt(s.NextSlot, s.DueAt)
		if err := storeSchedule(ctx, tx, s); err != nil {
			return err
		}
		one[0] = s
		if err := recent(ctx, tx, one); err != nil {
			return err
		}
		return scheduleEvent(ctx, tx, event, s)
	})
	return one[0], err
}

// storeSchedule writes every field an update may have changed.
func storeSchedule(ctx context.Context, tx *Tx, s molecule.Schedule) error {
	prompt, err := keepPrompt(ctx, tx, s.Prompt)
	if err != nil {
		return err
	}
	policy, err := policyText(s.Policy)
	if err != nil {
		return err
	}
	if err := namedCalendars(ctx, tx, s.Exclusions); err != nil {
		return err
	}
	_, err = tx.exec(ctx, `
		UPDATE schedules SET name = ?, agent_id = ?, cron = ?, tz = ?, dst = ?, seconds = ?, phase_ms = ?, description = ?,
			prompt_id = ?, state = ?, reason = ?, timeout_ms = ?, policy = ?, next_slot_at = ?, due_at = ?, alert_after = ?,
			failure_streak = ?, empty_streak = ?, broken_streak = 0, active_since = ?, updated_at = ?
		WHERE id = ?`,
		s.Name, s.AgentID, s.Cron, s.TZ, s.DST, s.Seconds, time.Duration(s.Phase).Milliseconds(), s.Description, prompt,
		string(s.State), s.Reason, time.Duration(s.Timeout).Milliseconds(), policy, stamp(s.NextSlot), stamp(s.DueAt),
		alertAfter(s.DueAt), s.FailureStreak, s.EmptyStreak, stamp(s.ActiveSince), stamp(tx.Now), s.ID)
	if err != nil {
		return taken(err, scheduleTable, s.Name)
	}
	return giveUp(ctx, tx, s)
}

// giveUp records the slots that a change leaves to nobody.
func giveUp(ctx context.Context, tx *Tx, s molecule.Schedule) error {
	if len(s.GivenUp) == 0 {
		return nil
	}
	c := &claimed{schedule: s, rows: s.GivenUp}
	if err := insertClaimed(ctx, tx, []*claimed{c}); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `UPDATE schedules SET last_slot_at = ? WHERE id = ?`, stamp(c.last), s.ID)
	return err
}

// RemoveSchedule removes a schedule; its runs stay. last sees it once more, to
// give slots up that came and have no row yet; nil gives none up.
func (db *DB) RemoveSchedule(ctx context.Context, ref string, last func(*molecule.Schedule) error) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		s, err := scheduleByRef(ctx, tx, ref)
		if err != nil {
			return err
		}
		if last != nil {
			if err := last(&s); err != nil {
				return err
			}
		}
		if err := giveUp(ctx, tx, s); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE schedules SET removed_at = ?, next_slot_at = NULL, due_at = NULL, alert_after = NULL WHERE id = ?`, stamp(tx.Now), s.ID)
		if err != nil {
			return err
		}
		return scheduleEvent(ctx, tx, molecule.EventScheduleRemoved, s)
	})
}
