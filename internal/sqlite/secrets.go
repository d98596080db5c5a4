package sqlite

import (
	"context"

	"github.com/molecule-ai/molecli/internal/molecule"
)

var secretTable = table{
	noun: "secret", list: "molecli secrets list",
	byName: `SELECT id, name FROM secrets WHERE removed_at IS NULL AND name = ?`,
	byID:   `SELECT id, name FROM secrets WHERE id >= ? AND id < ? AND removed_at IS NULL ORDER BY id LIMIT 6`,
}

const (
	secretColumns = `
		SELECT s.id, s.name, s.class, s.owner, s.current, s.created_at, s.updated_at,
			COALESCE(v.fingerprint, ''), v.created_at
		FROM secrets s LEFT JOIN secret_versions v ON v.secret_id = s.id AND v.version = s.current`
	sealedColumns = `
		SELECT secret_id, version, state, key_id, wrapped, body, fingerprint, sameness, bytes, created_by FROM secret_versions`
	sqlInsertVersion = `
		INSERT INTO secret_versions
			(secret_id, version, state, key_id, wrapped, body, fingerprint, sameness, bytes, created_at, created_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlDestroyOld = `
		UPDATE secret_versions SET state = 'destroyed', wrapped = NULL, body = NULL
		WHERE secret_id = ? AND version <= ? AND state = 'retired'`
)

func scanSecret(r rowScanner, s *molecule.StoredSecret) error {
	return r.Scan(&s.ID, &s.Name, &s.Class, &s.Owner, &s.Current, instant{&s.CreatedAt}, instant{&s.UpdatedAt},
		&s.Fingerprint, instant{&s.SetAt})
}

func scanSealed(r rowScanner, s *molecule.Sealed) error {
	return r.Scan(&s.SecretID, &s.Version, &s.State, &s.KeyID, &s.Wrapped, &s.Body, &s.Fingerprint, &s.Sameness, &s.Bytes, &s.CreatedBy)
}

// CreateSecret stores s with its first version. A name in use is a Conflict.
func (db *DB) CreateSecret(ctx context.Context, s *molecule.StoredSecret, first molecule.Sealed) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		s.CreatedAt, s.UpdatedAt = tx.Now, tx.Now
		_, err := tx.exec(ctx, `
			INSERT INTO secrets (id, name, class, owner, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)`,
			s.ID, s.Name, string(s.Class), s.Owner, stamp(tx.Now), stamp(tx.Now))
		if unique(err) {
			return molecule.Errorf(molecule.Conflict, "secret %q exists already", s.Name).
				WithHint("molecli secrets set %s stores a further version", s.Name)
		}
		if err != nil {
			return err
		}
		if err := insertVersion(ctx, tx, first); err != nil {
			return err
		}
		s.Current, s.Fingerprint, s.SetAt = first.Version, first.Fingerprint, tx.Now
		if err := makeCurrent(ctx, tx, s.ID, 0, first.Version); err != nil {
			return err
		}
		return insertEvent(ctx, tx, molecule.EventSecretCreated, "secret/"+s.Name, secretFacts(*s, first))
	})
}

// secretFacts is what an event tells of a secret.
func secretFacts(s molecule.StoredSecret, v molecule.Sealed) any {
	return map[string]any{"id": s.ID, "name": s.Name, "class": s.Class, "version": v.Version, "fingerprint": v.Fingerprint}
}

func insertVersion(ctx context.Context, tx *Tx, v molecule.Sealed) error {
	_, err := tx.exec(ctx, sqlInsertVersion, v.SecretID, v.Version, string(v.State), v.KeyID, v.Wrapped, v.Body, v.Fingerprint,
		v.Sameness, v.Bytes, stamp(tx.Now), v.CreatedBy)
	return err
}

// makeCurrent puts a version in the place of the one in use, and destroys what
// is too old to be kept.
func makeCurrent(ctx context.Context, tx *Tx, id string, before, version int) error {
	for _, step := range []struct {
		text string
		args []any
	}{
		{`UPDATE secret_versions SET state = 'retired' WHERE secret_id = ? AND version = ? AND state = 'current'`, []any{id, before}},
		{`UPDATE secret_versions SET state = 'current' WHERE secret_id = ? AND version = ?`, []any{id, version}},
		{`UPDATE secrets SET current = ?, updated_at = ? WHERE id = ?`, []any{version, stamp(tx.Now), id}},
		{sqlDestroyOld, []any{id, version - molecule.KeptVersions}},
	} {
		if _, err := tx.exec(ctx, step.text, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// AddSecretVersion stores the version behind the newest and makes it the one in
// use. seal is given its number.
func (db *DB) AddSecretVersion(
	ctx context.Context, ref string, seal func(s molecule.StoredSecret, version int) (molecule.Sealed, error),
) (molecule.StoredSecret, error) {
	var out molecule.StoredSecret
	err := db.update(ctx, func(ctx context.Context, tx *Tx) error {
		s, err := secretByRef(ctx, tx, ref)
		if err != nil {
			return err
		}
		if err := refuseRotating(ctx, tx, s); err != nil {
			return err
		}
		newest, err := newestVersion(ctx, tx, s.ID)
		if err != nil {
			return err
		}
		v, err := seal(s, newest+1)
		if err != nil {
			return err
		}
		if err := insertVersion(ctx, tx, v); err != nil {
			return err
		}
		if err := makeCurrent(ctx, tx, s.ID, s.Current, v.Version); err != nil {
			return err
		}
		if err := insertEvent(ctx, tx, molecule.EventSecretSet, "secret/"+s.Name, secretFacts(s, v)); err != nil {
			return err
		}
		out, err = secretByRef(ctx, tx, s.ID)
		return err
	})
	return out, err
}

func newestVersion(ctx context.Context, q querier, id string) (int, error) {
	rows, err := q.query(ctx, `SELECT COALESCE(MAX(version), 0) FROM secret_versions WHERE secret_id = ?`, id)
	found, err := all(rows, err, func(r rowScanner, n *int) error { return r.Scan(n) })
	if err != nil {
		return 0, err
	}
	return found[0], nil
}

func secretByRef(ctx context.Context, q querier, ref string) (molecule.StoredSecret, error) {
	id, err := secretTable.resolve(ctx, q, ref)
	if err != nil {
		return molecule.StoredSecret{}, err
	}
	rows, err := q.query(ctx, secretColumns+` WHERE s.id = ? AND s.removed_at IS NULL`, id)
	found, err := all(rows, err, scanSecret)
	if err != nil {
		return molecule.StoredSecret{}, err
	}
	if len(found) == 0 {
		return molecule.StoredSecret{}, secretTable.notFound(ref)
	}
	return found[0], nil
}

// Secret returns one secret with its versions, newest first, and the names of
// those that hold the same value.
func (db *DB) Secret(ctx context.Context, ref string) (molecule.StoredSecret, error) {
	s, err := secretByRef(ctx, db, ref)
	if err != nil {
		return s, err
	}
	rows, err := db.query(ctx, `
		SELECT version, state, fingerprint, key_id, bytes, created_at, created_by FROM secret_versions
		WHERE secret_id = ? ORDER BY version DESC`, s.ID)
	s.Versions, err = all(rows, err, func(r rowScanner, v *molecule.SecretValue) error {
		return r.Scan(&v.Version, &v.State, &v.Fingerprint, &v.KeyID, &v.Bytes, instant{&v.CreatedAt}, &v.CreatedBy)
	})
	if err != nil {
		return s, err
	}
	rows, err = db.query(ctx, `
		SELECT o.name FROM secret_versions mine
		JOIN secret_versions v ON v.sameness = mine.sameness AND v.secret_id <> mine.secret_id
		JOIN secrets o ON o.id = v.secret_id AND o.current = v.version AND o.removed_at IS NULL
		WHERE mine.secret_id = ? AND mine.version = ? ORDER BY o.name`, s.ID, s.Current)
	s.Reused, err = all(rows, err, func(r rowScanner, name *string) error { return r.Scan(name) })
	return s, err
}

// Secrets returns every secret, by name.
func (db *DB) Secrets(ctx context.Context) ([]molecule.StoredSecret, error) {
	rows, err := db.query(ctx, secretColumns+` WHERE s.removed_at IS NULL ORDER BY s.name`)
	return all(rows, err, scanSecret)
}

// RemoveSecret removes a secret and destroys all its versions.
func (db *DB) RemoveSecret(ctx context.Context, ref string) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		s, err := secretByRef(ctx, tx, ref)
		if err != nil {
			return err
		}
		if err := refuseRotating(ctx, tx, s); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE secret_versions SET state = 'destroyed', wrapped = NULL, body = NULL WHERE secret_id = ?`, s.ID)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE secrets SET removed_at = ?, updated_at = ? WHERE id = ?`, stamp(tx.Now), stamp(tx.Now), s.ID)
		if err != nil {
			return err
		}
		return insertEvent(ctx, tx, molecule.EventSecretRemoved, "secret/"+s.Name, map[string]any{"id": s.ID, "name": s.Name})
	})
}

// SealedVersion returns one version as it is stored; 0 is the one in use.
func (db *DB) SealedVersion(ctx context.Context, ref string, version int) (molecule.StoredSecret, molecule.Sealed, error) {
	if version == 0 {
		found, err := db.inUse(ctx, ref)
		if err != nil {
			return molecule.StoredSecret{}, molecule.Sealed{}, err
		}
		if len(found) == 1 {
			return found[0].of, found[0].sealed, nil
		}
	}
	s, err := secretByRef(ctx, db, ref)
	if err != nil {
		return s, molecule.Sealed{}, err
	}
	if version == 0 {
		version = s.Current
	}
	rows, err := db.query(ctx, sealedColumns+` WHERE secret_id = ? AND version = ?`, s.ID, version)
	found, err := all(rows, err, scanSealed)
	if err != nil {
		return s, molecule.Sealed{}, err
	}
	if len(found) == 0 {
		return s, molecule.Sealed{}, molecule.Errorf(molecule.NotFound, "secret %s has no version %d", s.Name, version).
			WithHint("molecli secrets history %s", s.Name)
	}
	return s, found[0], nil
}

// versionOf is a version with the name and the id of its secret.
type versionOf struct {
	of     molecule.StoredSecret
	sealed molecule.Sealed
}

// inUse looks up the version in use by the name of its secret, in one question:
// it is asked for whenever something is sent.
func (db *DB) inUse(ctx context.Context, name string) ([]versionOf, error) {
	rows, err := db.query(ctx, `
		SELECT s.id, s.name, s.current, v.key_id, v.wrapped, v.body, v.fingerprint
		FROM secrets s JOIN secret_versions v ON v.secret_id = s.id AND v.version = s.current
		WHERE s.name = ? AND s.removed_at IS NULL`, name)
	return all(rows, err, func(r rowScanner, v *versionOf) error {
		err := r.Scan(&v.of.ID, &v.of.Name, &v.of.Current, &v.sealed.KeyID, &v.sealed.Wrapped, &v.sealed.Body, &v.sealed.Fingerprint)
		v.sealed.SecretID, v.sealed.Version, v.sealed.State = v.of.ID, v.of.Current, molecule.VersionCurrent
		return err
	})
}

// NoteReveal records that a value was told, and why, before it is.
func (db *DB) NoteReveal(ctx context.Context, name string, version int, reason string) error {
	return db.update(ctx, func(ctx context.Context, tx *Tx) error {
		tx.reason = reason
		return insertEvent(ctx, tx, molecule.EventSecretRevealed, "secret/"+name, map[string]any{"version": version, "reason": reason})
	})
}
