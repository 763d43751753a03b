-- How an inbox presents itself (a Sender, as JSON), and how a campaign does in its place; NULL: by its address alone.
ALTER TABLE inboxes ADD COLUMN sender TEXT;
ALTER TABLE campaigns ADD COLUMN sender TEXT;
-- The largest message that its server said it takes (RFC 1870), at the last sign-in; NULL: it did not say.
ALTER TABLE inboxes ADD COLUMN size_at_most BIGINT;
-- The files of messages, each content once: its id is the SHA-256 of it.
CREATE TABLE files (
    id            TEXT   NOT NULL PRIMARY KEY,
    content       BYTEA  NOT NULL,
    n_bytes       BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
