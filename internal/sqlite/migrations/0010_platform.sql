-- +goose Up
-- What agents in the field need: a kind that asks for its work, a place in the
-- organisation, tokens of their own, and a queue.

ALTER TABLE agents ADD COLUMN role TEXT NOT NULL DEFAULT '';
ALTER TABLE agents ADD COLUMN tier INTEGER NOT NULL DEFAULT 1 CHECK (tier > 0);
ALTER TABLE agents ADD COLUMN parent_id TEXT REFERENCES agents (id);
ALTER TABLE agents ADD COLUMN runtime TEXT NOT NULL DEFAULT '';
ALTER TABLE agents ADD COLUMN card TEXT; -- JSON, as the agent registered it
ALTER TABLE agents ADD COLUMN reported_url TEXT NOT NULL DEFAULT ''; -- what it says its URL is, while that is not its to say
ALTER TABLE agents ADD COLUMN await_until TEXT; -- its first registration before then is given its token

-- A constraint cannot be changed in place, but a column that brings its own goes
-- with it.
ALTER TABLE agents ADD COLUMN sort TEXT NOT NULL DEFAULT 'exec' CHECK (sort IN ('push', 'poll', 'exec'));
ALTER TABLE agents ADD COLUMN owner TEXT NOT NULL DEFAULT '' CHECK (owner IN ('', 'agent', 'operator', 'provisioner'));
UPDATE agents SET sort = kind, owner = url_owner;
ALTER TABLE agents DROP COLUMN kind;
ALTER TABLE agents DROP COLUMN url_owner;
ALTER TABLE agents RENAME COLUMN sort TO kind;
ALTER TABLE agents RENAME COLUMN owner TO url_owner;

CREATE INDEX agents_parent ON agents (parent_id);

-- agent_id is whose a token of kind agent is; the others say for whom a token of
-- kind enrol is good.
ALTER TABLE tokens ADD COLUMN agent_id TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN enrol_name TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN enrol_role TEXT NOT NULL DEFAULT '';
CREATE INDEX tokens_agent ON tokens (agent_id) WHERE agent_id <> '' AND revoked_at IS NULL;

-- What an agent was sent and what it tells, in the order of seq. A row that is
-- queued or leased waits for the agent to ask for it; one of a run is answered
-- while answer is 'open'.
CREATE TABLE activities (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    agent_id     TEXT NOT NULL REFERENCES agents (id),
    type         TEXT NOT NULL CHECK (type IN ('a2a_send', 'a2a_receive', 'task_update', 'agent_log', 'skill_promotion', 'error')),
    state        TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'done', 'expired', 'withdrawn')),
    source_id    TEXT NOT NULL DEFAULT '',
    target_id    TEXT NOT NULL DEFAULT '',
    method       TEXT NOT NULL DEFAULT '',
    summary      TEXT NOT NULL DEFAULT '',
    status       TEXT NOT NULL DEFAULT 'ok',
    message_id   TEXT NOT NULL DEFAULT '',
    message      TEXT, -- JSON; a prompt is kept by its run
    run_id       TEXT NOT NULL DEFAULT '',
    again        INTEGER NOT NULL DEFAULT 1, -- whether it may be handed out a second time
    attempt      INTEGER NOT NULL DEFAULT 0, -- how often it, or what it repeats, was handed out
    repeats      TEXT NOT NULL DEFAULT '', -- the row whose lease ran out
    lease        TEXT NOT NULL DEFAULT '', -- which answer it was handed out in
    leased_until TEXT,
    answer       TEXT NOT NULL DEFAULT '' CHECK (answer IN ('', 'open', 'given', 'closed')),
    reply        TEXT, -- JSON: what the agent answered
    created_at   TEXT NOT NULL
);
CREATE INDEX activities_agent ON activities (agent_id, seq);
CREATE INDEX activities_open ON activities (agent_id, seq) WHERE state IN ('queued', 'leased');
CREATE INDEX activities_unread ON activities (agent_id, lease) WHERE state IN ('leased', 'expired');
CREATE INDEX activities_lease ON activities (leased_until) WHERE state = 'leased';
CREATE INDEX activities_answer ON activities (agent_id, seq) WHERE answer = 'open';
CREATE INDEX activities_repeats ON activities (repeats) WHERE repeats <> '';
CREATE INDEX activities_age ON activities (created_at) WHERE state NOT IN ('queued', 'leased');
