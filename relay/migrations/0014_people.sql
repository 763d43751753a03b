-- A person is an address on this relay: the same in every campaign, however it is written.
ALTER TABLE leads ADD COLUMN person TEXT NOT NULL DEFAULT '';
ALTER TABLE leads ADD COLUMN domain TEXT NOT NULL DEFAULT '';
UPDATE leads SET person = LOWER(address), domain = SUBSTR(LOWER(address), INSTR(address, '@') + 1);
CREATE INDEX leads_of_person ON leads (person, state);
CREATE INDEX leads_of_domain ON leads (domain, state);

-- Who is not written to, in any campaign.
CREATE TABLE suppressions (
    -- A person, or a domain with everybody in it; in small letters, the domain as an A-label.
    whom     TEXT   NOT NULL PRIMARY KEY,
    -- bounced, complained or person
    why      TEXT   NOT NULL,
    since_ms BIGINT NOT NULL,
    -- The lead that it was met with, where it was.
    lead_id  TEXT   REFERENCES leads (id)
);
CREATE INDEX suppressions_of_lead ON suppressions (lead_id) WHERE lead_id IS NOT NULL;
