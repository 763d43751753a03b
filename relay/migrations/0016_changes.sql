-- How an inbox's connection changed, newest first.
CREATE INDEX transitions_listed ON transitions (inbox_id, at_ms);
