package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const incidentColumns = `
	SELECT id, kind, subject, severity, title, first_seen, last_seen, closed_at, count, evidence, acked_at, acked_by FROM incidents`

// scanIncident reads a row. Of a damaged one it keeps what was read, so that it
// hides no other, and can be closed.
func scanIncident(r rowScanner, i *molecule.Incident) error {
	err := r.Scan(&i.ID, &i.Kind, &i.Subject, &i.Severity, &i.Title, instant{&i.FirstSeen}, instant{&i.LastSeen},
		instant{&i.ClosedAt}, &i.Count, object[molecule.Evidence]{&i.Evidence}, instant{&i.AckedAt}, &i.AckedBy)
	if err == nil || i.Subject == "" {
		return err
	}
	if i.FirstSeen.IsZero() { // its id says when it was opened
		id, _ := uuid.Parse(i.ID) // damaged too: in 1582
		i.FirstSeen = time.Unix(id.Time().UnixTime()).UTC()
	}
	if i.LastSeen.IsZero() {
		i.LastSeen = i.FirstSeen
	}
	i.Count = max(i.Count, 1)
	i.Evidence = molecule.Evidence{Error: "the row of this incident is damaged: " + err.Error()}
	return nil
}

const (
	// What is over is not opened again and nothing is counted back, also when an
	// older state comes late.
	sqlSaveIncident = `
		INSERT INTO incidents (id, kind, subject, severity, title, first_seen, last_seen, closed_at, count, evidence)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, title = excluded.title, closed_at = excluded.closed_at,
			last_seen = max(last_seen, excluded.last_seen), count = max(count, excluded.count), evidence = excluded.evidence
		WHERE closed_at IS NULL`
	sqlIncident      = incidentColumns + ` WHERE id = ?`
	sqlOpenIncidents = incidentColumns + ` WHERE closed_at IS NULL ORDER BY id`
)

// SaveIncidents stores incidents as they are now, all or none. One that was not
// there is opened and one that has ended closed, each once, with the event that
// tells of it. A second open one of a kind and subject is a Conflict.
func (db *DB) SaveIncidents(ctx context.Context, incidents []molecule.Incident) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		for _, in := range incidents {
			if err := saveIncident(ctx, tx, in); err != nil {
				return fmt.Errorf("incident %s %s: %w", in.Kind, in.Subject, err)
			}
		}
		return nil
	})
}

func saveIncident(ctx context.Context, tx *Tx, in molecule.Incident) error {
	evidence, err := text(&in.Evidence)
	if err != nil {
		return err
	}
	rows, err := tx.query(ctx, sqlIncident, in.ID)
	before, err := all(rows, err, scanIncident)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, sqlSaveIncident, in.ID, in.Kind, in.Subject, string(in.Severity), in.Title, stamp(in.FirstSeen),
		stamp(in.LastSeen), stamp(in.ClosedAt), in.Count, evidence)
	switch {
	case unique(err):
		return molecule.Errorf(molecule.Conflict, "another one is open").WithCause(err)
	case err != nil:
		return err
	}
	if len(before) == 0 {
		opened := in
		opened.ClosedAt = time.Time{}
		if err := incidentEvent(ctx, tx, molecule.EventIncidentOpened, opened); err != nil {
			return err
		}
	}
	if in.Open() || len(before) > 0 && !before[0].Open() {
		return nil
	}
	return incidentEvent(ctx, tx, molecule.EventIncidentClosed, in)
}

// incidentEvent tells of an incident. Its subject is the incident's own, so
// that whoever follows a schedule hears of it.
func incidentEvent(ctx context.Context, tx *Tx, kind string, in molecule.Incident) error {
	in.Evidence.Stack, in.Unsaved = "", false // the stack is long, and kept in the row
	return insertEvent(ctx, tx, kind, in.Subject, in)
}

// OpenIncidents returns every incident that is not over, oldest first.
func (db *DB) OpenIncidents(ctx context.Context) ([]molecule.Incident, error) {
	rows, err := db.query(ctx, sqlOpenIncidents)
	return all(rows, err, scanIncident)
}

// Incidents returns up to limit incidents of the filter, newest first; with
// before, an id, only older ones.
func (db *DB) Incidents(ctx context.Context, f molecule.IncidentFilter, before string, limit int) ([]molecule.Incident, error) {
	if before == "" {
		before = "g" // behind every id
	}
	where := ` WHERE id < ?1 AND (?2 OR closed_at IS NULL)`
	args := []any{before, f.All}
	if f.Kind != "" {
		where += ` AND kind = ?3`
	}
	args = append(args, f.Kind)
	switch n := len(f.Subject); {
	case n > 0 && f.Subject[n-1] == '/':
		where += ` AND subject >= ?4 AND subject < ?5`
		args = append(args, f.Subject, f.Subject[:n-1]+"0") // what comes behind a slash
	case n > 0:
		where += ` AND subject = ?4`
		args = append(args, f.Subject, "")
	default:
		args = append(args, "", "")
	}
	rows, err := db.query(ctx, incidentColumns+where+` ORDER BY id DESC LIMIT ?6`, append(args, limit)...)
	return all(rows, err, scanIncident)
}

// Incident returns the incident that ref, an id or a prefix of one, means.
func (db *DB) Incident(ctx context.Context, ref string) (molecule.Incident, error) {
	return incidentByRef(ctx, db, ref)
}

func incidentByRef(ctx context.Context, q querier, ref string) (molecule.Incident, error) {
	id, err := incidentTable.resolve(ctx, q, ref)
	if err != nil {
		return molecule.Incident{}, err
	}
	rows, err := q.query(ctx, sqlIncident, id)
	found, err := all(rows, err, scanIncident)
	if err != nil {
		return molecule.Incident{}, err
	}
	if len(found) == 0 {
		return molecule.Incident{}, incidentTable.notFound(ref)
	}
	return found[0], nil
}

// AckIncident notes who knows of an incident and returns it. Somebody who was
// faster is a Conflict.
func (db *DB) AckIncident(ctx context.Context, ref, by string) (molecule.Incident, error) {
	var out molecule.Incident
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		in, err := incidentByRef(ctx, tx, ref)
		if err != nil {
			return err
		}
		if out = in; !in.AckedAt.IsZero() {
			return molecule.Errorf(molecule.Conflict, "incident %s was acknowledged by %s at %s already", in.ID, in.AckedBy,
				in.AckedAt.Format(time.RFC3339)).WithHint("molecli incident show %s", in.ID)
		}
		out.AckedAt, out.AckedBy = tx.Now, by
		_, err = tx.exec(ctx, `UPDATE incidents SET acked_at = ?, acked_by = ? WHERE id = ?`, stamp(tx.Now), by, in.ID)
		if err != nil {
			return err
		}
		return incidentEvent(ctx, tx, molecule.EventIncidentAcked, out)
	})
	return out, err
}
