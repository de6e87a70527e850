-- Lists of runs that are filtered by group are answered from the index alone.
DROP INDEX IF EXISTS runs_agent;

CREATE INDEX IF NOT EXISTS runs_agent ON runs (agent_id, id, group_id);

DROP INDEX IF EXISTS runs_active;

CREATE INDEX IF NOT EXISTS runs_active ON runs (active_agent, not_before, id, group_id) WHERE active_agent IS NOT NULL;

DROP INDEX IF EXISTS runs_outcome;

CREATE INDEX IF NOT EXISTS runs_outcome ON runs (outcome, id, group_id) WHERE outcome <> 'succeeded';
