CREATE TABLE agent_policies (
    agent_id VARCHAR(36) NOT NULL PRIMARY KEY REFERENCES agents (id),
    report TEXT NOT NULL
);

CREATE TABLE agent_spools (
    agent_id VARCHAR(36) NOT NULL PRIMARY KEY REFERENCES agents (id),
    bytes BIGINT NOT NULL,
    max_bytes BIGINT NOT NULL,
    dropped_count BIGINT NOT NULL -- ended processes whose output was given up since the agent started
);

CREATE TABLE agents (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    name VARCHAR(64) NOT NULL,
    state VARCHAR(16) NOT NULL CHECK (state IN ('pending', 'active', 'revoked')),
    key_fingerprint VARCHAR(64) NOT NULL UNIQUE,
    certificate_serial VARCHAR(64) NOT NULL,
    session_epoch BIGINT NOT NULL,
    center VARCHAR(80), -- who holds the session of session_epoch
    boot_id VARCHAR(64),
    joined_at BIGINT NOT NULL,
    last_seen_at BIGINT,
    hostname VARCHAR(255) NOT NULL,
    os VARCHAR(255) NOT NULL,
    arch VARCHAR(32) NOT NULL,
    version VARCHAR(64) NOT NULL,
    is_root BIGINT NOT NULL,
    cpu_count BIGINT NOT NULL,
    memory_total_bytes BIGINT NOT NULL,
    memory_available_bytes BIGINT NOT NULL,
    load_1m DOUBLE PRECISION NOT NULL,
    running_count BIGINT NOT NULL,
    clock_offset_us BIGINT,
    round_trip_us BIGINT
, cgroups TEXT, running_max BIGINT, starts_per_second BIGINT);

CREATE INDEX agents_name ON agents (name, id);

CREATE TABLE calendar_versions (
    calendar_id VARCHAR(36) NOT NULL REFERENCES calendars (id),
    version BIGINT NOT NULL,
    content TEXT NOT NULL, -- JSON
    author_id VARCHAR(36) NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (calendar_id, version)
);

CREATE TABLE calendars (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    group_id VARCHAR(36) REFERENCES job_groups (id), -- NULL: of the fleet
    scope_key VARCHAR(36) NOT NULL, -- the group; empty for the fleet
    name VARCHAR(64) NOT NULL,
    name_key VARCHAR(64), -- the name; NULL once deleted, so that the name is free again
    version BIGINT NOT NULL,
    is_deleted BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (scope_key, name_key)
);

CREATE TABLE centers (
    id VARCHAR(80) NOT NULL PRIMARY KEY,
    name VARCHAR(255) NOT NULL, -- of its machine
    version VARCHAR(64) NOT NULL,
    address VARCHAR(300) NOT NULL, -- for people
    agent_address VARCHAR(300), -- for agents; NULL if it has none that means anything elsewhere
    started_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL
);

CREATE TABLE deployment (
    name VARCHAR(32) NOT NULL PRIMARY KEY,
    fact VARCHAR(80) NOT NULL
);

CREATE TABLE group_agents (
    group_id VARCHAR(36) NOT NULL REFERENCES job_groups (id),
    agent_id VARCHAR(36) NOT NULL REFERENCES agents (id),
    PRIMARY KEY (group_id, agent_id)
);

CREATE INDEX group_agents_agent ON group_agents (agent_id);

CREATE TABLE group_members (
    group_id VARCHAR(36) NOT NULL REFERENCES job_groups (id),
    user_id VARCHAR(36) NOT NULL REFERENCES users (id),
    role VARCHAR(16) NOT NULL CHECK (role IN ('viewer', 'operator', 'editor', 'owner')),
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX group_members_user ON group_members (user_id);

CREATE TABLE group_run_as (
    group_id VARCHAR(36) NOT NULL REFERENCES job_groups (id),
    run_as VARCHAR(64) NOT NULL,
    PRIMARY KEY (group_id, run_as)
);

CREATE TABLE hints (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    center VARCHAR(80) NOT NULL, -- who tells
    written_at BIGINT NOT NULL,
    body TEXT NOT NULL -- JSON
);

CREATE INDEX hints_written ON hints (written_at);

CREATE TABLE job_groups (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    name VARCHAR(64) NOT NULL UNIQUE,
    description TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE job_targets (
    job_id VARCHAR(36) NOT NULL REFERENCES jobs (id),
    agent_id VARCHAR(36) NOT NULL, -- may name an agent that is gone
    PRIMARY KEY (job_id, agent_id)
);

CREATE INDEX job_targets_agent ON job_targets (agent_id);

CREATE TABLE job_versions (
    job_id VARCHAR(36) NOT NULL REFERENCES jobs (id),
    version BIGINT NOT NULL,
    spec TEXT NOT NULL, -- JSON
    author_id VARCHAR(36) NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, version)
);

CREATE TABLE jobs (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    group_id VARCHAR(36) NOT NULL, -- of a deleted job the group may be gone
    name VARCHAR(128) NOT NULL,
    name_key VARCHAR(128), -- the name; NULL once deleted, so that the name is free again
    kind VARCHAR(16) NOT NULL CHECK (kind IN ('scheduled', 'daemon')),
    version BIGINT NOT NULL,
    is_paused BIGINT NOT NULL,
    is_deleted BIGINT NOT NULL,
    is_target_all BIGINT NOT NULL, -- 0: the agents in job_targets
    processes BIGINT NOT NULL,
    is_reboot BIGINT NOT NULL, -- runs at the start of the agent's host
    shard BIGINT NOT NULL,
    watermark BIGINT NOT NULL,
    next_due BIGINT, -- first due instant after the watermark; NULL while paused, once deleted, for daemons
    created_at BIGINT NOT NULL, snoozed_until BIGINT, snoozed_at BIGINT, snoozed_by VARCHAR(36), held_until BIGINT, calendar_id VARCHAR(36), calendar_version BIGINT,
    UNIQUE (group_id, name_key)
);

CREATE INDEX jobs_calendar ON jobs (calendar_id, calendar_version, id);

CREATE INDEX jobs_due ON jobs (shard, next_due, id);

CREATE INDEX jobs_kind ON jobs (group_id, kind, id);

CREATE INDEX jobs_name ON jobs (name_key, id);

CREATE INDEX jobs_reboot ON jobs (group_id, is_reboot, id);

CREATE TABLE join_token_groups (
    join_token_id VARCHAR(36) NOT NULL REFERENCES join_tokens (id),
    group_id VARCHAR(36) NOT NULL REFERENCES job_groups (id),
    PRIMARY KEY (join_token_id, group_id)
);

CREATE TABLE join_tokens (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    secret_hash VARCHAR(64) NOT NULL UNIQUE,
    is_preapproved BIGINT NOT NULL,
    uses_max BIGINT NOT NULL,
    uses BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    created_by VARCHAR(36) NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE key_checks (
    key_id VARCHAR(16) NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE lapses (
    job_id VARCHAR(36) NOT NULL REFERENCES jobs (id),
    due_from BIGINT NOT NULL,
    due_to BIGINT NOT NULL,
    due_count BIGINT NOT NULL,
    reason VARCHAR(32) NOT NULL,
    group_id VARCHAR(36) NOT NULL,
    recorded_at BIGINT NOT NULL, epoch BIGINT, job_version BIGINT,
    PRIMARY KEY (job_id, due_from)
);

CREATE INDEX lapses_due ON lapses (due_from, job_id);

CREATE TABLE leases (
    shard BIGINT NOT NULL PRIMARY KEY,
    holder VARCHAR(80) NOT NULL, -- a center's id; empty before the first term
    epoch BIGINT NOT NULL, -- grows with every term
    seq BIGINT NOT NULL, -- grows with every planning transaction
    expires_at BIGINT NOT NULL
, windows_version BIGINT NOT NULL DEFAULT 0);

CREATE TABLE migrations (number BIGINT NOT NULL PRIMARY KEY, name VARCHAR(64) NOT NULL, applied_at BIGINT NOT NULL);

CREATE TABLE output_chunks (
    life_id VARCHAR(36) NOT NULL,
    start_offset BIGINT NOT NULL,
    length BIGINT NOT NULL,
    is_compressed BIGINT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (life_id, start_offset)
);

CREATE TABLE outputs (
    life_id VARCHAR(36) NOT NULL PRIMARY KEY,
    agent_id VARCHAR(36) NOT NULL,
    created_at BIGINT NOT NULL,
    seen_to BIGINT NOT NULL, -- largest end of a chunk received
    end_offset BIGINT, -- where the stream ends, once known
    stored_bytes BIGINT NOT NULL,
    trimmed_from BIGINT NOT NULL, -- what was deleted lies in trimmed_from..trimmed_to
    trimmed_to BIGINT NOT NULL,
    trimmed_bytes BIGINT NOT NULL
);

CREATE INDEX outputs_created ON outputs (created_at);

CREATE TABLE pauses (
    job_id VARCHAR(36) NOT NULL REFERENCES jobs (id),
    paused_at BIGINT NOT NULL,
    resumed_at BIGINT,
    PRIMARY KEY (job_id, paused_at)
);

CREATE TABLE processes (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    job_id VARCHAR(36) NOT NULL REFERENCES jobs (id),
    job_version BIGINT NOT NULL,
    agent_id VARCHAR(36) NOT NULL REFERENCES agents (id),
    slot_index BIGINT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    started_at BIGINT,
    pid BIGINT,
    ended_at BIGINT,
    stopped_for VARCHAR(16),
    exit_code BIGINT,
    signal_number BIGINT,
    has_core BIGINT,
    reason VARCHAR(32),
    detail TEXT,
    duration_us BIGINT,
    user_time_us BIGINT,
    system_time_us BIGINT,
    memory_peak_bytes BIGINT,
    output_written_bytes BIGINT,
    output_dropped_bytes BIGINT,
    output_end_offset BIGINT
, cleanup TEXT, oom_kills BIGINT);

CREATE INDEX processes_slot ON processes (job_id, agent_id, slot_index, first_seen_at);

CREATE TABLE runs (
    id VARCHAR(36) NOT NULL PRIMARY KEY, -- begins with the due instant
    job_id VARCHAR(36) NOT NULL,
    job_version BIGINT NOT NULL,
    group_id VARCHAR(36) NOT NULL,
    agent_id VARCHAR(36) NOT NULL,
    copy BIGINT NOT NULL,
    copies BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    cause VARCHAR(16) NOT NULL CHECK (cause IN ('schedule', 'manual', 'retry', 'reboot')),
    trigger_key VARCHAR(255) NOT NULL,
    requested_by VARCHAR(36),
    state VARCHAR(16) NOT NULL CHECK (state IN ('planned', 'dispatched', 'accepted', 'running', 'ended')),
    outcome VARCHAR(16)
        CHECK (outcome IN ('succeeded', 'failed', 'killed', 'timed_out', 'skipped', 'missed', 'lost')),
    reason VARCHAR(32),
    detail TEXT,
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
    kill_requested_by VARCHAR(36),
    kill_requested_at BIGINT,
    revoke_reason VARCHAR(32), -- asked back from the agent, and why
    unreachable_since BIGINT,
    session_epoch BIGINT,
    center VARCHAR(80),
    active_agent VARCHAR(36), -- the agent while the run has not ended
    after_run VARCHAR(36), cleanup TEXT, oom_kills BIGINT, is_caught_up BIGINT, epoch BIGINT, offer VARCHAR(16), refused_reason VARCHAR(32), -- not sent before this run of an older version is known not to have started
    CHECK ((state = 'ended') = (outcome IS NOT NULL)),
    CHECK ((state = 'ended') = (active_agent IS NULL)),
    CHECK (outcome NOT IN ('skipped', 'missed', 'lost') OR reason IS NOT NULL)
);

CREATE INDEX runs_active ON runs (active_agent, not_before, id, group_id) WHERE active_agent IS NOT NULL;

CREATE INDEX runs_after ON runs (after_run, id) WHERE after_run IS NOT NULL;

CREATE INDEX runs_agent ON runs (agent_id, id, group_id);

CREATE INDEX runs_group ON runs (group_id, id);

CREATE INDEX runs_job ON runs (job_id, id);

CREATE INDEX runs_offers ON runs (offer, job_id, id) WHERE offer IS NOT NULL;

CREATE INDEX runs_outcome ON runs (outcome, id, group_id) WHERE outcome <> 'succeeded';

CREATE INDEX runs_planned ON runs (active_agent, not_before, id) WHERE state = 'planned';

CREATE TABLE secrets (
    group_id VARCHAR(36) NOT NULL REFERENCES job_groups (id),
    name VARCHAR(64) NOT NULL,
    version BIGINT NOT NULL,
    key_id VARCHAR(16) NOT NULL,
    sealed BLOB NOT NULL, -- nonce and ciphertext; the key is not in the database
    updated_by VARCHAR(36) NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (group_id, name)
);

CREATE TABLE sessions (
    token_hash VARCHAR(64) NOT NULL PRIMARY KEY,
    user_id VARCHAR(36) NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL, -- grows with use
    expires_at BIGINT NOT NULL -- never grows
);

CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE setup_codes (
    code_hash VARCHAR(64) NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

CREATE TABLE slot_restarts (
    job_id VARCHAR(36) NOT NULL REFERENCES jobs (id),
    agent_id VARCHAR(36) NOT NULL REFERENCES agents (id),
    slot_index BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    PRIMARY KEY (agent_id, job_id, slot_index)
);

CREATE TABLE slots (
    job_id VARCHAR(36) NOT NULL REFERENCES jobs (id),
    agent_id VARCHAR(36) NOT NULL REFERENCES agents (id),
    slot_index BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL
        CHECK (state IN ('starting', 'running', 'backoff', 'crash_loop', 'stopping', 'stopped')),
    since BIGINT NOT NULL,
    job_version BIGINT NOT NULL,
    process_id VARCHAR(36),
    started_at BIGINT,
    pid BIGINT,
    last_exit_code BIGINT,
    last_signal_number BIGINT,
    last_has_core BIGINT,
    last_reason VARCHAR(32),
    last_detail TEXT,
    restarts BIGINT NOT NULL,
    retry_at BIGINT,
    reported_at BIGINT NOT NULL, probe_kind VARCHAR(16), probe_is_ok BIGINT, probe_failures BIGINT, probe_detail TEXT, next_step VARCHAR(16), next_at BIGINT,
    PRIMARY KEY (job_id, agent_id, slot_index)
);

CREATE INDEX slots_agent ON slots (agent_id);

CREATE TABLE terms (
    shard BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    holder VARCHAR(80) NOT NULL,
    name VARCHAR(255), -- of its machine, once known
    began_at BIGINT NOT NULL,
    PRIMARY KEY (shard, epoch)
);

CREATE TABLE triggers (
    job_id VARCHAR(36) NOT NULL REFERENCES jobs (id),
    trigger_key VARCHAR(255) NOT NULL,
    due BIGINT NOT NULL,
    PRIMARY KEY (job_id, trigger_key)
);

CREATE INDEX triggers_due ON triggers (due);

CREATE TABLE users (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    login VARCHAR(64) NOT NULL,
    login_key VARCHAR(64) NOT NULL UNIQUE, -- the login in lower case
    display_name VARCHAR(128) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    is_admin BIGINT NOT NULL,
    is_disabled BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_sign_in_at BIGINT
);

CREATE TABLE windows (
    id VARCHAR(36) NOT NULL,
    version BIGINT NOT NULL,
    group_id VARCHAR(36) REFERENCES job_groups (id),
    job_id VARCHAR(36) REFERENCES jobs (id),
    reason VARCHAR(255) NOT NULL,
    from_at BIGINT, -- of one that comes once
    until_at BIGINT,
    expression VARCHAR(1024), -- of one that comes again
    time_zone VARCHAR(64),
    lasts_us BIGINT,
    since_at BIGINT NOT NULL, -- holds only what is due after this
    ended_at BIGINT, -- and not after this
    ends_at BIGINT, -- holds nothing from here on; NULL if it may come again for ever
    author_id VARCHAR(36) NOT NULL,
    PRIMARY KEY (id, version)
);
