-- Limits of an agent on all of its runs together: alive at the same time, started in a second; NULL where there is none.
ALTER TABLE agents ADD COLUMN running_max BIGINT;

ALTER TABLE agents ADD COLUMN starts_per_second BIGINT;
