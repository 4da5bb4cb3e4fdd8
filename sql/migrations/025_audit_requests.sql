-- What is asked of Temporal stands in the trail before it is done, and so does not
-- say that it was: its outcome is 'requested'. Entries from before stay as they are,
-- because their hashes are of what they say. They obey the narrower rule, so that
-- nobody has to look through them again.

ALTER TABLE audit_events DROP CONSTRAINT audit_events_outcome_check;
ALTER TABLE audit_events ADD CONSTRAINT audit_events_outcome_check
    CHECK (outcome IN ('succeeded', 'requested', 'refused', 'failed')) NOT VALID;

---- create above / drop below ----

-- Where an entry says so, this fails, and the schema stays as it is: entries are
-- neither altered nor lost. A release that does not know the outcome still works.
ALTER TABLE audit_events DROP CONSTRAINT audit_events_outcome_check;
-- The schema must be as it was, where the constraint is valid. Whoever takes a migration back waits.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE audit_events ADD CONSTRAINT audit_events_outcome_check
    CHECK (outcome IN ('succeeded', 'refused', 'failed'));
