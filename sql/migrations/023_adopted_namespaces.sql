-- An organization can be made over a namespace that was there before. It is deleted as
-- any other, but is never made, and keeps at least what it kept.

ALTER TABLE organizations
    ADD COLUMN namespace_adopted boolean NOT NULL DEFAULT false;

---- create above / drop below ----

ALTER TABLE organizations DROP COLUMN namespace_adopted;
