-- When campaigns may send: a schedule, and caps of a day for the campaign and for the organisations that it writes to.

-- JSON; NULL: at any time, which is what campaigns of the last version keep.
ALTER TABLE campaigns ADD COLUMN schedule TEXT;
-- Messages of it that are tried in 24 hours; NULL: as many as there are.
ALTER TABLE campaigns ADD COLUMN daily_cap BIGINT;
-- Messages to one organisation, of any campaign, that may have been tried in 24 hours when one of this one is; NULL: as
-- many as there are.
ALTER TABLE campaigns ADD COLUMN domain_daily_cap BIGINT;

-- Where its recipient is: the domain that his organisation registered. Written at its claim.
ALTER TABLE deliveries ADD COLUMN to_domain TEXT;
-- That domain, while it waits for it: as many messages as the campaign lets be were tried there in a day. It has no rank
-- meanwhile.
ALTER TABLE deliveries ADD COLUMN parked_for TEXT;
CREATE INDEX deliveries_parked ON deliveries (inbox_id, campaign_id, parked_for, is_first, due_ms, place)
    WHERE parked_for IS NOT NULL;
CREATE INDEX deliveries_attempting_to ON deliveries (to_domain) WHERE state = 'attempting';
CREATE INDEX deliveries_held ON deliveries (inbox_id, campaign_id) WHERE is_held = 1;
-- What is sent or stopped waits for no domain.
CREATE TRIGGER parked_left AFTER UPDATE OF state ON deliveries
WHEN NEW.parked_for IS NOT NULL AND NEW.state <> 'planned' AND NEW.state <> 'deferred' BEGIN
    UPDATE deliveries SET parked_for = NULL WHERE id = NEW.id;
END;

-- Until when deliveries of a campaign at an inbox wait for a domain, by the running time.
CREATE TABLE domain_waits (
    campaign_id TEXT   NOT NULL REFERENCES campaigns (id),
    inbox_id    TEXT   NOT NULL REFERENCES inboxes (id),
    domain      TEXT   NOT NULL,
    until_r_ms  BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, inbox_id, domain)
);
CREATE INDEX domain_waits_of_inbox ON domain_waits (inbox_id, until_r_ms);

-- The domain that the organisation of its address registered; NULL in rows of the last version until the relay has
-- carried them over.
ALTER TABLE inboxes ADD COLUMN organisation TEXT;
CREATE INDEX inboxes_of_organisation ON inboxes (organisation);
-- What all inboxes of an organisation try in 24 hours at the most.
CREATE TABLE organisations (
    domain    TEXT   NOT NULL PRIMARY KEY,
    daily_cap BIGINT NOT NULL
);

-- A cap that grows: messages of its first day, and by how many each later one has more; both NULL where it has none.
ALTER TABLE inboxes ADD COLUMN ramp_first BIGINT;
ALTER TABLE inboxes ADD COLUMN ramp_more BIGINT;
-- How far it had come at its last claim, and the running time then; the latter is NULL before the first.
ALTER TABLE inboxes ADD COLUMN ramp_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE inboxes ADD COLUMN ramp_at_r_ms BIGINT;

-- The campaign and the domain that were tried; NULL where nobody was asked for anything.
ALTER TABLE attempts ADD COLUMN campaign_id TEXT;
ALTER TABLE attempts ADD COLUMN to_domain TEXT;
UPDATE attempts SET campaign_id = (SELECT d.campaign_id FROM deliveries d WHERE d.id = attempts.delivery_id)
    WHERE tried_r_ms IS NOT NULL;
CREATE INDEX attempts_of_campaign ON attempts (campaign_id, tried_r_ms) WHERE campaign_id IS NOT NULL;
CREATE INDEX attempts_at_domain ON attempts (to_domain, tried_r_ms) WHERE to_domain IS NOT NULL;
