-- How each inbox stands with its server, as JSON of `protocol::standing::Standing`.

CREATE TABLE standings (
    inbox_id TEXT NOT NULL PRIMARY KEY REFERENCES inboxes (id),
    body     TEXT NOT NULL
);

-- The domains, in lower case, that took mail from an inbox, and when they last did.
CREATE TABLE accepting_domains (
    inbox_id       TEXT   NOT NULL REFERENCES inboxes (id),
    domain         TEXT   NOT NULL,
    accepted_at_ms BIGINT NOT NULL,
    PRIMARY KEY (inbox_id, domain)
);

-- 1 while it is not claimed before it is known whose its refusal is. Planned only.
ALTER TABLE deliveries ADD COLUMN is_held BIGINT NOT NULL DEFAULT 0;
-- What makes its last refusal or bounce like others, as in rcpt-550-5.1.1; NULL where there was none.
ALTER TABLE deliveries ADD COLUMN alike TEXT;
-- Its number among the accepted messages of its inbox; NULL before.
ALTER TABLE deliveries ADD COLUMN sent_no BIGINT;
