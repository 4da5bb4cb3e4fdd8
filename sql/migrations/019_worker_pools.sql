-- Worker pools: an organization belongs to one, and the worker processes that share
-- a pool are its members while they hold a lease. That is not a tenant's business:
-- a member serves many.

ALTER TABLE organizations
    ADD COLUMN worker_pool text NOT NULL DEFAULT 'default';

CREATE TABLE worker_members (
    pool       text        NOT NULL, -- '' is that of all organizations
    member     text        NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (pool, member)
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE ON worker_members TO bulkhead_app;
GRANT SELECT ON worker_members TO bulkhead_dump;

-- Whoever waits for assignments is woken by the commit. The payload is empty, so that
-- all the changes of a transaction are one wake-up. That a lease is prolonged, or the
-- organization's name changes, wakes nobody.
CREATE FUNCTION assignments_touched() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_notify('bulkhead_assignments', '');
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION assignments_touched() FROM PUBLIC;

CREATE TRIGGER assignments_touched AFTER UPDATE ON organizations FOR EACH ROW
    WHEN (OLD.slug IS DISTINCT FROM NEW.slug
       OR OLD.state IS DISTINCT FROM NEW.state
       OR OLD.worker_pool IS DISTINCT FROM NEW.worker_pool)
    EXECUTE FUNCTION assignments_touched();

CREATE TRIGGER assignments_touched AFTER INSERT OR DELETE ON worker_members FOR EACH ROW
    EXECUTE FUNCTION assignments_touched();

---- create above / drop below ----

DROP TRIGGER assignments_touched ON worker_members;
DROP TRIGGER assignments_touched ON organizations;
DROP FUNCTION assignments_touched();
DROP TABLE worker_members;
ALTER TABLE organizations DROP COLUMN worker_pool;
