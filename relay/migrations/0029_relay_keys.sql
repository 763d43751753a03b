-- The relay's own keys, which can be renewed. Their secret halves are sealed under the key of the file; those that follow
-- from a file of an earlier version are carried over at the first start, unchanged.

-- The keys that seal at rest: what is sealed begins with the id of its key.
CREATE TABLE keys_at_rest (
    id          TEXT   NOT NULL PRIMARY KEY,
    -- Their order.
    number      BIGINT NOT NULL UNIQUE,
    begun_at_ms BIGINT NOT NULL,
    -- The key, sealed under the one of now, while something is left that it opens.
    sealed      TEXT
);
-- The keys by which devices know the relay.
CREATE TABLE relay_keys (
    number      BIGINT NOT NULL PRIMARY KEY,
    signing_key TEXT   NOT NULL UNIQUE,
    sealing_key TEXT   NOT NULL,
    -- The secret halves; NULL once their time is over.
    sealed      TEXT,
    begun_at_ms BIGINT NOT NULL,
    -- NULL of the one of now.
    ends_at_ms  BIGINT,
    -- How those who know the one before learn of this one; NULL where they may not.
    statement   TEXT,
    signature   TEXT
);
-- By which key it knows the relay: since pairing, and as it said last. NULL: the first, and as at pairing.
ALTER TABLE devices ADD COLUMN relay_key TEXT;
ALTER TABLE devices ADD COLUMN known_key TEXT;
