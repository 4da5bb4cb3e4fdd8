-- Organizations: what they keep of themselves, suspension, deletion, and the
-- purge of what a deleted one leaves behind.

ALTER TABLE organizations
    ADD COLUMN metadata           jsonb   NOT NULL DEFAULT '{}',
    ADD COLUMN settings           jsonb   NOT NULL DEFAULT '{}',
    ADD COLUMN deletion_protected boolean NOT NULL DEFAULT false,
    -- When its namespace was first usable. Null: never, so that a restored one has
    -- to be provisioned again.
    ADD COLUMN activated_at       timestamptz,
    -- The end of the grace. Null while it is being deleted: the grace is over, and
    -- nothing restores it.
    ADD COLUMN delete_after       timestamptz;

-- The owner is bound by row-level security, so that it would change no row.
ALTER TABLE organizations NO FORCE ROW LEVEL SECURITY;
UPDATE organizations SET activated_at = created_at WHERE state IN ('active', 'suspended');
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;

-- Lists go by age: a caller may choose an id, so that ids do not tell it.
CREATE INDEX organizations_created_idx ON organizations (created_at, id);

-- The attempt that this one repeats. No foreign key: a purge takes the operations
-- that a deletion repeats nothing of.
ALTER TABLE operations
    ADD COLUMN retry_of uuid,
    DROP CONSTRAINT operations_state_check,
    ADD CONSTRAINT operations_state_check CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'canceled'));

-- The purge takes every row of an organization but its own, the tombstone, and
-- those of the audit trail and of the deletion itself. Nobody may delete most of
-- these rows: not the app role, whose every mistake would then be one that can not
-- be taken back. So this is a function with the owner's rights, and all that the
-- app role gets is to call it. It is as narrow as it can be:
--   - It takes no table, no condition and no state from its caller, only an
--     organization, which must be that of the transaction's scope and must be past
--     the point of no return: being deleted, without a grace.
--   - The owner itself is bound by forced row-level security. The policies below
--     let it see and delete the scope's rows, and write none.
--   - Its search path is the catalog's, and every name in it is qualified.
-- It goes by the catalog, so that a table which is added later is not forgotten;
-- such a table needs the policies "purge" and "purge_sees" of its neighbours, and the
-- catalog gate asks for them. max_rows bounds what one call takes of a table: the
-- caller calls until nothing is left.
CREATE FUNCTION purge_organization(org uuid, max_rows integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = on
AS $$
DECLARE
    pending text[];
    blocked text[];
    target  text;
    n       bigint;
    removed bigint := 0;
BEGIN
    IF org IS DISTINCT FROM nullif(current_setting('app.org_id', true), '')::uuid OR NOT EXISTS (
        SELECT FROM public.organizations o WHERE o.id = org AND o.state = 'deleting' AND o.delete_after IS NULL
    ) THEN
        RAISE insufficient_privilege USING MESSAGE = 'the organization is not to be purged';
    END IF;
    SELECT array_agg(c.relname::text ORDER BY c.oid DESC) INTO pending
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT starts_with(c.relname, 'audit_');
    WHILE pending IS NOT NULL LOOP
        blocked := NULL;
        FOREACH target IN ARRAY pending LOOP
            BEGIN
                EXECUTE format('DELETE FROM public.%I WHERE org_id = $1 AND ctid = ANY (ARRAY(
                    SELECT t.ctid FROM public.%I t WHERE t.org_id = $1 %s LIMIT $2))', target, target,
                    CASE target WHEN 'operations' THEN 'AND t.kind <> ''organization.delete''' ELSE '' END)
                USING org, max_rows;
                GET DIAGNOSTICS n = ROW_COUNT;
            EXCEPTION WHEN foreign_key_violation THEN -- what refers to these rows goes first
                blocked := array_append(blocked, target);
                CONTINUE;
            END;
            removed := removed + n;
            IF n >= max_rows THEN
                RETURN removed;
            END IF;
        END LOOP;
        IF blocked = pending THEN
            RAISE foreign_key_violation USING MESSAGE = 'rows refer to each other in a circle: ' || array_to_string(blocked, ', ');
        END IF;
        pending := blocked;
    END LOOP;
    RETURN removed;
END $$;

REVOKE ALL ON FUNCTION purge_organization(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_organization(uuid, integer) TO bulkhead_app;

CREATE POLICY purge_sees ON organizations FOR SELECT TO bulkhead_owner
    USING (id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

CREATE POLICY purge_sees ON users FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON users FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge_sees ON api_keys FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON api_keys FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge_sees ON operations FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON operations FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge_sees ON outbox FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON outbox FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge_sees ON idempotency_keys FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON idempotency_keys FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

---- create above / drop below ----

DROP POLICY purge ON idempotency_keys;
DROP POLICY purge_sees ON idempotency_keys;
DROP POLICY purge ON outbox;
DROP POLICY purge_sees ON outbox;
DROP POLICY purge ON operations;
DROP POLICY purge_sees ON operations;
DROP POLICY purge ON api_keys;
DROP POLICY purge_sees ON api_keys;
DROP POLICY purge ON users;
DROP POLICY purge_sees ON users;
DROP POLICY purge_sees ON organizations;
DROP FUNCTION purge_organization(uuid, integer);

ALTER TABLE operations NO FORCE ROW LEVEL SECURITY;
UPDATE operations SET state = 'failed' WHERE state = 'canceled';
ALTER TABLE operations FORCE ROW LEVEL SECURITY;
ALTER TABLE operations
    DROP CONSTRAINT operations_state_check,
    ADD CONSTRAINT operations_state_check CHECK (state IN ('pending', 'running', 'succeeded', 'failed')),
    DROP COLUMN retry_of;

DROP INDEX organizations_created_idx;
ALTER TABLE organizations
    DROP COLUMN delete_after,
    DROP COLUMN activated_at,
    DROP COLUMN deletion_protected,
    DROP COLUMN settings,
    DROP COLUMN metadata;
