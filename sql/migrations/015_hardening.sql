-- What the catalog gate asks for, and what a tampered row could otherwise do.

-- An operator outside the system organization would have no reach, as authorization
-- asks for both. Such a row can not even be stored.
ALTER TABLE users ADD CONSTRAINT users_operator_check
    CHECK (role <> 'operator' OR org_id = '00000000-0000-7000-8000-000000000001');

-- A user's keys are looked for whenever the user changes or goes.
CREATE INDEX api_keys_user_idx ON api_keys (org_id, user_id);

---- create above / drop below ----

DROP INDEX api_keys_user_idx;
ALTER TABLE users DROP CONSTRAINT users_operator_check;
