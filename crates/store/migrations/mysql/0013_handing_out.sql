-- What is looked for again and again is found without reading everything else: jobs by what is due next, the daemons of a group,
-- the jobs that run when a host starts, and runs that wait for others.
CREATE INDEX jobs_kind ON jobs (group_id, kind, id);

CREATE INDEX jobs_reboot ON jobs (group_id, is_reboot, id);

CREATE INDEX runs_after ON runs (after_run, id);

ALTER TABLE jobs DROP INDEX jobs_due, ADD INDEX jobs_due (shard, next_due, id);
