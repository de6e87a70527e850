-- What is looked for again and again is found without reading everything else: jobs by what is due next, the daemons of a group,
-- the jobs that run when a host starts, runs that are planned and not yet sent, and runs that wait for others.
CREATE INDEX IF NOT EXISTS jobs_kind ON jobs (group_id, kind, id);

CREATE INDEX IF NOT EXISTS jobs_reboot ON jobs (group_id, is_reboot, id);

CREATE INDEX IF NOT EXISTS runs_planned ON runs (active_agent, not_before, id) WHERE state = 'planned';

CREATE INDEX IF NOT EXISTS runs_after ON runs (after_run, id) WHERE after_run IS NOT NULL;

DROP INDEX IF EXISTS jobs_due;

CREATE INDEX IF NOT EXISTS jobs_due ON jobs (shard, next_due, id);
