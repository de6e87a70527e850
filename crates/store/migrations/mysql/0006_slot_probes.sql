-- What the last probe of a slot's live process found, and what comes next in the slot by itself; NULL from older agents.
ALTER TABLE slots ADD COLUMN probe_kind VARCHAR(16);

ALTER TABLE slots ADD COLUMN probe_is_ok BIGINT;

ALTER TABLE slots ADD COLUMN probe_failures BIGINT;

ALTER TABLE slots ADD COLUMN probe_detail MEDIUMTEXT;

ALTER TABLE slots ADD COLUMN next_step VARCHAR(16);

ALTER TABLE slots ADD COLUMN next_at BIGINT;
