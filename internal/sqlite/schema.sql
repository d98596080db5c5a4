-- The newest schema, made by TestSchema_isWrittenDownAsOneFile. Do not edit.

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

CREATE INDEX activities_age ON activities (created_at) WHERE state NOT IN ('queued', 'leased');

CREATE INDEX activities_agent ON activities (agent_id, seq);

CREATE INDEX activities_answer ON activities (agent_id, seq) WHERE answer = 'open';

CREATE INDEX activities_lease ON activities (leased_until) WHERE state = 'leased';

CREATE INDEX activities_open ON activities (agent_id, seq) WHERE state IN ('queued', 'leased');

CREATE INDEX activities_repeats ON activities (repeats) WHERE repeats <> '';

CREATE INDEX activities_unread ON activities (agent_id, lease) WHERE state IN ('leased', 'expired');

CREATE TABLE agent_transitions (
    id         INTEGER PRIMARY KEY,
    agent_id   TEXT NOT NULL REFERENCES agents (id),
    at         TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    reason     TEXT NOT NULL
);

CREATE INDEX agent_transitions_agent ON agent_transitions (agent_id, id);

CREATE TABLE agents (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    url            TEXT NOT NULL DEFAULT '',
    exec           TEXT, -- JSON
    max_concurrent INTEGER NOT NULL CHECK (max_concurrent > 0),
    silent_streak  INTEGER NOT NULL DEFAULT 0,
    last_outcome   TEXT NOT NULL DEFAULT '',
    last_run_at    TEXT,
    created_at     TEXT NOT NULL,
    updated_at     TEXT NOT NULL,
    removed_at     TEXT
, budget TEXT, role TEXT NOT NULL DEFAULT '', tier INTEGER NOT NULL DEFAULT 1 CHECK (tier > 0), parent_id TEXT REFERENCES agents (id), runtime TEXT NOT NULL DEFAULT '', card TEXT, reported_url TEXT NOT NULL DEFAULT '', await_until TEXT, kind TEXT NOT NULL DEFAULT 'exec' CHECK (kind IN ('push', 'poll', 'exec')), url_owner TEXT NOT NULL DEFAULT '' CHECK (url_owner IN ('', 'agent', 'operator', 'provisioner')), state TEXT NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'online', 'degraded', 'suspect', 'offline', 'paused', 'removed', 'unknown')), state_since TEXT, state_reason TEXT NOT NULL DEFAULT '', heard INTEGER NOT NULL DEFAULT 0);

CREATE UNIQUE INDEX agents_name ON agents (name) WHERE removed_at IS NULL;

CREATE INDEX agents_parent ON agents (parent_id);

CREATE INDEX agents_removed ON agents (removed_at) WHERE removed_at IS NOT NULL;

CREATE INDEX agents_state ON agents (state) WHERE removed_at IS NULL;

CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;

CREATE TRIGGER audit_undeleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    at         TEXT NOT NULL,
    principal  TEXT NOT NULL,
    source     TEXT NOT NULL,
    action     TEXT NOT NULL,
    object     TEXT NOT NULL,
    result     TEXT NOT NULL CHECK (result IN ('done', 'refused')),
    reason     TEXT NOT NULL DEFAULT '',
    request_id TEXT NOT NULL DEFAULT '',
    prev       BLOB NOT NULL CHECK (length(prev) = 32),
    hash       BLOB NOT NULL CHECK (length(hash) = 32)
);

CREATE INDEX audit_object ON audit (object, id);

CREATE INDEX audit_principal ON audit (principal, id);

CREATE TABLE calendars (
    name       TEXT PRIMARY KEY,
    days       TEXT NOT NULL, -- JSON: ranges of civil dates
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE TABLE events (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      TEXT NOT NULL,
    type    TEXT NOT NULL,
    subject TEXT NOT NULL,
    data    TEXT
);

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

CREATE INDEX incidents_closed ON incidents (closed_at) WHERE closed_at IS NOT NULL;

CREATE INDEX incidents_kind ON incidents (kind, id);

CREATE UNIQUE INDEX incidents_open ON incidents (kind, subject) WHERE closed_at IS NULL;

CREATE INDEX incidents_subject ON incidents (subject, id);

CREATE TABLE prompts (
    id   BLOB NOT NULL UNIQUE, -- SHA-256 of body
    body TEXT NOT NULL
, loose_at TEXT);

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

CREATE TABLE run_attempts (
    run_id     TEXT NOT NULL REFERENCES runs (id),
    number     INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at   TEXT,
    outcome    TEXT NOT NULL DEFAULT '',
    reason     TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, number)
) WITHOUT ROWID;

CREATE TABLE "runs" (
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
    prompt_id   BLOB,
    handle      TEXT NOT NULL DEFAULT '',
    retry_of    TEXT NOT NULL DEFAULT '' -- the run this one repeats
);

CREATE INDEX runs_agent ON runs (agent_id, id);

CREATE INDEX runs_open ON runs (due_at, id) WHERE outcome IS NULL;

CREATE INDEX runs_open_agent ON runs (agent_id) WHERE outcome IS NULL;

CREATE INDEX runs_open_schedule ON runs (schedule_id) WHERE outcome IS NULL;

CREATE INDEX runs_retry_of ON runs (retry_of) WHERE retry_of <> '';

CREATE INDEX runs_schedule ON runs (schedule_id, id);

CREATE UNIQUE INDEX runs_slot ON runs (schedule_id, slot) WHERE trigger IN ('cron', 'catch_up');

CREATE INDEX runs_waiting ON runs (id) WHERE state = 'waiting';

CREATE TABLE schedules (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    agent_id       TEXT NOT NULL REFERENCES agents (id),
    cron           TEXT NOT NULL,
    tz             TEXT NOT NULL,
    description    TEXT NOT NULL,
    prompt_id      BLOB NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('active', 'paused', 'error', 'finished')),
    reason         TEXT NOT NULL DEFAULT '',
    timeout_ms     INTEGER NOT NULL CHECK (timeout_ms > 0),
    next_slot_at   TEXT CHECK (state <> 'active' OR next_slot_at IS NOT NULL OR removed_at IS NOT NULL),
    last_slot_at   TEXT,
    last_outcome   TEXT NOT NULL DEFAULT '',
    failure_streak INTEGER NOT NULL DEFAULT 0,
    empty_streak   INTEGER NOT NULL DEFAULT 0,
    created_at     TEXT NOT NULL,
    updated_at     TEXT NOT NULL,
    removed_at     TEXT
, dst TEXT NOT NULL DEFAULT '', seconds INTEGER NOT NULL DEFAULT 0, phase_ms INTEGER NOT NULL DEFAULT 0, policy TEXT NOT NULL DEFAULT '{}', fired INTEGER NOT NULL DEFAULT 0, broken_streak INTEGER NOT NULL DEFAULT 0, due_at TEXT, alert_after TEXT, active_since TEXT);

CREATE INDEX schedules_agent ON schedules (agent_id, next_slot_at);

CREATE INDEX schedules_blank ON schedules (empty_streak) WHERE removed_at IS NULL AND empty_streak > 0;

CREATE INDEX schedules_due ON schedules (due_at) WHERE state = 'active' AND removed_at IS NULL;

CREATE INDEX schedules_failing ON schedules (failure_streak)
    WHERE removed_at IS NULL AND state = 'active' AND failure_streak > 0;

CREATE UNIQUE INDEX schedules_name ON schedules (name) WHERE removed_at IS NULL;

CREATE INDEX schedules_removed ON schedules (removed_at) WHERE removed_at IS NOT NULL;

CREATE INDEX schedules_state ON schedules (state) WHERE removed_at IS NULL AND state <> 'active';

CREATE TABLE secret_map (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    body       TEXT NOT NULL,
    applied_at TEXT NOT NULL
);

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

CREATE TABLE subsystem_events (
    id         INTEGER PRIMARY KEY,
    at         TEXT NOT NULL,
    subsystem  TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    error      TEXT NOT NULL DEFAULT '',
    blocked_in TEXT NOT NULL DEFAULT '',
    stack      TEXT NOT NULL DEFAULT ''
);

CREATE INDEX subsystem_events_name ON subsystem_events (subsystem, id);

CREATE TABLE tokens (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    kind         TEXT NOT NULL,
    scopes       TEXT NOT NULL, -- JSON
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    created_at   TEXT NOT NULL,
    created_by   TEXT NOT NULL DEFAULT '',
    expires_at   TEXT,
    last_used_at TEXT,
    revoked_at   TEXT
, agent_id TEXT NOT NULL DEFAULT '', enrol_name TEXT NOT NULL DEFAULT '', enrol_role TEXT NOT NULL DEFAULT '');

CREATE INDEX tokens_agent ON tokens (agent_id) WHERE agent_id <> '' AND revoked_at IS NULL;

CREATE TABLE vault (
    name   TEXT PRIMARY KEY,
    key_id TEXT NOT NULL DEFAULT '',
    wrapped BLOB,
    body   BLOB NOT NULL
);

CREATE TABLE watch_checkpoint (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    at   TEXT NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE writer_proof (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at TEXT NOT NULL
);
