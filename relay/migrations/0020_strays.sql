-- Whoever the file of stops names may have been written to through an inbox that this database does not know.
CREATE TABLE strays_of_any_inbox (
    tag         TEXT   NOT NULL PRIMARY KEY,
    inbox_id    TEXT   NOT NULL,
    -- In small letters; empty where the copy does not tell.
    address     TEXT   NOT NULL,
    found_at_ms BIGINT NOT NULL
);
INSERT INTO strays_of_any_inbox (tag, inbox_id, address, found_at_ms)
SELECT tag, inbox_id, address, found_at_ms FROM strays;
DROP TABLE strays;
ALTER TABLE strays_of_any_inbox RENAME TO strays;
CREATE INDEX strays_address ON strays (address);
