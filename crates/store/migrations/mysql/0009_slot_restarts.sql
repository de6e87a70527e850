-- Restarts that people have asked for, counted; slot_index -1 stands for all slots of the job.
CREATE TABLE IF NOT EXISTS slot_restarts (
    job_id VARCHAR(36) NOT NULL,
    agent_id VARCHAR(36) NOT NULL,
    slot_index BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    PRIMARY KEY (agent_id, job_id, slot_index),
    CONSTRAINT slot_restarts_job_fk FOREIGN KEY (job_id) REFERENCES jobs (id),
    CONSTRAINT slot_restarts_agent_fk FOREIGN KEY (agent_id) REFERENCES agents (id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
