-- Nothing costs more on a longer list: what is counted is kept, what is listed is read by page along an index, and the
-- lines of a receipt are rows of their own.

-- How many deliveries of a campaign at an inbox are what; kept by the triggers below, whoever changes a delivery.
CREATE TABLE tallies (
    campaign_id TEXT   NOT NULL REFERENCES campaigns (id),
    inbox_id    TEXT   NOT NULL REFERENCES inboxes (id),
    -- A state; or 'first': first messages that wait for their turn alone.
    what        TEXT   NOT NULL,
    n           BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, inbox_id, what)
);

INSERT INTO tallies (campaign_id, inbox_id, what, n)
SELECT campaign_id, inbox_id, state, COUNT(*) FROM deliveries GROUP BY campaign_id, inbox_id, state;

INSERT INTO tallies (campaign_id, inbox_id, what, n)
SELECT campaign_id, inbox_id, 'first', COUNT(*) FROM deliveries WHERE is_first = 1 AND rank IS NOT NULL
GROUP BY campaign_id, inbox_id;

CREATE TRIGGER tallies_added AFTER INSERT ON deliveries BEGIN
    INSERT INTO tallies (campaign_id, inbox_id, what, n) VALUES (NEW.campaign_id, NEW.inbox_id, NEW.state, 1)
        ON CONFLICT (campaign_id, inbox_id, what) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER tallies_removed AFTER DELETE ON deliveries BEGIN
    UPDATE tallies SET n = n - 1
        WHERE campaign_id = OLD.campaign_id AND inbox_id = OLD.inbox_id AND what = OLD.state;
END;
CREATE TRIGGER tallies_moved AFTER UPDATE OF state ON deliveries WHEN NEW.state <> OLD.state BEGIN
    UPDATE tallies SET n = n - 1
        WHERE campaign_id = OLD.campaign_id AND inbox_id = OLD.inbox_id AND what = OLD.state;
    INSERT INTO tallies (campaign_id, inbox_id, what, n) VALUES (NEW.campaign_id, NEW.inbox_id, NEW.state, 1)
        ON CONFLICT (campaign_id, inbox_id, what) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER firsts_added AFTER INSERT ON deliveries WHEN NEW.is_first = 1 AND NEW.rank IS NOT NULL BEGIN
    INSERT INTO tallies (campaign_id, inbox_id, what, n) VALUES (NEW.campaign_id, NEW.inbox_id, 'first', 1)
        ON CONFLICT (campaign_id, inbox_id, what) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER firsts_removed AFTER DELETE ON deliveries WHEN OLD.is_first = 1 AND OLD.rank IS NOT NULL BEGIN
    UPDATE tallies SET n = n - 1
        WHERE campaign_id = OLD.campaign_id AND inbox_id = OLD.inbox_id AND what = 'first';
END;
CREATE TRIGGER firsts_ready AFTER UPDATE OF rank ON deliveries
WHEN NEW.is_first = 1 AND OLD.rank IS NULL AND NEW.rank IS NOT NULL BEGIN
    INSERT INTO tallies (campaign_id, inbox_id, what, n) VALUES (NEW.campaign_id, NEW.inbox_id, 'first', 1)
        ON CONFLICT (campaign_id, inbox_id, what) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER firsts_taken AFTER UPDATE OF rank ON deliveries
WHEN NEW.is_first = 1 AND OLD.rank IS NOT NULL AND NEW.rank IS NULL BEGIN
    UPDATE tallies SET n = n - 1
        WHERE campaign_id = OLD.campaign_id AND inbox_id = OLD.inbox_id AND what = 'first';
END;

-- Its leads; rows behind leads_up_to are none.
ALTER TABLE campaigns ADD COLUMN n_leads BIGINT NOT NULL DEFAULT 0;
CREATE INDEX leads_place ON leads (campaign_id, position);
UPDATE campaigns SET n_leads =
    (SELECT COUNT(*) FROM leads l WHERE l.campaign_id = campaigns.id AND l.position <= campaigns.leads_up_to);

-- When a clock stopped, by the wall; NULL while it runs.
ALTER TABLE campaign_inboxes ADD COLUMN stood_since_ms BIGINT;

-- How an inbox stands with its server stands in its own row: it changes with every try, as when the last one was does.
ALTER TABLE inboxes ADD COLUMN standing TEXT;
UPDATE inboxes SET standing = (SELECT s.body FROM standings s WHERE s.inbox_id = inboxes.id);
DROP TABLE standings;

-- Whoever stores a reading of the running time keeps it.
CREATE TRIGGER running_time_kept AFTER UPDATE OF last_tried_r_ms ON inboxes WHEN NEW.last_tried_r_ms IS NOT NULL BEGIN
    UPDATE running_time SET r_ms = NEW.last_tried_r_ms WHERE id = 1 AND r_ms < NEW.last_tried_r_ms;
END;

-- The reconnect that a receipt is of, while its lines are being written; NULL once it stands.
ALTER TABLE receipts ADD COLUMN open_for TEXT;
-- NULL in rows of the last version, whose lines stand in the body, until the relay has carried them over.
ALTER TABLE receipts ADD COLUMN n_lines BIGINT;
CREATE INDEX receipts_newest ON receipts (created_at_ms, id) WHERE open_for IS NULL;
CREATE INDEX receipts_open ON receipts (open_for) WHERE open_for IS NOT NULL;
CREATE INDEX receipts_old ON receipts (id) WHERE n_lines IS NULL;

-- One delivery that an outage held.
CREATE TABLE receipt_lines (
    receipt_id    TEXT   NOT NULL REFERENCES receipts (id),
    -- From 1, in the order of the receipt.
    line_no       BIGINT NOT NULL,
    delivery_id   TEXT   NOT NULL,
    lead_id       TEXT   NOT NULL,
    step          BIGINT NOT NULL,
    -- shifted, skipped or in_doubt
    fate          TEXT   NOT NULL,
    -- Shifted only.
    was_due_at_ms BIGINT,
    due_at_ms     BIGINT,
    -- Skipped only.
    why           TEXT,
    PRIMARY KEY (receipt_id, line_no)
);

-- Lists of a campaign's deliveries, in the order of its leads.
CREATE INDEX deliveries_listed ON deliveries (campaign_id, place, step);
DROP INDEX deliveries_of_campaign;
CREATE INDEX deliveries_of_campaign ON deliveries (campaign_id, state, place, step);

-- What an arrived message names.
DROP INDEX deliveries_message_id_lower;
DROP INDEX deliveries_wire_id_lower;
CREATE INDEX deliveries_message_id_lower ON deliveries (inbox_id, LOWER(message_id)) WHERE message_id IS NOT NULL;
CREATE INDEX deliveries_wire_id_lower ON deliveries (inbox_id, LOWER(wire_id)) WHERE wire_id IS NOT NULL;
DROP INDEX deliveries_claims;
CREATE INDEX deliveries_claims ON deliveries (inbox_id, claim_no) WHERE claim_no IS NOT NULL;

-- What is open.
DROP INDEX deliveries_attempting;
CREATE INDEX deliveries_attempting ON deliveries (inbox_id, lease_until_ms, place, step) WHERE state = 'attempting';
DROP INDEX deliveries_in_doubt;
CREATE INDEX deliveries_in_doubt ON deliveries (inbox_id, in_doubt_since_ms, id) WHERE state = 'in_doubt';
CREATE INDEX deliveries_open_doubts ON deliveries (inbox_id, in_doubt_since_ms, place, step)
    WHERE state IN ('in_doubt', 'unsettled');
CREATE INDEX deliveries_resting_by_life ON deliveries (inbox_id, rest_until_r_ms) WHERE rest_until_r_ms IS NOT NULL;
CREATE INDEX deliveries_alike ON deliveries (inbox_id, alike, state, sent_no, id) WHERE alike IS NOT NULL;
-- Accepted, and it is not known what the server made of their ids.
CREATE INDEX deliveries_unnamed ON deliveries (inbox_id, accepted_at_ms, id)
    WHERE state = 'accepted' AND wire_id IS NULL;
-- What an outage holds.
CREATE INDEX deliveries_suppressed ON deliveries (inbox_id, campaign_id, suppressed_at_ms, place, step)
    WHERE state = 'suppressed';
CREATE INDEX deliveries_rested ON deliveries (inbox_id, campaign_id, rest_until_ms, place, step)
    WHERE rest_until_ms IS NOT NULL;
DROP INDEX deliveries_ready;
CREATE INDEX deliveries_ready ON deliveries (inbox_id, campaign_id, is_first, rank, place, step)
    WHERE rank IS NOT NULL;
