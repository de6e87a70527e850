-- Calendars that people keep, of one group or of the whole fleet. Each change makes a version, whose days never change.
CREATE TABLE IF NOT EXISTS calendars (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    group_id VARCHAR(36), -- NULL: of the fleet
    scope_key VARCHAR(36) NOT NULL, -- the group; empty for the fleet
    name VARCHAR(64) NOT NULL,
    name_key VARCHAR(64), -- the name; NULL once deleted, so that the name is free again
    version BIGINT NOT NULL,
    is_deleted BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (scope_key, name_key),
    CONSTRAINT calendars_group_fk FOREIGN KEY (group_id) REFERENCES job_groups (id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS calendar_versions (
    calendar_id VARCHAR(36) NOT NULL,
    version BIGINT NOT NULL,
    content LONGTEXT NOT NULL, -- JSON
    author_id VARCHAR(36) NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (calendar_id, version),
    CONSTRAINT calendar_versions_fk FOREIGN KEY (calendar_id) REFERENCES calendars (id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The calendar that the version in force follows, and in which version; NULL if it follows none of these.
ALTER TABLE jobs ADD COLUMN calendar_id VARCHAR(36);

ALTER TABLE jobs ADD COLUMN calendar_version BIGINT;

CREATE INDEX jobs_calendar ON jobs (calendar_id, calendar_version, id);
