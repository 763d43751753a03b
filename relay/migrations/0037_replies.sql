-- What arrived about messages of campaigns, with its words, and what a person said of it.
CREATE TABLE replies (
    -- In the order in which they were read.
    id            TEXT   NOT NULL PRIMARY KEY,
    -- Where it arrived.
    inbox_id      TEXT   NOT NULL REFERENCES inboxes (id),
    -- What tells it from every other message, wherever and however often it is read.
    message_key   TEXT   NOT NULL,
    -- The message that it is about.
    campaign_id   TEXT   NOT NULL REFERENCES campaigns (id),
    lead_id       TEXT   NOT NULL REFERENCES leads (id),
    step          BIGINT NOT NULL,
    -- reply, auto_reply, bounce, complaint or unsubscribe
    kind          TEXT   NOT NULL,
    from_address  TEXT   NOT NULL,
    from_name     TEXT   NOT NULL,
    subject       TEXT   NOT NULL,
    arrived_at_ms BIGINT NOT NULL,
    read_at_ms    BIGINT NOT NULL,
    -- Its words and what they quote; NULL where they are not kept, or not any more.
    words         TEXT,
    quoted        TEXT,
    is_cut        BIGINT NOT NULL,
    -- Until when its writer is away, where a program answered and says so.
    away_until_ms BIGINT,
    -- interested, not_now, wrong_person or never; NULL where nobody said anything.
    mark          TEXT,
    marked_at_ms  BIGINT,
    -- not_now alone: until when, and whether the sequence goes on then.
    until_ms      BIGINT,
    goes_on       BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX replies_once ON replies (inbox_id, message_key);
CREATE INDEX replies_of_campaign ON replies (campaign_id, id);
CREATE INDEX replies_of_inbox ON replies (inbox_id, id);
CREATE INDEX replies_of_lead ON replies (lead_id, id);
CREATE INDEX replies_marked ON replies (mark, id);
CREATE INDEX replies_worded ON replies (read_at_ms) WHERE words IS NOT NULL;

-- Until when its person is away: nothing is sent to it before. NULL where nobody says so.
ALTER TABLE leads ADD COLUMN away_until_ms BIGINT;
CREATE INDEX leads_away ON leads (inbox_id, away_until_ms) WHERE away_until_ms IS NOT NULL;
-- What the clock of a delivery showed when its person went away: what was left of its wait then is waited after that. It has
-- no rank meanwhile.
ALTER TABLE deliveries ADD COLUMN away_ms BIGINT;
CREATE INDEX deliveries_away ON deliveries (inbox_id, campaign_id) WHERE away_ms IS NOT NULL;
