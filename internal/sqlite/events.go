package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxTold is how many events a transaction gathers before it writes them.
const maxTold = 1024

var sqlInsertEvents = manyRows(4, `INSERT INTO events (at, type, subject, data) VALUES ROWS`)

// insertEvent tells of the change that tx makes, and notes in the audit trail who
// asked for it. data becomes JSON; nil is none.
func insertEvent(ctx context.Context, tx *Tx, kind, subject string, data any) error {
	var body any
	if data != nil {
		b, err := json.Marshal(data)
		if err != nil {
			return fmt.Errorf("event %s: %w", kind, err)
		}
		body = string(b)
	}
	tx.events++
	tx.counts = tx.counts || strings.HasPrefix(kind, "schedule.")
	tx.told = append(tx.told, stamp(tx.Now), kind, subject, body)
	if len(tx.told) >= maxTold*sqlInsertEvents.columns {
		if err := tx.tell(ctx); err != nil {
			return err
		}
	}
	return tx.audit(ctx, kind, subject)
}

// tell writes the events that were gathered: one statement for many of them
// costs a quarter of one for each.
func (tx *Tx) tell(ctx context.Context) error {
	_, err := tx.execMany(ctx, &sqlInsertEvents, tx.told)
	clear(tx.told)
	tx.told = tx.told[:0]
	return err
}

// AppendEvent tells of what no row tells.
func (db *DB) AppendEvent(ctx context.Context, kind, subject string, data any) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error { return insertEvent(ctx, tx, kind, subject, data) })
}

// Events returns the events behind f.After, oldest first. It is Gone when some
// of them were pruned, unless f.After is 0.
func (db *DB) Events(ctx context.Context, f molecule.EventFilter) (molecule.Page[molecule.Event], error) {
	limit := molecule.ClampLimit(f.Limit)
	var found []molecule.Event
	// What matches is decided in one place, EventFilter.Matches: a page is read
	// in slices until it is full or the table ends.
	for after := f.After; len(found) <= limit; {
		slice, err := db.eventSlice(ctx, after)
		if err != nil {
			return molecule.Page[molecule.Event]{}, err
		}
		for _, e := range slice {
			if f.Matches(e) {
				found = append(found, e)
			}
			after = e.ID
		}
		if len(slice) < molecule.MaxLimit {
			break
		}
	}
	return page(found, limit, func(e molecule.Event) string { return fmt.Sprint(e.ID) }), nil
}

func (db *DB) eventSlice(ctx context.Context, after int64) ([]molecule.Event, error) {
	rows, err := db.query(ctx, `SELECT id, at, type, subject, data FROM events WHERE id > ? ORDER BY id LIMIT ?`,
		after, molecule.MaxLimit)
	slice, err := all(rows, err, func(r rowScanner, e *molecule.Event) error {
		return r.Scan(&e.ID, instant{&e.At}, &e.Type, &e.Subject, object[json.RawMessage]{&e.Data})
	})
	// Ids are given without a gap, and pruned from below: the newest stay.
	if err == nil && after > 0 && len(slice) > 0 && slice[0].ID > after+1 {
		return nil, errPruned(after, slice[0].ID)
	}
	return slice, err
}

// errPruned says that the events between after and first are not kept.
func errPruned(after, first int64) error {
	return molecule.Errorf(molecule.Gone, "the events from %d to %d are no longer kept", after+1, first-1).
		WithHint("the oldest one kept is %d: look again at what the others were about, and read on behind %d", first, first-1)
}

// EventBefore returns the id of the newest event before an instant, 0 when there
// is none. It reads what came since, which is what is asked for next.
func (db *DB) EventBefore(ctx context.Context, at time.Time) (int64, error) {
	rows, err := db.query(ctx, `SELECT id FROM events WHERE at < ? ORDER BY id DESC LIMIT 1`, stamp(at))
	ids, err := all(rows, err, func(r rowScanner, id *int64) error { return r.Scan(id) })
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return ids[0], nil
}

// LastEventID returns the id of the newest event, 0 when there is none.
func (db *DB) LastEventID(ctx context.Context) (int64, error) {
	rows, err := db.query(ctx, `SELECT COALESCE(MAX(id), 0) FROM events`)
	ids, err := all(rows, err, func(r rowScanner, id *int64) error { return r.Scan(id) })
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// AppendSubsystemEvents keeps transitions of subsystems.
func (db *DB) AppendSubsystemEvents(ctx context.Context, events []molecule.SubsystemEvent) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		for _, e := range events {
			_, err := tx.exec(ctx, `
				INSERT INTO subsystem_events (at, subsystem, from_state, to_state, error, blocked_in, stack)
				VALUES (?, ?, ?, ?, ?, ?, ?)`,
				stamp(e.At), e.Subsystem, string(e.From), string(e.To), e.Error, e.BlockedIn, e.Stack)
			if err != nil {
				return err
			}
			e.Stack = "" // long, and kept in the row
			if err := insertEvent(ctx, tx, molecule.EventSubsystem, "subsystem/"+e.Subsystem, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// SubsystemEvents returns the newest transitions of one subsystem, newest
// first; of all when name is empty.
func (db *DB) SubsystemEvents(ctx context.Context, name string, limit int) ([]molecule.SubsystemEvent, error) {
	rows, err := db.query(ctx, `
		SELECT at, subsystem, from_state, to_state, error, blocked_in, stack FROM subsystem_events
		WHERE ?1 = '' OR subsystem = ?1 ORDER BY id DESC LIMIT ?2`, name, molecule.ClampLimit(limit))
	return all(rows, err, func(r rowScanner, e *molecule.SubsystemEvent) error {
		return r.Scan(instant{&e.At}, &e.Subsystem, &e.From, &e.To, &e.Error, &e.BlockedIn, &e.Stack)
	})
}
