-- Where reading goes on in the folders besides INBOX into which answers come or are put. A row is made when a folder
-- is first seen; one whose folder is gone stays, and is right again when the folder is back.

CREATE TABLE folders (
    inbox_id     TEXT   NOT NULL REFERENCES inboxes (id),
    -- As the server writes it.
    name         TEXT   NOT NULL,
    -- 0 where the server tells none.
    uid_validity BIGINT NOT NULL,
    uid_next     BIGINT NOT NULL,
    -- When it was last read to its end.
    read_at_ms   BIGINT NOT NULL,
    PRIMARY KEY (inbox_id, name)
);
