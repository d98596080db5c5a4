package sqlite

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const calendarColumns = `SELECT name, days, created_at, updated_at FROM calendars`

func scanCalendar(r rowScanner, c *molecule.Calendar) error {
	return r.Scan(&c.Name, object[[]molecule.DayRange]{&c.Days}, instant{&c.CreatedAt}, instant{&c.UpdatedAt})
}

// PutCalendar stores c in place of the calendar of its name, if any.
func (db *DB) PutCalendar(ctx context.Context, c *molecule.Calendar) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		days, err := text(&c.Days)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `
			INSERT INTO calendars (name, days, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
			ON CONFLICT (name) DO UPDATE SET days = excluded.days, updated_at = excluded.updated_at`, c.Name, days, stamp(tx.Now))
		if err != nil {
			return err
		}
		stored, err := calendarsNamed(ctx, tx, []string{c.Name})
		if err != nil {
			return err
		}
		*c = stored[0]
		return insertEvent(ctx, tx, molecule.EventCalendarStored, "calendar/"+c.Name, c)
	})
}

// Calendars returns every calendar, by name.
func (db *DB) Calendars(ctx context.Context) ([]molecule.Calendar, error) {
	rows, err := db.query(ctx, calendarColumns+` ORDER BY name`)
	return all(rows, err, scanCalendar)
}

// Calendar returns one calendar.
func (db *DB) Calendar(ctx context.Context, name string) (molecule.Calendar, error) {
	found, err := calendarsNamed(ctx, db, []string{name})
	if err != nil {
		return molecule.Calendar{}, err
	}
	return found[0], nil
}

// calendarsNamed returns the calendars of the names; NotFound when there is none
// for one of them.
func calendarsNamed(ctx context.Context, q querier, names []string) ([]molecule.Calendar, error) {
	wanted, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	rows, err := q.query(ctx, calendarColumns+` WHERE name IN (SELECT value FROM json_each(?)) ORDER BY name`, string(wanted))
	found, err := all(rows, err, scanCalendar)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(found, func(c molecule.Calendar) bool { return c.Name == name }) {
			return nil, molecule.Errorf(molecule.NotFound, "no calendar %q", name).WithHint("molecli calendar list")
		}
	}
	return found, nil
}

// namedCalendars refuses exclusions that name no calendar.
func namedCalendars(ctx context.Context, tx *Tx, names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := calendarsNamed(ctx, tx, names)
	return err
}

// RemoveCalendar removes a calendar that no schedule names.
func (db *DB) RemoveCalendar(ctx context.Context, name string) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		if err := namedCalendars(ctx, tx, []string{name}); err != nil {
			return err
		}
		rows, err := tx.query(ctx, `
			SELECT name FROM schedules WHERE removed_at IS NULL AND policy <> '{}'
				AND EXISTS (SELECT 1 FROM json_each(policy, '$.exclusions') WHERE value = ?)
			ORDER BY name LIMIT 4`, name)
		users, err := all(rows, err, func(r rowScanner, s *string) error { return r.Scan(s) })
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return molecule.Errorf(molecule.Conflict, "calendar %s is named by schedules: %s", name, strings.Join(users, ", ")).
				WithHint("molecli schedule update %s --exclude ''", users[0])
		}
		if _, err := tx.exec(ctx, `DELETE FROM calendars WHERE name = ?`, name); err != nil {
			return err
		}
		return insertEvent(ctx, tx, molecule.EventCalendarRemoved, "calendar/"+name, nil)
	})
}
