-- +goose Up
-- The map of secrets as it was applied last. It holds no value.
CREATE TABLE secret_map (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    body       TEXT NOT NULL,
    applied_at TEXT NOT NULL
);

-- Changes of secrets in all the places that hold them.
CREATE TABLE rotations (
    id          TEXT PRIMARY KEY,
    secret_id   TEXT NOT NULL REFERENCES secrets (id),
    secret      TEXT NOT NULL, -- its name then
    bound       TEXT NOT NULL, -- what of which one is changed at a time
    state       TEXT NOT NULL,
    held_from   TEXT NOT NULL DEFAULT '',
    overlap     TEXT NOT NULL,
    version     INTEGER NOT NULL,
    old         INTEGER NOT NULL, -- 0: there was none
    attempt     INTEGER NOT NULL DEFAULT 1,
    hold        INTEGER NOT NULL DEFAULT 0,
    entry       TEXT NOT NULL, -- of the map
    fault       TEXT,
    by_hand     TEXT NOT NULL DEFAULT '[]',
    epoch       INTEGER NOT NULL DEFAULT 0, -- of whoever drives it
    created_by  TEXT NOT NULL DEFAULT '',
    started_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    promoted_at TEXT,
    due_at      TEXT,
    ended_at    TEXT
);
CREATE UNIQUE INDEX rotations_one ON rotations (bound) WHERE promoted_at IS NULL AND ended_at IS NULL;
CREATE INDEX rotations_open ON rotations (id) WHERE ended_at IS NULL;
CREATE INDEX rotations_secret ON rotations (secret_id);

CREATE TABLE rotation_steps (
    rotation_id TEXT NOT NULL REFERENCES rotations (id),
    n           INTEGER NOT NULL,
    secret      TEXT NOT NULL,
    place       TEXT NOT NULL,
    spec        TEXT NOT NULL,
    value       TEXT NOT NULL DEFAULT '', -- template of a secret that is made of the rotated one
    state       TEXT NOT NULL,
    holds       TEXT NOT NULL DEFAULT '',
    warning     TEXT NOT NULL DEFAULT '',
    marker      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (rotation_id, n)
) WITHOUT ROWID;

-- One row before each effect on the outside, and one behind it.
CREATE TABLE rotation_journal (
    id          INTEGER PRIMARY KEY,
    rotation_id TEXT NOT NULL REFERENCES rotations (id),
    at          TEXT NOT NULL,
    epoch       INTEGER NOT NULL,
    state       TEXT NOT NULL,
    step        INTEGER NOT NULL DEFAULT 0,
    text        TEXT NOT NULL
);
CREATE INDEX rotation_journal_rotation ON rotation_journal (rotation_id, id);
