-- Restarts that people have asked for, counted; slot_index -1 stands for all slots of the job.
CREATE TABLE IF NOT EXISTS slot_restarts (
    job_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES jobs (id),
    agent_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES agents (id),
    slot_index BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    PRIMARY KEY (agent_id, job_id, slot_index)
);
