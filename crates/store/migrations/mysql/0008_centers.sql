-- One row per start of a center.
CREATE TABLE IF NOT EXISTS centers (
    id VARCHAR(80) NOT NULL PRIMARY KEY,
    name VARCHAR(255) NOT NULL, -- of its machine
    version VARCHAR(64) NOT NULL,
    address VARCHAR(300) NOT NULL, -- for people
    agent_address VARCHAR(300), -- for agents; NULL if it has none that means anything elsewhere
    started_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What centers tell each other, for a few seconds. Nothing depends on it.
CREATE TABLE IF NOT EXISTS hints (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    center VARCHAR(80) NOT NULL, -- who tells
    written_at BIGINT NOT NULL,
    body MEDIUMTEXT NOT NULL -- JSON
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX hints_written ON hints (written_at);

-- What all centers of a deployment have in common: fingerprints of files that every one of them needs.
CREATE TABLE IF NOT EXISTS deployment (
    name VARCHAR(32) NOT NULL PRIMARY KEY,
    fact VARCHAR(80) NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
