-- How full the output spools of agents are, by their last heartbeats. Without a row: not said yet, or an older agent.
CREATE TABLE IF NOT EXISTS agent_spools (
    agent_id VARCHAR(36) NOT NULL PRIMARY KEY,
    bytes BIGINT NOT NULL,
    max_bytes BIGINT NOT NULL,
    dropped_count BIGINT NOT NULL, -- ended processes whose output was given up since the agent started
    CONSTRAINT agent_spools_agent_fk FOREIGN KEY (agent_id) REFERENCES agents (id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
