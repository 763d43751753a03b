-- The audit log: who did what, when and from where. Written before it is performed, ended afterwards. Nothing refers to
-- what else is in the database: an entry outlives the account, the inbox and the session that it names.
CREATE TABLE audit (
    no          BIGINT NOT NULL PRIMARY KEY,
    at_ms       BIGINT NOT NULL,
    -- The endpoint's operationId.
    action      TEXT   NOT NULL,
    -- By what the caller came in: operator, session, device, key, link or nobody; and which one.
    way         TEXT   NOT NULL,
    by_id       TEXT,
    account_id  TEXT,
    -- What it was called then.
    account     TEXT,
    -- Empty for the operator.
    peer        TEXT   NOT NULL,
    browser     TEXT,
    request_id  TEXT   NOT NULL,
    -- JSON.
    fields      TEXT   NOT NULL,
    -- `done` or the code of a problem; NULL until it has ended.
    outcome     TEXT,
    times       BIGINT NOT NULL,
    ended_at_ms BIGINT
);
CREATE INDEX audit_at ON audit (at_ms);
CREATE INDEX audit_of_account ON audit (account_id, no);
-- What a refusal that comes again is counted at, and how many there are.
CREATE INDEX audit_refused ON audit (way, at_ms) WHERE outcome <> 'done';
