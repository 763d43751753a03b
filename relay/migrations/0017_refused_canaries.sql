-- When the server refused it; NULL where it did not, or nobody knows.
ALTER TABLE canaries ADD COLUMN refused_at_ms BIGINT;

-- Up to when, by the wall, the time in which no relay lived counts for distances and rests already; NULL once a relay has
-- given a sign of life since.
ALTER TABLE running_time ADD COLUMN bridged_at_ms BIGINT;

-- A try is a sign of life as a beat is: what is absent begins with the later of the two.
DROP TRIGGER running_time_kept;
CREATE TRIGGER running_time_kept AFTER UPDATE OF last_tried_r_ms ON inboxes WHEN NEW.last_tried_r_ms IS NOT NULL BEGIN
    UPDATE running_time SET r_ms = NEW.last_tried_r_ms, at_ms = COALESCE(NEW.last_tried_at_ms, at_ms), bridged_at_ms = NULL
    WHERE id = 1 AND r_ms < NEW.last_tried_r_ms;
END;
