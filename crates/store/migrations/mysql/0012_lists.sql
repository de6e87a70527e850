-- Lists of runs that are filtered by group are answered from the index alone.
ALTER TABLE runs DROP INDEX runs_agent, ADD INDEX runs_agent (agent_id, id, group_id);

ALTER TABLE runs DROP INDEX runs_active, ADD INDEX runs_active (active_agent, not_before, id, group_id);

ALTER TABLE runs DROP INDEX runs_outcome, ADD INDEX runs_outcome (outcome, id, group_id);
