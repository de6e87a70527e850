agent_policies.agent_id character varying(36) COLLATE C NOT NULL
agent_policies.report text COLLATE C NOT NULL
agent_spools.agent_id character varying(36) COLLATE C NOT NULL
agent_spools.bytes bigint NOT NULL
agent_spools.max_bytes bigint NOT NULL
agent_spools.dropped_count bigint NOT NULL
agents.id character varying(36) COLLATE C NOT NULL
agents.name character varying(64) COLLATE C NOT NULL
agents.state character varying(16) COLLATE C NOT NULL
agents.key_fingerprint character varying(64) COLLATE C NOT NULL
agents.certificate_serial character varying(64) COLLATE C NOT NULL
agents.session_epoch bigint NOT NULL
agents.center character varying(80) COLLATE C
agents.boot_id character varying(64) COLLATE C
agents.joined_at bigint NOT NULL
agents.last_seen_at bigint
agents.hostname character varying(255) COLLATE C NOT NULL
agents.os character varying(255) COLLATE C NOT NULL
agents.arch character varying(32) COLLATE C NOT NULL
agents.version character varying(64) COLLATE C NOT NULL
agents.is_root bigint NOT NULL
agents.cpu_count bigint NOT NULL
agents.memory_total_bytes bigint NOT NULL
agents.memory_available_bytes bigint NOT NULL
agents.load_1m double precision NOT NULL
agents.running_count bigint NOT NULL
agents.clock_offset_us bigint
agents.round_trip_us bigint
agents.cgroups text COLLATE C
agents.running_max bigint
agents.starts_per_second bigint
calendar_versions.calendar_id character varying(36) COLLATE C NOT NULL
calendar_versions.version bigint NOT NULL
calendar_versions.content text COLLATE C NOT NULL
calendar_versions.author_id character varying(36) COLLATE C NOT NULL
calendar_versions.created_at bigint NOT NULL
calendars.id character varying(36) COLLATE C NOT NULL
calendars.group_id character varying(36) COLLATE C
calendars.scope_key character varying(36) COLLATE C NOT NULL
calendars.name character varying(64) COLLATE C NOT NULL
calendars.name_key character varying(64) COLLATE C
calendars.version bigint NOT NULL
calendars.is_deleted bigint NOT NULL
calendars.created_at bigint NOT NULL
centers.id character varying(80) COLLATE C NOT NULL
centers.name character varying(255) COLLATE C NOT NULL
centers.version character varying(64) COLLATE C NOT NULL
centers.address character varying(300) COLLATE C NOT NULL
centers.agent_address character varying(300) COLLATE C
centers.started_at bigint NOT NULL
centers.last_seen_at bigint NOT NULL
deployment.name character varying(32) COLLATE C NOT NULL
deployment.fact character varying(80) COLLATE C NOT NULL
group_agents.group_id character varying(36) COLLATE C NOT NULL
group_agents.agent_id character varying(36) COLLATE C NOT NULL
group_members.group_id character varying(36) COLLATE C NOT NULL
group_members.user_id character varying(36) COLLATE C NOT NULL
group_members.role character varying(16) COLLATE C NOT NULL
group_run_as.group_id character varying(36) COLLATE C NOT NULL
group_run_as.run_as character varying(64) COLLATE C NOT NULL
hints.id character varying(36) COLLATE C NOT NULL
hints.center character varying(80) COLLATE C NOT NULL
hints.written_at bigint NOT NULL
hints.body text COLLATE C NOT NULL
job_groups.id character varying(36) COLLATE C NOT NULL
job_groups.name character varying(64) COLLATE C NOT NULL
job_groups.description text COLLATE C NOT NULL
job_groups.created_at bigint NOT NULL
job_targets.job_id character varying(36) COLLATE C NOT NULL
job_targets.agent_id character varying(36) COLLATE C NOT NULL
job_versions.job_id character varying(36) COLLATE C NOT NULL
job_versions.version bigint NOT NULL
job_versions.spec text COLLATE C NOT NULL
job_versions.author_id character varying(36) COLLATE C NOT NULL
job_versions.created_at bigint NOT NULL
jobs.id character varying(36) COLLATE C NOT NULL
jobs.group_id character varying(36) COLLATE C NOT NULL
jobs.name character varying(128) COLLATE C NOT NULL
jobs.name_key character varying(128) COLLATE C
jobs.kind character varying(16) COLLATE C NOT NULL
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
jobs.snoozed_by character varying(36) COLLATE C
jobs.held_until bigint
jobs.calendar_id character varying(36) COLLATE C
jobs.calendar_version bigint
join_token_groups.join_token_id character varying(36) COLLATE C NOT NULL
join_token_groups.group_id character varying(36) COLLATE C NOT NULL
join_tokens.id character varying(36) COLLATE C NOT NULL
join_tokens.secret_hash character varying(64) COLLATE C NOT NULL
join_tokens.is_preapproved bigint NOT NULL
join_tokens.uses_max bigint NOT NULL
join_tokens.uses bigint NOT NULL
join_tokens.expires_at bigint NOT NULL
join_tokens.created_by character varying(36) COLLATE C NOT NULL
join_tokens.created_at bigint NOT NULL
key_checks.key_id character varying(16) COLLATE C NOT NULL
key_checks.sealed bytea NOT NULL
key_checks.created_at bigint NOT NULL
lapses.job_id character varying(36) COLLATE C NOT NULL
lapses.due_from bigint NOT NULL
lapses.due_to bigint NOT NULL
lapses.due_count bigint NOT NULL
lapses.reason character varying(32) COLLATE C NOT NULL
lapses.group_id character varying(36) COLLATE C NOT NULL
lapses.recorded_at bigint NOT NULL
lapses.epoch bigint
lapses.job_version bigint
leases.shard bigint NOT NULL
leases.holder character varying(80) COLLATE C NOT NULL
leases.epoch bigint NOT NULL
leases.seq bigint NOT NULL
leases.expires_at bigint NOT NULL
leases.windows_version bigint NOT NULL
migrations.number bigint NOT NULL
migrations.name character varying(64) NOT NULL
migrations.applied_at bigint NOT NULL
output_chunks.life_id character varying(36) COLLATE C NOT NULL
output_chunks.start_offset bigint NOT NULL
output_chunks.length bigint NOT NULL
output_chunks.is_compressed bigint NOT NULL
output_chunks.data bytea NOT NULL
outputs.life_id character varying(36) COLLATE C NOT NULL
outputs.agent_id character varying(36) COLLATE C NOT NULL
outputs.created_at bigint NOT NULL
outputs.seen_to bigint NOT NULL
outputs.end_offset bigint
outputs.stored_bytes bigint NOT NULL
outputs.trimmed_from bigint NOT NULL
outputs.trimmed_to bigint NOT NULL
outputs.trimmed_bytes bigint NOT NULL
pauses.job_id character varying(36) COLLATE C NOT NULL
pauses.paused_at bigint NOT NULL
pauses.resumed_at bigint
processes.id character varying(36) COLLATE C NOT NULL
processes.job_id character varying(36) COLLATE C NOT NULL
processes.job_version bigint NOT NULL
processes.agent_id character varying(36) COLLATE C NOT NULL
processes.slot_index bigint NOT NULL
processes.first_seen_at bigint NOT NULL
processes.started_at bigint
processes.pid bigint
processes.ended_at bigint
processes.stopped_for character varying(16) COLLATE C
processes.exit_code bigint
processes.signal_number bigint
processes.has_core bigint
processes.reason character varying(32) COLLATE C
processes.detail text COLLATE C
processes.duration_us bigint
processes.user_time_us bigint
processes.system_time_us bigint
processes.memory_peak_bytes bigint
processes.output_written_bytes bigint
processes.output_dropped_bytes bigint
processes.output_end_offset bigint
processes.cleanup text COLLATE C
processes.oom_kills bigint
runs.id character varying(36) COLLATE C NOT NULL
runs.job_id character varying(36) COLLATE C NOT NULL
runs.job_version bigint NOT NULL
runs.group_id character varying(36) COLLATE C NOT NULL
runs.agent_id character varying(36) COLLATE C NOT NULL
runs.copy bigint NOT NULL
runs.copies bigint NOT NULL
runs.attempt bigint NOT NULL
runs.cause character varying(16) COLLATE C NOT NULL
runs.trigger_key character varying(255) COLLATE C NOT NULL
runs.requested_by character varying(36) COLLATE C
runs.state character varying(16) COLLATE C NOT NULL
runs.outcome character varying(16) COLLATE C
runs.reason character varying(32) COLLATE C
runs.detail text COLLATE C
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
runs.kill_requested_by character varying(36) COLLATE C
runs.kill_requested_at bigint
runs.revoke_reason character varying(32) COLLATE C
runs.unreachable_since bigint
runs.session_epoch bigint
runs.center character varying(80) COLLATE C
runs.active_agent character varying(36) COLLATE C
runs.after_run character varying(36) COLLATE C
runs.cleanup text COLLATE C
runs.oom_kills bigint
runs.is_caught_up bigint
runs.epoch bigint
runs.offer character varying(16)
runs.refused_reason character varying(32)
secrets.group_id character varying(36) COLLATE C NOT NULL
secrets.name character varying(64) COLLATE C NOT NULL
secrets.version bigint NOT NULL
secrets.key_id character varying(16) COLLATE C NOT NULL
secrets.sealed bytea NOT NULL
secrets.updated_by character varying(36) COLLATE C NOT NULL
secrets.created_at bigint NOT NULL
secrets.updated_at bigint NOT NULL
sessions.token_hash character varying(64) COLLATE C NOT NULL
sessions.user_id character varying(36) COLLATE C NOT NULL
sessions.created_at bigint NOT NULL
sessions.last_seen_at bigint NOT NULL
sessions.idle_expires_at bigint NOT NULL
sessions.expires_at bigint NOT NULL
setup_codes.code_hash character varying(64) COLLATE C NOT NULL
setup_codes.expires_at bigint NOT NULL
slot_restarts.job_id character varying(36) COLLATE C NOT NULL
slot_restarts.agent_id character varying(36) COLLATE C NOT NULL
slot_restarts.slot_index bigint NOT NULL
slot_restarts.asked bigint NOT NULL
slots.job_id character varying(36) COLLATE C NOT NULL
slots.agent_id character varying(36) COLLATE C NOT NULL
slots.slot_index bigint NOT NULL
slots.state character varying(16) COLLATE C NOT NULL
slots.since bigint NOT NULL
slots.job_version bigint NOT NULL
slots.process_id character varying(36) COLLATE C
slots.started_at bigint
slots.pid bigint
slots.last_exit_code bigint
slots.last_signal_number bigint
slots.last_has_core bigint
slots.last_reason character varying(32) COLLATE C
slots.last_detail text COLLATE C
slots.restarts bigint NOT NULL
slots.retry_at bigint
slots.reported_at bigint NOT NULL
slots.probe_kind character varying(16) COLLATE C
slots.probe_is_ok bigint
slots.probe_failures bigint
slots.probe_detail text COLLATE C
slots.next_step character varying(16) COLLATE C
slots.next_at bigint
terms.shard bigint NOT NULL
terms.epoch bigint NOT NULL
terms.holder character varying(80) COLLATE C NOT NULL
terms.name character varying(255) COLLATE C
terms.began_at bigint NOT NULL
triggers.job_id character varying(36) COLLATE C NOT NULL
triggers.trigger_key character varying(255) COLLATE C NOT NULL
triggers.due bigint NOT NULL
users.id character varying(36) COLLATE C NOT NULL
users.login character varying(64) COLLATE C NOT NULL
users.login_key character varying(64) COLLATE C NOT NULL
users.display_name character varying(128) COLLATE C NOT NULL
users.password_hash character varying(255) COLLATE C NOT NULL
users.is_admin bigint NOT NULL
users.is_disabled bigint NOT NULL
users.created_at bigint NOT NULL
users.last_sign_in_at bigint
windows.id character varying(36) COLLATE C NOT NULL
windows.version bigint NOT NULL
windows.group_id character varying(36) COLLATE C
windows.job_id character varying(36) COLLATE C
windows.reason character varying(255) COLLATE C NOT NULL
windows.from_at bigint
windows.until_at bigint
windows.expression character varying(1024) COLLATE C
windows.time_zone character varying(64) COLLATE C
windows.lasts_us bigint
windows.since_at bigint NOT NULL
windows.ended_at bigint
windows.ends_at bigint
windows.author_id character varying(36) COLLATE C NOT NULL

CREATE UNIQUE INDEX agent_policies_pkey ON public.agent_policies USING btree (agent_id)
CREATE UNIQUE INDEX agent_spools_pkey ON public.agent_spools USING btree (agent_id)
CREATE UNIQUE INDEX agents_key_fingerprint_key ON public.agents USING btree (key_fingerprint)
CREATE INDEX agents_name ON public.agents USING btree (name, id)
CREATE UNIQUE INDEX agents_pkey ON public.agents USING btree (id)
CREATE UNIQUE INDEX calendar_versions_pkey ON public.calendar_versions USING btree (calendar_id, version)
CREATE UNIQUE INDEX calendars_pkey ON public.calendars USING btree (id)
CREATE UNIQUE INDEX calendars_scope_key_name_key_key ON public.calendars USING btree (scope_key, name_key)
CREATE UNIQUE INDEX centers_pkey ON public.centers USING btree (id)
CREATE UNIQUE INDEX deployment_pkey ON public.deployment USING btree (name)
CREATE INDEX group_agents_agent ON public.group_agents USING btree (agent_id)
CREATE UNIQUE INDEX group_agents_pkey ON public.group_agents USING btree (group_id, agent_id)
CREATE UNIQUE INDEX group_members_pkey ON public.group_members USING btree (group_id, user_id)
CREATE INDEX group_members_user ON public.group_members USING btree (user_id)
CREATE UNIQUE INDEX group_run_as_pkey ON public.group_run_as USING btree (group_id, run_as)
CREATE UNIQUE INDEX hints_pkey ON public.hints USING btree (id)
CREATE INDEX hints_written ON public.hints USING btree (written_at)
CREATE UNIQUE INDEX job_groups_name_key ON public.job_groups USING btree (name)
CREATE UNIQUE INDEX job_groups_pkey ON public.job_groups USING btree (id)
CREATE INDEX job_targets_agent ON public.job_targets USING btree (agent_id)
CREATE UNIQUE INDEX job_targets_pkey ON public.job_targets USING btree (job_id, agent_id)
CREATE UNIQUE INDEX job_versions_pkey ON public.job_versions USING btree (job_id, version)
CREATE INDEX jobs_calendar ON public.jobs USING btree (calendar_id, calendar_version, id)
CREATE INDEX jobs_due ON public.jobs USING btree (shard, next_due, id)
CREATE UNIQUE INDEX jobs_group_id_name_key_key ON public.jobs USING btree (group_id, name_key)
CREATE INDEX jobs_kind ON public.jobs USING btree (group_id, kind, id)
CREATE INDEX jobs_name ON public.jobs USING btree (name_key, id)
CREATE UNIQUE INDEX jobs_pkey ON public.jobs USING btree (id)
CREATE INDEX jobs_reboot ON public.jobs USING btree (group_id, is_reboot, id)
CREATE UNIQUE INDEX join_token_groups_pkey ON public.join_token_groups USING btree (join_token_id, group_id)
CREATE UNIQUE INDEX join_tokens_pkey ON public.join_tokens USING btree (id)
CREATE UNIQUE INDEX join_tokens_secret_hash_key ON public.join_tokens USING btree (secret_hash)
CREATE UNIQUE INDEX key_checks_pkey ON public.key_checks USING btree (key_id)
CREATE INDEX lapses_due ON public.lapses USING btree (due_from, job_id)
CREATE UNIQUE INDEX lapses_pkey ON public.lapses USING btree (job_id, due_from)
CREATE UNIQUE INDEX leases_pkey ON public.leases USING btree (shard)
CREATE UNIQUE INDEX migrations_pkey ON public.migrations USING btree (number)
CREATE UNIQUE INDEX output_chunks_pkey ON public.output_chunks USING btree (life_id, start_offset)
CREATE INDEX outputs_created ON public.outputs USING btree (created_at)
CREATE UNIQUE INDEX outputs_pkey ON public.outputs USING btree (life_id)
CREATE UNIQUE INDEX pauses_pkey ON public.pauses USING btree (job_id, paused_at)
CREATE UNIQUE INDEX processes_pkey ON public.processes USING btree (id)
CREATE INDEX processes_slot ON public.processes USING btree (job_id, agent_id, slot_index, first_seen_at)
CREATE INDEX runs_active ON public.runs USING btree (active_agent, not_before, id, group_id) WHERE (active_agent IS NOT NULL)
CREATE INDEX runs_after ON public.runs USING btree (after_run, id) WHERE (after_run IS NOT NULL)
CREATE INDEX runs_agent ON public.runs USING btree (agent_id, id, group_id)
CREATE INDEX runs_group ON public.runs USING btree (group_id, id)
CREATE INDEX runs_job ON public.runs USING btree (job_id, id)
CREATE INDEX runs_offers ON public.runs USING btree (offer, job_id, id) WHERE (offer IS NOT NULL)
CREATE INDEX runs_outcome ON public.runs USING btree (outcome, id, group_id) WHERE ((outcome)::text <> 'succeeded'::text)
CREATE UNIQUE INDEX runs_pkey ON public.runs USING btree (id)
CREATE INDEX runs_planned ON public.runs USING btree (active_agent, not_before, id) WHERE ((state)::text = 'planned'::text)
CREATE UNIQUE INDEX secrets_pkey ON public.secrets USING btree (group_id, name)
CREATE UNIQUE INDEX sessions_pkey ON public.sessions USING btree (token_hash)
CREATE INDEX sessions_user ON public.sessions USING btree (user_id)
CREATE UNIQUE INDEX setup_codes_pkey ON public.setup_codes USING btree (code_hash)
CREATE UNIQUE INDEX slot_restarts_pkey ON public.slot_restarts USING btree (agent_id, job_id, slot_index)
CREATE INDEX slots_agent ON public.slots USING btree (agent_id)
CREATE UNIQUE INDEX slots_pkey ON public.slots USING btree (job_id, agent_id, slot_index)
CREATE UNIQUE INDEX terms_pkey ON public.terms USING btree (shard, epoch)
CREATE INDEX triggers_due ON public.triggers USING btree (due)
CREATE UNIQUE INDEX triggers_pkey ON public.triggers USING btree (job_id, trigger_key)
CREATE UNIQUE INDEX users_login_key_key ON public.users USING btree (login_key)
CREATE UNIQUE INDEX users_pkey ON public.users USING btree (id)
CREATE UNIQUE INDEX windows_pkey ON public.windows USING btree (id, version)

agent_policies FOREIGN KEY (agent_id) REFERENCES agents(id)
agent_spools FOREIGN KEY (agent_id) REFERENCES agents(id)
agents CHECK (((state)::text = ANY ((ARRAY['pending'::character varying, 'active'::character varying, 'revoked'::character varying])::text[])))
calendar_versions FOREIGN KEY (calendar_id) REFERENCES calendars(id)
calendars FOREIGN KEY (group_id) REFERENCES job_groups(id)
group_agents FOREIGN KEY (agent_id) REFERENCES agents(id)
group_agents FOREIGN KEY (group_id) REFERENCES job_groups(id)
group_members CHECK (((role)::text = ANY ((ARRAY['viewer'::character varying, 'operator'::character varying, 'editor'::character varying, 'owner'::character varying])::text[])))
group_members FOREIGN KEY (group_id) REFERENCES job_groups(id)
group_members FOREIGN KEY (user_id) REFERENCES users(id)
group_run_as FOREIGN KEY (group_id) REFERENCES job_groups(id)
job_targets FOREIGN KEY (job_id) REFERENCES jobs(id)
job_versions FOREIGN KEY (job_id) REFERENCES jobs(id)
jobs CHECK (((kind)::text = ANY ((ARRAY['scheduled'::character varying, 'daemon'::character varying])::text[])))
join_token_groups FOREIGN KEY (group_id) REFERENCES job_groups(id)
join_token_groups FOREIGN KEY (join_token_id) REFERENCES join_tokens(id)
lapses FOREIGN KEY (job_id) REFERENCES jobs(id)
pauses FOREIGN KEY (job_id) REFERENCES jobs(id)
processes FOREIGN KEY (agent_id) REFERENCES agents(id)
processes FOREIGN KEY (job_id) REFERENCES jobs(id)
runs CHECK ((((outcome)::text <> ALL ((ARRAY['skipped'::character varying, 'missed'::character varying, 'lost'::character varying])::text[])) OR (reason IS NOT NULL)))
runs CHECK ((((state)::text = 'ended'::text) = (active_agent IS NULL)))
runs CHECK ((((state)::text = 'ended'::text) = (outcome IS NOT NULL)))
runs CHECK (((cause)::text = ANY ((ARRAY['schedule'::character varying, 'manual'::character varying, 'retry'::character varying, 'reboot'::character varying])::text[])))
runs CHECK (((outcome)::text = ANY ((ARRAY['succeeded'::character varying, 'failed'::character varying, 'killed'::character varying, 'timed_out'::character varying, 'skipped'::character varying, 'missed'::character varying, 'lost'::character varying])::text[])))
runs CHECK (((state)::text = ANY ((ARRAY['planned'::character varying, 'dispatched'::character varying, 'accepted'::character varying, 'running'::character varying, 'ended'::character varying])::text[])))
secrets FOREIGN KEY (group_id) REFERENCES job_groups(id)
sessions FOREIGN KEY (user_id) REFERENCES users(id)
slot_restarts FOREIGN KEY (agent_id) REFERENCES agents(id)
slot_restarts FOREIGN KEY (job_id) REFERENCES jobs(id)
slots CHECK (((state)::text = ANY ((ARRAY['starting'::character varying, 'running'::character varying, 'backoff'::character varying, 'crash_loop'::character varying, 'stopping'::character varying, 'stopped'::character varying])::text[])))
slots FOREIGN KEY (agent_id) REFERENCES agents(id)
slots FOREIGN KEY (job_id) REFERENCES jobs(id)
triggers FOREIGN KEY (job_id) REFERENCES jobs(id)
windows FOREIGN KEY (group_id) REFERENCES job_groups(id)
windows FOREIGN KEY (job_id) REFERENCES jobs(id)
