-- +goose Up
-- What a schedule does with the slots it cannot keep. policy is JSON and holds
-- only what differs from the defaults. due_at is next_slot_at and its jitter:
-- when the slot fires. alert_after is when somebody must be told that it did not.

ALTER TABLE schedules ADD COLUMN dst TEXT NOT NULL DEFAULT '';
ALTER TABLE schedules ADD COLUMN seconds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE schedules ADD COLUMN phase_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE schedules ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';
ALTER TABLE schedules ADD COLUMN fired INTEGER NOT NULL DEFAULT 0; -- slots, never pruned
ALTER TABLE schedules ADD COLUMN broken_streak INTEGER NOT NULL DEFAULT 0; -- deliveries in a row that panicked
ALTER TABLE schedules ADD COLUMN due_at TEXT;
ALTER TABLE schedules ADD COLUMN alert_after TEXT;
UPDATE schedules SET due_at = next_slot_at, alert_after = strftime('%Y-%m-%dT%H:%M:%fZ', next_slot_at, '+30 seconds');

DROP INDEX schedules_due;
CREATE INDEX schedules_due ON schedules (due_at) WHERE state = 'active' AND removed_at IS NULL;
CREATE INDEX schedules_alert ON schedules (alert_after) WHERE state = 'active' AND removed_at IS NULL;

ALTER TABLE agents ADD COLUMN budget TEXT; -- JSON

CREATE TABLE calendars (
    name       TEXT PRIMARY KEY,
    days       TEXT NOT NULL, -- JSON: ranges of civil dates
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

-- Constraints cannot be changed in place. What refers to runs is put aside: a
-- reference to a row of a dropped table would stop the commit.
CREATE TABLE runs_new (
    id          TEXT PRIMARY KEY,
    schedule_id TEXT REFERENCES schedules (id),
    agent_id    TEXT NOT NULL REFERENCES agents (id),
    trigger     TEXT NOT NULL CHECK (trigger IN ('cron', 'catch_up', 'manual', 'retry')),
    slot        TEXT NOT NULL,
    slot_to     TEXT, -- last slot of a row that covers several
    slots       INTEGER NOT NULL DEFAULT 1 CHECK (slots > 0),
    state       TEXT NOT NULL CHECK (state IN ('claimed', 'started', 'waiting', 'waiting_for_agent', 'finished')),
    outcome     TEXT CHECK ((outcome IS NULL) = (state <> 'finished')),
    reason      TEXT NOT NULL DEFAULT '',
    reply       TEXT NOT NULL DEFAULT '',
    attempt     INTEGER NOT NULL DEFAULT 0,
    message_id  TEXT NOT NULL DEFAULT '',
    timeout_ms  INTEGER NOT NULL,
    usage       TEXT, -- JSON
    due_at      TEXT NOT NULL,
    claimed_at  TEXT,
    started_at  TEXT,
    deadline    TEXT,
    ended_at    TEXT,
    prompt_id   BLOB REFERENCES prompts (id),
    handle      TEXT NOT NULL DEFAULT '',
    retry_of    TEXT NOT NULL DEFAULT '' -- the run this one repeats
);
INSERT INTO runs_new SELECT *, '' FROM runs;
CREATE TABLE attempts_aside AS SELECT * FROM run_attempts;
DELETE FROM run_attempts;
DROP TABLE runs;
ALTER TABLE runs_new RENAME TO runs;
INSERT INTO run_attempts SELECT * FROM attempts_aside;
DROP TABLE attempts_aside;

-- The idempotency guard: one row for each slot.
CREATE UNIQUE INDEX runs_slot ON runs (schedule_id, slot) WHERE trigger IN ('cron', 'catch_up');
CREATE INDEX runs_schedule ON runs (schedule_id, id);
CREATE INDEX runs_agent ON runs (agent_id, id);
CREATE INDEX runs_open ON runs (due_at, id) WHERE state <> 'finished';
CREATE INDEX runs_open_schedule ON runs (schedule_id) WHERE state <> 'finished';
CREATE INDEX runs_open_agent ON runs (agent_id) WHERE state <> 'finished';
