CREATE TABLE IF NOT EXISTS secrets (
    group_id VARCHAR(36) NOT NULL,
    name VARCHAR(64) NOT NULL,
    version BIGINT NOT NULL,
    key_id VARCHAR(16) NOT NULL,
    sealed MEDIUMBLOB NOT NULL, -- nonce and ciphertext; the key is not in the database
    updated_by VARCHAR(36) NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (group_id, name),
    CONSTRAINT secrets_group_fk FOREIGN KEY (group_id) REFERENCES job_groups (id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- A known text sealed with each key: a wrong key is noticed at the start and not when a secret is needed.
CREATE TABLE IF NOT EXISTS key_checks (
    key_id VARCHAR(16) NOT NULL PRIMARY KEY,
    sealed MEDIUMBLOB NOT NULL,
    created_at BIGINT NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
