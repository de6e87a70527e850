-- Who planned: the term of planning, NULL where a person or an older center decided; and the version that a lapse belongs to.
ALTER TABLE runs ADD COLUMN epoch BIGINT;

ALTER TABLE lapses ADD COLUMN epoch BIGINT;

ALTER TABLE lapses ADD COLUMN job_version BIGINT;

-- Which center planned in which term.
CREATE TABLE IF NOT EXISTS terms (
    shard BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    holder VARCHAR(80) NOT NULL,
    name VARCHAR(255), -- of its machine, once known
    began_at BIGINT NOT NULL,
    PRIMARY KEY (shard, epoch)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- When a job was paused, and resumed; NULL while it is paused.
CREATE TABLE IF NOT EXISTS pauses (
    job_id VARCHAR(36) NOT NULL,
    paused_at BIGINT NOT NULL,
    resumed_at BIGINT,
    PRIMARY KEY (job_id, paused_at),
    CONSTRAINT pauses_job_fk FOREIGN KEY (job_id) REFERENCES jobs (id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO pauses (job_id, paused_at) SELECT id, watermark FROM jobs j WHERE is_paused = 1
    AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.job_id = j.id);
