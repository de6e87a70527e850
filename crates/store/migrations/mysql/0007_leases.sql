-- Who plans, one row per shard. Rows are never deleted, and epochs only grow.
CREATE TABLE IF NOT EXISTS leases (
    shard BIGINT NOT NULL PRIMARY KEY,
    holder VARCHAR(80) NOT NULL, -- a center's id; empty before the first term
    epoch BIGINT NOT NULL, -- grows with every term
    seq BIGINT NOT NULL, -- grows with every planning transaction
    expires_at BIGINT NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT IGNORE INTO leases (shard, holder, epoch, seq, expires_at) VALUES (0, '', 0, 0, 0);
