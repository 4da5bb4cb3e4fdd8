-- The audit trail as a chain: each entry of an organization has the next number
-- and the hash of all that stands before it, so that an entry which is altered,
-- removed, moved or slipped in later is found by whoever computes the hashes
-- again (core/audit).
--
-- The end of the chain, its head, is a row that an append updates: appends of one
-- organization take turns there, those of different ones do not meet. A
-- transaction does so as its last statement, when it holds all other locks that
-- it needs; who holds the head waits for nobody, hence no deadlock goes through
-- it. That is why an entry refers to the head, which its transaction has locked,
-- and no longer to the organization, whose row another one may hold, and why the
-- head refers to nothing: a second update of it would ask for that row again. A
-- trigger makes it together with its organization instead.

-- Entries that are older than the chain get the numbers 0, -1, -2 … into the
-- past, and no hash. The owner is above no policy, unless it says so.
ALTER TABLE audit_events NO FORCE ROW LEVEL SECURITY;

ALTER TABLE audit_events
    ADD COLUMN seq   bigint,
    ADD COLUMN hash  bytea,
    ADD COLUMN count bigint NOT NULL DEFAULT 1;

UPDATE audit_events e SET seq = numbered.seq
FROM (SELECT org_id, id, row_number() OVER (PARTITION BY org_id ORDER BY at, id) - count(*) OVER (PARTITION BY org_id) AS seq
      FROM audit_events) AS numbered
WHERE e.org_id = numbered.org_id AND e.id = numbered.id;

CREATE TABLE audit_heads (
    org_id uuid   PRIMARY KEY,
    seq    bigint NOT NULL CONSTRAINT audit_heads_seq_check CHECK (seq >= 0),
    hash   bytea  NOT NULL CONSTRAINT audit_heads_hash_check CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 50); -- room for the next version of the row beside it

CREATE FUNCTION audit_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.audit_heads (org_id, seq, hash) VALUES (NEW.id, 0, decode(repeat('00', 32), 'hex'));
    RETURN NULL;
END $$;

CREATE TRIGGER audit_begin AFTER INSERT ON organizations FOR EACH ROW EXECUTE FUNCTION audit_begin();

ALTER TABLE organizations NO FORCE ROW LEVEL SECURITY;
INSERT INTO audit_heads (org_id, seq, hash) SELECT id, 0, decode(repeat('00', 32), 'hex') FROM organizations;
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;

ALTER TABLE audit_events
    ALTER COLUMN seq SET NOT NULL,
    ADD CONSTRAINT audit_events_count_check CHECK (count > 0),
    ADD CONSTRAINT audit_events_hash_check CHECK (CASE WHEN seq > 0 THEN hash IS NOT NULL AND octet_length(hash) = 32 ELSE hash IS NULL END),
    ADD CONSTRAINT audit_events_seq_key UNIQUE (org_id, seq),
    DROP CONSTRAINT audit_events_org_id_fkey,
    ADD CONSTRAINT audit_events_head_fkey FOREIGN KEY (org_id) REFERENCES audit_heads (org_id);

ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;

-- Each filter of the trail has its index, in the order of the trail. What most
-- entries have is left out where it can be.
CREATE INDEX audit_events_time_idx ON audit_events (org_id, at, seq);
CREATE INDEX audit_events_user_idx ON audit_events (org_id, actor_user_id, seq) WHERE actor_user_id IS NOT NULL;
CREATE INDEX audit_events_key_idx ON audit_events (org_id, actor_key_id, seq) WHERE actor_key_id IS NOT NULL;
CREATE INDEX audit_events_action_idx ON audit_events (org_id, action, seq);
CREATE INDEX audit_events_resource_idx ON audit_events (org_id, resource_type, resource_id, seq);
CREATE INDEX audit_events_outcome_idx ON audit_events (org_id, outcome, seq) WHERE outcome <> 'succeeded';
-- The trail of all organizations, which operators read.
CREATE INDEX audit_events_id_idx ON audit_events (id);

CREATE POLICY platform ON audit_events FOR SELECT TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on');

ALTER TABLE audit_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_heads FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON audit_heads TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

GRANT SELECT, INSERT, UPDATE (seq, hash) ON audit_heads TO bulkhead_app;
GRANT SELECT ON audit_heads TO bulkhead_dump;

-- Where the chain begins when what came before was purged: the last entry that is
-- gone, and its hash, which the first one that is kept follows. The app role reads
-- it and can not write it.
CREATE TABLE audit_checkpoints (
    org_id    uuid        NOT NULL REFERENCES audit_heads (org_id),
    seq       bigint      NOT NULL,
    hash      bytea       NOT NULL CONSTRAINT audit_checkpoints_hash_check CHECK (octet_length(hash) = 32),
    purged    bigint      NOT NULL CONSTRAINT audit_checkpoints_purged_check CHECK (purged > 0),
    purged_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, seq)
);

ALTER TABLE audit_checkpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_checkpoints FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON audit_checkpoints TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

GRANT SELECT ON audit_checkpoints TO bulkhead_app;
GRANT SELECT ON audit_checkpoints TO bulkhead_dump;

-- Retention. The app role may delete nothing of a trail, whatever it was made to
-- do: it may only ask that what is too old be deleted. How old that is, the
-- function reads itself, from the organization's own settings, and by the
-- database's clock, so that no caller can say otherwise. It never takes anything
-- younger than 30 days, the least that a setting may be, even from an organization
-- whose row was tampered with. It takes a whole beginning of the chain and never an
-- entry from its middle, and it leaves the checkpoint in the same transaction:
-- either both are there, or neither. Without a setting it takes nothing.
--
-- As in purge_organization the owner is bound by forced row-level security and sees
-- the rows of the scope alone, and every name is qualified. One purge of an
-- organization runs at a time; a second one does nothing. It does not lock the head,
-- so that appends go on.
CREATE FUNCTION purge_audit(org uuid, max_rows integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET row_security = on
AS $$
DECLARE
    days   integer;
    young  bigint;
    last   bigint;
    digest bytea;
    n      bigint;
BEGIN
    IF org IS DISTINCT FROM nullif(current_setting('app.org_id', true), '')::uuid THEN
        RAISE insufficient_privilege USING MESSAGE = 'the trail is not that of the scope';
    END IF;
    SELECT (o.settings ->> 'audit_retention_days')::integer INTO days FROM public.organizations o WHERE o.id = org;
    IF coalesce(days, 0) <= 0 OR NOT pg_try_advisory_xact_lock(hashtextextended('purge_audit ' || org::text, 0)) THEN
        RETURN 0;
    END IF;
    SELECT min(e.seq) FILTER (WHERE e.at >= now() - make_interval(days => greatest(days, 30))), max(e.seq) INTO young, last
    FROM (SELECT a.seq, a.at FROM public.audit_events a WHERE a.org_id = org ORDER BY a.seq LIMIT max_rows) e;
    SELECT a.seq, coalesce(a.hash, decode(repeat('00', 32), 'hex')) INTO last, digest FROM public.audit_events a
    WHERE a.org_id = org AND a.seq <= last AND (young IS NULL OR a.seq < young) ORDER BY a.seq DESC LIMIT 1;
    IF last IS NULL THEN
        RETURN 0;
    END IF;
    DELETE FROM public.audit_events a WHERE a.org_id = org AND a.seq <= last;
    GET DIAGNOSTICS n = ROW_COUNT;
    INSERT INTO public.audit_checkpoints (org_id, seq, hash, purged, purged_at) VALUES (org, last, digest, n, now());
    RETURN n;
END $$;

REVOKE ALL ON FUNCTION purge_audit(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_audit(uuid, integer) TO bulkhead_app;

CREATE POLICY purge_sees ON audit_events FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON audit_events FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY checkpoint ON audit_checkpoints FOR INSERT TO bulkhead_owner
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

---- create above / drop below ----

DROP POLICY purge ON audit_events;
DROP POLICY purge_sees ON audit_events;
DROP FUNCTION purge_audit(uuid, integer);
DROP TABLE audit_checkpoints;

ALTER TABLE audit_events NO FORCE ROW LEVEL SECURITY;

ALTER TABLE audit_events
    DROP CONSTRAINT audit_events_head_fkey,
    DROP CONSTRAINT audit_events_seq_key,
    DROP CONSTRAINT audit_events_hash_check,
    DROP CONSTRAINT audit_events_count_check;

DROP POLICY platform ON audit_events;
DROP INDEX audit_events_id_idx;
DROP INDEX audit_events_outcome_idx;
DROP INDEX audit_events_resource_idx;
DROP INDEX audit_events_action_idx;
DROP INDEX audit_events_key_idx;
DROP INDEX audit_events_user_idx;
DROP INDEX audit_events_time_idx;

ALTER TABLE audit_events
    DROP COLUMN count,
    DROP COLUMN hash,
    DROP COLUMN seq;

DROP TRIGGER audit_begin ON organizations;
DROP FUNCTION audit_begin;
DROP TABLE audit_heads;

-- Every entry has its organization still: the head that it referred to does.
ALTER TABLE organizations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_events
    ADD CONSTRAINT audit_events_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations (id);
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;
