-- What authentication reads is kept in memory by those who authenticate, and each
-- of these rows says in which transaction that last changed of it. A reader who
-- remembers the snapshot that it last looked at finds all that has become visible
-- since, in whatever order transactions began, wrote and committed
-- (CredentialChanges). A row that goes needs no mark: a key that can be deleted has
-- ended before, and so has the organization that is purged.
--
-- The marks of a restored dump are of another server, and name transactions that
-- are yet to come here: a reader looks at no mark that its snapshot does not know.

ALTER TABLE organizations ADD COLUMN touched xid8;
ALTER TABLE users         ADD COLUMN touched xid8;
ALTER TABLE roles         ADD COLUMN touched xid8;
ALTER TABLE api_keys      ADD COLUMN touched xid8;

-- The transaction that has added the column holds the table anyway, and no row is in
-- these indexes yet.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX organizations_touched_idx ON organizations (touched) WHERE touched IS NOT NULL;
-- As above.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX users_touched_idx         ON users (touched)         WHERE touched IS NOT NULL;
-- As above.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX roles_touched_idx         ON roles (touched)         WHERE touched IS NOT NULL;
-- As above.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX api_keys_touched_idx      ON api_keys (touched)      WHERE touched IS NOT NULL;

GRANT SELECT (touched) ON organizations TO bulkhead_auth;
GRANT SELECT (touched) ON users         TO bulkhead_auth;
GRANT SELECT (touched) ON roles         TO bulkhead_auth;
GRANT SELECT (touched) ON api_keys      TO bulkhead_auth;

-- Whoever waits for changes is woken by the commit. The payload is empty, so that
-- all the changes of a transaction are one wake-up. Postgres serializes the commits
-- of transactions that notify: the triggers below fire on what people change, and
-- never on what happens with each request.
CREATE FUNCTION credential_touched() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.touched := pg_current_xact_id();
    PERFORM pg_notify('bulkhead_credentials', '');
    RETURN NEW;
END $$;

REVOKE ALL ON FUNCTION credential_touched() FROM PUBLIC;

-- A row that is new is in nobody's memory, so these are of updates alone. Each names
-- the columns that CredentialFind reads of its table, one by one: a comparison of rows comes
-- back from a dump in another form, and a restored schema would not compare as the same.
CREATE TRIGGER credential_touched BEFORE UPDATE ON organizations FOR EACH ROW
    WHEN (OLD.slug IS DISTINCT FROM NEW.slug
       OR OLD.state IS DISTINCT FROM NEW.state
       OR OLD.limits IS DISTINCT FROM NEW.limits)
    EXECUTE FUNCTION credential_touched();

CREATE TRIGGER credential_touched BEFORE UPDATE ON users FOR EACH ROW
    WHEN (OLD.role IS DISTINCT FROM NEW.role
       OR OLD.role_id IS DISTINCT FROM NEW.role_id
       OR OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION credential_touched();

CREATE TRIGGER credential_touched BEFORE UPDATE ON roles FOR EACH ROW
    WHEN (OLD.name IS DISTINCT FROM NEW.name
       OR OLD.permissions IS DISTINCT FROM NEW.permissions)
    EXECUTE FUNCTION credential_touched();

CREATE TRIGGER credential_touched BEFORE UPDATE ON api_keys FOR EACH ROW
    WHEN (OLD.user_id IS DISTINCT FROM NEW.user_id
       OR OLD.scopes IS DISTINCT FROM NEW.scopes
       OR OLD.pepper_version IS DISTINCT FROM NEW.pepper_version
       OR OLD.hash IS DISTINCT FROM NEW.hash
       OR OLD.state IS DISTINCT FROM NEW.state
       OR OLD.expires_at IS DISTINCT FROM NEW.expires_at
       OR OLD.allowed_ips IS DISTINCT FROM NEW.allowed_ips
       OR OLD.generation IS DISTINCT FROM NEW.generation
       OR OLD.old_pepper_version IS DISTINCT FROM NEW.old_pepper_version
       OR OLD.old_hash IS DISTINCT FROM NEW.old_hash
       OR OLD.old_expires_at IS DISTINCT FROM NEW.old_expires_at
       OR OLD.old_until_seen IS DISTINCT FROM NEW.old_until_seen
       OR OLD.limits IS DISTINCT FROM NEW.limits)
    EXECUTE FUNCTION credential_touched();

---- create above / drop below ----

DROP TRIGGER credential_touched ON api_keys;
DROP TRIGGER credential_touched ON roles;
DROP TRIGGER credential_touched ON users;
DROP TRIGGER credential_touched ON organizations;
DROP FUNCTION credential_touched();

ALTER TABLE api_keys      DROP COLUMN touched;
ALTER TABLE roles         DROP COLUMN touched;
ALTER TABLE users         DROP COLUMN touched;
ALTER TABLE organizations DROP COLUMN touched;
