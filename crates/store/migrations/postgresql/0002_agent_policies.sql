-- What agents tell about the policies of their machines, as JSON. Only told: the center can change none of it.
CREATE TABLE IF NOT EXISTS agent_policies (
    agent_id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY REFERENCES agents (id),
    report TEXT COLLATE "C" NOT NULL
);
