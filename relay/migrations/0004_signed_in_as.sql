-- The name of whoever signed in, as the provider told it; NULL before that is known, and where none was told.

ALTER TABLE reconnects ADD COLUMN signed_in_as TEXT;
