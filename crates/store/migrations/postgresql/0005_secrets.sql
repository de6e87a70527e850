CREATE TABLE IF NOT EXISTS secrets (
    group_id VARCHAR(36) COLLATE "C" NOT NULL REFERENCES job_groups (id),
    name VARCHAR(64) COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    key_id VARCHAR(16) COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL, -- nonce and ciphertext; the key is not in the database
    updated_by VARCHAR(36) COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (group_id, name)
);

-- A known text sealed with each key: a wrong key is noticed at the start and not when a secret is needed.
CREATE TABLE IF NOT EXISTS key_checks (
    key_id VARCHAR(16) COLLATE "C" NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
