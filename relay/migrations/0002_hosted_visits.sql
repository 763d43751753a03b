-- Visits at a provider that the relay itself runs in a tab, from the ticket to the answer.

CREATE TABLE hosted_visits (
    -- Of the ticket in the one-time address; once that was used, of the state that the provider gives back.
    hash          TEXT   NOT NULL PRIMARY KEY,
    reconnect_id  TEXT   NOT NULL REFERENCES reconnects (id),
    -- Of the cookie of the tab, and what the answer needs, sealed at rest; both NULL until the ticket was used.
    cookie_hash   TEXT,
    payload       TEXT,
    expires_at_ms BIGINT NOT NULL
);
