-- When whoever has a session last proved that it is his. Those of earlier versions prove it before they change who comes in.
ALTER TABLE sessions ADD COLUMN proved_at_ms BIGINT NOT NULL DEFAULT 0;
