-- +goose Up
-- Secrets, of which only ciphertext is ever here. A version that was destroyed
-- has no data key any more, and so no value.
CREATE TABLE secrets (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    class      TEXT NOT NULL,
    owner      TEXT NOT NULL DEFAULT '',
    current    INTEGER NOT NULL DEFAULT 0, -- version in use; 0: none
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    removed_at TEXT
);
CREATE UNIQUE INDEX secrets_name ON secrets (name) WHERE removed_at IS NULL;

CREATE TABLE secret_versions (
    secret_id   TEXT NOT NULL REFERENCES secrets (id),
    version     INTEGER NOT NULL CHECK (version > 0),
    state       TEXT NOT NULL CHECK (state IN ('pending', 'current', 'grace', 'retired', 'destroyed')),
    key_id      TEXT NOT NULL, -- of the master key
    wrapped     BLOB CHECK ((wrapped IS NULL) = (state = 'destroyed')), -- data key
    body        BLOB CHECK ((body IS NULL) = (state = 'destroyed')),
    fingerprint TEXT NOT NULL,
    sameness    TEXT NOT NULL, -- equal for equal values of different secrets
    bytes       INTEGER NOT NULL,
    created_at  TEXT NOT NULL,
    created_by  TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (secret_id, version)
) WITHOUT ROWID;
CREATE UNIQUE INDEX secret_versions_current ON secret_versions (secret_id) WHERE state = 'current';
CREATE INDEX secret_versions_sameness ON secret_versions (sameness);

-- What the vault needs beside its keys: the key of fingerprints, sealed as any
-- version is, and the salt of a passphrase.
CREATE TABLE vault (
    name   TEXT PRIMARY KEY,
    key_id TEXT NOT NULL DEFAULT '',
    wrapped BLOB,
    body   BLOB NOT NULL
);
