-- API keys: what programs come in by. Of a key itself only the hash is kept.
CREATE TABLE api_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    key_hash   TEXT   NOT NULL UNIQUE,
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    -- With spaces between.
    scopes     TEXT   NOT NULL,
    made_at_ms BIGINT NOT NULL,
    ends_at_ms BIGINT NOT NULL,
    -- To the minute, and from where; NULL until it is used.
    used_at_ms BIGINT,
    used_from  TEXT
);
CREATE INDEX api_keys_of_account ON api_keys (account_id);
