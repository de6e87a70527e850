-- Times are microseconds since 1970 in UTC, durations microseconds, truth values 0 and 1, ids lower-case UUID text,
-- states words that restate the enums of the code.

CREATE TABLE IF NOT EXISTS users (
    id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
    login VARCHAR(64) COLLATE "C" NOT NULL,
    login_key VARCHAR(64) COLLATE "C" NOT NULL UNIQUE, -- the login in lower case
    display_name VARCHAR(128) COLLATE "C" NOT NULL,
    password_hash VARCHAR(255) COLLATE "C" NOT NULL,
    is_admin BIGINT NOT NULL,
    is_disabled BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_sign_in_at BIGINT
);

CREATE TABLE IF NOT EXISTS setup_codes (
    code_hash VARCHAR(64) COLLATE "C" NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS sessions (
    token_hash VARCHAR(64) COLLATE "C" NOT NULL PRIMARY KEY,
    user_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL, -- grows with use
    expires_at BIGINT NOT NULL -- never grows
);

CREATE INDEX IF NOT EXISTS sessions_user ON sessions (user_id);

CREATE TABLE IF NOT EXISTS job_groups (
    id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
    name VARCHAR(64) COLLATE "C" NOT NULL UNIQUE,
    description TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS group_members (
    group_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES job_groups (id),
    user_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES users (id),
    role VARCHAR(16) COLLATE "C" NOT NULL CHECK (role IN ('viewer', 'operator', 'editor', 'owner')),
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX IF NOT EXISTS group_members_user ON group_members (user_id);

CREATE TABLE IF NOT EXISTS group_run_as (
    group_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES job_groups (id),
    run_as VARCHAR(64) COLLATE "C" NOT NULL,
    PRIMARY KEY (group_id, run_as)
);

CREATE TABLE IF NOT EXISTS agents (
    id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
    name VARCHAR(64) COLLATE "C" NOT NULL,
    state VARCHAR(16) COLLATE "C" NOT NULL CHECK (state IN ('pending', 'active', 'revoked')),
    key_fingerprint VARCHAR(64) COLLATE "C" NOT NULL UNIQUE,
    certificate_serial VARCHAR(64) COLLATE "C" NOT NULL,
    session_epoch BIGINT NOT NULL,
    center VARCHAR(80) COLLATE "C", -- who holds the session of session_epoch
    boot_id VARCHAR(64) COLLATE "C",
    joined_at BIGINT NOT NULL,
    last_seen_at BIGINT,
    hostname VARCHAR(255) COLLATE "C" NOT NULL,
    os VARCHAR(255) COLLATE "C" NOT NULL,
    arch VARCHAR(32) COLLATE "C" NOT NULL,
    version VARCHAR(64) COLLATE "C" NOT NULL,
    is_root BIGINT NOT NULL,
    cpu_count BIGINT NOT NULL,
    memory_total_bytes BIGINT NOT NULL,
    memory_available_bytes BIGINT NOT NULL,
    load_1m DOUBLE PRECISION NOT NULL,
    running_count BIGINT NOT NULL,
    clock_offset_us BIGINT,
    round_trip_us BIGINT
);

CREATE INDEX IF NOT EXISTS agents_name ON agents (name, id);

CREATE TABLE IF NOT EXISTS group_agents (
    group_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES job_groups (id),
    agent_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES agents (id),
    PRIMARY KEY (group_id, agent_id)
);

CREATE INDEX IF NOT EXISTS group_agents_agent ON group_agents (agent_id);

CREATE TABLE IF NOT EXISTS join_tokens (
    id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
    secret_hash VARCHAR(64) COLLATE "C" NOT NULL UNIQUE,
    is_preapproved BIGINT NOT NULL,
    uses_max BIGINT NOT NULL,
    uses BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    created_by VARCHAR(36) COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS join_token_groups (
    join_token_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES join_tokens (id),
    group_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES job_groups (id),
    PRIMARY KEY (join_token_id, group_id)
);

CREATE TABLE IF NOT EXISTS jobs (
    id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
    group_id VARCHAR(36) COLLATE "C" NOT NULL, -- of a deleted job the group may be gone
    name VARCHAR(128) COLLATE "C" NOT NULL,
    name_key VARCHAR(128) COLLATE "C", -- the name; NULL once deleted, so that the name is free again
    kind VARCHAR(16) COLLATE "C" NOT NULL CHECK (kind IN ('scheduled', 'daemon')),
    version BIGINT NOT NULL,
    is_paused BIGINT NOT NULL,
    is_deleted BIGINT NOT NULL,
    is_target_all BIGINT NOT NULL, -- 0: the agents in job_targets
    processes BIGINT NOT NULL,
    is_reboot BIGINT NOT NULL, -- runs at the start of the agent's host
    shard BIGINT NOT NULL,
    watermark BIGINT NOT NULL,
    next_due BIGINT, -- first due instant after the watermark; NULL while paused, once deleted, for daemons
    created_at BIGINT NOT NULL,
    UNIQUE (group_id, name_key)
);

CREATE INDEX IF NOT EXISTS jobs_name ON jobs (name_key, id);

CREATE INDEX IF NOT EXISTS jobs_due ON jobs (shard, next_due);

CREATE TABLE IF NOT EXISTS job_versions (
    job_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES jobs (id),
    version BIGINT NOT NULL,
    spec TEXT COLLATE "C" NOT NULL, -- JSON
    author_id VARCHAR(36) COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, version)
);

CREATE TABLE IF NOT EXISTS job_targets (
    job_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES jobs (id),
    agent_id VARCHAR(36) COLLATE "C" NOT NULL, -- may name an agent that is gone
    PRIMARY KEY (job_id, agent_id)
);

CREATE INDEX IF NOT EXISTS job_targets_agent ON job_targets (agent_id);

CREATE TABLE IF NOT EXISTS triggers (
    job_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES jobs (id),
    trigger_key VARCHAR(255) COLLATE "C" NOT NULL,
    due BIGINT NOT NULL,
    PRIMARY KEY (job_id, trigger_key)
);

CREATE INDEX IF NOT EXISTS triggers_due ON triggers (due);

CREATE TABLE IF NOT EXISTS runs (
    id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY, -- begins with the due instant
    job_id VARCHAR(36) COLLATE "C" NOT NULL,
    job_version BIGINT NOT NULL,
    group_id VARCHAR(36) COLLATE "C" NOT NULL,
    agent_id VARCHAR(36) COLLATE "C" NOT NULL,
    copy BIGINT NOT NULL,
    copies BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    cause VARCHAR(16) COLLATE "C" NOT NULL CHECK (cause IN ('schedule', 'manual', 'retry', 'reboot')),
    trigger_key VARCHAR(255) COLLATE "C" NOT NULL,
    requested_by VARCHAR(36) COLLATE "C",
    state VARCHAR(16) COLLATE "C" NOT NULL CHECK (state IN ('planned', 'dispatched', 'accepted', 'running', 'ended')),
    outcome VARCHAR(16) COLLATE "C"
        CHECK (outcome IN ('succeeded', 'failed', 'killed', 'timed_out', 'skipped', 'missed', 'lost')),
    reason VARCHAR(32) COLLATE "C",
    detail TEXT COLLATE "C",
    is_refined BIGINT NOT NULL,
    due BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    planned_at BIGINT NOT NULL,
    dispatched_at BIGINT,
    accepted_at BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    duration_us BIGINT,
    pid BIGINT,
    exit_code BIGINT,
    signal_number BIGINT,
    has_core BIGINT,
    user_time_us BIGINT,
    system_time_us BIGINT,
    memory_peak_bytes BIGINT,
    output_written_bytes BIGINT,
    output_dropped_bytes BIGINT,
    output_end_offset BIGINT,
    kill_requested_by VARCHAR(36) COLLATE "C",
    kill_requested_at BIGINT,
    revoke_reason VARCHAR(32) COLLATE "C", -- asked back from the agent, and why
    unreachable_since BIGINT,
    session_epoch BIGINT,
    center VARCHAR(80) COLLATE "C",
    active_agent VARCHAR(36) COLLATE "C", -- the agent while the run has not ended
    after_run VARCHAR(36) COLLATE "C", -- not sent before this run of an older version is known not to have started
    CHECK ((state = 'ended') = (outcome IS NOT NULL)),
    CHECK ((state = 'ended') = (active_agent IS NULL)),
    CHECK (outcome NOT IN ('skipped', 'missed', 'lost') OR reason IS NOT NULL)
);

CREATE INDEX IF NOT EXISTS runs_job ON runs (job_id, id);

CREATE INDEX IF NOT EXISTS runs_group ON runs (group_id, id);

CREATE INDEX IF NOT EXISTS runs_agent ON runs (agent_id, id);

-- The next two hold few rows: what has not ended, and what went wrong.
CREATE INDEX IF NOT EXISTS runs_active ON runs (active_agent, not_before) WHERE active_agent IS NOT NULL;

CREATE INDEX IF NOT EXISTS runs_outcome ON runs (outcome, id) WHERE outcome <> 'succeeded';

CREATE TABLE IF NOT EXISTS lapses (
    job_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES jobs (id),
    due_from BIGINT NOT NULL,
    due_to BIGINT NOT NULL,
    due_count BIGINT NOT NULL,
    reason VARCHAR(32) COLLATE "C" NOT NULL,
    group_id VARCHAR(36) COLLATE "C" NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, due_from)
);

CREATE INDEX IF NOT EXISTS lapses_due ON lapses (due_from, job_id);

CREATE TABLE IF NOT EXISTS slots (
    job_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES jobs (id),
    agent_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES agents (id),
    slot_index BIGINT NOT NULL,
    state VARCHAR(16) COLLATE "C" NOT NULL
        CHECK (state IN ('starting', 'running', 'backoff', 'crash_loop', 'stopping', 'stopped')),
    since BIGINT NOT NULL,
    job_version BIGINT NOT NULL,
    process_id VARCHAR(36) COLLATE "C",
    started_at BIGINT,
    pid BIGINT,
    last_exit_code BIGINT,
    last_signal_number BIGINT,
    last_has_core BIGINT,
    last_reason VARCHAR(32) COLLATE "C",
    last_detail TEXT COLLATE "C",
    restarts BIGINT NOT NULL,
    retry_at BIGINT,
    reported_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, agent_id, slot_index)
);

CREATE INDEX IF NOT EXISTS slots_agent ON slots (agent_id);

CREATE TABLE IF NOT EXISTS processes (
    id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
    job_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES jobs (id),
    job_version BIGINT NOT NULL,
    agent_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES agents (id),
    slot_index BIGINT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    started_at BIGINT,
    pid BIGINT,
    ended_at BIGINT,
    stopped_for VARCHAR(16) COLLATE "C",
    exit_code BIGINT,
    signal_number BIGINT,
    has_core BIGINT,
    reason VARCHAR(32) COLLATE "C",
    detail TEXT COLLATE "C",
    duration_us BIGINT,
    user_time_us BIGINT,
    system_time_us BIGINT,
    memory_peak_bytes BIGINT,
    output_written_bytes BIGINT,
    output_dropped_bytes BIGINT,
    output_end_offset BIGINT
);

CREATE INDEX IF NOT EXISTS processes_slot ON processes (job_id, agent_id, slot_index, first_seen_at);

-- Offsets count framed bytes. What lies between two chunks was dropped by the agent or deleted from the middle.
CREATE TABLE IF NOT EXISTS outputs (
    life_id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
    agent_id VARCHAR(36) COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    seen_to BIGINT NOT NULL, -- largest end of a chunk received
    end_offset BIGINT, -- where the stream ends, once known
    stored_bytes BIGINT NOT NULL,
    trimmed_from BIGINT NOT NULL, -- what was deleted lies in trimmed_from..trimmed_to
    trimmed_to BIGINT NOT NULL,
    trimmed_bytes BIGINT NOT NULL
);

CREATE INDEX IF NOT EXISTS outputs_created ON outputs (created_at);

CREATE TABLE IF NOT EXISTS output_chunks (
    life_id VARCHAR(36) COLLATE "C" NOT NULL,
    start_offset BIGINT NOT NULL,
    length BIGINT NOT NULL,
    is_compressed BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (life_id, start_offset)
);
