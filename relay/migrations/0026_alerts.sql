-- What people are told, written with what it tells: the outbox. `transitions` keeps every change of one inbox's
-- connection, told or not, and knows neither campaigns nor channels, so it stays the history that it is.
CREATE TABLE alerts (
    -- The order in which they came.
    no             BIGINT NOT NULL PRIMARY KEY,
    -- Names it for good, against repetition.
    key            TEXT   NOT NULL UNIQUE,
    -- What may be told in one message: the same, for the same cause, of the same provider.
    kind           TEXT   NOT NULL,
    -- Its name on the wire.
    type           TEXT   NOT NULL,
    -- The inbox or the campaign; empty for the relay. No reference: what was told of it outlives it.
    subject        TEXT   NOT NULL,
    -- When it happened, and from when it is told.
    at_ms          BIGINT NOT NULL,
    due_ms         BIGINT NOT NULL,
    -- Of a loss: the instant of its first failure, and since when somebody is to act; NULL once somebody has, or was
    -- told once more.
    since_ms       BIGINT,
    unacted_ms     BIGINT,
    -- The facts, as JSON.
    body           TEXT   NOT NULL
);
CREATE INDEX alerts_of_subject ON alerts (subject, type, no);
CREATE INDEX alerts_unacted ON alerts (unacted_ms) WHERE unacted_ms IS NOT NULL;

-- The channels of the configuration. One that is added is told what comes, and nothing of the past.
CREATE TABLE channels (
    name         TEXT NOT NULL PRIMARY KEY,
    -- Where it leads, without a secret: another place is another channel.
    target       TEXT NOT NULL,
    -- Since when the other side wants nothing more, and its words; NULL while it does.
    off_since_ms BIGINT,
    off_words    TEXT
);

-- Where each alert stands at each channel.
CREATE TABLE tellings (
    alert_no    BIGINT NOT NULL REFERENCES alerts (no),
    channel     TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    -- Tries that failed, and when the next one may be.
    tries       BIGINT NOT NULL,
    next_at_ms  BIGINT NOT NULL,
    ended_at_ms BIGINT,
    -- What the other side answered last.
    words       TEXT,
    PRIMARY KEY (alert_no, channel)
);
CREATE INDEX tellings_pending ON tellings (channel, alert_no) WHERE state = 'pending';
