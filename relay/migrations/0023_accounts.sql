-- Who signs in, and what he may do. The first account is made when the relay is started; what was there before is its.
CREATE TABLE accounts (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    -- By what two spellings are one name.
    name_key   TEXT   NOT NULL UNIQUE,
    role       TEXT   NOT NULL,
    -- A PHC string; NULL where it signs in by links alone.
    password   TEXT,
    made_at_ms BIGINT NOT NULL
);
-- The inboxes that a client sees.
CREATE TABLE account_inboxes (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    inbox_id   TEXT NOT NULL REFERENCES inboxes (id),
    PRIMARY KEY (account_id, inbox_id)
);
CREATE INDEX account_inboxes_of_inbox ON account_inboxes (inbox_id);
-- NULL only until the first account is made.
ALTER TABLE codes ADD COLUMN account_id TEXT REFERENCES accounts (id);
ALTER TABLE sessions ADD COLUMN account_id TEXT REFERENCES accounts (id);
ALTER TABLE devices ADD COLUMN account_id TEXT REFERENCES accounts (id);
