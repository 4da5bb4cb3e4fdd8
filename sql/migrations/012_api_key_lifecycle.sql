-- API keys: rotation, addresses, warnings, and when each secret was last used.
--
-- A key has one secret, or two while it is rotated: the old one stands beside the
-- new one in the key's own row, so that there are never more than two and that
-- whatever ends the key ends both.

ALTER TABLE api_keys
    ADD COLUMN description        text        NOT NULL DEFAULT '',
    ADD COLUMN allowed_ips        cidr[]      NOT NULL DEFAULT '{}'
               CONSTRAINT api_keys_allowed_ips_check CHECK (cardinality(allowed_ips) <= 50),
    ADD COLUMN metadata           jsonb       NOT NULL DEFAULT '{}'
               CONSTRAINT api_keys_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    -- Grows with each rotation, and tells the uses of one secret from the next one's.
    ADD COLUMN generation         integer     NOT NULL DEFAULT 1,
    ADD COLUMN old_hint           text,
    ADD COLUMN old_last_four      text,
    ADD COLUMN old_pepper_version smallint,
    ADD COLUMN old_hash           bytea,
    ADD COLUMN old_expires_at     timestamptz,
    ADD COLUMN old_until_seen     boolean     NOT NULL DEFAULT false,
    -- When somebody is to be warned next that the key expires.
    ADD COLUMN warn_at            timestamptz,
    ADD CONSTRAINT api_keys_old_secret_check CHECK (
        num_nulls(old_hint, old_last_four, old_pepper_version, old_hash) IN (0, 4)
        AND (old_hash IS NULL OR octet_length(old_hash) = 32)
        AND (old_hash IS NOT NULL OR (old_expires_at IS NULL AND NOT old_until_seen)));

CREATE INDEX api_keys_old_hash_idx ON api_keys (old_pepper_version, old_hash) WHERE old_hash IS NOT NULL;
CREATE INDEX api_keys_warn_idx ON api_keys (warn_at) WHERE warn_at IS NOT NULL AND state = 'active';

GRANT DELETE ON api_keys TO bulkhead_app;
GRANT SELECT (allowed_ips, generation, old_pepper_version, old_hash, old_expires_at, old_until_seen, warn_at)
    ON api_keys TO bulkhead_auth;

-- When each secret was last used, apart from the keys: this is written all the
-- time, for many organizations in one statement, by whoever serves requests. The
-- scope that may do so across tenants can reach these times and nothing else of a
-- key.
CREATE TABLE api_key_uses (
    org_id       uuid        NOT NULL CONSTRAINT api_key_uses_org_id_fkey REFERENCES organizations (id),
    key_id       uuid        NOT NULL,
    generation   integer     NOT NULL,
    last_used_at timestamptz,
    PRIMARY KEY (org_id, key_id, generation),
    CONSTRAINT api_key_uses_key_fkey FOREIGN KEY (org_id, key_id) REFERENCES api_keys (org_id, id)
) WITH (fillfactor = 80);

ALTER TABLE api_key_uses ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant ON api_key_uses TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

CREATE POLICY platform_read ON api_key_uses FOR SELECT TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on');
CREATE POLICY platform_use ON api_key_uses FOR UPDATE TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on');

CREATE POLICY purge_sees ON api_key_uses FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON api_key_uses FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

GRANT SELECT, INSERT, DELETE, UPDATE (last_used_at) ON api_key_uses TO bulkhead_app;
GRANT SELECT ON api_key_uses TO bulkhead_dump;

-- The keys that exist get their row, and keys that expire their warning.
ALTER TABLE api_keys NO FORCE ROW LEVEL SECURITY;

INSERT INTO api_key_uses (org_id, key_id, generation) SELECT org_id, id, generation FROM api_keys;

UPDATE api_keys SET warn_at = CASE
    WHEN expires_at - interval '30 days' > now() THEN expires_at - interval '30 days'
    WHEN expires_at - interval '7 days' > now() THEN expires_at - interval '7 days'
    ELSE expires_at - interval '1 day' END
WHERE expires_at - interval '1 day' > now() AND state <> 'revoked';

ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE api_key_uses FORCE ROW LEVEL SECURITY;

---- create above / drop below ----

DROP TABLE api_key_uses;

REVOKE DELETE ON api_keys FROM bulkhead_app;

ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_old_secret_check,
    DROP COLUMN description,
    DROP COLUMN allowed_ips,
    DROP COLUMN metadata,
    DROP COLUMN generation,
    DROP COLUMN old_hint,
    DROP COLUMN old_last_four,
    DROP COLUMN old_pepper_version,
    DROP COLUMN old_hash,
    DROP COLUMN old_expires_at,
    DROP COLUMN old_until_seen,
    DROP COLUMN warn_at;
