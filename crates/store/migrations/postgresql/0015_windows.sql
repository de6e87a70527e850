-- Snooze: until when, since when, and by whom a job is to rest.
ALTER TABLE jobs ADD COLUMN snoozed_until BIGINT;

ALTER TABLE jobs ADD COLUMN snoozed_at BIGINT;

ALTER TABLE jobs ADD COLUMN snoozed_by VARCHAR(36) COLLATE "C";

-- What is due next is held, and planning has nothing to do before this.
ALTER TABLE jobs ADD COLUMN held_until BIGINT;

-- Grows with every change of a window, so that no plan counts that was made without it.
ALTER TABLE leases ADD COLUMN windows_version BIGINT NOT NULL DEFAULT 0;

-- Windows in which nothing starts: of a job, of a group, or of the whole fleet. Each change makes a version; the one before it was
-- in force until then.
CREATE TABLE IF NOT EXISTS windows (
    id VARCHAR(36) COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    group_id VARCHAR(36) COLLATE "C" REFERENCES job_groups (id),
    job_id VARCHAR(36) COLLATE "C" REFERENCES jobs (id),
    reason VARCHAR(255) COLLATE "C" NOT NULL,
    from_at BIGINT, -- of one that comes once
    until_at BIGINT,
    expression VARCHAR(1024) COLLATE "C", -- of one that comes again
    time_zone VARCHAR(64) COLLATE "C",
    lasts_us BIGINT,
    since_at BIGINT NOT NULL, -- holds only what is due after this
    ended_at BIGINT, -- and not after this
    ends_at BIGINT, -- holds nothing from here on; NULL if it may come again for ever
    author_id VARCHAR(36) COLLATE "C" NOT NULL,
    PRIMARY KEY (id, version)
);
