-- What a ledger that was put back needs, so that it writes to nobody again.

-- How often it is sent anew although a server had accepted it: each time as another message.
ALTER TABLE deliveries ADD COLUMN resends BIGINT NOT NULL DEFAULT 0;
-- Unsettled after a restore only: how much later than its due, by the clock of its campaign, the ledger that was lost
-- may have sent something; the later steps of its lead are held as well where their waits end within that.
ALTER TABLE deliveries ADD COLUMN may_be_sent_ms BIGINT;

-- Of a draft that the ledger which was put back holds for not started, and that may have been since: how much time is
-- missing. Its first messages are held when it is started.
ALTER TABLE campaign_inboxes ADD COLUMN may_be_started_ms BIGINT;

-- The relay process that wrote here last, and when by the wall. NULL before the first one that keeps a mark.
ALTER TABLE running_time ADD COLUMN run TEXT;
ALTER TABLE running_time ADD COLUMN at_ms BIGINT;

-- Set while the ledger was put back and it is not settled what of this inbox was sent since: how many attempts are
-- known to be missing, -1 where nobody knows, and the time on the wall that is missing.
ALTER TABLE inboxes ADD COLUMN restored_missing BIGINT;
ALTER TABLE inboxes ADD COLUMN restored_gap_ms BIGINT NOT NULL DEFAULT 0;

-- Copies of messages of ours for which there is no delivery: whoever they went to was written to.
CREATE TABLE strays (
    tag         TEXT   NOT NULL PRIMARY KEY,
    inbox_id    TEXT   NOT NULL REFERENCES inboxes (id),
    -- In small letters; empty where the copy does not tell.
    address     TEXT   NOT NULL,
    found_at_ms BIGINT NOT NULL
);

CREATE INDEX strays_address ON strays (address);

-- Signs of another relay on the same ledger, until a person has said that this one stays.
CREATE TABLE other_relays (
    -- The inbox whose sent folder showed it; empty where the mark did.
    inbox_id  TEXT   NOT NULL PRIMARY KEY,
    met_at_ms BIGINT NOT NULL
);
