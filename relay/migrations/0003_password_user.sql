-- The user name of an inbox that signs in by a password; NULL where it signs in at its provider, or never did.

ALTER TABLE inboxes ADD COLUMN password_user TEXT;
