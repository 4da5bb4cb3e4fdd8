-- API keys: a user's, or the organization's own when user_id is null. Only an
-- HMAC of the secret is kept, under a pepper that the database never sees.
--
-- The hash is unique across tenants by necessity: it is looked up before any
-- tenant is known. 256 random bits tell nothing about another tenant's key.

CREATE TABLE api_keys (
    org_id         uuid        NOT NULL REFERENCES organizations (id),
    id             uuid        NOT NULL,
    user_id        uuid,
    name           text        NOT NULL,
    scopes         text[]      NOT NULL DEFAULT '{}',
    hint           text        NOT NULL,
    last_four      text        NOT NULL,
    pepper_version smallint    NOT NULL,
    hash           bytea       NOT NULL CONSTRAINT api_keys_hash_check CHECK (octet_length(hash) = 32),
    state          text        NOT NULL CONSTRAINT api_keys_state_check
                               CHECK (state IN ('active', 'disabled', 'revoked')),
    expires_at     timestamptz,
    revoked_at     timestamptz,
    version        bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT api_keys_user_fkey FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id),
    CONSTRAINT api_keys_hash_key UNIQUE (pepper_version, hash)
);

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON api_keys TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

CREATE POLICY authentication ON api_keys FOR SELECT TO bulkhead_auth USING (true);

GRANT SELECT, INSERT, UPDATE ON api_keys TO bulkhead_app;
GRANT SELECT (org_id, id, user_id, scopes, pepper_version, hash, state, expires_at) ON api_keys TO bulkhead_auth;
GRANT SELECT ON api_keys TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE api_keys;
