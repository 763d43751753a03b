-- Ids come back in other letters than they left in: they are looked up without regard to case.

CREATE INDEX deliveries_message_id_lower ON deliveries (LOWER(message_id));
CREATE INDEX deliveries_wire_id_lower ON deliveries (LOWER(wire_id));

DROP INDEX deliveries_message_id;
DROP INDEX deliveries_wire_id;
