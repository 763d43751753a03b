-- How a campaign goes on after an outage.

-- Messages of it that are tried in 24 hours while it catches up; 0: it waits for a person; NULL: as fast as ever.
ALTER TABLE campaigns ADD COLUMN after_outage_cap BIGINT;
-- Until when it catches up, by the running time; NULL where it does not.
ALTER TABLE campaigns ADD COLUMN catch_up_until_r_ms BIGINT;
