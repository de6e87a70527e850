-- Runs that are offered to one agent among several: open until the agent gets the word to start, taken while it may be alive, closed
-- when it is over. No word for all others.
ALTER TABLE runs ADD COLUMN offer VARCHAR(16);

-- Why its agent will not start what was offered to it.
ALTER TABLE runs ADD COLUMN refused_reason VARCHAR(32);

CREATE INDEX runs_offers ON runs (offer, job_id, id);
