-- One row per start of a center.
CREATE TABLE IF NOT EXISTS centers (
    id VARCHAR(80) COLLATE "C" NOT NULL PRIMARY KEY,
    name VARCHAR(255) COLLATE "C" NOT NULL, -- of its machine
    version VARCHAR(64) COLLATE "C" NOT NULL,
    address VARCHAR(300) COLLATE "C" NOT NULL, -- for people
    agent_address VARCHAR(300) COLLATE "C", -- for agents; NULL if it has none that means anything elsewhere
    started_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL
);

-- What centers tell each other, for a few seconds. Nothing depends on it.
CREATE TABLE IF NOT EXISTS hints (
    id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
    center VARCHAR(80) COLLATE "C" NOT NULL, -- who tells
    written_at BIGINT NOT NULL,
    body TEXT COLLATE "C" NOT NULL -- JSON
);

CREATE INDEX IF NOT EXISTS hints_written ON hints (written_at);

-- What all centers of a deployment have in common: fingerprints of files that every one of them needs.
CREATE TABLE IF NOT EXISTS deployment (
    name VARCHAR(32) COLLATE "C" NOT NULL PRIMARY KEY,
    fact VARCHAR(80) COLLATE "C" NOT NULL
);
