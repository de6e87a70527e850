-- How what was left of a process was ended, as JSON; NULL where nothing had to be done, and from older agents.
ALTER TABLE runs ADD COLUMN cleanup MEDIUMTEXT;

ALTER TABLE runs ADD COLUMN oom_kills BIGINT;

ALTER TABLE processes ADD COLUMN cleanup MEDIUMTEXT;

ALTER TABLE processes ADD COLUMN oom_kills BIGINT;

-- What control groups can do on the agent's machine, as JSON; NULL until it has said so.
ALTER TABLE agents ADD COLUMN cgroups MEDIUMTEXT;
