agents.id varchar(36) COLLATE utf8mb4_bin NOT NULL
agents.name varchar(64) COLLATE utf8mb4_bin NOT NULL
agents.state varchar(16) COLLATE utf8mb4_bin NOT NULL
agents.key_fingerprint varchar(64) COLLATE utf8mb4_bin NOT NULL
agents.certificate_serial varchar(64) COLLATE utf8mb4_bin NOT NULL
agents.session_epoch bigint NOT NULL
agents.center varchar(80) COLLATE utf8mb4_bin
agents.boot_id varchar(64) COLLATE utf8mb4_bin
agents.joined_at bigint NOT NULL
agents.last_seen_at bigint
agents.hostname varchar(255) COLLATE utf8mb4_bin NOT NULL
agents.os varchar(255) COLLATE utf8mb4_bin NOT NULL
agents.arch varchar(32) COLLATE utf8mb4_bin NOT NULL
agents.version varchar(64) COLLATE utf8mb4_bin NOT NULL
agents.is_root bigint NOT NULL
agents.cpu_count bigint NOT NULL
agents.memory_total_bytes bigint NOT NULL
agents.memory_available_bytes bigint NOT NULL
agents.load_1m double NOT NULL
agents.running_count bigint NOT NULL
agents.clock_offset_us bigint
agents.round_trip_us bigint
agents.cgroups mediumtext COLLATE utf8mb4_bin
agents.running_max bigint
agents.starts_per_second bigint
agent_policies.agent_id varchar(36) COLLATE utf8mb4_bin NOT NULL
agent_policies.report mediumtext COLLATE utf8mb4_bin NOT NULL
agent_spools.agent_id varchar(36) COLLATE utf8mb4_bin NOT NULL
agent_spools.bytes bigint NOT NULL
agent_spools.max_bytes bigint NOT NULL
agent_spools.dropped_count bigint NOT NULL
calendars.id varchar(36) COLLATE utf8mb4_bin NOT NULL
calendars.group_id varchar(36) COLLATE utf8mb4_bin
calendars.scope_key varchar(36) COLLATE utf8mb4_bin NOT NULL
calendars.name varchar(64) COLLATE utf8mb4_bin NOT NULL
calendars.name_key varchar(64) COLLATE utf8mb4_bin
calendars.version bigint NOT NULL
calendars.is_deleted bigint NOT NULL
calendars.created_at bigint NOT NULL
calendar_versions.calendar_id varchar(36) COLLATE utf8mb4_bin NOT NULL
calendar_versions.version bigint NOT NULL
calendar_versions.content longtext COLLATE utf8mb4_bin NOT NULL
calendar_versions.author_id varchar(36) COLLATE utf8mb4_bin NOT NULL
calendar_versions.created_at bigint NOT NULL
centers.id varchar(80) COLLATE utf8mb4_bin NOT NULL
centers.name varchar(255) COLLATE utf8mb4_bin NOT NULL
centers.version varchar(64) COLLATE utf8mb4_bin NOT NULL
centers.address varchar(300) COLLATE utf8mb4_bin NOT NULL
centers.agent_address varchar(300) COLLATE utf8mb4_bin
centers.started_at bigint NOT NULL
centers.last_seen_at bigint NOT NULL
deployment.name varchar(32) COLLATE utf8mb4_bin NOT NULL
deployment.fact varchar(80) COLLATE utf8mb4_bin NOT NULL
group_agents.group_id varchar(36) COLLATE utf8mb4_bin NOT NULL
group_agents.agent_id varchar(36) COLLATE utf8mb4_bin NOT NULL
group_members.group_id varchar(36) COLLATE utf8mb4_bin NOT NULL
group_members.user_id varchar(36) COLLATE utf8mb4_bin NOT NULL
group_members.role varchar(16) COLLATE utf8mb4_bin NOT NULL
group_run_as.group_id varchar(36) COLLATE utf8mb4_bin NOT NULL
group_run_as.run_as varchar(64) COLLATE utf8mb4_bin NOT NULL
hints.id varchar(36) COLLATE utf8mb4_bin NOT NULL
hints.center varchar(80) COLLATE utf8mb4_bin NOT NULL
hints.written_at bigint NOT NULL
hints.body mediumtext COLLATE utf8mb4_bin NOT NULL
jobs.id varchar(36) COLLATE utf8mb4_bin NOT NULL
jobs.group_id varchar(36) COLLATE utf8mb4_bin NOT NULL
jobs.name varchar(128) COLLATE utf8mb4_bin NOT NULL
jobs.name_key varchar(128) COLLATE utf8mb4_bin
jobs.kind varchar(16) COLLATE utf8mb4_bin NOT NULL
jobs.version bigint NOT NULL
jobs.is_paused bigint NOT NULL
jobs.is_deleted bigint NOT NULL
jobs.is_target_all bigint NOT NULL
jobs.processes bigint NOT NULL
jobs.is_reboot bigint NOT NULL
jobs.shard bigint NOT NULL
jobs.watermark bigint NOT NULL
jobs.next_due bigint
jobs.created_at bigint NOT NULL
jobs.snoozed_until bigint
jobs.snoozed_at bigint
jobs.snoozed_by varchar(36) COLLATE utf8mb4_bin
jobs.held_until bigint
jobs.calendar_id varchar(36) COLLATE utf8mb4_bin
jobs.calendar_version bigint
job_groups.id varchar(36) COLLATE utf8mb4_bin NOT NULL
job_groups.name varchar(64) COLLATE utf8mb4_bin NOT NULL
job_groups.description mediumtext COLLATE utf8mb4_bin NOT NULL
job_groups.created_at bigint NOT NULL
job_targets.job_id varchar(36) COLLATE utf8mb4_bin NOT NULL
job_targets.agent_id varchar(36) COLLATE utf8mb4_bin NOT NULL
job_versions.job_id varchar(36) COLLATE utf8mb4_bin NOT NULL
job_versions.version bigint NOT NULL
job_versions.spec longtext COLLATE utf8mb4_bin NOT NULL
job_versions.author_id varchar(36) COLLATE utf8mb4_bin NOT NULL
job_versions.created_at bigint NOT NULL
join_tokens.id varchar(36) COLLATE utf8mb4_bin NOT NULL
join_tokens.secret_hash varchar(64) COLLATE utf8mb4_bin NOT NULL
join_tokens.is_preapproved bigint NOT NULL
join_tokens.uses_max bigint NOT NULL
join_tokens.uses bigint NOT NULL
join_tokens.expires_at bigint NOT NULL
join_tokens.created_by varchar(36) COLLATE utf8mb4_bin NOT NULL
join_tokens.created_at bigint NOT NULL
join_token_groups.join_token_id varchar(36) COLLATE utf8mb4_bin NOT NULL
join_token_groups.group_id varchar(36) COLLATE utf8mb4_bin NOT NULL
key_checks.key_id varchar(16) COLLATE utf8mb4_bin NOT NULL
key_checks.sealed mediumblob NOT NULL
key_checks.created_at bigint NOT NULL
lapses.job_id varchar(36) COLLATE utf8mb4_bin NOT NULL
lapses.due_from bigint NOT NULL
lapses.due_to bigint NOT NULL
lapses.due_count bigint NOT NULL
lapses.reason varchar(32) COLLATE utf8mb4_bin NOT NULL
lapses.group_id varchar(36) COLLATE utf8mb4_bin NOT NULL
lapses.recorded_at bigint NOT NULL
lapses.epoch bigint
lapses.job_version bigint
leases.shard bigint NOT NULL
leases.holder varchar(80) COLLATE utf8mb4_bin NOT NULL
leases.epoch bigint NOT NULL
leases.seq bigint NOT NULL
leases.expires_at bigint NOT NULL
leases.windows_version bigint NOT NULL
outputs.life_id varchar(36) COLLATE utf8mb4_bin NOT NULL
outputs.agent_id varchar(36) COLLATE utf8mb4_bin NOT NULL
outputs.created_at bigint NOT NULL
outputs.seen_to bigint NOT NULL
outputs.end_offset bigint
outputs.stored_bytes bigint NOT NULL
outputs.trimmed_from bigint NOT NULL
outputs.trimmed_to bigint NOT NULL
outputs.trimmed_bytes bigint NOT NULL
output_chunks.life_id varchar(36) COLLATE utf8mb4_bin NOT NULL
output_chunks.start_offset bigint NOT NULL
output_chunks.length bigint NOT NULL
output_chunks.is_compressed bigint NOT NULL
output_chunks.data mediumblob NOT NULL
pauses.job_id varchar(36) COLLATE utf8mb4_bin NOT NULL
pauses.paused_at bigint NOT NULL
pauses.resumed_at bigint
processes.id varchar(36) COLLATE utf8mb4_bin NOT NULL
processes.job_id varchar(36) COLLATE utf8mb4_bin NOT NULL
processes.job_version bigint NOT NULL
processes.agent_id varchar(36) COLLATE utf8mb4_bin NOT NULL
processes.slot_index bigint NOT NULL
processes.first_seen_at bigint NOT NULL
processes.started_at bigint
processes.pid bigint
processes.ended_at bigint
processes.stopped_for varchar(16) COLLATE utf8mb4_bin
processes.exit_code bigint
processes.signal_number bigint
processes.has_core bigint
processes.reason varchar(32) COLLATE utf8mb4_bin
processes.detail mediumtext COLLATE utf8mb4_bin
processes.duration_us bigint
processes.user_time_us bigint
processes.system_time_us bigint
processes.memory_peak_bytes bigint
processes.output_written_bytes bigint
processes.output_dropped_bytes bigint
processes.output_end_offset bigint
processes.cleanup mediumtext COLLATE utf8mb4_bin
processes.oom_kills bigint
runs.id varchar(36) COLLATE utf8mb4_bin NOT NULL
runs.job_id varchar(36) COLLATE utf8mb4_bin NOT NULL
runs.job_version bigint NOT NULL
runs.group_id varchar(36) COLLATE utf8mb4_bin NOT NULL
runs.agent_id varchar(36) COLLATE utf8mb4_bin NOT NULL
runs.copy bigint NOT NULL
runs.copies bigint NOT NULL
runs.attempt bigint NOT NULL
runs.cause varchar(16) COLLATE utf8mb4_bin NOT NULL
runs.trigger_key varchar(255) COLLATE utf8mb4_bin NOT NULL
runs.requested_by varchar(36) COLLATE utf8mb4_bin
runs.state varchar(16) COLLATE utf8mb4_bin NOT NULL
runs.outcome varchar(16) COLLATE utf8mb4_bin
runs.reason varchar(32) COLLATE utf8mb4_bin
runs.detail mediumtext COLLATE utf8mb4_bin
runs.is_refined bigint NOT NULL
runs.due bigint NOT NULL
runs.not_before bigint NOT NULL
runs.not_after bigint NOT NULL
runs.planned_at bigint NOT NULL
runs.dispatched_at bigint
runs.accepted_at bigint
runs.started_at bigint
runs.ended_at bigint
runs.duration_us bigint
runs.pid bigint
runs.exit_code bigint
runs.signal_number bigint
runs.has_core bigint
runs.user_time_us bigint
runs.system_time_us bigint
runs.memory_peak_bytes bigint
runs.output_written_bytes bigint
runs.output_dropped_bytes bigint
runs.output_end_offset bigint
runs.kill_requested_by varchar(36) COLLATE utf8mb4_bin
runs.kill_requested_at bigint
runs.revoke_reason varchar(32) COLLATE utf8mb4_bin
runs.unreachable_since bigint
runs.session_epoch bigint
runs.center varchar(80) COLLATE utf8mb4_bin
runs.active_agent varchar(36) COLLATE utf8mb4_bin
runs.after_run varchar(36) COLLATE utf8mb4_bin
runs.cleanup mediumtext COLLATE utf8mb4_bin
runs.oom_kills bigint
runs.is_caught_up bigint
runs.epoch bigint
runs.offer varchar(16) COLLATE utf8mb4_bin
runs.refused_reason varchar(32) COLLATE utf8mb4_bin
secrets.group_id varchar(36) COLLATE utf8mb4_bin NOT NULL
secrets.name varchar(64) COLLATE utf8mb4_bin NOT NULL
secrets.version bigint NOT NULL
secrets.key_id varchar(16) COLLATE utf8mb4_bin NOT NULL
secrets.sealed mediumblob NOT NULL
secrets.updated_by varchar(36) COLLATE utf8mb4_bin NOT NULL
secrets.created_at bigint NOT NULL
secrets.updated_at bigint NOT NULL
sessions.token_hash varchar(64) COLLATE utf8mb4_bin NOT NULL
sessions.user_id varchar(36) COLLATE utf8mb4_bin NOT NULL
sessions.created_at bigint NOT NULL
sessions.last_seen_at bigint NOT NULL
sessions.idle_expires_at bigint NOT NULL
sessions.expires_at bigint NOT NULL
setup_codes.code_hash varchar(64) COLLATE utf8mb4_bin NOT NULL
setup_codes.expires_at bigint NOT NULL
slots.job_id varchar(36) COLLATE utf8mb4_bin NOT NULL
slots.agent_id varchar(36) COLLATE utf8mb4_bin NOT NULL
slots.slot_index bigint NOT NULL
slots.state varchar(16) COLLATE utf8mb4_bin NOT NULL
slots.since bigint NOT NULL
slots.job_version bigint NOT NULL
slots.process_id varchar(36) COLLATE utf8mb4_bin
slots.started_at bigint
slots.pid bigint
slots.last_exit_code bigint
slots.last_signal_number bigint
slots.last_has_core bigint
slots.last_reason varchar(32) COLLATE utf8mb4_bin
slots.last_detail mediumtext COLLATE utf8mb4_bin
slots.restarts bigint NOT NULL
slots.retry_at bigint
slots.reported_at bigint NOT NULL
slots.probe_kind varchar(16) COLLATE utf8mb4_bin
slots.probe_is_ok bigint
slots.probe_failures bigint
slots.probe_detail mediumtext COLLATE utf8mb4_bin
slots.next_step varchar(16) COLLATE utf8mb4_bin
slots.next_at bigint
slot_restarts.job_id varchar(36) COLLATE utf8mb4_bin NOT NULL
slot_restarts.agent_id varchar(36) COLLATE utf8mb4_bin NOT NULL
slot_restarts.slot_index bigint NOT NULL
slot_restarts.asked bigint NOT NULL
terms.shard bigint NOT NULL
terms.epoch bigint NOT NULL
terms.holder varchar(80) COLLATE utf8mb4_bin NOT NULL
terms.name varchar(255) COLLATE utf8mb4_bin
terms.began_at bigint NOT NULL
triggers.job_id varchar(36) COLLATE utf8mb4_bin NOT NULL
triggers.trigger_key varchar(255) COLLATE utf8mb4_bin NOT NULL
triggers.due bigint NOT NULL
users.id varchar(36) COLLATE utf8mb4_bin NOT NULL
users.login varchar(64) COLLATE utf8mb4_bin NOT NULL
users.login_key varchar(64) COLLATE utf8mb4_bin NOT NULL
users.display_name varchar(128) COLLATE utf8mb4_bin NOT NULL
users.password_hash varchar(255) COLLATE utf8mb4_bin NOT NULL
users.is_admin bigint NOT NULL
users.is_disabled bigint NOT NULL
users.created_at bigint NOT NULL
users.last_sign_in_at bigint
windows.id varchar(36) COLLATE utf8mb4_bin NOT NULL
windows.version bigint NOT NULL
windows.group_id varchar(36) COLLATE utf8mb4_bin
windows.job_id varchar(36) COLLATE utf8mb4_bin
windows.reason varchar(255) COLLATE utf8mb4_bin NOT NULL
windows.from_at bigint
windows.until_at bigint
windows.expression varchar(1024) COLLATE utf8mb4_bin
windows.time_zone varchar(64) COLLATE utf8mb4_bin
windows.lasts_us bigint
windows.since_at bigint NOT NULL
windows.ended_at bigint
windows.ends_at bigint
windows.author_id varchar(36) COLLATE utf8mb4_bin NOT NULL

INDEX agents_name ON agents (name, id)
UNIQUE INDEX key_fingerprint ON agents (key_fingerprint)
UNIQUE INDEX PRIMARY ON agents (id)
UNIQUE INDEX PRIMARY ON agent_policies (agent_id)
UNIQUE INDEX PRIMARY ON agent_spools (agent_id)
INDEX calendars_group_fk ON calendars (group_id)
UNIQUE INDEX PRIMARY ON calendars (id)
UNIQUE INDEX scope_key ON calendars (scope_key, name_key)
UNIQUE INDEX PRIMARY ON calendar_versions (calendar_id, version)
UNIQUE INDEX PRIMARY ON centers (id)
UNIQUE INDEX PRIMARY ON deployment (name)
INDEX group_agents_agent ON group_agents (agent_id)
UNIQUE INDEX PRIMARY ON group_agents (group_id, agent_id)
INDEX group_members_user ON group_members (user_id)
UNIQUE INDEX PRIMARY ON group_members (group_id, user_id)
UNIQUE INDEX PRIMARY ON group_run_as (group_id, run_as)
INDEX hints_written ON hints (written_at)
UNIQUE INDEX PRIMARY ON hints (id)
UNIQUE INDEX group_id ON jobs (group_id, name_key)
INDEX jobs_calendar ON jobs (calendar_id, calendar_version, id)
INDEX jobs_due ON jobs (shard, next_due, id)
INDEX jobs_kind ON jobs (group_id, kind, id)
INDEX jobs_name ON jobs (name_key, id)
INDEX jobs_reboot ON jobs (group_id, is_reboot, id)
UNIQUE INDEX PRIMARY ON jobs (id)
UNIQUE INDEX name ON job_groups (name)
UNIQUE INDEX PRIMARY ON job_groups (id)
INDEX job_targets_agent ON job_targets (agent_id)
UNIQUE INDEX PRIMARY ON job_targets (job_id, agent_id)
UNIQUE INDEX PRIMARY ON job_versions (job_id, version)
UNIQUE INDEX PRIMARY ON join_tokens (id)
UNIQUE INDEX secret_hash ON join_tokens (secret_hash)
INDEX join_token_groups_group_fk ON join_token_groups (group_id)
UNIQUE INDEX PRIMARY ON join_token_groups (join_token_id, group_id)
UNIQUE INDEX PRIMARY ON key_checks (key_id)
INDEX lapses_due ON lapses (due_from, job_id)
UNIQUE INDEX PRIMARY ON lapses (job_id, due_from)
UNIQUE INDEX PRIMARY ON leases (shard)
UNIQUE INDEX PRIMARY ON migrations (number)
INDEX outputs_created ON outputs (created_at)
UNIQUE INDEX PRIMARY ON outputs (life_id)
UNIQUE INDEX PRIMARY ON output_chunks (life_id, start_offset)
UNIQUE INDEX PRIMARY ON pauses (job_id, paused_at)
UNIQUE INDEX PRIMARY ON processes (id)
INDEX processes_agent_fk ON processes (agent_id)
INDEX processes_slot ON processes (job_id, agent_id, slot_index, first_seen_at)
UNIQUE INDEX PRIMARY ON runs (id)
INDEX runs_active ON runs (active_agent, not_before, id, group_id)
INDEX runs_after ON runs (after_run, id)
INDEX runs_agent ON runs (agent_id, id, group_id)
INDEX runs_group ON runs (group_id, id)
INDEX runs_job ON runs (job_id, id)
INDEX runs_offers ON runs (offer, job_id, id)
INDEX runs_outcome ON runs (outcome, id, group_id)
UNIQUE INDEX PRIMARY ON secrets (group_id, name)
UNIQUE INDEX PRIMARY ON sessions (token_hash)
INDEX sessions_user ON sessions (user_id)
UNIQUE INDEX PRIMARY ON setup_codes (code_hash)
UNIQUE INDEX PRIMARY ON slots (job_id, agent_id, slot_index)
INDEX slots_agent ON slots (agent_id)
UNIQUE INDEX PRIMARY ON slot_restarts (agent_id, job_id, slot_index)
INDEX slot_restarts_job_fk ON slot_restarts (job_id)
UNIQUE INDEX PRIMARY ON terms (shard, epoch)
UNIQUE INDEX PRIMARY ON triggers (job_id, trigger_key)
INDEX triggers_due ON triggers (due)
UNIQUE INDEX login_key ON users (login_key)
UNIQUE INDEX PRIMARY ON users (id)
UNIQUE INDEX PRIMARY ON windows (id, version)
INDEX windows_group_fk ON windows (group_id)
INDEX windows_job_fk ON windows (job_id)

agent_policies FOREIGN KEY (agent_id) REFERENCES agents(id)
agent_spools FOREIGN KEY (agent_id) REFERENCES agents(id)
calendars FOREIGN KEY (group_id) REFERENCES job_groups(id)
calendar_versions FOREIGN KEY (calendar_id) REFERENCES calendars(id)
group_agents FOREIGN KEY (agent_id) REFERENCES agents(id)
group_agents FOREIGN KEY (group_id) REFERENCES job_groups(id)
group_members FOREIGN KEY (group_id) REFERENCES job_groups(id)
group_members FOREIGN KEY (user_id) REFERENCES users(id)
group_run_as FOREIGN KEY (group_id) REFERENCES job_groups(id)
job_targets FOREIGN KEY (job_id) REFERENCES jobs(id)
job_versions FOREIGN KEY (job_id) REFERENCES jobs(id)
join_token_groups FOREIGN KEY (group_id) REFERENCES job_groups(id)
join_token_groups FOREIGN KEY (join_token_id) REFERENCES join_tokens(id)
lapses FOREIGN KEY (job_id) REFERENCES jobs(id)
pauses FOREIGN KEY (job_id) REFERENCES jobs(id)
processes FOREIGN KEY (agent_id) REFERENCES agents(id)
processes FOREIGN KEY (job_id) REFERENCES jobs(id)
secrets FOREIGN KEY (group_id) REFERENCES job_groups(id)
sessions FOREIGN KEY (user_id) REFERENCES users(id)
slots FOREIGN KEY (agent_id) REFERENCES agents(id)
slots FOREIGN KEY (job_id) REFERENCES jobs(id)
slot_restarts FOREIGN KEY (agent_id) REFERENCES agents(id)
slot_restarts FOREIGN KEY (job_id) REFERENCES jobs(id)
triggers FOREIGN KEY (job_id) REFERENCES jobs(id)
windows FOREIGN KEY (group_id) REFERENCES job_groups(id)
windows FOREIGN KEY (job_id) REFERENCES jobs(id)

agents: 1 checks
group_members: 1 checks
jobs: 1 checks
runs: 6 checks
slots: 1 checks
