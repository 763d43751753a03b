-- What an arrived message names is ours whatever inbox it came to.
DROP INDEX deliveries_message_id_lower;
DROP INDEX deliveries_wire_id_lower;
CREATE INDEX deliveries_message_id_lower ON deliveries (LOWER(message_id)) WHERE message_id IS NOT NULL;
CREATE INDEX deliveries_wire_id_lower ON deliveries (LOWER(wire_id)) WHERE wire_id IS NOT NULL;
