-- Leads that are added in slices.

-- Rows of leads behind this position are being added, or are left of an import that did not end: they are no leads.
ALTER TABLE campaigns ADD COLUMN leads_up_to BIGINT NOT NULL DEFAULT 0;
UPDATE campaigns SET leads_up_to =
    (SELECT COALESCE(MAX(l.position), 0) FROM leads l WHERE l.campaign_id = campaigns.id);
