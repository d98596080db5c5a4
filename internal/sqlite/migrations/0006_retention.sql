-- +goose Up
-- What is left of runs that were pruned: their sums for each hour and day of
-- their slots, UTC. A row is written in the transaction that removes the runs it
-- sums up, so that each run is either in runs or in here.
CREATE TABLE rollups (
    schedule_id TEXT NOT NULL REFERENCES schedules (id),
    span        TEXT NOT NULL CHECK (span IN ('hour', 'day')),
    start       TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    runs        INTEGER NOT NULL,
    slots       INTEGER NOT NULL,
    took_runs   INTEGER NOT NULL, -- those that were started
    took_ms     INTEGER NOT NULL,
    took_max_ms INTEGER NOT NULL,
    lag_runs    INTEGER NOT NULL, -- those among them that a slot started
    lag_ms      INTEGER NOT NULL,
    lag_max_ms  INTEGER NOT NULL,
    PRIMARY KEY (schedule_id, span, start, outcome)
) WITHOUT ROWID;
CREATE INDEX rollups_start ON rollups (span, start);

-- What a run repeats is kept as long as the run.
CREATE INDEX runs_retry_of ON runs (retry_of) WHERE retry_of <> '';

-- What was removed and what is over is found by when, and an agent by all its
-- schedules, also those that were removed.
CREATE INDEX schedules_removed ON schedules (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX agents_removed ON agents (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX incidents_closed ON incidents (closed_at) WHERE closed_at IS NOT NULL;
DROP INDEX schedules_agent;
CREATE INDEX schedules_agent ON schedules (agent_id, next_slot_at);

-- A prompt goes when neither a run nor a schedule has had it for a while. That is
-- found by reading; to have the file watch over it would need an index of runs by
-- prompt, which is a sixth of what a fire costs the store. loose_at is when
-- nothing was found to have it; whoever begins to have it takes that back. The
-- constraint is taken out of the text of the tables: no row changes, and so none
-- is written anew.
ALTER TABLE prompts ADD COLUMN loose_at TEXT;
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, ' REFERENCES prompts (id)', '')
WHERE type = 'table' AND name IN ('runs', 'schedules');
PRAGMA writable_schema = RESET;
