-- Devices prove themselves by a key instead of a token. Of a device that has none, nothing can be carried over: it pairs
-- once more.
DROP TABLE devices;
CREATE TABLE devices (
    id           TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    origin       TEXT,
    public_key   TEXT   NOT NULL UNIQUE,
    paired_at_ms BIGINT NOT NULL
);
