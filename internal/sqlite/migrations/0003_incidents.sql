-- +goose Up
-- What a person should know: one row from its opening to its close. Ids are in
-- the order of opening.
CREATE TABLE incidents (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    severity   TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
    title      TEXT NOT NULL,
    first_seen TEXT NOT NULL,
    last_seen  TEXT NOT NULL,
    closed_at  TEXT,
    count      INTEGER NOT NULL CHECK (count > 0),
    evidence   TEXT NOT NULL DEFAULT '{}', -- JSON, bounded
    acked_at   TEXT,
    acked_by   TEXT NOT NULL DEFAULT ''
);
-- The guard: what is open is opened once.
CREATE UNIQUE INDEX incidents_open ON incidents (kind, subject) WHERE closed_at IS NULL;
CREATE INDEX incidents_kind ON incidents (kind, id);
CREATE INDEX incidents_subject ON incidents (subject, id);
