-- Whether the run's start deadline had passed when it was planned; NULL in rows from before.
ALTER TABLE runs ADD COLUMN is_caught_up BIGINT;
