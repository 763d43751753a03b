-- What is heard of a lead stands on record whatever becomes of its deliveries: replied, complained or person; NULL where
-- nothing was. Such a lead is never put back.
ALTER TABLE leads ADD COLUMN heard TEXT;
UPDATE leads SET heard = (SELECT MIN(d.why) FROM deliveries d WHERE d.lead_id = leads.id AND d.state = 'suppressed'
    AND d.why IN ('replied', 'complained', 'person'))
WHERE state = 'stopped';

-- Ids of messages that were accepted and came back, of deliveries that were sent anew since as other messages: what
-- arrives for the earlier ones is heard too. In small letters.
CREATE TABLE earlier_ids (
    message_id  TEXT NOT NULL,
    delivery_id TEXT NOT NULL REFERENCES deliveries (id),
    PRIMARY KEY (message_id, delivery_id)
);

-- 1 for a message of an inbox whose server promises no copy, from its claim until a copy of it was seen or made.
ALTER TABLE deliveries ADD COLUMN owes_copy BIGINT NOT NULL DEFAULT 0;
CREATE INDEX deliveries_owing ON deliveries (inbox_id, accepted_at_ms) WHERE owes_copy = 1;

-- Set on an inbox that was added again after a database that does not know it was put back, while the mark tells of
-- attempts of its address: the time that may be missing. First messages of its new campaigns are held until a person has
-- decided one of them.
ALTER TABLE inboxes ADD COLUMN forgotten_ms BIGINT;
