-- The stable code of what stopped an operation, or stands in its way: the text beside it
-- is for people, and may change.

ALTER TABLE operations ADD COLUMN failure_code text NOT NULL DEFAULT '';

---- create above / drop below ----

ALTER TABLE operations DROP COLUMN failure_code;
