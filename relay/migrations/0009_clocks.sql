-- When a message may leave is a reading of the clock of its campaign at its inbox, which stands while either cannot
-- send. Nothing that is due is ever rewritten; what has to be known of the order stands in columns of its own.

-- How long relays have lived on this database, in all; one row.
CREATE TABLE running_time (
    id   BIGINT NOT NULL PRIMARY KEY,
    r_ms BIGINT NOT NULL
);

INSERT INTO running_time (id, r_ms) VALUES (1, 0);

-- The clock of a campaign at an inbox: what it showed when it was last stopped, and the running time at which it
-- was started since; the latter is NULL while it stands. ran_ms is NULL in rows of the last version until the relay
-- has carried them over.
ALTER TABLE campaign_inboxes ADD COLUMN ran_ms BIGINT;
ALTER TABLE campaign_inboxes ADD COLUMN since_r_ms BIGINT;
-- Whose message goes next, in turns taken.
ALTER TABLE campaign_inboxes ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE campaign_inboxes ADD COLUMN was_waiting BIGINT NOT NULL DEFAULT 0;
ALTER TABLE campaign_inboxes ADD COLUMN follow_ups BIGINT NOT NULL DEFAULT 0;

CREATE INDEX campaign_inboxes_of_inbox ON campaign_inboxes (inbox_id);

-- The last turn that was taken.
ALTER TABLE inboxes ADD COLUMN served BIGINT NOT NULL DEFAULT 0;
-- 1 while its server is given time after a failure.
ALTER TABLE inboxes ADD COLUMN resting BIGINT NOT NULL DEFAULT 0;
-- The running time of its last try.
ALTER TABLE inboxes ADD COLUMN last_tried_r_ms BIGINT;
ALTER TABLE inboxes RENAME COLUMN last_sent_at_ms TO last_tried_at_ms;

-- What its clock shows when it is due; kept for as long as it may have to be sent again.
ALTER TABLE deliveries ADD COLUMN due_ms BIGINT;
-- What its clock showed when it last came into doubt.
ALTER TABLE deliveries ADD COLUMN doubted_ms BIGINT;
-- 1 for the first message to a lead.
ALTER TABLE deliveries ADD COLUMN is_first BIGINT NOT NULL DEFAULT 0;
-- The lead's place in the list.
ALTER TABLE deliveries ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
-- Its order among the follow-ups (its due) or the first messages (its place) of its campaign; NULL unless it only
-- waits for its due and its turn.
ALTER TABLE deliveries ADD COLUMN rank BIGINT;
-- Deferred only: it is over when either has come.
ALTER TABLE deliveries ADD COLUMN rest_until_ms BIGINT;
ALTER TABLE deliveries ADD COLUMN rest_until_r_ms BIGINT;

UPDATE deliveries SET
    due_ms = due_at_ms,
    is_first = CASE WHEN step = 1 THEN 1 ELSE 0 END,
    place = (SELECT l.position FROM leads l WHERE l.id = deliveries.lead_id);

UPDATE deliveries SET rest_until_ms = due_at_ms WHERE state = 'deferred';

UPDATE deliveries SET rank = CASE WHEN is_first = 1 THEN place ELSE due_ms END WHERE state = 'planned';

UPDATE deliveries SET due_ms = COALESCE(accepted_at_ms, in_doubt_since_ms, 0) WHERE due_ms IS NULL;

DROP INDEX deliveries_due;
ALTER TABLE deliveries DROP COLUMN due_at_ms;

CREATE INDEX deliveries_ready ON deliveries (inbox_id, campaign_id, is_first, rank, place) WHERE rank IS NOT NULL;
CREATE INDEX deliveries_resting ON deliveries (inbox_id, rest_until_ms) WHERE rest_until_ms IS NOT NULL;
CREATE INDEX deliveries_attempting ON deliveries (inbox_id, lease_until_ms) WHERE state = 'attempting';
CREATE INDEX deliveries_in_doubt ON deliveries (inbox_id, in_doubt_since_ms) WHERE state = 'in_doubt';
