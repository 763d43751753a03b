-- What absence in a sent folder is measured by, what an inbox meets, and leads that are added in slices.

-- Raised whenever credentials are adopted: what an earlier sign-in showed says nothing of a later one.
ALTER TABLE inboxes ADD COLUMN adoption BIGINT NOT NULL DEFAULT 0;
-- Of the first messages accepted since then: how many had a copy that the server made, and how many had none.
ALTER TABLE inboxes ADD COLUMN copies_found BIGINT NOT NULL DEFAULT 0;
ALTER TABLE inboxes ADD COLUMN copies_missing BIGINT NOT NULL DEFAULT 0;
-- The failure that was met last, and when the first one was, since anything worked; NULL where nothing failed since.
ALTER TABLE inboxes ADD COLUMN failing_since_ms BIGINT;
ALTER TABLE inboxes ADD COLUMN failing TEXT;
ALTER TABLE inboxes DROP COLUMN copy_seen_at_ms;

-- The order in which an inbox's attempts began, from 1; NULL before the first. With it stand the sign-in that the
-- last attempt used and the name of the sent folder whose position was noted.
ALTER TABLE deliveries ADD COLUMN claim_no BIGINT;
ALTER TABLE deliveries ADD COLUMN adoption BIGINT;
ALTER TABLE deliveries ADD COLUMN sent_folder TEXT;
-- Unsettled only: why no evidence came.
ALTER TABLE deliveries ADD COLUMN no_evidence TEXT;
CREATE INDEX deliveries_claims ON deliveries (inbox_id, claim_no);

-- Messages of an inbox to itself: their copies show whether the server makes copies now. They are no deliveries.
CREATE TABLE canaries (
    -- Stands in the delivery header, as a delivery's own id does.
    id             TEXT   NOT NULL PRIMARY KEY,
    inbox_id       TEXT   NOT NULL REFERENCES inboxes (id),
    message_id     TEXT   NOT NULL,
    adoption       BIGINT NOT NULL,
    claim_no       BIGINT NOT NULL,
    begun_at_ms    BIGINT NOT NULL,
    -- NULL where it was not accepted, or nobody knows.
    accepted_at_ms BIGINT
);

CREATE INDEX canaries_of_inbox ON canaries (inbox_id, begun_at_ms);

-- Rows of leads behind this position are being added, or are left of an import that did not end: they are no leads.
ALTER TABLE campaigns ADD COLUMN leads_up_to BIGINT NOT NULL DEFAULT 0;
UPDATE campaigns SET leads_up_to =
    (SELECT COALESCE(MAX(l.position), 0) FROM leads l WHERE l.campaign_id = campaigns.id);
