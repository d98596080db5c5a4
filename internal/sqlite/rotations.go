package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/molecule-ai/molecli/internal/molecule"
)

var rotationTable = table{
	noun: "rotation", list: "molecli secrets rotations --all",
	byID: `SELECT id, id FROM rotations WHERE id >= ? AND id < ? ORDER BY id LIMIT 6`,
}

const (
	rotationColumns = `
		SELECT r.id, r.secret_id, r.secret, r.bound, r.state, r.held_from, r.overlap, r.version, r.old, r.attempt, r.hold, r.entry,
			r.fault, r.by_hand, r.epoch, r.created_by, r.started_at, r.updated_at, r.promoted_at, r.due_at, r.ended_at,
			COALESCE(v.fingerprint, '')
		FROM rotations r LEFT JOIN secret_versions v ON v.secret_id = r.secret_id AND v.version = r.version`
	sqlInsertRotation = `
		INSERT INTO rotations
			(id, secret_id, secret, bound, state, overlap, version, old, hold, entry, created_by, started_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlInsertRotationStep = `
		INSERT INTO rotation_steps (rotation_id, n, secret, place, spec, value, state, marker) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	sqlMoveRotation = `
		UPDATE rotations SET state = ?, held_from = ?, version = ?, attempt = ?, fault = ?, by_hand = ?, updated_at = ?,
			promoted_at = ?, due_at = ?, ended_at = ?
		WHERE id = ? AND epoch = ? AND state = ?`
)

func scanRotation(r rowScanner, m *molecule.Rotation) error {
	return r.Scan(&m.ID, &m.SecretID, &m.Secret, &m.Group, &m.State, &m.From, &m.Overlap, &m.Version, &m.Old, &m.Attempt, &m.Hold,
		object[molecule.MappedSecret]{&m.Entry}, object[*molecule.RotationFault]{&m.Fault}, object[[]string]{&m.ByHand}, &m.Epoch, &m.By,
		instant{&m.StartedAt}, instant{&m.UpdatedAt}, instant{&m.PromotedAt}, instant{&m.DueAt}, instant{&m.EndedAt}, &m.Fingerprint)
}

// SealFunc seals a value as a version of a secret.
type SealFunc = func(s molecule.StoredSecret, version int) (molecule.Sealed, error)

// StartRotation stores r and its steps together with the new version, which is
// pending, and the secret itself when there is none of its name. It sets ID's
// companions: SecretID, Version, Old and the times. One that is under way in the
// same group is a Conflict.
func (db *DB) StartRotation(ctx context.Context, r *molecule.Rotation, newSecretID string, seal SealFunc) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		s, err := rotatedSecret(ctx, tx, *r, newSecretID)
		if err != nil {
			return err
		}
		r.SecretID, r.Old, r.Attempt = s.ID, s.Current, 1
		r.StartedAt, r.UpdatedAt = tx.Now, tx.Now
		if err := sealPending(ctx, tx, r, s, seal); err != nil {
			return err
		}
		entry, err := text(&r.Entry)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, sqlInsertRotation, r.ID, r.SecretID, r.Secret, r.Group, string(r.State), string(r.Overlap), r.Version, r.Old,
			r.Hold, entry, r.By, stamp(tx.Now), stamp(tx.Now))
		if unique(err) {
			return underWay(ctx, tx, *r)
		}
		if err != nil {
			return err
		}
		if err := insertRotationSteps(ctx, tx, *r); err != nil {
			return err
		}
		return tellRotation(ctx, tx, *r, 0, "begun")
	})
}

// rotatedSecret returns the secret of r, and makes it when it is not there.
func rotatedSecret(ctx context.Context, tx *Tx, r molecule.Rotation, id string) (molecule.StoredSecret, error) {
	rows, err := tx.query(ctx, secretColumns+` WHERE s.name = ? AND s.removed_at IS NULL`, r.Secret)
	found, err := all(rows, err, scanSecret)
	if err != nil || len(found) > 0 {
		return append(found, molecule.StoredSecret{})[0], err
	}
	s := molecule.StoredSecret{ID: id, Name: r.Secret, Class: r.Entry.Class, Owner: r.Entry.Owner, CreatedAt: tx.Now, UpdatedAt: tx.Now}
	_, err = tx.exec(ctx, `INSERT INTO secrets (id, name, class, owner, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)`,
		s.ID, s.Name, string(s.Class), s.Owner, stamp(tx.Now), stamp(tx.Now))
	return s, err
}

// sealPending stores the next version of s as the one that r brings.
func sealPending(ctx context.Context, tx *Tx, r *molecule.Rotation, s molecule.StoredSecret, seal SealFunc) error {
	newest, err := newestVersion(ctx, tx, s.ID)
	if err != nil {
		return err
	}
	v, err := seal(s, newest+1)
	if err != nil {
		return err
	}
	v.State = molecule.VersionPending
	r.Version, r.Fingerprint = v.Version, v.Fingerprint
	return insertVersion(ctx, tx, v)
}

// underWay is the error for a second rotation at once.
func underWay(ctx context.Context, tx *Tx, r molecule.Rotation) error {
	rows, err := tx.query(ctx, rotationColumns+` WHERE r.bound = ? AND r.promoted_at IS NULL AND r.ended_at IS NULL`, r.Group)
	found, err := all(rows, err, scanRotation)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return molecule.Errorf(molecule.Conflict, "a rotation of %s has the id %s", r.Secret, r.ID)
	}
	return molecule.Errorf(molecule.Conflict, "a rotation of %s is under way: %s, %s", found[0].Secret, found[0].ID, found[0].State).
		WithHint("%s", found[0].NextCommand())
}

func insertRotationSteps(ctx context.Context, tx *Tx, r molecule.Rotation) error {
	for _, s := range r.Steps {
		spec, err := text(&s.Spec)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, sqlInsertRotationStep, r.ID, s.N, s.Secret, s.Place, spec, s.Value, string(molecule.StepPending), s.Marker)
		if err != nil {
			return err
		}
	}
	return nil
}

// tellRotation writes a row of the journal and, when the state changed, an event
// with its row of the audit trail.
func tellRotation(ctx context.Context, tx *Tx, r molecule.Rotation, step int, what string) error {
	if err := journal(ctx, tx, r, step, what); err != nil {
		return err
	}
	return insertEvent(ctx, tx, molecule.EventSecretRotation, "secret/"+r.Secret, map[string]any{
		"id": r.ID, "secret": r.Secret, "state": r.State, "version": r.Version, "old": r.Old, "fingerprint": r.Fingerprint,
	})
}

func journal(ctx context.Context, tx *Tx, r molecule.Rotation, step int, what string) error {
	_, err := tx.exec(ctx, `INSERT INTO rotation_journal (rotation_id, at, epoch, state, step, text) VALUES (?, ?, ?, ?, ?, ?)`,
		r.ID, stamp(tx.Now), r.Epoch, string(r.State), step, what)
	return err
}

// ClaimRotation makes the caller the one who drives a rotation: whoever drove it
// before can change nothing any more.
func (db *DB) ClaimRotation(ctx context.Context, id string) (molecule.Rotation, error) {
	var out molecule.Rotation
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE rotations SET epoch = epoch + 1, updated_at = ? WHERE id = ?`, stamp(tx.Now), id)
		if err != nil {
			return err
		}
		out, err = rotationByRef(ctx, tx, id)
		return err
	})
	return out, err
}

// lostRotation is the error for who drives a rotation no more.
func lostRotation(r molecule.Rotation) error {
	return molecule.Errorf(molecule.Conflict, "rotation %s was taken over or has moved", r.ID).WithHint("molecli secrets rotations %s", r.ID)
}

// NoteStep stores the state of a step with a row of the journal. It is a Conflict
// for who lost the rotation.
func (db *DB) NoteStep(ctx context.Context, r molecule.Rotation, s molecule.RotationStep, what string) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		if err := holdsRotation(ctx, tx, r); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `UPDATE rotation_steps SET state = ?, holds = ?, warning = ?, marker = ? WHERE rotation_id = ? AND n = ?`,
			string(s.State), s.Holds, s.Warning, s.Marker, r.ID, s.N)
		if err != nil {
			return err
		}
		return journal(ctx, tx, r, s.N, what)
	})
}

// NoteRotation writes a row of the journal that belongs to no step.
func (db *DB) NoteRotation(ctx context.Context, r molecule.Rotation, what string) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		if err := holdsRotation(ctx, tx, r); err != nil {
			return err
		}
		return journal(ctx, tx, r, 0, what)
	})
}

// holdsRotation refuses who was replaced, or knows an older state.
func holdsRotation(ctx context.Context, tx *Tx, r molecule.Rotation) error {
	res, err := tx.exec(ctx, `UPDATE rotations SET updated_at = ? WHERE id = ? AND epoch = ? AND state = ?`,
		stamp(tx.Now), r.ID, r.Epoch, string(r.State))
	if err != nil {
		return err
	}
	return oneRow(res, lostRotation(r))
}

// MoveRotation stores r, which was in the state from, and what follows for the
// versions of its secret, all at once: promoted puts the new version in use. When
// the one in use is not the one it began with, that is a Conflict.
func (db *DB) MoveRotation(ctx context.Context, r *molecule.Rotation, from molecule.RotationState, what string) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		moved := *r
		moved.UpdatedAt = tx.Now
		switch {
		case moved.State == molecule.RotationPromoted:
			moved.PromotedAt = tx.Now
		case moved.State.Over():
			moved.EndedAt = tx.Now
		}
		if err := storeMove(ctx, tx, moved, from); err != nil {
			return err
		}
		if err := moveVersions(ctx, tx, moved); err != nil {
			return err
		}
		if err := tellRotation(ctx, tx, moved, 0, what); err != nil {
			return err
		}
		*r = moved
		return nil
	})
}

func storeMove(ctx context.Context, tx *Tx, r molecule.Rotation, from molecule.RotationState) error {
	fault, err := text(r.Fault)
	if err != nil {
		return err
	}
	if r.ByHand == nil {
		r.ByHand = []string{}
	}
	byHand, err := text(&r.ByHand)
	if err != nil {
		return err
	}
	res, err := tx.exec(ctx, sqlMoveRotation, string(r.State), string(r.From), r.Version, r.Attempt, fault, byHand, stamp(r.UpdatedAt),
		stamp(r.PromotedAt), stamp(r.DueAt), stamp(r.EndedAt), r.ID, r.Epoch, string(from))
	if err != nil {
		return err
	}
	return oneRow(res, lostRotation(r))
}

// moveVersions gives the versions of a secret the states that follow.
func moveVersions(ctx context.Context, tx *Tx, r molecule.Rotation) error {
	const set = `UPDATE secret_versions SET state = ? WHERE secret_id = ? AND version = ? AND state = ?`
	switch {
	case r.State == molecule.RotationPromoted:
		res, err := tx.exec(ctx, `UPDATE secrets SET updated_at = ? WHERE id = ? AND current = ? AND removed_at IS NULL`, stamp(tx.Now), r.SecretID, r.Old)
		if err == nil {
			err = oneRow(res, molecule.Errorf(molecule.Conflict, "%s got another version meanwhile", r.Secret).
				WithHint("molecli secrets history %s", r.Secret))
		}
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, set, string(molecule.VersionGrace), r.SecretID, r.Old, string(molecule.VersionCurrent)); err != nil {
			return err
		}
		return makeCurrent(ctx, tx, r.SecretID, 0, r.Version)
	case r.State == molecule.RotationDone || r.State == molecule.RotationAbandoned && !r.PromotedAt.IsZero():
		_, err := tx.exec(ctx, set, string(molecule.VersionRetired), r.SecretID, r.Old, string(molecule.VersionGrace))
		return err
	case r.State.Over():
		_, err := tx.exec(ctx, set, string(molecule.VersionRetired), r.SecretID, r.Version, string(molecule.VersionPending))
		return err
	}
	return nil
}

// ResealRotation gives r another value, and begins its steps anew.
func (db *DB) ResealRotation(ctx context.Context, r *molecule.Rotation, from molecule.RotationState, seal SealFunc) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		moved := *r
		s, err := secretByRef(ctx, tx, r.SecretID)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE secret_versions SET state = 'retired' WHERE secret_id = ? AND version = ? AND state = 'pending'`, r.SecretID, r.Version)
		if err != nil {
			return err
		}
		moved.Attempt++
		moved.UpdatedAt = tx.Now
		if err := sealPending(ctx, tx, &moved, s, seal); err != nil {
			return err
		}
		if err := storeMove(ctx, tx, moved, from); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE rotation_steps SET state = 'pending', holds = '', marker = '', warning = '' WHERE rotation_id = ?`, r.ID)
		if err != nil {
			return err
		}
		if err := tellRotation(ctx, tx, moved, 0, "another value is made"); err != nil {
			return err
		}
		*r, err = rotationByRef(ctx, tx, r.ID)
		return err
	})
}

// Rotation returns the rotation that ref, an id or a prefix of one, means.
func (db *DB) Rotation(ctx context.Context, ref string) (molecule.Rotation, error) {
	return rotationByRef(ctx, db, ref)
}

func rotationByRef(ctx context.Context, q querier, ref string) (molecule.Rotation, error) {
	id, err := rotationTable.resolve(ctx, q, ref)
	if err != nil {
		return molecule.Rotation{}, err
	}
	found, err := rotationsBy(ctx, q, ` WHERE r.id = ?`, id)
	if err != nil {
		return molecule.Rotation{}, err
	}
	if len(found) == 0 {
		return molecule.Rotation{}, rotationTable.notFound(ref)
	}
	return found[0], nil
}

// Rotations returns those that are not over, or the newest of all.
func (db *DB) Rotations(ctx context.Context, everything bool) ([]molecule.Rotation, error) {
	where := ` WHERE r.ended_at IS NULL`
	if everything {
		where = ` WHERE true`
	}
	return rotationsBy(ctx, db, where+` ORDER BY r.id DESC LIMIT ?`, molecule.DefaultLimit)
}

// rotationsBy reads rotations, and the steps of all of them at once.
func rotationsBy(ctx context.Context, q querier, where string, args ...any) ([]molecule.Rotation, error) {
	rows, err := q.query(ctx, rotationColumns+where, args...)
	found, err := all(rows, err, scanRotation)
	if err != nil || len(found) == 0 {
		return found, err
	}
	at := make(map[string]int, len(found))
	for i, r := range found {
		at[r.ID] = i
	}
	type stepOf struct {
		rotation string
		molecule.RotationStep
	}
	rows, err = q.query(ctx, `
		SELECT s.rotation_id, s.n, s.secret, s.place, s.spec, s.value, s.state, s.holds, s.warning, s.marker FROM rotation_steps s
		WHERE s.rotation_id IN (SELECT r.id FROM rotations r`+where+`) ORDER BY s.rotation_id, s.n`, args...)
	steps, err := all(rows, err, func(r rowScanner, s *stepOf) error {
		err := r.Scan(&s.rotation, &s.N, &s.Secret, &s.Place, object[molecule.SinkSpec]{&s.Spec}, &s.Value, &s.State, &s.Holds, &s.Warning, &s.Marker)
		s.Activation = s.Spec.Activation
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		if i, ok := at[s.rotation]; ok {
			found[i].Steps = append(found[i].Steps, s.RotationStep)
		}
	}
	return found, nil
}

// PlaceMarkers returns, by place, the mark that each copy of a secret had behind
// our last write.
func (db *DB) PlaceMarkers(ctx context.Context, secret string) (map[string]string, error) {
	rows, err := db.query(ctx, `
		SELECT s.place, s.marker FROM rotation_steps s JOIN rotations r ON r.id = s.rotation_id
		WHERE r.secret = ? AND r.ended_at IS NOT NULL AND s.marker <> '' ORDER BY r.id`, secret)
	marks := make(map[string]string)
	_, err = all(rows, err, func(r rowScanner, _ *struct{}) error {
		var place, marker string
		err := r.Scan(&place, &marker)
		marks[place] = marker // the newest comes last
		return err
	})
	return marks, err
}

// RotationJournal returns what a rotation did, oldest first.
func (db *DB) RotationJournal(ctx context.Context, ref string) ([]molecule.JournalRow, error) {
	id, err := rotationTable.resolve(ctx, db, ref)
	if err != nil {
		return nil, err
	}
	rows, err := db.query(ctx, `SELECT id, at, epoch, state, step, text FROM rotation_journal WHERE rotation_id = ? ORDER BY id`, id)
	found, err := all(rows, err, func(r rowScanner, j *molecule.JournalRow) error {
		return r.Scan(&j.ID, instant{&j.At}, &j.Epoch, &j.State, &j.Step, &j.Text)
	})
	if err == nil && len(found) == 0 {
		err = rotationTable.notFound(ref)
	}
	return found, err
}

// refuseRotating is a Conflict while a secret is being rotated and not promoted.
func refuseRotating(ctx context.Context, tx *Tx, s molecule.StoredSecret) error {
	found, err := rotationsBy(ctx, tx, ` WHERE r.secret_id = ? AND r.promoted_at IS NULL AND r.ended_at IS NULL`, s.ID)
	if err != nil || len(found) == 0 {
		return err
	}
	return molecule.Errorf(molecule.Conflict, "%s is being rotated: %s, %s", s.Name, found[0].ID, found[0].State).
		WithHint("%s", found[0].NextCommand())
}

// SecretMap returns the map that was applied last; empty when none was.
func (db *DB) SecretMap(ctx context.Context) (molecule.SecretMap, error) {
	rows, err := db.query(ctx, `SELECT body FROM secret_map`)
	found, err := all(rows, err, func(r rowScanner, m *molecule.SecretMap) error { return r.Scan(object[molecule.SecretMap]{m}) })
	if err != nil || len(found) == 0 {
		return molecule.SecretMap{}, err
	}
	return found[0], nil
}

// PutSecretMap replaces the map.
func (db *DB) PutSecretMap(ctx context.Context, m molecule.SecretMap) error {
	body, err := text(&m)
	if err != nil {
		return fmt.Errorf("write the map: %w", err)
	}
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.exec(ctx, `
			INSERT INTO secret_map (id, body, applied_at) VALUES (1, ?, ?)
			ON CONFLICT (id) DO UPDATE SET body = excluded.body, applied_at = excluded.applied_at`, body, stamp(tx.Now))
		if err != nil {
			return err
		}
		return insertEvent(ctx, tx, molecule.EventSecretMapApplied, "vault/map", map[string]any{"secrets": len(m.All())})
	})
}

// oneRow returns otherwise unless a statement changed a row.
func oneRow(res sql.Result, otherwise error) error {
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return otherwise
	}
	return err
}
