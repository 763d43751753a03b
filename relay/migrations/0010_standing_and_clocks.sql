-- 1 while nothing is tried through it because of what its server refused: the clocks of its campaigns stand meanwhile.
ALTER TABLE inboxes ADD COLUMN standing_rests BIGINT NOT NULL DEFAULT 0;

-- What is held waits for more than its due and its turn.
UPDATE deliveries SET rank = NULL WHERE is_held = 1;
