-- Users: service accounts, who have no address, and the reasons of what was done
-- to users.
--
-- An address is stored in lower case, which the uniqueness of addresses relies on.
-- The lower case is core/user's, of all alphabets; the check holds it against the
-- one of ASCII, which is the same on every server whatever its locale.

ALTER TABLE users NO FORCE ROW LEVEL SECURITY;

ALTER TABLE users
    ADD COLUMN kind text NOT NULL DEFAULT 'person' CONSTRAINT users_kind_check CHECK (kind IN ('person', 'service_account')),
    ADD COLUMN state_reason text NOT NULL DEFAULT '';

-- A service account has no address, and no client of before can have made one.
-- squawk-ignore ban-drop-not-null
ALTER TABLE users ALTER COLUMN email DROP NOT NULL;

ALTER TABLE users
    ADD CONSTRAINT users_email_check CHECK ((email IS NULL) = (kind = 'service_account') AND email = lower(email COLLATE "C"));

ALTER TABLE users FORCE ROW LEVEL SECURITY;

-- How many active admins there are is counted before one of them goes.
CREATE INDEX users_active_role_idx ON users (org_id, role) WHERE state = 'active';

---- create above / drop below ----

-- The release before knows users with addresses only. A service account becomes a
-- person with an address that can not exist (RFC 2606), and works on.
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;

UPDATE users SET kind = 'person', email = id || '@service-account.invalid', version = version + 1 WHERE email IS NULL;

DROP INDEX users_active_role_idx;
ALTER TABLE users
    DROP CONSTRAINT users_email_check,
    ALTER COLUMN email SET NOT NULL,
    DROP COLUMN state_reason,
    DROP COLUMN kind;

ALTER TABLE users FORCE ROW LEVEL SECURITY;
