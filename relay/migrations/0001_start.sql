-- Portable SQL: TEXT and BIGINT only. Instants are milliseconds of UTC in columns named *_ms.
-- Enums with data are JSON in a TEXT column; what queries need of them stands in a column beside it.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE codes (
    hash          TEXT   NOT NULL PRIMARY KEY,
    purpose       TEXT   NOT NULL,
    expires_at_ms BIGINT NOT NULL
);

CREATE TABLE sessions (
    token_hash    TEXT   NOT NULL PRIMARY KEY,
    expires_at_ms BIGINT NOT NULL
);

CREATE TABLE devices (
    id           TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    origin       TEXT,
    token_hash   TEXT   NOT NULL UNIQUE,
    paired_at_ms BIGINT NOT NULL
);

CREATE TABLE inboxes (
    id                 TEXT   NOT NULL PRIMARY KEY,
    address            TEXT   NOT NULL UNIQUE,
    provider           TEXT   NOT NULL,
    smtp               TEXT   NOT NULL,
    imap               TEXT   NOT NULL,
    gap_ms             BIGINT NOT NULL,
    connection         TEXT   NOT NULL,
    connection_state   TEXT   NOT NULL,
    -- The pair of issuer and subject that signed in first; both NULL before, and for passwords.
    identity_iss       TEXT,
    identity_sub       TEXT,
    -- Sealed at rest; NULL before the first reconnect.
    credentials        TEXT,
    -- Raised at every change, so that a late refresh cannot overwrite newer credentials.
    credentials_fence  BIGINT NOT NULL,
    refresh_until_ms   BIGINT NOT NULL,
    -- Where reading INBOX goes on; both NULL before the first reading.
    inbox_uid_validity BIGINT,
    inbox_uid_next     BIGINT,
    last_read_at_ms    BIGINT,
    -- 1 while something may have arrived that was not read: nothing is sent before it is.
    gap_open           BIGINT NOT NULL,
    -- When a copy made by the server was first seen in the sent folder.
    copy_seen_at_ms    BIGINT,
    last_sent_at_ms    BIGINT,
    created_at_ms      BIGINT NOT NULL
);

CREATE TABLE campaigns (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL,
    steps         TEXT   NOT NULL,
    n_steps       BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    status        TEXT   NOT NULL,
    created_at_ms BIGINT NOT NULL
);

CREATE TABLE campaign_inboxes (
    campaign_id TEXT   NOT NULL REFERENCES campaigns (id),
    inbox_id    TEXT   NOT NULL REFERENCES inboxes (id),
    position    BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, inbox_id)
);

CREATE TABLE leads (
    id          TEXT   NOT NULL PRIMARY KEY,
    campaign_id TEXT   NOT NULL REFERENCES campaigns (id),
    inbox_id    TEXT   NOT NULL REFERENCES inboxes (id),
    -- The row of the CSV file, the header being row 1, after the leads of earlier files.
    position    BIGINT NOT NULL,
    address     TEXT   NOT NULL,
    fields      TEXT   NOT NULL,
    -- active, done or stopped
    state       TEXT   NOT NULL
);

-- Local parts may be told apart by case in theory (RFC 5321 §2.4); nobody's mailbox is.
CREATE UNIQUE INDEX leads_address ON leads (campaign_id, LOWER(address));

CREATE INDEX leads_of_campaign ON leads (campaign_id, state);

CREATE TABLE deliveries (
    id                TEXT   NOT NULL PRIMARY KEY,
    campaign_id       TEXT   NOT NULL REFERENCES campaigns (id),
    lead_id           TEXT   NOT NULL REFERENCES leads (id),
    inbox_id          TEXT   NOT NULL REFERENCES inboxes (id),
    -- From 1.
    step              BIGINT NOT NULL,
    state             TEXT   NOT NULL,
    -- Planned and deferred only.
    due_at_ms         BIGINT,
    -- Attempting only.
    lease_until_ms    BIGINT,
    -- The fence: every write of an attempt names it.
    attempt           BIGINT NOT NULL,
    message_id        TEXT,
    wire_id           TEXT,
    -- Where the sent folder stood before the attempt; NULL where it was not known.
    sent_uid_validity BIGINT,
    sent_uid_next     BIGINT,
    -- Accepted and bounced only.
    accepted_at_ms    BIGINT,
    -- In doubt and unsettled only.
    in_doubt_since_ms BIGINT,
    -- Deferred and rejected only: the cause's code.
    cause             TEXT,
    -- Suppressed only.
    why               TEXT,
    suppressed_at_ms  BIGINT,
    -- The server's words at the last attempt.
    words             TEXT,
    CONSTRAINT deliveries_step UNIQUE (lead_id, step)
);

CREATE INDEX deliveries_due ON deliveries (inbox_id, state, due_at_ms);
CREATE INDEX deliveries_of_campaign ON deliveries (campaign_id, state);
CREATE INDEX deliveries_message_id ON deliveries (message_id);
CREATE INDEX deliveries_wire_id ON deliveries (wire_id);

-- One row for each try, with what it met: written with the outcome, never changed.
CREATE TABLE attempts (
    delivery_id   TEXT   NOT NULL REFERENCES deliveries (id),
    attempt       BIGINT NOT NULL,
    outcome       TEXT   NOT NULL,
    words         TEXT   NOT NULL,
    ended_at_ms   BIGINT NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
);

CREATE TABLE reconnects (
    id            TEXT   NOT NULL PRIMARY KEY,
    inbox_id      TEXT   NOT NULL REFERENCES inboxes (id),
    status        TEXT   NOT NULL,
    is_open       BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    -- Sealed at rest: what the browser handed over, then the fresh credentials. NULL when it is over.
    payload       TEXT,
    identity_iss  TEXT,
    identity_sub  TEXT,
    started_at_ms BIGINT NOT NULL
);

CREATE UNIQUE INDEX reconnects_one_open ON reconnects (inbox_id) WHERE is_open = 1;

CREATE TABLE receipts (
    id            TEXT   NOT NULL PRIMARY KEY,
    inbox_id      TEXT   NOT NULL REFERENCES inboxes (id),
    body          TEXT   NOT NULL,
    created_at_ms BIGINT NOT NULL
);

-- Every change of a connection, once, whichever path saw it first.
CREATE TABLE transitions (
    id       TEXT   NOT NULL PRIMARY KEY,
    inbox_id TEXT   NOT NULL REFERENCES inboxes (id),
    at_ms    BIGINT NOT NULL,
    body     TEXT   NOT NULL
);
