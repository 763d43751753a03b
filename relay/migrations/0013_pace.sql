-- How many messages an inbox tries in a day, and what that is counted by.

-- NULL: as many as there are. Inboxes of the last version keep what they had: no cap, and their own distance.
ALTER TABLE inboxes ADD COLUMN daily_cap BIGINT;

-- The inbox through which it was tried, and the running time then; both NULL where nobody was asked for anything, and
-- in rows of the last version, which count for nothing.
ALTER TABLE attempts ADD COLUMN inbox_id TEXT;
ALTER TABLE attempts ADD COLUMN tried_r_ms BIGINT;
CREATE INDEX attempts_tried ON attempts (inbox_id, tried_r_ms) WHERE tried_r_ms IS NOT NULL;

-- The running time at which it was begun.
ALTER TABLE canaries ADD COLUMN begun_r_ms BIGINT;
CREATE INDEX canaries_tried ON canaries (inbox_id, begun_r_ms) WHERE begun_r_ms IS NOT NULL;
