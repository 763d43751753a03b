-- When the server refused it; NULL where it did not, or nobody knows.
ALTER TABLE canaries ADD COLUMN refused_at_ms BIGINT;
