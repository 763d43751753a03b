-- Leads are added to campaigns that are started too, and each can be held, changed or deleted by itself.

-- Leads up to this place have their first step planned, once a campaign is started: what is added later is planned in
-- slices, and where that was broken off it goes on from here.
ALTER TABLE campaigns ADD COLUMN planned_up_to BIGINT NOT NULL DEFAULT 0;
UPDATE campaigns SET planned_up_to = leads_up_to WHERE state <> 'draft';
CREATE INDEX campaigns_unplanned ON campaigns (id) WHERE planned_up_to < leads_up_to;

-- Whether its messages tell how to be written to no more (RFC 2369, RFC 8058).
ALTER TABLE campaigns ADD COLUMN unsubscribe BIGINT NOT NULL DEFAULT 1;
