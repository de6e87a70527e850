-- Calendars that people keep, of one group or of the whole fleet. Each change makes a version, whose days never change.
CREATE TABLE IF NOT EXISTS calendars (
    id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
    group_id VARCHAR(36) COLLATE "C" REFERENCES job_groups (id), -- NULL: of the fleet
    scope_key VARCHAR(36) COLLATE "C" NOT NULL, -- the group; empty for the fleet
    name VARCHAR(64) COLLATE "C" NOT NULL,
    name_key VARCHAR(64) COLLATE "C", -- the name; NULL once deleted, so that the name is free again
    version BIGINT NOT NULL,
    is_deleted BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (scope_key, name_key)
);

CREATE TABLE IF NOT EXISTS calendar_versions (
    calendar_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES calendars (id),
    version BIGINT NOT NULL,
    content TEXT COLLATE "C" NOT NULL, -- JSON
    author_id VARCHAR(36) COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (calendar_id, version)
);

-- The calendar that the version in force follows, and in which version; NULL if it follows none of these.
ALTER TABLE jobs ADD COLUMN calendar_id VARCHAR(36) COLLATE "C";

ALTER TABLE jobs ADD COLUMN calendar_version BIGINT;

CREATE INDEX IF NOT EXISTS jobs_calendar ON jobs (calendar_id, calendar_version, id);
