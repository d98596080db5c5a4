-- +goose Up
-- What is believed of agents. The states are those of the table in package
-- molecule. A constraint cannot be changed in place, but a column that brings
-- its own goes with it.
DROP INDEX agents_state;
ALTER TABLE agents ADD COLUMN believed TEXT NOT NULL DEFAULT 'pending'
    CHECK (believed IN ('pending', 'online', 'degraded', 'suspect', 'offline', 'paused', 'removed', 'unknown'));
UPDATE agents SET believed = CASE WHEN removed_at IS NULL THEN state ELSE 'removed' END;
ALTER TABLE agents DROP COLUMN state;
ALTER TABLE agents RENAME COLUMN believed TO state;
CREATE INDEX agents_state ON agents (state) WHERE removed_at IS NULL;

ALTER TABLE agents ADD COLUMN state_since TEXT; -- NULL: since it was made
ALTER TABLE agents ADD COLUMN state_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE agents ADD COLUMN heard INTEGER NOT NULL DEFAULT 0; -- it has ever sent a request

-- The last transitions of each agent, oldest first.
CREATE TABLE agent_transitions (
    id         INTEGER PRIMARY KEY,
    agent_id   TEXT NOT NULL REFERENCES agents (id),
    at         TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    reason     TEXT NOT NULL
);
CREATE INDEX agent_transitions_agent ON agent_transitions (agent_id, id);

-- When each agent was last heard and what it said, packed by package registry.
CREATE TABLE watch_checkpoint (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    at   TEXT NOT NULL,
    body BLOB NOT NULL
);
