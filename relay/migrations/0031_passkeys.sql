-- Passkeys: public keys by which an account signs in. What they verify never leaves its authenticator.
CREATE TABLE passkeys (
    id            TEXT   NOT NULL PRIMARY KEY,
    account_id    TEXT   NOT NULL REFERENCES accounts (id),
    name          TEXT   NOT NULL,
    -- As its authenticator calls it, base64url.
    credential_id TEXT   NOT NULL UNIQUE,
    -- COSE, base64url.
    public_key    TEXT   NOT NULL,
    -- How often it has signed, as it said last; 0 where it does not count.
    counter       BIGINT NOT NULL,
    made_at_ms    BIGINT NOT NULL,
    -- NULL until it is used.
    used_at_ms    BIGINT
);
CREATE INDEX passkeys_of_account ON passkeys (account_id);
