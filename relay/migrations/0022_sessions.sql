-- A session has a name by which it is listed and ended, and says when and where it began and when it was last used.
-- Those of earlier versions end here, as every session ends at a start of a relay that speaks plain HTTP.
DROP TABLE sessions;
CREATE TABLE sessions (
    id            TEXT   NOT NULL PRIMARY KEY,
    token_hash    TEXT   NOT NULL UNIQUE,
    made_at_ms    BIGINT NOT NULL,
    used_at_ms    BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    -- The address that it began from.
    peer          TEXT   NOT NULL,
    -- What the browser said of itself; NULL where it said nothing.
    browser       TEXT
);
