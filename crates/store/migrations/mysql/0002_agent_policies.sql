-- What agents tell about the policies of their machines, as JSON. Only told: the center can change none of it.
CREATE TABLE IF NOT EXISTS agent_policies (
    agent_id VARCHAR(36) NOT NULL PRIMARY KEY,
    report MEDIUMTEXT NOT NULL,
    CONSTRAINT agent_policies_agent_fk FOREIGN KEY (agent_id) REFERENCES agents (id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
