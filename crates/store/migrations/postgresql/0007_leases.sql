-- Who plans, one row per shard. Rows are never deleted, and epochs only grow.
CREATE TABLE IF NOT EXISTS leases (
    shard BIGINT NOT NULL PRIMARY KEY,
    holder VARCHAR(80) COLLATE "C" NOT NULL, -- a center's id; empty before the first term
    epoch BIGINT NOT NULL, -- grows with every term
    seq BIGINT NOT NULL, -- grows with every planning transaction
    expires_at BIGINT NOT NULL
);

INSERT INTO leases (shard, holder, epoch, seq, expires_at) VALUES (0, '', 0, 0, 0) ON CONFLICT DO NOTHING;
