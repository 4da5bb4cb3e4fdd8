-- What whoever asked for an operation has said, for people. It says why to whoever finds
-- what the operation has done.

ALTER TABLE operations ADD COLUMN note text NOT NULL DEFAULT '';

---- create above / drop below ----

ALTER TABLE operations DROP COLUMN note;
